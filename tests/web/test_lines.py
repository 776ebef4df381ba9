"""Lines that are of no use any more are let go, with a code that says whether to come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bestchat_server_ext.api import closing
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.web import lines
from bestchat_server_ext.web import socket as web_socket

FAR = 10_000.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heart that beats often, and limits that only the test at hand makes short."""
    monkeypatch.setattr(web_socket, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(lines, "SWEEP_SECONDS", 0.01)
    for name in ("HELLO_SECONDS", "SILENCE_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(lines, name, FAR)


async def beats(line: Any, count: int) -> None:
    for _ in range(count):
        await line.heartbeat()


async def follow(site: Any, conversation_id: str, headers: Any = None) -> Any:
    line = await site.connect(headers)
    await line.greet()
    await line.say(type="subscribe", conversation_id=conversation_id, after=1)
    assert (await line.hear())["type"] == "caught_up"
    return line


class TestSilence:
    async def test_a_client_that_died_is_let_go_and_one_that_only_listens_is_not(
        self, plain: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mine = await plain.begin()
        dead, listener = await follow(plain, mine), await follow(plain, mine)
        following = [task for task in asyncio.all_tasks() if task.get_name() == "bestchat-follow"]
        monkeypatch.setattr(lines, "SILENCE_SECONDS", 1.0)
        await beats(listener, 100)  # two seconds; the other one answers no ping meanwhile
        assert await dead.hear() == closing.SILENT.code
        await beats(listener, 1)
        assert sum(task.done() for task in following) == 1

    async def test_who_never_says_hello_is_let_go(
        self, plain: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lines, "HELLO_SECONDS", 0.1)
        mute, greeted = await plain.connect(), await plain.connect()
        await greeted.greet()
        assert await mute.hear() == closing.SILENT.code
        await beats(greeted, 1)


class TestIdleness:
    async def test_who_follows_nothing_is_let_go(
        self, plain: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mine = await plain.begin()
        used, left = await follow(plain, mine), await follow(plain, mine)
        never = await plain.connect()
        await never.greet()
        monkeypatch.setattr(lines, "IDLE_SECONDS", 0.1)
        assert await never.hear() == closing.IDLE.code
        await left.say(type="unsubscribe", conversation_id=mine)
        assert await left.hear() == closing.IDLE.code
        await beats(used, 1)

    async def test_what_was_deleted_is_followed_no_longer(
        self, plain: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mine = await plain.begin()
        line = await follow(plain, mine)
        monkeypatch.setattr(lines, "IDLE_SECONDS", 0.1)
        body = {"conversation_id": mine, "forever": True}
        await plain.call("conversations.delete", body)
        assert (await line.hear())["event"]["type"] == "conversation_deleted"
        assert await line.hear() == closing.IDLE.code


class TestTooMany:
    async def test_one_line_too_many_is_told_so(self, plain: Any, application: Application) -> None:
        application.max_sockets = 2
        first, second = await plain.connect(), await plain.connect()
        await first.greet()
        await second.greet()
        third = await plain.connect()
        await third.say(type="hello", protocol=1)
        problem = await third.hear()
        assert problem["error"]["code"] == "limit_reached"
        assert "max_sockets" in problem["error"]["hint"]
        assert await third.hear() == closing.TOO_MANY.code
        # Others have their own; and one that is closed makes room.
        other = await plain.connect(await plain.add_token("somebody-else"))
        await other.greet()
        await first.socket.close()
        while True:
            again = await plain.connect()
            await again.say(type="hello", protocol=1)
            if (await again.hear())["type"] == "welcome":
                break
        await beats(second, 1)

    async def test_nothing_is_counted_that_has_gone(
        self, plain: Any, application: Application
    ) -> None:
        application.max_sockets = 1
        for _ in range(20):
            line = await plain.connect()
            await line.greet()
            sweeping = plain.door.lines._sweeping
            await line.socket.close()
            await asyncio.wait([sweeping], timeout=20)
            assert sweeping.cancelled()
        assert plain.door.lines._lines == {}


class TestTheEnd:
    async def test_a_host_that_ends_says_so(self, plain: Any) -> None:
        line = await plain.connect()
        await line.greet()
        await plain.door.close()
        assert await line.hear() == closing.STOPPING.code


class TestSlowClients:
    async def test_one_that_does_not_read_costs_one_frame_and_nobody_else_anything(
        self, plain: Any, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is brought back by what storage has, and misses nothing."""
        stream, mine = application._services.stream, await plain.begin()
        monkeypatch.setattr(stream.bus, "_capacity", 4)
        sockets: list[Any] = []
        opened = web_socket.EventsSocket.open

        def noted(self: Any, *args: str, **kwargs: str) -> None:
            sockets.append(self)
            opened(self, *args, **kwargs)

        monkeypatch.setattr(web_socket.EventsSocket, "open", noted)
        slow, quick = await follow(plain, mine), await follow(plain, mine)
        size, count = 1_000_000, 40
        for number in range(count):
            title = f"{number} " + "x" * size
            await stream.append(mine, [ev.ConversationRenamed(title)])
            assert (await quick.hear())["seq"] == number + 2
            kept = [len(socket.ws_connection.stream._write_buffer) for socket in sockets]
            assert max(kept) < 2 * size
        assert kept[0] > 0, "the slow one has left something unread"
        seqs = [(await slow.hear())["seq"] for _ in range(count)]
        while seqs[-1] != count + 1:
            seqs.append((await slow.hear())["seq"])
        assert sorted(set(seqs)) == list(range(2, count + 2))

    async def test_one_snapshot_at_a_time_waits_for_it(
        self, plain: Any, application: Application
    ) -> None:
        stream = application._services.stream
        ids = [await plain.begin() for _ in range(20)]
        for conversation_id in ids:
            await stream.append(conversation_id, [ev.ConversationRenamed("x" * 2_000_000)])
        loaded: list[str] = []
        state = stream.state

        async def noted(conversation_id: Any) -> Any:
            loaded.append(conversation_id)
            return await state(conversation_id)

        stream.state = noted
        slow, quick = await plain.connect(), await follow(plain, await plain.begin())
        await slow.greet()
        for conversation_id in ids:
            await slow.say(type="subscribe", conversation_id=conversation_id)
        await beats(quick, 20)
        assert 0 < len(loaded) < len(ids), "more were made ready than anybody takes"
        heard = [await slow.hear() for _ in range(2 * len(ids))]
        assert [frame["type"] for frame in heard] == ["snapshot", "caught_up"] * len(ids)
