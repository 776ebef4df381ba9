"""A bare relay: provider's socket, decoding, Tornado WebSocket, and nothing else.

What streaming costs at the least, to compare BestChat with: no storage, no authentication, no
second reader, nothing survives. It reads as BestChat does when it is busy: the first piece at
once, and then all that has gathered in the longest interval that BestChat ever takes.
"""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp
import msgspec
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from bestchat_server_ext.adapters.provider_http.pacing import LONGEST


class Delta(msgspec.Struct):
    content: str = ""


class Choice(msgspec.Struct):
    delta: Delta


class Chunk(msgspec.Struct):
    choices: list[Choice]


_decoder = msgspec.json.Decoder(Chunk)


class Relay(WebSocketHandler):
    """Sends the answer to each message that it gets."""

    session: aiohttp.ClientSession
    provider: str
    answering: asyncio.Task[None]

    def open(self, *_: str, **__: str) -> None:
        self.set_nodelay(True)

    def on_message(self, message: str | bytes) -> None:
        question = message if isinstance(message, str) else message.decode()
        self.answering = asyncio.create_task(self.answer(question))

    async def answer(self, question: str) -> None:
        body = {"model": "bench", "messages": [{"role": "user", "content": question}]}
        rest, n = b"", 0
        async with self.session.post(f"{self.provider}/chat/completions", json=body) as response:
            content = response.content
            while data := await content.readany():
                *lines, rest = (rest + data).split(b"\n\n")
                done = any(line.endswith(b"[DONE]") for line in lines)
                text = "".join(
                    chunk.choices[0].delta.content
                    for line in lines
                    if not line.endswith(b"[DONE]") and (chunk := _decoder.decode(line[6:])).choices
                )
                if text:
                    n += 1
                    await self.write_message(msgspec.json.encode({"n": n, "text": text}))
                if not done and response.connection and response.connection.transport:
                    transport = response.connection.transport
                    transport.pause_reading()
                    await asyncio.sleep(LONGEST)
                    transport.resume_reading()
        await self.write_message(json.dumps({"end": n}))


async def main(provider: str) -> None:
    """Relay until the end of the process."""
    Relay.provider = provider
    Relay.session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
    )
    server = HTTPServer(Application([("/", Relay)]))
    sockets = bind_sockets(0, "127.0.0.1", backlog=2048)
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
