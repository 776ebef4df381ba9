"""A provider for crowds: chat completions at a steady rate, for as many as ask, cheaply.

A process of its own: its port is the first line that it prints. All streams of one hundredth of a
second's worth of phases are written to in one go, so that a thousand of them cost it little.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence

RATE = 30
"""Pieces a second of each answer."""
_PHASES = 33
"""Into how many groups the streams are dealt, by when they began."""
_END = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"bench","choices":'
    b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"bench","choices":[],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":%d,"total_tokens":9}}\n\ndata: [DONE]\n\n'
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def word(number: int) -> str:
    """One piece of every answer: its number, and what no counting of characters survives."""
    return f" word{number}{'é🙂' if number % 7 == 0 else ''}"


def answer(question: str, began: str, pieces: int) -> str:
    """The whole answer to a question, whose first piece says when the provider began it."""
    return f"{began}|{question}|" + "".join(map(word, range(1, pieces)))


def began_at(text: str) -> float:
    """When the provider began an answer, on this machine's monotonic clock."""
    return float(text.partition("|")[0])


def _chunk(text: str) -> bytes:
    chunk = {
        "id": "chatcmpl-0123456789",
        "object": "chat.completion.chunk",
        "created": 1795000000,
        "model": "bench",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Phases:
    """All streams, dealt into groups that are written to one after another."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self._groups: list[set[Stream]] = [set() for _ in range(_PHASES)]
        self._now = 0
        self._words = [_chunked(_chunk(word(number))) for number in range(pieces)]
        self._end = _chunked(_END % pieces) + b"0\r\n\r\n"

    def join(self, stream: Stream) -> set[Stream]:
        """Begin with the next piece once a whole round is over."""
        group = self._groups[self._now]
        group.add(stream)
        return group

    async def run(self) -> None:
        """Write to each group once in a round."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += 1 / RATE / _PHASES
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._now = (self._now + 1) % _PHASES
            for stream in tuple(self._groups[self._now]):
                self._next(stream)

    def _next(self, stream: Stream) -> None:
        if stream.sent < self.pieces:
            stream.transport.write(self._words[stream.sent])
            stream.sent += 1
        else:
            stream.leave()
            stream.transport.write(self._end)


class Stream(asyncio.Protocol):
    """One connection, which answers one request after another."""

    def __init__(self, phases: Phases) -> None:
        self._phases = phases
        self._received = b""
        self._group: set[Stream] | None = None
        self.transport: asyncio.Transport
        self.sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        self.leave()

    def leave(self) -> None:
        if self._group is not None:
            self._group.discard(self)
            self._group = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if end and len(body) >= size:
            self._received = body[size:]
            if head.startswith(b"POST "):
                self._begin(json.loads(body[:size])["messages"])
            else:  # a proxy that looks whether anybody is here
                self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def _begin(self, messages: Sequence[dict[str, str]]) -> None:
        question = messages[-1]["content"]
        text = f"{time.monotonic()!r}|{question}|"
        self.transport.write(_HEAD + _chunked(_chunk(text)))
        self.sent = 1
        self._group = self._phases.join(self)


async def main(pieces: int) -> None:
    """Answer every question with so many pieces."""
    phases = Phases(pieces)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stream(phases), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await phases.run()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
