"""Following a server that goes away, falls silent or closes the line: come back, or say why not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiohttp import WSMsgType, web

from bestchat_server_ext.api import closing
from bestchat_server_ext.api.frames import (
    CaughtUp,
    ClientFrame,
    Heartbeat,
    Problem,
    ServerFrame,
    Subscribe,
    Welcome,
)
from bestchat_server_ext.client import remote, retry
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core import errors
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.ids import ConversationId

HERE = ConversationId("01900000-0000-7000-8000-000000000000")
TOKEN = "bc_" + "A" * 43
AT = datetime(2026, 1, 1, tzinfo=UTC)

_asked: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)


class Line:
    """One WebSocket as the server sees it."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket

    async def say(self, *frames: ServerFrame) -> None:
        for frame in frames:
            await self.socket.send_str(msgspec.json.encode(frame).decode())

    async def hear(self) -> ClientFrame:
        return _asked.decode((await self.socket.receive()).data)

    async def subscribed(self) -> Subscribe:
        """Let the client in; give what it asks for."""
        await self.hear()
        await self.say(Welcome(1, "1"))
        asked = await self.hear()
        assert isinstance(asked, Subscribe)
        return asked


class Pauses:
    """A clock on which time goes by only while somebody waits."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class Stage:
    """A server whose lines play one part after the other; the last one again and again."""

    def __init__(self) -> None:
        self.parts: list[Callable[[Line], Awaitable[None]]] = []
        self.lines = 0
        self.clock = Pauses()
        self.client: Any = None

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        part = self.parts[min(self.lines, len(self.parts) - 1)]
        self.lines += 1
        socket = web.WebSocketResponse(timeout=0.1)
        await socket.prepare(request)
        await part(Line(socket))
        if not socket.closed:
            request.transport.abort()  # type: ignore[union-attr]
        return socket

    async def read(self, count: int) -> list[ServerFrame]:
        frames = []
        async with aclosing(self.client.follow(HERE, 0)) as following:
            while len(frames) < count:
                frames.append(await anext(following))
        return frames


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        played = Stage()
        runner = web.ServerRunner(web.Server(played.serve))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        played.client = RemoteClient(url, TOKEN, clock=played.clock, dice=random.Random(1))
        stack.push_async_callback(played.client.close)
        yield played


def renamed(seq: int) -> ev.Envelope:
    return ev.Envelope(HERE, seq, AT, ev.ConversationRenamed(str(seq)))


async def test_it_comes_back_from_where_it_stands(stage: Stage) -> None:
    asked = []

    async def first(line: Line) -> None:
        asked.append(await line.subscribed())
        await line.say(renamed(1), renamed(2), CaughtUp(HERE, 2))

    async def second(line: Line) -> None:
        asked.append(await line.subscribed())
        await line.say(renamed(2), renamed(3), CaughtUp(HERE, 3))

    stage.parts = [first, second]
    frames = await stage.read(5)
    assert [getattr(frame, "seq", None) for frame in frames] == [1, 2, 2, 3, 3]
    assert [item.after for item in asked] == [0, 2]


async def test_pauses_grow_and_are_jittered(stage: Stage) -> None:
    async def refuse(_: Line) -> None:
        pass

    stage.parts = [refuse]
    with pytest.raises(errors.Unavailable, match="cannot be reached"):
        await stage.read(1)
    pauses = stage.clock.slept
    assert sum(pauses[:-1]) < remote.AWAY_SECONDS <= sum(pauses) + retry.LONGEST_SECONDS
    longest = retry.FIRST_SECONDS
    for pause in pauses:
        assert longest / 2 <= pause <= longest
        longest = min(2 * longest, retry.LONGEST_SECONDS)
    assert len(set(pauses)) == len(pauses)


async def test_progress_begins_the_pauses_anew(stage: Stage) -> None:
    async def one(line: Line) -> None:
        asked = await line.subscribed()
        await line.say(renamed((asked.after or 0) + 1))

    stage.parts = [one]
    await stage.read(20)
    assert max(stage.clock.slept) <= retry.FIRST_SECONDS


async def test_a_silent_server_is_left(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LEAST_PATIENCE", 0.1)
    silent_for: list[Any] = []

    async def silent(line: Line) -> None:
        await line.hear()
        await line.say(Welcome(1, "1", heartbeat_seconds=0.01))
        assert isinstance(await line.hear(), Subscribe)
        await line.say(CaughtUp(HERE, 0))
        async for message in line.socket:  # which goes on saying that it lives
            assert message.type is WSMsgType.TEXT
            silent_for.append(_asked.decode(message.data))

    async def alive(line: Line) -> None:
        await line.subscribed()
        await line.say(Heartbeat({HERE: 0}), renamed(1))

    stage.parts = [silent, alive]
    frames = await stage.read(2)
    assert isinstance(frames[1], ev.Envelope)
    assert stage.lines == 2
    assert {type(frame).__name__ for frame in silent_for} == {"Ping"}


@pytest.mark.parametrize(
    ("why", "error"),
    [
        (closing.NOT_AUTHENTICATED, errors.NotAuthenticated),
        (closing.PROTOCOL, errors.ProtocolMismatch),
        (closing.BAD_FRAME, errors.InvalidRequest),
    ],
)
async def test_a_code_that_says_for_good_is_obeyed(
    stage: Stage, why: closing.Closing, error: type[errors.ChatError]
) -> None:
    async def close(line: Line) -> None:
        await line.subscribed()
        await line.socket.close(code=why.code)

    stage.parts = [close]
    with pytest.raises(error):
        await stage.read(1)
    assert stage.lines == 1
    assert why.again == "no"


@pytest.mark.parametrize(
    "code", [item.code for item in closing.CLOSINGS if item.again != "no"] + [1011, 4499]
)
async def test_any_other_code_means_to_come_back(stage: Stage, code: int) -> None:
    async def close(line: Line) -> None:
        await line.subscribed()
        await line.socket.close(code=code)

    async def alive(line: Line) -> None:
        await line.subscribed()
        await line.say(renamed(1))

    stage.parts = [close, alive]
    await stage.read(1)
    assert stage.lines == 2


@pytest.mark.parametrize("error", [errors.Unavailable("Gone."), errors.LimitReached("Too many.")])
async def test_trouble_that_passes_is_told_to_newcomers_only(
    stage: Stage, error: errors.ChatError
) -> None:
    async def trouble(line: Line) -> None:
        await line.subscribed()
        await line.say(Problem(error.info, HERE))

    async def alive(line: Line) -> None:
        await line.subscribed()
        await line.say(renamed(1))

    stage.parts = [trouble, alive]
    await stage.read(1)
    stage.lines = 0
    with pytest.raises(type(error)):
        await anext(stage.client.follow(HERE))
