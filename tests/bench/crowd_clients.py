"""Many clients that only listen: what they hear is kept with its time, and read when all is over.

A process of its own, so that the clients' time is not the server's. Reads one line that says what
to do (`Task`), prints `connected`, waits for a second line, and prints one line with what it heard
(`Heard`).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any, Literal

import aiohttp
import msgspec
from crowd_provider import answer, began_at

TEXT = 0x81
"""How a whole text message begins; pings begin differently."""
LATEST = 60.0
"""Seconds after its due end for which an answer is waited for."""


class Task(msgspec.Struct):
    """What to do."""

    kind: Literal["bestchat", "relay", "completions"]
    """Whom to speak to: BestChat, the relay, or something with chat completions."""
    port: int
    """Where it listens."""
    tokens: list[str]
    """One per client."""
    pieces: int
    """How many an answer has."""
    spread: float
    """Seconds over which the answers begin."""
    rate: int
    """Pieces a second."""
    model: str = "openai/bench"
    """Who is to answer."""


class Heard(msgspec.Struct):
    """What became of it."""

    added: list[float] = []
    """Seconds from the provider's first byte to the client's first piece."""
    whole: list[float] = []
    """Seconds from the client's question to its first piece."""
    asked: list[float] = []
    """Seconds until BestChat had stored the question."""
    pieces: int = 0
    """Pieces of answers that all clients got."""
    messages: int = 0
    """Messages with pieces that all clients got."""
    texts: int = 0
    """Answers that arrived complete, in order, and as the provider gave them."""
    wrong: list[str] = []
    """What was wrong with the others."""


