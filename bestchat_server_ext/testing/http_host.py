"""A model's host for tests: a real server on a socket that does what the test says, however wrong.

::

    host = Host()
    await host.start()
    host.behave = lambda call: call.stream(b"data: ...", b"data: [DONE]")
    ...                     # ask, over a real connection to host.url
    (call,) = host.calls    # what it was asked
    await host.stop()

It speaks just enough HTTP/1.1 for that, and nothing corrects what a test wants to be broken.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable


class Call:
    """One request as the host received it, and the way to answer it."""

    def __init__(self, head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        """Read the head of a request."""
        self.line, *lines = head.splitlines()
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        self.body = body
        self.gone = asyncio.Event()
        """Whether the client has hung up; only noticed if `Host.watching` is set."""
        self._writer = writer

    @property
    def path(self) -> str:
        """What was asked for, query included."""
        return self.line.split(" ")[1]

    async def head(self, status: int = 200, **headers: str) -> None:
        """Begin to answer; `Content_Type` stands for `Content-Type`."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{key}: {named[key]}" for key in named)]
        await self.raw(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def chunk(self, data: bytes) -> None:
        """Send a piece of a chunked body."""
        await self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    async def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Answer in one piece."""
        await self.head(status, Content_Length=str(len(body)), **headers)
        await self.raw(body)

    async def begin(self, *pieces: bytes, kind: str = "text/event-stream") -> None:
        """Begin a stream: one write for each piece."""
        await self.head(Content_Type=kind, Transfer_Encoding="chunked")
        for piece in pieces:
            await self.chunk(piece)

    async def stream(self, *pieces: bytes, kind: str = "text/event-stream") -> None:
        """Stream all of an answer, and end it as it should be."""
        await self.begin(*pieces, kind=kind)
        await self.raw(b"0\r\n\r\n")

    def cut(self) -> None:
        """Hang up in the middle."""
        self._writer.transport.abort()


Behaviour = Callable[[Call], Awaitable[None]]
"""How a host answers."""


async def refuse(call: Call) -> None:
    """Answer that there is nothing here."""
    await call.answer(404, b"{}")


class Host:
    """A server on a socket of this machine."""

    def __init__(self, behave: Behaviour = refuse) -> None:
        """Know how to answer; that can be changed at any time."""
        self.behave = behave
        self.calls: list[Call] = []
        """Everything that it was asked."""
        self.connections = 0
        """How often somebody connected."""
        self.watching = False
        """Whether to notice that a client goes away while it is being answered."""
        self.url = ""
        """Where it is, without a path."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen; with TLS, if there is a context for that."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        call = Call(head, b"", writer)
        call.body = await reader.readexactly(int(call.headers.get("content-length", "0")))
        self.calls.append(call)
        behaving = asyncio.ensure_future(self.behave(call))
        if self.watching:
            await reader.read(1)
            call.gone.set()
            behaving.cancel()
        await behaving
