"""What a piece of an answer costs, on each lane and on the libraries that others use.

Prints figures; asserts nothing. Run with `make bench`, on an idle machine; `--short` is for CI.

The server is a process of its own, so that the processor time shown is that of the reading side
only. It listens below `/{pieces}/{rate}`: how many pieces an answer has, and how many of them it
sends a second, or 0 for as fast as they are read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from statistics import median, quantiles
from typing import Any

import msgspec

from bestchat_server_ext.adapters.catalog_file import open_catalog
from bestchat_server_ext.adapters.provider_http import Connections, HttpProvider, OllamaProvider
from bestchat_server_ext.adapters.provider_http.pacing import Pacer
from bestchat_server_ext.adapters.provider_litellm import LitellmProvider
from bestchat_server_ext.core.catalog import LaneName, ProviderFacts
from bestchat_server_ext.core.models import ModelRef, TextChunk
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.provider import Provider
from bestchat_server_ext.testing.endpoint import FixedEndpoint
from bestchat_server_ext.testing.port_suites.provider import user_message

KEY = "sk-bench"
WORDS = (" streaming", " on")
"""Two, because litellm takes a hundred times the same for a model that has gone mad."""


# The server.


def openai(text: str) -> bytes:
    chunk = {
        "id": "chatcmpl-0123456789",
        "object": "chat.completion.chunk",
        "created": 1795000000,
        "model": "model",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def anthropic(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    event = {"type": "content_block_delta", "index": 0, "delta": delta}
    return b"event: content_block_delta\ndata: " + json.dumps(event).encode() + b"\n\n"


def ollama(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    line = {"model": "m", "created_at": "2026-11-23T00:00:00Z", "message": message, "done": False}
    return json.dumps(line).encode() + b"\n"


ENDS = {
    "openai": b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\ndata: [DONE]\n\n',
    "anthropic": b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":1}}\n\ndata: {"type":"message_stop"}\n\n',
    "ollama": b'{"model":"m","message":{"role":"assistant","content":""},"done":true,'
    b'"done_reason":"stop","prompt_eval_count":1,"eval_count":1}\n',
}
PIECES = {"openai": openai, "anthropic": anthropic, "ollama": ollama}


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
            await reader.readexactly(size)
            await answer(head.split(" ")[1], writer)
    writer.close()


async def answer(path: str, writer: asyncio.StreamWriter) -> None:
    _, pieces, rate, rest = path.split("/", 3)
    if "show" in rest:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        return
    kind = "openai" if "completions" in rest else "anthropic" if "messages" in rest else "ollama"
    media = "application/x-ndjson" if kind == "ollama" else "text/event-stream"
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\n".encode())
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
    words = [chunked(PIECES[kind](word)) for word in WORDS]
    writer.write(chunked(PIECES[kind](repr(time.monotonic()))))
    loop = asyncio.get_running_loop()
    due = loop.time()
    for number in range(int(pieces) - 1):
        if int(rate):
            due += 1 / int(rate)
            await asyncio.sleep(due - loop.time())
        writer.write(words[number % 2])
        await writer.drain()
    writer.write(chunked(ENDS[kind]) + b"0\r\n\r\n")
    await writer.drain()


async def host() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# The reading side.


Read = Callable[[], Awaitable[int]]
"""Reads one answer; gives the number of its pieces."""


def lane(name: LaneName, url: str, connections: Connections | None = None) -> Provider:
    facts = ProviderFacts(name, name, name, key_style="x-api-key", litellm_names=("openai",))
    if name == "litellm":
        return LitellmProvider(
            facts, FixedEndpoint(f"{url}/v1", KEY), open_catalog(), lambda _: None
        )
    where = FixedEndpoint(f"{url}/v1" if name == "openai" else url, KEY)
    speaking = OllamaProvider if name == "ollama" else HttpProvider
    return speaking(facts, where, connections=connections)


def asked(
    provider: Provider,
    name: str,
    marks: list[float] | None = None,
    seen: Counter[str] | None = None,
) -> Read:
    tally = Counter[str]() if seen is None else seen

    async def read() -> int:
        count = 0
        request = ModelRequest(ModelRef(name, "model"), (user_message("Hello"),))
        async for chunks in provider.stream(request):
            if marks is not None and not count and isinstance(chunks[0], TextChunk):
                marks.append(time.monotonic() - float(chunks[0].text))
            count += sum(isinstance(chunk, TextChunk) for chunk in chunks)
            tally["pieces"] += len(chunks)
            tally["reads"] += 1
        return count

    return read


async def sdk(url: str) -> tuple[Read, Callable[[], Awaitable[None]]]:
    """OpenAI's own library, for comparison."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0)

    async def read() -> int:
        message: Any = {"role": "user", "content": "Hello"}
        stream = await client.chat.completions.create(
            model="model", messages=[message], stream=True
        )
        return sum([bool(chunk.choices) async for chunk in stream])

    return read, client.close


def spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def lag(marks: list[float]) -> AsyncIterator[None]:
    """How late the loop is, every five milliseconds."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.005
        await asyncio.sleep(0.005)
        marks.append(loop.time() - due)
        yield


async def watch(marks: list[float]) -> None:
    async for _ in lag(marks):
        pass


async def measured(read: Read, streams: int, rounds: int = 1) -> tuple[float, int]:
    """Seconds of processor time for so many answers at once, and the pieces they had."""
    begun, count = spent(), 0
    for _ in range(rounds):
        count += sum(await asyncio.gather(*(read() for _ in range(streams))))
    return spent() - begun, count


async def compare(port: int, streams: int, pieces: int) -> None:
    print(f"{'':24}{'us per piece':>14}{'ms per request':>16}{'first use, lag ms':>20}")
    for name in ("openai", "anthropic", "ollama", "litellm", "OpenAI's library"):
        many, one = (f"http://127.0.0.1:{port}/{n}/0" for n in (pieces, 1))
        closers: list[Callable[[], Awaitable[None]]] = []

        async def reader(url: str, name: str = name, closers: Any = closers) -> Read:
            if name == "OpenAI's library":
                read, close = await sdk(url)
            else:
                provider = lane(name, url)  # type: ignore[arg-type]
                read, close = asked(provider, name), provider.close
            closers.append(close)
            return read

        marks: list[float] = []
        watching = asyncio.create_task(watch(marks))
        small, large = await reader(one), await reader(many)
        await small()  # loads what it needs, connects
        await asyncio.sleep(0.01)
        watching.cancel()
        few = 1 if name in {"litellm", "OpenAI's library"} else 5
        seconds, _ = await measured(small, streams, few)
        request = seconds / streams / few
        seconds, count = await measured(large, streams)
        each = (seconds - streams * request) / (count - streams)
        worst = 1000 * max(marks)
        print(f"{name:24}{1e6 * each:14.1f}{1000 * request:16.2f}{worst:20.0f}", flush=True)
        for close in closers:
            await close()


class Hasty(Pacer):
    """Holds nothing back: a peer to compare with."""

    def hold(self, transport: asyncio.BaseTransport) -> None:
        pass


async def crowd(port: int, streams: int, seconds: int, pacer: Pacer) -> None:
    """Many answers of 30 pieces a second; the middle of the run is what counts."""
    spread = 2
    url = f"http://127.0.0.1:{port}/{30 * (seconds + spread)}/30"
    marks: list[float] = []
    late: list[float] = []
    connections = Connections()
    provider = lane("openai", url, connections)
    local = await connections.local()
    connections._locals[asyncio.get_running_loop()] = msgspec.structs.replace(local, pacer=pacer)
    seen = Counter[str]()
    read = asked(provider, "openai", marks, seen)

    async def begin(number: int) -> int:
        await asyncio.sleep(spread * number / streams)
        return await read()

    running = [asyncio.create_task(begin(number)) for number in range(streams)]
    await asyncio.sleep(spread + 1)
    watching = asyncio.create_task(watch(late))
    seen.clear()
    begun, at = spent(), time.monotonic()
    await asyncio.sleep(seconds - 2)
    used, passed = spent() - begun, time.monotonic() - at
    each, at_once = used / seen["pieces"], seen["pieces"] / seen["reads"]
    rate = seen["pieces"] / passed / streams
    how = "as it comes" if isinstance(pacer, Hasty) else f"every {1000 * pacer.interval:.0f} ms"
    watching.cancel()
    await asyncio.gather(*running)
    first = quantiles(marks, n=20)
    print(
        f"{streams} answers, read {how}, {at_once:.1f} pieces at once: {1e6 * each:.1f} us per "
        f"piece, {100 * used / passed:.0f} % of a core at {rate:.1f} pieces/s each; "
        f"first piece p50 {1000 * median(marks):.0f} ms, p95 {1000 * first[-1]:.0f} ms; "
        f"loop late p50 {1000 * median(late):.1f} ms, p95 {1000 * quantiles(late, n=20)[-1]:.1f} ms"
    )
    await provider.close()


def main() -> None:
    """Start the server, and print a table and a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a quick look, for CI")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(host())
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            asyncio.run(compare(port, *((5, 50) if options.short else (20, 300))))
            for pacer in (Hasty(), Pacer()):
                asyncio.run(crowd(port, *((100, 4) if options.short else (1000, 6)), pacer))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
