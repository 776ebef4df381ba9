"""Whatever is sent over a WebSocket: an answer or a code, nothing in the log, and nobody else
feels it."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bestchat_server_ext.api import closing
from bestchat_server_ext.api.frames import ServerFrame

NOBODY = "01900000-0000-7000-8000-000000000000"
REAL = "the follower's own conversation"

CODES = {closing.BAD_FRAME.code, closing.PROTOCOL.code}

_answers = msgspec.json.Decoder(ServerFrame)

numbers = st.integers(-2, 3) | st.integers() | st.floats() | st.sampled_from([2**53, 10**400])
conversation_ids = st.sampled_from([REAL, NOBODY, "", "\x00", "x" * 1000]) | st.text(max_size=40)
scalars = st.none() | st.booleans() | numbers | st.text(max_size=10)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
positions = st.fixed_dictionaries(
    {},
    optional={
        "message_id": conversation_ids | values,
        "part": numbers,
        "n": numbers,
        "odd": values,
    },
)
near = st.fixed_dictionaries(
    {"type": st.sampled_from(["hello", "subscribe", "unsubscribe", "ping", "heartbeat", "event"])},
    optional={
        "protocol": st.sampled_from([0, 1, 2]) | numbers,
        "conversation_id": conversation_ids | values,
        "after": st.none() | numbers,
        "draft": st.none() | positions,
        "odd": values,
    },
)
good = st.sampled_from(
    [
        {"type": "hello", "protocol": 1},
        {"type": "ping"},
        {"type": "subscribe", "conversation_id": REAL},
        {"type": "subscribe", "conversation_id": REAL, "after": 0},
        {"type": "subscribe", "conversation_id": NOBODY, "after": 2**53 - 1},
        {"type": "unsubscribe", "conversation_id": REAL},
    ]
)
frames = st.lists(
    st.text(max_size=50) | st.binary(max_size=50) | values | near | good, min_size=1, max_size=8
)


class Witness:
    """Somebody else, who follows a conversation meanwhile."""

    def __init__(self, site: Any, line: Any, conversation_id: str) -> None:
        self.site, self.line, self.conversation_id = site, line, conversation_id

    async def look(self) -> None:
        """See that what happens still arrives."""
        title = os.urandom(8).hex()
        body = {"conversation_id": self.conversation_id, "title": title}
        assert (await self.site.call("conversations.rename", body)).status == 200
        heard = (await self.line.hear())["event"]
        assert (heard["type"], heard["title"]) == ("conversation_renamed", title)


@pytest.fixture
async def witness(plain: Any, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Witness]:
    caplog.set_level(logging.INFO)
    mine = await plain.begin()
    line = await plain.connect()
    await line.greet()
    await line.say(type="subscribe", conversation_id=mine, after=1)
    assert (await line.hear())["type"] == "caught_up"
    yield Witness(plain, line, mine)
    assert [record for record in caplog.records if record.exc_info or record.levelno > 30] == []


async def send(line: Any, frame: Any, mine: str) -> None:
    if isinstance(frame, bytes):
        await line.socket.send_bytes(frame)
    elif isinstance(frame, str):
        await line.socket.send_str(frame.encode(errors="replace").decode())
    else:
        await line.socket.send_str(json.dumps(frame).replace(json.dumps(REAL), json.dumps(mine)))


async def settle(line: Any) -> int | None:
    """Read what was answered; gives the code of a line that was closed."""
    while True:
        message = await line.socket.receive(timeout=20)
        if not isinstance(message.data, str):
            return int(line.socket.close_code)
        answer = _answers.decode(message.data)
        if type(answer).__name__ == "Heartbeat":
            return None


@settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(sent=frames, greeted=st.booleans())
async def test_frames_of_any_kind(witness: Witness, sent: list[Any], *, greeted: bool) -> None:
    line = await witness.site.connect()
    code = None
    with suppress(ConnectionError):  # closed while more was being sent
        if greeted:
            await line.greet()
        for frame in sent:
            await send(line, frame, witness.conversation_id)
        await line.say(type="hello", protocol=1)
        await line.say(type="ping")
    code = await settle(line)
    if greeted:
        assert code is None
    else:
        assert code in {None, *CODES}
    await witness.look()
    await line.socket.close()


async def test_a_storm_of_subscriptions(witness: Witness) -> None:
    line = await witness.site.connect()
    await line.greet()
    missing = [f"01900000-0000-7000-8000-{number:012x}" for number in range(500)]
    for conversation_id in missing:
        await line.say(type="subscribe", conversation_id=conversation_id)
    refused = [(await line.hear())["error"]["code"] for _ in missing]
    assert set(refused) <= {"not_found", "limit_reached"}
    for _ in range(200):
        await line.say(type="subscribe", conversation_id=witness.conversation_id)
    await line.say(type="ping")
    assert await settle(line) is None
    await witness.look()


def packet(opcode: int, payload: bytes, *, last: bool = True, reserved: int = 0) -> bytes:
    """A frame as a client sends it, masked with zeros."""
    head = bytes([(last << 7) | (reserved << 4) | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 2**16:
        head += bytes([0x80 | 126]) + struct.pack("!H", len(payload))
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", len(payload))
    return head + bytes(4) + payload


MORE, TEXT, BYTES, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
HELLO = b'{"type":"hello","protocol":1}'

PACKETS: dict[str, bytes] = {
    "text that is not UTF-8": packet(TEXT, b"\xff\xfe\xfd"),
    "half a letter at the end": packet(TEXT, b'{"type":"ping"}\xe2\x82'),
    "a kind that is reserved": packet(0x3, b"x"),
    "a control frame that is reserved": packet(0xB, b""),
    "reserved bits": packet(TEXT, HELLO, reserved=7),
    "packed, though nobody agreed to it": packet(TEXT, HELLO, reserved=4),
    "more of nothing": packet(MORE, b"x"),
    "a new message within another": packet(TEXT, b"{", last=False) + packet(TEXT, HELLO),
    "a control frame in pieces": packet(PING, b"x", last=False),
    "a control frame that is too long": packet(PING, b"x" * 126),
    "a close that is too short": packet(CLOSE, b"\x03"),
    "a close with a code that is none": packet(CLOSE, struct.pack("!H", 5)),
    "a close with a reason that is not UTF-8": packet(CLOSE, struct.pack("!H", 1000) + b"\xff"),
    "a length beyond all limits": bytes([0x81, 0xFF]) + struct.pack("!Q", 2**62) + bytes(4),
    "a negative length": bytes([0x81, 0xFF]) + b"\xff" * 8 + bytes(4),
    "pieces that add up": packet(TEXT, b" " * 60_000, last=False)
    + packet(MORE, b" " * 60_000, last=False) * 20,
    "a frame that is not masked": bytes([0x81, len(HELLO)]) + HELLO,
    "half a frame, and then nothing": packet(TEXT, HELLO)[:-5],
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": bytes(range(256)) * 20,
}


@pytest.fixture
async def raw(witness: Witness) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which the server has agreed to speak WebSocket."""
    url = urlsplit(witness.site.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    lines = [
        f"GET {url.path}bestchat/api/events HTTP/1.1",
        f"Host: {url.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *(f"{name}: {value}" for name, value in witness.site.headers.items()),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    yield reader, writer
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize("name", PACKETS)
async def test_what_is_no_websocket_any_more(witness: Witness, raw: Any, name: str) -> None:
    reader, writer = raw
    writer.write(PACKETS[name])
    await writer.drain()
    await witness.look()
    with suppress(ConnectionError):
        writer.write_eof()
        async with asyncio.timeout(20):
            await reader.read()  # it hangs up
    await witness.look()


async def test_a_frame_in_pieces_is_one_frame(witness: Witness, raw: Any) -> None:
    reader, writer = raw
    for number, letter in enumerate(HELLO):
        last = number == len(HELLO) - 1
        writer.write(packet(MORE if number else TEXT, bytes([letter]), last=last))
        writer.write(packet(PING, b"between"))
    async with asyncio.timeout(20):
        heard = b""
        while b'"welcome"' not in heard:
            heard += await reader.read(1000)
    assert heard.count(bytes([0x80 | PONG, 7]) + b"between") >= len(HELLO) - 1
    await witness.look()


async def test_nothing_is_obeyed_after_the_end(witness: Witness) -> None:
    """What a client had sent before it learnt that it was hung up on leads to nothing."""
    line = await witness.site.connect()
    follow = {"type": "subscribe", "conversation_id": witness.conversation_id}
    await line.say(type="ping")  # and no hello
    with suppress(ConnectionError):
        await line.say(type="hello", protocol=1)
        for _ in range(100):
            await line.say(**follow)
    assert (await line.hear())["error"]["code"] == "invalid_request"
    assert await line.hear() == closing.BAD_FRAME.code
    following = [task for task in asyncio.all_tasks() if task.get_name() == "bestchat-follow"]
    assert len(following) == 1, "the witness's own"
    await witness.look()


async def test_frames_in_another_order(witness: Witness) -> None:
    """Greeted twice, once in another protocol, and unsubscribed before subscribed: all the same."""
    mine = witness.conversation_id
    line = await witness.site.connect()
    await line.greet()
    await line.say(type="unsubscribe", conversation_id=mine)
    await line.say(type="hello", protocol=99)
    assert (await line.hear())["error"]["code"] == "protocol_mismatch"
    await line.greet()
    await line.say(type="subscribe", conversation_id=mine, after=2**53 - 1)
    assert (await line.hear())["type"] == "snapshot"
    await line.say(type="heartbeat", seqs={})
    assert [(await line.hear())["type"] for _ in range(2)] == ["caught_up", "error"]
    await line.say(type="ping")
    assert list((await line.heartbeat())["seqs"]) == [mine]
    await witness.look()
