"""Answers as they really are, over real sockets, for every format that we speak ourselves."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.adapters.provider_http import Connections, HttpProvider, OllamaProvider
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import ModelRef, TextChunk
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.testing.endpoint import FixedEndpoint
from bestchat_server_ext.testing.http_host import Call, Host
from bestchat_server_ext.testing.port_suites.provider import user_message

KEY = "sk-canary-0123456789"


class Dialect(msgspec.Struct, frozen=True):
    """How one format says something, and that it is over."""

    facts: ProviderFacts
    kind: str
    piece: Callable[[str], bytes]
    end: bytes
    refusal: Callable[[str], bytes]


def sse(value: Any) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def refusal(message: str) -> bytes:
    return json.dumps({"error": {"message": message}}).encode()


OPENAI = Dialect(
    ProviderFacts("openai", "OpenAI", "openai"),
    "text/event-stream",
    lambda text: sse({"choices": [{"delta": {"content": text}}]}),
    sse({"choices": [{"delta": {}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n",
    refusal,
)
ANTHROPIC = Dialect(
    ProviderFacts("anthropic", "Anthropic", "anthropic", key_style="x-api-key"),
    "text/event-stream",
    lambda text: sse(
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}
    ),
    sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    + sse({"type": "message_stop"}),
    refusal,
)
OLLAMA = Dialect(
    ProviderFacts("ollama", "Ollama", "ollama", needs_key=False),
    "application/x-ndjson",
    lambda text: json.dumps({"message": {"content": text}, "done": False}).encode() + b"\n",
    b'{"message":{"content":""},"done":true,"done_reason":"stop"}\n',
    lambda message: json.dumps({"error": message}).encode(),
)


class Scene:
    """A host, and a provider that asks it."""

    def __init__(self, host: Host, dialect: Dialect) -> None:
        self.host = host
        self.dialect = dialect
        speaking = OllamaProvider if dialect is OLLAMA else HttpProvider
        self.provider = speaking(
            dialect.facts,
            FixedEndpoint(host.url, KEY),
            connections=Connections(idle_seconds=0.5),
        )

    def behave(self, behave: Callable[[Call], Awaitable[None]]) -> None:
        async def described(call: Call) -> None:
            if call.path == "/api/show":
                await call.answer(200, b"{}")
            else:
                await behave(call)

        self.host.behave = described

    async def hear(self) -> tuple[str, errors.ChatError | None]:
        """What arrived, and what went wrong behind it."""
        ref, said = ModelRef(self.dialect.facts.name, "large"), ""
        request = ModelRequest(ref, (user_message("the secret prompt"),))
        try:
            async with asyncio.timeout(20):
                async for together in self.provider.stream(request):
                    said += "".join(c.text for c in together if isinstance(c, TextChunk))
        except errors.ChatError as error:
            for shown in (str(error), repr(error.info)):
                assert KEY not in shown
                assert "secret prompt" not in shown
            return said, error
        return said, None


@pytest.fixture(params=[OPENAI, ANTHROPIC, OLLAMA], ids=lambda dialect: dialect.facts.name)
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    host = Host()
    await host.start()
    scene = Scene(host, request.param)
    yield scene
    await scene.provider.close()
    await host.stop()


async def test_a_whole_answer(scene: Scene) -> None:
    dialect = scene.dialect
    pieces = (dialect.piece("Hel"), dialect.piece("lo"), dialect.end)
    scene.behave(lambda call: call.stream(*pieces, kind=dialect.kind))
    assert await scene.hear() == ("Hello", None)


async def test_one_byte_after_the_other(scene: Scene) -> None:
    dialect = scene.dialect
    body = dialect.piece("Grüße 🎈") + dialect.end
    scene.behave(lambda call: call.stream(*(bytes([byte]) for byte in body), kind=dialect.kind))
    assert await scene.hear() == ("Grüße 🎈", None)


async def test_compressed_though_nobody_asked(scene: Scene) -> None:
    dialect = scene.dialect

    async def behave(call: Call) -> None:
        await call.head(
            Content_Type=dialect.kind, Transfer_Encoding="chunked", Content_Encoding="gzip"
        )
        packer = zlib.compressobj(wbits=31)
        for data in (dialect.piece("Hel"), dialect.piece("lo"), dialect.end):
            await call.chunk(packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))
        await call.chunk(packer.flush())
        await call.raw(b"0\r\n\r\n")

    scene.behave(behave)
    assert await scene.hear() == ("Hello", None)
    assert scene.host.calls[-1].headers["accept-encoding"] == "identity"


async def test_compressed_and_broken(scene: Scene) -> None:
    dialect = scene.dialect
    packed = gzip.compress(dialect.piece("a" * 1000) + dialect.end)

    async def behave(call: Call) -> None:
        await call.head(Content_Type=dialect.kind, Content_Encoding="gzip", Connection="close")
        await call.raw(packed[:20] + b"\xff" * 20)
        call.cut()

    scene.behave(behave)
    _, error = await scene.hear()
    assert isinstance(error, errors.ProviderError)


@pytest.mark.parametrize("how", ["chunked", "length", "close"])
async def test_a_body_that_is_cut(scene: Scene, how: str) -> None:
    dialect = scene.dialect

    async def behave(call: Call) -> None:
        data = dialect.piece("a") + dialect.piece("b") + dialect.piece("half")[:-9]
        if how == "chunked":
            await call.begin(data, kind=dialect.kind)
        elif how == "length":
            await call.head(Content_Type=dialect.kind, Content_Length="100000")
            await call.raw(data)
        else:
            await call.head(Content_Type=dialect.kind, Connection="close")
            await call.raw(data)
        call._writer.close()

    scene.behave(behave)
    said, error = await scene.hear()
    assert said == "ab"
    assert isinstance(error, errors.ProviderUnavailable)
    assert "broke off" in str(error)


async def test_an_end_between_two_pieces(scene: Scene) -> None:
    dialect = scene.dialect
    scene.behave(lambda call: call.stream(dialect.piece("a"), kind=dialect.kind))
    said, error = await scene.hear()
    assert said == "a"
    assert isinstance(error, errors.ProviderUnavailable)
    assert "broke off" in str(error)


async def test_a_stall(scene: Scene) -> None:
    dialect = scene.dialect

    async def behave(call: Call) -> None:
        await call.begin(dialect.piece("a"), kind=dialect.kind)
        await asyncio.Event().wait()

    scene.behave(behave)
    said, error = await scene.hear()
    assert said == "a"
    assert isinstance(error, errors.ProviderUnavailable)
    assert "fallen silent" in str(error)


async def test_garbage_behind_a_piece(scene: Scene) -> None:
    dialect = scene.dialect
    garbage = b"data: {\xff nonsense\n\n" if dialect is not OLLAMA else b"{\xff nonsense\n"
    scene.behave(lambda call: call.stream(dialect.piece("a"), garbage, kind=dialect.kind))
    said, error = await scene.hear()
    assert said == "a"
    assert "cannot be read" in str(error)


async def test_no_http_at_all(scene: Scene) -> None:
    async def behave(call: Call) -> None:
        await call.raw(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        call.cut()

    scene.behave(behave)
    said, error = await scene.hear()
    assert said == ""
    assert isinstance(error, errors.ProviderError)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, errors.ProviderError),
        (401, errors.ProviderAuth),
        (402, errors.QuotaExceeded),
        (403, errors.ProviderAuth),
        (404, errors.ModelNotFound),
        (413, errors.ContextOverflow),
        (429, errors.RateLimited),
        (500, errors.ProviderUnavailable),
        (502, errors.ProviderUnavailable),
        (503, errors.ProviderUnavailable),
        (529, errors.ProviderUnavailable),
    ],
)
@pytest.mark.parametrize("body", ["json", "html"])
async def test_refusals(
    scene: Scene, status: int, expected: type[errors.ChatError], body: str
) -> None:
    page = b"<!doctype html><h1>Sorry, " + KEY.encode()
    refused = scene.dialect.refusal(f"Sorry, {KEY}") if body == "json" else page
    scene.behave(lambda call: call.answer(status, refused))
    said, error = await scene.hear()
    assert said == ""
    assert error is not None
    assert type(error) is expected
    shown = "The provider says: Sorry, ***" if body == "json" else f"HTTP {status}"
    assert shown in error.info.text
    assert error.info.hint or status == 400


async def test_waiting_in_seconds_and_until_a_date(scene: Scene) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    dated = format_datetime(now + timedelta(seconds=90), usegmt=True)
    for status in (429, 503):
        for header, seconds in [("7", 7.0), (dated, 90.0)]:
            scene.behave(
                lambda call, status=status, header=header: call.answer(
                    status, b"{}", Retry_After=header, Date=format_datetime(now, usegmt=True)
                )
            )
            _, error = await scene.hear()
            assert error is not None
            assert error.info.retry_after == seconds


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_is_followed(scene: Scene, status: int) -> None:
    target = f"{scene.host.url}/elsewhere"
    scene.behave(lambda call: call.answer(status, b"", Location=target))
    _, error = await scene.hear()
    assert "redirects" in str(error)
    assert all(call.path != "/elsewhere" for call in scene.host.calls)