class Listener(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self.transport: asyncio.Transport
        self.asked = 0.0
        self.conversation = ""
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard.append((time.monotonic(), data))
        if not self.news.is_set():
            self.news.set()

    async def upgraded(self, port: int, path: str, token: str) -> None:
        """Ask for a WebSocket, and wait until there is one."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        await self.until(b"\r\n\r\n")
        assert self.heard[0][1].startswith(b"HTTP/1.1 101"), self.heard
        self.heard.clear()

    def say(self, message: str) -> None:
        """Send one short text message. The mask may be all zeros."""
        body = message.encode()
        length = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe%s" % _two(len(body))
        self.transport.write(b"\x81" + length + bytes(4) + body)

    def pong(self) -> None:
        """Show that somebody is here, as answers to pings do."""
        self.transport.write(b"\x8a\x80" + bytes(4))

    async def until(self, mark: bytes) -> None:
        """Wait for something in what is heard."""
        while mark not in b"".join(data for _, data in self.heard):
            self.news.clear()
            await self.news.wait()

    def ends_with(self, mark: bytes) -> bool:
        """Whether something is near the end of what was heard."""
        return mark in b"".join(data for _, data in self.heard[-6:])

    def messages(self) -> Iterator[tuple[float, bytes]]:
        """What came as text messages of a WebSocket, and when."""
        waiting = b""
        for at, data in self.heard:
            waiting += data
            while (end := _end_of(waiting)) is not None:
                start, stop = end
                if waiting[0] == TEXT:
                    yield at, waiting[start:stop]
                waiting = waiting[stop:]


def _two(number: int) -> bytes:
    return struct.pack(">H", number)


def _end_of(data: bytes) -> tuple[int, int] | None:
    """Where the first frame's payload begins and ends, if all of it is there."""
    if len(data) < 2:
        return None
    start, length = 2, data[1] & 0x7F
    if length == 126:
        start, length = 4, int.from_bytes(data[2:4], "big") if len(data) >= 4 else 1 << 60
    elif length == 127:
        start, length = 10, int.from_bytes(data[2:10], "big") if len(data) >= 10 else 1 << 60
    return (start, start + length) if len(data) >= start + length else None


class BestChat:
    """Speaks to BestChat."""

    end = b'"turn_finished"'

    def __init__(self, task: Task, session: aiohttp.ClientSession) -> None:
        self._task = task
        self._session = session
        self._url = f"http://127.0.0.1:{task.port}/bestchat/api"

    async def call(self, token: str, name: str, **body: object) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.post(f"{self._url}/{name}", json=body, headers=headers) as got:
            assert got.status == 200, await got.text()
            return await got.json(content_type=None)

    async def connect(self, listener: Listener, token: str) -> None:
        listener.conversation = (await self.call(token, "conversations.create"))["id"]
        await listener.upgraded(self._task.port, "/bestchat/api/events", token)
        listener.say('{"type":"hello","protocol":1}')
        subscribe = {"type": "subscribe", "conversation_id": listener.conversation}
        listener.say(json.dumps(subscribe))
        await listener.until(b'"caught_up"')

    async def ask(self, listener: Listener, token: str, question: str) -> None:
        await self.call(
            token,
            "turns.start",
            conversation_id=listener.conversation,
            request_id=question,
            text=question,
            model=self._task.model,
        )

    async def judge(self, listener: Listener, token: str, question: str, heard: Heard) -> str:
        """Check what one client heard, piece by piece, and against what is stored."""
        text, told, n = "", "", 0
        for at, body in listener.messages():
            frame = json.loads(body)
            if frame["type"] == "delta":
                if not n:
                    heard.added.append(at - began_at(frame["text"]))
                    heard.whole.append(at - listener.asked)
                if (frame["part"], frame["first"]) != (0, n + 1):
                    return f"piece {frame['first']} after {n}"
                n, heard.messages = frame["n"], heard.messages + 1
                text += frame["text"]
            elif frame.get("event", {}).get("type") == "message_added":
                told = frame["event"]["message"]["parts"][-1]["text"]
        state = await self.call(token, "conversations.get", conversation_id=listener.conversation)
        stored = [
            message["parts"][-1]["text"]
            for message in state["messages"].values()
            if message["role"] == "assistant"
        ]
        if stored != [text] or told != text:
            heard.pieces += 1 + text.count(" word")
            return f"{len(text)} characters heard, {len(told)} told, {list(map(len, stored))} kept"
        return _compare(text, question, self._task.pieces, heard)


class Relayed:
    """Speaks to the bare relay."""

    end = b'"end"'

    def __init__(self, task: Task, session: aiohttp.ClientSession) -> None:
        self._task = task
        self._session = session

    async def connect(self, listener: Listener, token: str) -> None:
        await listener.upgraded(self._task.port, "/", token)

    async def ask(self, listener: Listener, _: str, question: str) -> None:
        listener.say(question)

    async def judge(self, listener: Listener, _: str, question: str, heard: Heard) -> str:
        frames = [(at, json.loads(body)) for at, body in listener.messages()]
        pieces = [(at, frame["text"]) for at, frame in frames if "text" in frame]
        if not pieces:
            return "nothing heard"
        _note(pieces, listener, heard)
        return _compare("".join(text for _, text in pieces), question, self._task.pieces, heard)


class Completions(Relayed):
    """Speaks to something that gives chat completions, as a proxy does."""

    end = b"[DONE]"

    async def connect(self, listener: Listener, token: str) -> None:
        pass

    async def ask(self, listener: Listener, token: str, question: str) -> None:
        body = json.dumps(
            {
                "model": self._task.model,
                "stream": True,
                "messages": [{"role": "user", "content": question}],
            }
        )
        listener.transport.write(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
            f"application/json\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    async def judge(self, listener: Listener, _: str, question: str, heard: Heard) -> str:
        pieces, rest = [], b""
        for at, data in listener.heard:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    choices = json.loads(line[6:])["choices"]
                    if choices and (text := choices[0]["delta"].get("content")):
                        pieces.append((at, text))
        if not pieces:
            return f"nothing heard: {listener.heard}"
        _note(pieces, listener, heard)
        return _compare("".join(text for _, text in pieces), question, self._task.pieces, heard)


def _note(pieces: list[tuple[float, str]], listener: Listener, heard: Heard) -> None:
    at, first = pieces[0]
    heard.added.append(at - began_at(first))
    heard.whole.append(at - listener.asked)
    heard.messages += len(pieces)


def _compare(text: str, question: str, pieces: int, heard: Heard) -> str:
    """What is wrong with a text; nothing if it is the provider's."""
    heard.pieces += 1 + text.count(" word")
    wanted = answer(question, text.partition("|")[0], pieces)
    return "" if text == wanted else f"{len(text)} characters instead of {len(wanted)}: {text[:99]}"


PEERS = {"bestchat": BestChat, "relay": Relayed, "completions": Completions}


async def main() -> None:
    """Do what is asked for."""
    task = msgspec.json.decode(sys.stdin.readline(), type=Task)
    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(connector=connector) as session:
        peer = PEERS[task.kind](task, session)
        listeners: list[Listener] = []
        living = asyncio.create_task(_live(task, listeners))
        for token in task.tokens:
            listener = await _connected(task, peer, token)
            listeners.append(listener)
        print("connected", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        heard = Heard()
        await _ask_all(task, peer, listeners, heard)
        await _wait_for_all(task, peer, listeners)
        print("ended", flush=True)
        living.cancel()
        await asyncio.to_thread(sys.stdin.readline)
        for number, (listener, token) in enumerate(zip(listeners, task.tokens, strict=True)):
            wrong = await peer.judge(listener, token, f"question {number}", heard)
            if wrong:
                heard.wrong.append(f"client {number}: {wrong}")
            else:
                heard.texts += 1
        print(msgspec.json.encode(heard).decode(), flush=True)


async def _live(task: Task, listeners: list[Listener]) -> None:
    """Keep BestChat from taking clients for gone."""
    while task.kind == "bestchat":
        await asyncio.sleep(15)
        for listener in listeners:
            listener.pong()


async def _connected(task: Task, peer: BestChat | Relayed, token: str) -> Listener:
    loop = asyncio.get_running_loop()
    _, listener = await loop.create_connection(Listener, "127.0.0.1", task.port)
    await peer.connect(listener, token)
    return listener


async def _ask_all(
    task: Task, peer: BestChat | Relayed, listeners: list[Listener], heard: Heard
) -> None:
    """Ask all questions, evenly spread."""

    async def ask(number: int, listener: Listener) -> None:
        await asyncio.sleep(task.spread * number / len(listeners))
        listener.asked = time.monotonic()
        await peer.ask(listener, task.tokens[number], f"question {number}")
        heard.asked.append(time.monotonic() - listener.asked)

    await asyncio.gather(*(ask(*item) for item in enumerate(listeners)))


async def _wait_for_all(task: Task, peer: BestChat | Relayed, listeners: list[Listener]) -> None:
    await asyncio.sleep(task.pieces / task.rate - task.spread / 2)
    late = time.monotonic() + LATEST
    for listener in listeners:
        # To be told of every end would cost the clients more than to look now and then.
        while not listener.ends_with(peer.end) and time.monotonic() < late:  # noqa: ASYNC110
            await asyncio.sleep(0.25)


if __name__ == "__main__":
    asyncio.run(main())
