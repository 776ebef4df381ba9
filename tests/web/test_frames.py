"""The WebSocket: whatever a client sends, the answer is a frame or a code, and never a crash."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.api import closing
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.web import socket as web_socket

NOBODY = "01900000-0000-7000-8000-000000000000"
DEEP = 20_000

BAD_FRAMES: dict[str, str | bytes] = {
    "nothing": "",
    "white space": " \n",
    "not JSON": "{",
    "null": "null",
    "a number": "1",
    "a list": "[]",
    "an empty object": "{}",
    "a type that is none": '{"type": "nope"}',
    "a type of ours": '{"type": "welcome", "protocol": 1, "version": "1"}',
    "a type that is no text": '{"type": 7}',
    "hello without a protocol": '{"type": "hello"}',
    "hello with a text": '{"type": "hello", "protocol": "1"}',
    "hello with too much": '{"type": "hello", "protocol": 1, "token": "x"}',
    "subscribe without a conversation": '{"type": "subscribe"}',
    "subscribe from before the beginning": (
        '{"type": "subscribe", "conversation_id": "x", "after": -1}'
    ),
    "subscribe with half a position": (
        '{"type": "subscribe", "conversation_id": "x", "draft": {"part": 0}}'
    ),
    "deep nesting in a field": (
        '{"type": "subscribe", "conversation_id":'
        + '{"a":' * (DEEP // 4)
        + "1"
        + "}" * (DEEP // 4 + 1)
    ),
    "deep nesting": "[" * DEEP + "]" * DEEP,
    "half a surrogate pair": '{"type": "subscribe", "conversation_id": "\\ud83d"}',
    "bytes that are not UTF-8": b"\xff\xfe\x00",
    "bytes that are": "{}".encode("utf-16"),
    "a type twice": '{"type": "ping", "type": "ping"}',
    "a conversation twice": '{"type": "subscribe", "conversation_id": "x", "conversation_id": "y"}',
    "U+0000": '{"type": "subscribe", "conversation_id": "\\u0000"}',
    "a byte order mark": b'\xef\xbb\xbf{"type": "ping"}',
    "a protocol that is none": '{"type": "hello", "protocol": NaN}',
    "a protocol of many digits": '{"type": "hello", "protocol": ' + "9" * 4000 + "}",
    "a protocol of far too many digits": '{"type": "hello", "protocol": ' + "9" * 5000 + "}",
    "a position with too much": (
        '{"type": "subscribe", "conversation_id": "x",'
        ' "draft": {"message_id": "x", "part": 0, "n": 0, "odd": 1}}'
    ),
}


TOO_LARGE: dict[str, str | bytes] = {
    "a large frame": json.dumps({"type": "ping", "x": "x" * web_socket.FRAME_LIMIT}),
    "a large frame of wide letters": json.dumps("\u4e2d" * 30_000, ensure_ascii=False),
    "a large frame of bytes": b" " * (web_socket.FRAME_LIMIT + 1),
}


async def send(line: Any, frame: str | bytes) -> None:
    if isinstance(frame, bytes):
        await line.socket.send_bytes(frame)
    else:
        await line.socket.send_str(frame)


@pytest.mark.parametrize("name", [*BAD_FRAMES, *TOO_LARGE])
async def test_a_bad_frame(site: Any, name: str) -> None:
    bad, code = (BAD_FRAMES | TOO_LARGE)[name], "invalid_request"
    if name in TOO_LARGE:
        code = "too_large"
    first = await site.connect()
    await send(first, bad)
    problem = await first.hear()
    assert (problem["type"], problem["error"]["code"]) == ("error", code)
    assert len(json.dumps(problem)) < 500
    assert await first.hear() == closing.BAD_FRAME.code
    # After hello, it is no reason to close.
    line = await site.connect()
    await line.greet()
    await send(line, bad)
    problem = await line.hear()
    assert (problem["type"], problem["error"]["code"]) == ("error", code)
    await line.say(type="ping")
    assert (await line.heartbeat())["seqs"] == {}


@pytest.mark.parametrize(
    "frame", [{"type": "ping"}, {"type": "unsubscribe"}, {"type": "subscribe"}]
)
async def test_the_first_frame_is_hello(site: Any, frame: dict[str, str]) -> None:
    line = await site.connect()
    given = {} if frame["type"] == "ping" else {"conversation_id": NOBODY}
    await line.say(**frame, **given)
    assert (await line.hear())["error"]["text"] == "The first frame has to be hello."
    assert await line.hear() == closing.BAD_FRAME.code


@pytest.mark.parametrize("protocol", [3, 99, -1])
async def test_a_protocol_too_far_away(site: Any, protocol: int) -> None:
    line = await site.connect()
    await line.say(type="hello", protocol=protocol)
    assert (await line.hear())["error"]["code"] == "protocol_mismatch"
    assert await line.hear() == closing.PROTOCOL.code


async def test_a_frame_beyond_all_limits_closes_the_line(site: Any) -> None:
    line = await site.connect()
    await line.greet()
    with suppress(ConnectionError):  # closed before all of it was sent
        await line.socket.send_str("x" * (web_socket.LINE_LIMIT + 1))
    assert await line.hear() in {1006, 1009}
    again = await site.connect()
    await again.greet()


async def test_what_is_not_there_cannot_be_followed(site: Any) -> None:
    line = await site.connect()
    await line.greet()
    for conversation_id in (NOBODY, "", "../..", "x" * 1000):
        await line.say(type="subscribe", conversation_id=conversation_id)
        problem = await line.hear()
        assert problem["error"]["code"] == "not_found"
        assert problem["conversation_id"] == conversation_id


async def test_subscribing_again_starts_again(site: Any) -> None:
    mine = await site.begin()
    line = await site.connect()
    await line.greet()
    for after, first in ((None, "snapshot"), (0, "event"), (1, "caught_up")):
        given = {} if after is None else {"after": after}
        await line.say(type="subscribe", conversation_id=mine, **given)
        assert (await line.hear())["type"] == first
        if first != "caught_up":
            assert (await line.hear())["type"] == "caught_up"
    await line.say(type="ping")
    while (seqs := (await line.heartbeat())["seqs"]) != {mine: 1}:
        assert seqs == {}


async def test_unsubscribing_ends_it(site: Any) -> None:
    mine, other = await site.begin(), await site.begin()
    line = await site.connect()
    await line.greet()
    await line.say(type="unsubscribe", conversation_id=mine)  # from nothing: no matter
    for conversation_id in (mine, other):
        await line.say(type="subscribe", conversation_id=conversation_id, after=1)
        assert (await line.hear())["type"] == "caught_up"
    await line.say(type="unsubscribe", conversation_id=mine)
    await line.say(type="ping")
    while (await line.heartbeat())["seqs"] != {other: 1}:
        pass
    for conversation_id in (mine, other):
        body = {"conversation_id": conversation_id, "title": "Renamed"}
        assert (await site.call("conversations.rename", body)).status == 200
    heard = await line.hear()
    assert (heard["conversation_id"], heard["seq"]) == (other, 2)


async def test_deletion_ends_a_subscription_and_not_the_line(site: Any) -> None:
    mine = await site.begin()
    line = await site.connect()
    await line.greet()
    await line.say(type="subscribe", conversation_id=mine, after=1)
    assert (await line.hear())["type"] == "caught_up"
    await site.call("conversations.delete", {"conversation_id": mine, "forever": True})
    assert (await line.hear())["event"] == {"type": "conversation_deleted"}
    await line.say(type="ping")
    while (await line.heartbeat())["seqs"]:
        pass


async def test_the_heart_beats_by_itself(inside: Any) -> None:
    mine = await inside.begin()
    line = await inside.connect()
    await line.greet()
    await line.say(type="subscribe", conversation_id=mine, after=1)
    assert (await line.hear())["type"] == "caught_up"
    for _ in range(3):
        assert (await line.heartbeat())["seqs"] == {mine: 1}


async def test_the_heart_goes_on_while_subscriptions_come_and_go(
    plain: Any, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_socket, "HEARTBEAT_SECONDS", 0.001)
    ids = [await plain.begin() for _ in range(10)]
    line = await plain.connect()
    await line.greet()
    for kind in ("subscribe", "unsubscribe") * 5:
        for conversation_id in ids:
            await line.say(type=kind, conversation_id=conversation_id)
    for conversation_id in ids:
        await line.say(type="subscribe", conversation_id=conversation_id)
    while len((await line.heartbeat())["seqs"]) < len(ids):
        pass


async def test_one_line_follows_so_many_and_no_more(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_socket, "SUBSCRIPTION_LIMIT", 2)
    ids = [await plain.begin() for _ in range(3)]
    line = await plain.connect()
    await line.greet()
    for conversation_id in ids[:2]:
        await line.say(type="subscribe", conversation_id=conversation_id, after=1)
        assert (await line.hear())["type"] == "caught_up"
    await line.say(type="subscribe", conversation_id=ids[2], after=1)
    assert (await line.hear())["error"]["code"] == "limit_reached"
    await line.say(type="subscribe", conversation_id=ids[1], after=1)
    assert (await line.hear())["type"] == "caught_up"


async def test_a_closed_line_leaves_nothing_behind(plain: Any, application: Application) -> None:
    ids = [await plain.begin() for _ in range(3)]
    line = await plain.connect()
    await line.greet()
    for conversation_id in ids:
        await line.say(type="subscribe", conversation_id=conversation_id, after=1)
        assert (await line.hear())["type"] == "caught_up"
    following = [task for task in asyncio.all_tasks() if task.get_name() == "bestchat-follow"]
    assert len(following) == 3
    await line.socket.close()
    await asyncio.wait(following, timeout=20)
    assert all(task.done() for task in following)
    bus = application._services.stream.bus
    assert isinstance(bus, MemoryBus)
    assert bus._topics == {}


async def test_a_turn_seen_by_two(site: Any) -> None:
    mine = await site.begin()
    lines = [await site.connect(), await site.connect()]
    for line in lines:
        await line.greet()
        await line.say(type="subscribe", conversation_id=mine, after=1)
        assert (await line.hear())["type"] == "caught_up"
    body = {"conversation_id": mine, "request_id": mine, "text": "Hi", "model": "scripted/echo"}
    started = await site.call("turns.start", body)
    assert set(started.json) == {"turn_id", "message_id", "seq", "model", "label", "queued"}
    heard: list[list[Any]] = [[], []]
    for line, frames in zip(lines, heard, strict=True):
        while not frames or frames[-1].get("event", {}).get("type") != "turn_finished":
            frames.append(await line.hear())
    assert heard[0] == heard[1]
    assert [frame["event"]["type"] for frame in heard[0] if frame["type"] == "event"] == [
        "message_added",
        "turn_started",
        "conversation_renamed",
        "step_started",
        "message_added",
        "turn_finished",
    ]
    assert [frame["text"] for frame in heard[0] if frame["type"] == "delta"] == ["Hi"]
