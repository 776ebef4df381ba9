"""Answers as they really are, over real sockets, for every format that we speak ourselves."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.adapters.provider_http import Connections, HttpProvider, OllamaProvider
from bestchat_server_ext.adapters.provider_http.answer import Answer
from bestchat_server_ext.adapters.provider_http.lanes import lane_of
from bestchat_server_ext.adapters.provider_http.pacing import Pacer
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
    bomb = gzip.compress(dialect.piece("a") + b"\n" * 50_000_000 + dialect.end, compresslevel=1)
    scene.behave(
        lambda call: call.answer(200, bomb, Content_Type=dialect.kind, Content_Encoding="GZip")
    )
    said, error = await scene.hear()
    assert said == ""
    assert type(error) is errors.ProviderError
    assert "compressed" in str(error)
    assert "gzip" in error.info.hint
    assert scene.host.calls[-1].headers["accept-encoding"] == "identity"


async def test_a_compressed_refusal_is_known_by_its_status(scene: Scene) -> None:
    packed = gzip.compress(scene.dialect.refusal("a secret") + b" " * 50_000_000, compresslevel=1)
    scene.behave(lambda call: call.answer(429, packed, Content_Encoding="gzip", Retry_After="7"))
    _, error = await scene.hear()
    assert isinstance(error, errors.RateLimited)
    assert error.info.retry_after == 7.0
    assert "a secret" not in str(error)  # nothing was inflated


async def test_a_coding_that_is_none(scene: Scene) -> None:
    dialect = scene.dialect
    body = dialect.piece("Hello") + dialect.end
    scene.behave(
        lambda call: call.answer(200, body, Content_Type=dialect.kind, Content_Encoding="identity")
    )
    assert await scene.hear() == ("Hello", None)


class Murmur:
    """A body that is there already, and says nothing."""

    def __init__(self, pieces: int) -> None:
        self.left = pieces

    async def read(self, _size: int) -> bytes:
        self.left -= 1
        return b":" if self.left > 0 else b""

    def read_nowait(self) -> bytes:
        return b" x\n\n"


def murmuring(murmur: Murmur, patience: float) -> Answer:
    response: Any = SimpleNamespace(content=murmur, connection=None, status=200)
    return Answer(response, lane_of(OPENAI.facts), Pacer(), patience)


async def test_what_says_nothing_does_not_hold_up_the_loop() -> None:
    murmur = Murmur(10_000)
    reading = asyncio.create_task(murmuring(murmur, 60.0).read())
    for _ in range(5):
        await asyncio.sleep(0)
    assert murmur.left > 9_900
    with pytest.raises(errors.ProviderUnavailable, match="broke off"):
        await reading


async def test_what_says_nothing_is_not_read_for_ever() -> None:
    murmur = Murmur(10_000)
    with pytest.raises(TimeoutError):
        await murmuring(murmur, 0.0).read()
    assert murmur.left > 9_900


async def test_keep_alives_without_end() -> None:
    async def behave(call: Call) -> None:
        await call.begin()
        while True:
            await call.chunk(b": x\n\n" * 1000)

    host = Host(behave)
    await host.start()
    scene = Scene(host, OPENAI)
    scene.provider._connections.patience = 0.2
    _, error = await scene.hear()
    assert isinstance(error, errors.ProviderUnavailable)
    assert "fallen silent" in str(error)
    await scene.provider.close()
    await host.stop()


def test_keep_alives_may_go_on_for_longer_than_silence() -> None:
    assert Connections(idle_seconds=7.0).patience == 70.0


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
