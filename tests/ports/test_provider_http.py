from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.adapters.provider_http import (
    Connections,
    HttpProvider,
    Known,
    KnownModels,
)
from bestchat_server_ext.adapters.provider_http import provider as asked
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelFacts,
    ModelRef,
    TextChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.wire.keys import scrubbed, tells
from bestchat_server_ext.core.wire.openai import encode_request
from bestchat_server_ext.services.model_lists import LABEL_MAX, ModelLists
from bestchat_server_ext.testing.endpoint import FixedEndpoint
from bestchat_server_ext.testing.http_host import Call, Host
from bestchat_server_ext.testing.port_suites.provider import (
    ProviderSuite,
    RequestFor,
    user_message,
)

KEY = "sk-canary-0123456789"
PROMPT = "the secret prompt"


OPENAI = ProviderFacts("openai", "OpenAI", "openai", list_path="/models")


def sse(event: Any) -> bytes:
    return event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"


def text(content: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}}]}


STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
DONE = b"data: [DONE]\n\n"


async def streamed(call: Call, *events: Any, done: bool = True) -> None:
    """A whole stream, one write per event, closed as it should be."""
    await call.stream(*map(sse, events), *([DONE] if done else []))


async def whole(call: Call) -> None:
    if call.line.startswith("GET"):
        await call.answer(200, b'{"object":"list","data":[{"id":"large"},{"id":"tiny"}]}')
    elif b"no-such-model-anywhere" in call.body:
        await call.answer(404, b'{"error":{"message":"no such model","code":"model_not_found"}}')
    else:
        await streamed(call, text("Hel"), text("lo"), STOP, USAGE)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host(whole)
    await host.start()
    yield host
    await host.stop()


def made(
    host: Host,
    key: str | None = KEY,
    known: Known | None = None,
    facts: ProviderFacts = OPENAI,
    *,
    only_known: bool = False,
    idle_seconds: float = 120,
) -> HttpProvider:
    connections = Connections(idle_seconds=idle_seconds)
    endpoint = FixedEndpoint(f"{host.url}/v1", key)
    return HttpProvider(facts, endpoint, known, only_known=only_known, connections=connections)


@pytest.fixture
async def provider(host: Host) -> AsyncIterator[HttpProvider]:
    provider = made(host)
    yield provider
    await provider.close()


def asking(prompt: str = PROMPT, model: str = "large") -> ModelRequest:
    return ModelRequest(ModelRef("openai", model), (user_message(prompt),))


async def heard(provider: HttpProvider, chunks: list[Chunk] | None = None) -> list[Chunk]:
    chunks = [] if chunks is None else chunks
    async for together in provider.stream(asking()):
        chunks += together
    return chunks


async def failure(provider: HttpProvider, *before: Chunk) -> errors.ChatError:
    """The error that a request ends with, after exactly these chunks."""
    chunks: list[Chunk] = []
    with pytest.raises(errors.ChatError) as caught:
        await heard(provider, chunks)
    assert chunks == list(before)
    for shown in (str(caught.value), repr(caught.value), repr(caught.value.info)):
        assert KEY not in shown
        assert PROMPT not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


class TestConformance(ProviderSuite):
    @pytest.fixture
    def request_for(self) -> RequestFor:
        return asking


# What is sent.


async def test_a_request_is_sent_as_it_is_encoded(host: Host, provider: HttpProvider) -> None:
    assert await heard(provider) == [
        TextChunk("Hel"),
        TextChunk("lo"),
        FinishChunk("stop"),
        UsageChunk(Usage(3, 2)),
    ]
    (call,) = host.calls
    assert call.line == "POST /v1/chat/completions HTTP/1.1"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["accept"] == "text/event-stream"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["accept-encoding"] == "identity"
    assert call.body == encode_request(asking())


async def test_without_key_nothing_is_authorized_not_even_from_netrc(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    provider = made(host, key=None)
    await heard(provider)
    await provider.close()
    assert "authorization" not in host.calls[0].headers


async def test_a_slash_at_the_end_of_the_address_is_not_doubled(host: Host) -> None:
    provider = HttpProvider(OPENAI, FixedEndpoint(f"{host.url}/v1/"))
    await heard(provider)
    await provider.close()
    assert host.calls[0].path == "/v1/chat/completions"


async def test_a_query_in_the_address_stays_behind_the_path(host: Host) -> None:
    provider = HttpProvider(OPENAI, FixedEndpoint(f"{host.url}/v1?api-version=1"))
    await heard(provider)
    await provider.close()
    assert host.calls[0].path == "/v1/chat/completions?api-version=1"


async def test_a_connection_serves_several_requests(host: Host, provider: HttpProvider) -> None:
    for _ in range(3):
        await heard(provider)
    assert (len(host.calls), host.connections) == (3, 1)


async def test_a_request_over_a_connection_that_was_closed_meanwhile_is_sent_again(
    host: Host, provider: HttpProvider
) -> None:
    await asyncio.gather(*(heard(provider) for _ in range(3)))
    kept, lost = host.connections, []

    async def behave(call: Call) -> None:
        if len(lost) < kept:
            lost.append(call)
            call.cut()
        else:
            await whole(call)

    host.behave = behave
    assert TextChunk("Hel") in await heard(provider)
    assert (len(lost), host.connections) == (kept, kept + 1)


async def test_the_key_is_the_owners(host: Host) -> None:
    endpoint = FixedEndpoint(f"{host.url}/v1", KEY)
    provider = HttpProvider(OPENAI, endpoint)
    await anext(provider.stream(msgspec.structs.replace(asking(), owner=OwnerId("somebody"))))
    assert endpoint.owners == ["somebody"]
    await provider.close()


@pytest.mark.parametrize("second", ["sk-second-key", "sk-third-key"])
async def test_a_refused_key_is_renewed_once(host: Host, second: str) -> None:
    async def behave(call: Call) -> None:
        if call.headers["authorization"] == "Bearer sk-second-key":
            await whole(call)
        else:
            said = {"error": {"message": f"No: {call.headers['authorization'][7:]}, not {KEY}"}}
            await call.answer(401, json.dumps(said).encode())

    host.behave = behave
    provider = HttpProvider(OPENAI, FixedEndpoint(f"{host.url}/v1", KEY, second))
    if second == "sk-second-key":
        assert TextChunk("Hel") in await heard(provider)
    else:
        assert second not in str(await failure(provider))  # nor the first one
    await provider.close()
    assert len(host.calls) == 2


async def test_the_proxy_of_the_environment_is_used(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", host.url)
    monkeypatch.setenv("no_proxy", "")
    provider = HttpProvider(OPENAI, FixedEndpoint("http://models.example/v1", KEY))
    assert TextChunk("Hel") in await heard(provider)
    await provider.close()
    assert host.calls[0].line == "POST http://models.example/v1/chat/completions HTTP/1.1"


async def test_a_server_on_this_machine_is_reached_without_proxy(
    host: Host, provider: HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    assert TextChunk("Hel") in await heard(provider)


# Streams that are not as they should be.


async def test_chunks_that_arrive_together_come_together(
    host: Host, provider: HttpProvider
) -> None:
    async def behave(call: Call) -> None:
        await streamed(call, sse(text("a")) + sse(text("b")), STOP)

    host.behave = behave
    batches = [list(chunks) async for chunks in provider.stream(asking())]
    assert batches[0][:2] == [TextChunk("a"), TextChunk("b")]


async def test_what_follows_the_end_marker_is_not_waited_for(
    host: Host, provider: HttpProvider
) -> None:
    async def behave(call: Call) -> None:
        await call.head(Content_Type="text/event-stream", Transfer_Encoding="chunked")
        await call.chunk(sse(text("a")) + sse(STOP) + b"data: [DONE]\n\n" + sse(text("late")))
        await asyncio.Event().wait()

    host.behave = behave
    async with asyncio.timeout(10):
        assert await heard(provider) == [TextChunk("a"), FinishChunk("stop")]


async def test_no_end_marker_is_needed_behind_a_finish_reason(
    host: Host, provider: HttpProvider
) -> None:
    host.behave = lambda call: streamed(call, text("a"), STOP, done=False)
    assert await heard(provider) == [TextChunk("a"), FinishChunk("stop")]


async def test_a_body_that_ends_early_is_an_error(host: Host, provider: HttpProvider) -> None:
    host.behave = lambda call: streamed(call, text("a"), done=False)
    error = await failure(provider, TextChunk("a"))
    assert "broke off" in str(error)


async def test_a_body_that_is_cut_is_an_error_behind_what_arrived(
    host: Host, provider: HttpProvider
) -> None:
    read = asyncio.Event()

    async def behave(call: Call) -> None:
        await call.head(Content_Type="text/event-stream", Transfer_Encoding="chunked")
        await call.chunk(sse(text("a")))
        await read.wait()
        call.cut()

    host.behave = behave
    stream = provider.stream(asking())
    assert await anext(stream) == [TextChunk("a")]
    read.set()
    with pytest.raises(errors.ProviderError, match="broke off"):
        await anext(stream)


async def test_what_arrived_before_a_cut_reaches_a_slow_reader(
    host: Host, provider: HttpProvider
) -> None:
    ended = asyncio.Event()

    async def behave(call: Call) -> None:
        await call.head(Content_Type="text/event-stream", Transfer_Encoding="chunked")
        await call.chunk(sse(text("a")))
        await read.wait()
        await call.raw(b"%x\r\n" % 1000 + sse(text("b")))
        call._writer.close()
        ended.set()

    host.behave = behave
    read = asyncio.Event()
    stream = provider.stream(asking())
    first = list(await anext(stream))
    read.set()
    await ended.wait()
    (local,) = provider._connections._locals.values()
    assert local.session.connector is not None
    (protocol,) = local.session.connector._acquired
    while protocol.transport is not None:  # noqa: ASYNC110  aiohttp sets no event for us
        await asyncio.sleep(0)
    assert [*first, *await anext(stream)] == [TextChunk("a"), TextChunk("b")]
    with pytest.raises(errors.ProviderError, match="broke off"):
        await anext(stream)


async def test_an_error_in_the_stream_leaves_what_came_before(
    host: Host, provider: HttpProvider
) -> None:
    failed = {"error": {"message": f"overloaded, dear {KEY}", "code": 429}}
    host.behave = lambda call: streamed(call, sse(text("a")) + sse(failed))
    error = await failure(provider, TextChunk("a"))
    assert isinstance(error, errors.RateLimited)
    assert error.info.text == "The provider says: overloaded, dear ***"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_json_in_place_of_a_stream_is_read_as_an_error(
    host: Host, provider: HttpProvider, kind: str
) -> None:
    body = b'\n{"error":{"message":"maximum context length is 5","code":"x"}}'
    host.behave = lambda call: call.answer(200, body, Content_Type=kind)
    assert isinstance(await failure(provider), errors.ContextOverflow)


@pytest.mark.parametrize("body", [b"<!doctype html><p>Please log in", b'{"choices":[]}'])
async def test_a_document_in_place_of_a_stream_is_an_error(
    host: Host, provider: HttpProvider, body: bytes
) -> None:
    host.behave = lambda call: call.answer(200, body)
    error = await failure(provider)
    assert "document" in str(error)
    assert "/v1" in error.info.hint


async def test_an_empty_body_is_an_error(host: Host, provider: HttpProvider) -> None:
    host.behave = lambda call: call.answer(200, b"")
    assert "broke off" in str(await failure(provider))


async def test_silence_is_an_error(host: Host) -> None:
    async def behave(call: Call) -> None:
        await call.head(Content_Type="text/event-stream", Transfer_Encoding="chunked")
        await call.chunk(sse(text("a")))
        await asyncio.Event().wait()

    host.behave = behave
    provider = made(host, idle_seconds=0.05)
    error = await failure(provider, TextChunk("a"))
    assert "fallen silent" in str(error)
    assert error.info.hint
    await provider.close()


async def test_silence_before_the_answer_is_an_error(host: Host) -> None:
    async def behave(call: Call) -> None:
        await asyncio.Event().wait()

    host.behave = behave
    provider = made(host, idle_seconds=0.05)
    assert "fallen silent" in str(await failure(provider))
    await provider.close()


# Refusals.


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, errors.ProviderAuth),
        (404, errors.ModelNotFound),
        (429, errors.RateLimited),
        (500, errors.ProviderUnavailable),
        (204, errors.ProviderError),
    ],
)
async def test_statuses(
    host: Host, provider: HttpProvider, status: int, expected: type[errors.ChatError]
) -> None:
    body = b"" if status == 204 else json.dumps({"error": {"message": f"No, {KEY}!"}}).encode()
    host.behave = lambda call: call.answer(status, body)
    error = await failure(provider)
    assert type(error) is expected
    assert "No, ***!" in error.info.text or status == 204


async def test_a_key_at_the_limit_of_a_message_is_not_shown_in_part(
    host: Host, provider: HttpProvider
) -> None:
    for length in (290, 299):
        failed = {"error": {"message": "x" * length + KEY}}
        host.behave = lambda call, failed=failed: streamed(call, failed)
        assert KEY[:5] not in str(await failure(provider))


async def test_waiting_times_in_seconds_and_as_a_date(host: Host, provider: HttpProvider) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    for header, seconds in [("7", 7.0), ("0.5", 0.5), (later, 90.0), ("soon", None), ("-3", 0.0)]:
        host.behave = lambda call, header=header: call.answer(
            429, b"{}", Retry_After=header, Date=format_datetime(now, usegmt=True)
        )
        assert (await failure(provider)).info.retry_after == seconds


async def test_a_page_of_a_gateway_is_not_repeated(host: Host, provider: HttpProvider) -> None:
    host.behave = lambda call: call.answer(502, b"<html>" + b"x" * 200_000)
    assert (await failure(provider)).info.text == "The provider answered with HTTP 502."


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_no_redirect_is_followed(host: Host, provider: HttpProvider, status: int) -> None:
    other = Host()
    await other.start()
    target = other.url.replace("http://", "http://user:pass@") + "/chat?token=abc"
    host.behave = lambda call: call.answer(status, b"", Location=target)
    error = await failure(provider)
    assert other.url.split("/")[2] in str(error)
    assert "pass" not in str(error)
    assert "abc" not in str(error)
    assert other.calls == []
    await other.stop()


# Connections that do not come about.


async def test_a_refused_connection_names_the_host(host: Host) -> None:
    await host.stop()
    host.url = host.url.replace("http://", "http://user:password@")
    provider = made(host, key=None)
    error = await failure(provider)
    assert isinstance(error, errors.ProviderError)
    assert f"OpenAI at {host.url.split('@')[1]}" in str(error)
    assert "password" not in str(error)
    assert "whether the server runs" in error.info.hint
    await provider.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://nowhere.invalid/v1", "nowhere.invalid"),
        ("nonsense", "Check its URL"),
        ("ftp://example.invalid/v1", "Check its URL"),
        ("http://[broken/v1", "Check its URL"),
        ("http://user:pass@127.0.0.1:9/v1", "127.0.0.1:9"),
    ],
)
async def test_addresses_that_lead_nowhere(url: str, says: str) -> None:
    provider = HttpProvider(OPENAI, FixedEndpoint(url, KEY))
    error = await failure(provider)
    assert says in str(error)
    assert "pass" not in str(error)
    await provider.close()


async def test_a_key_that_does_not_fit_into_a_header_is_not_shown(host: Host) -> None:
    provider = made(host, key=f"{KEY}\nX-Other: 1")
    assert "its key" in str(await failure(provider))
    await provider.close()


async def test_no_tls_where_tls_is_asked_for(host: Host) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    host.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    provider = made(host)
    assert "http://" in (await failure(provider)).info.hint
    await provider.close()
    server.close()


async def test_an_unknown_certificate_authority(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
    paths = ["-keyout", str(key), "-out", str(certificate), "-days", "1"]
    await asyncio.to_thread(subprocess.run, [*command, *paths], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    host = Host(whole)
    await host.start(context)
    provider = made(host)
    assert "SSL_CERT_FILE" in (await failure(provider)).info.hint
    await provider.close()
    await host.stop()


async def test_a_host_that_hangs_up_at_once(host: Host, provider: HttpProvider) -> None:
    async def behave(call: Call) -> None:
        call.cut()

    host.behave = behave
    assert "broke" in str(await failure(provider))


# Closing.


@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_closing_hangs_up_at_once(host: Host, provider: HttpProvider, how: str) -> None:
    async def behave(call: Call) -> None:
        await call.head(Content_Type="text/event-stream", Transfer_Encoding="chunked")
        await call.chunk(sse(text("a")))
        await asyncio.Event().wait()

    host.behave, host.watching = behave, True
    stream = provider.stream(asking())
    assert await anext(stream) == [TextChunk("a")]
    if how == "aclose":
        await stream.aclose()
    else:
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    async with asyncio.timeout(5):
        await host.calls[0].gone.wait()


async def test_a_session_belongs_to_its_loop(host: Host, provider: HttpProvider) -> None:
    await heard(provider)
    elsewhere = asyncio.new_event_loop()
    thread = threading.Thread(target=elsewhere.run_forever)
    thread.start()
    try:
        there = asyncio.run_coroutine_threadsafe(heard(provider), elsewhere)
        assert TextChunk("Hel") in await asyncio.wrap_future(there)
        assert len(provider._connections._locals) == 2
        await provider.close()
        assert provider._connections._locals == {}
    finally:
        elsewhere.call_soon_threadsafe(elsewhere.stop)
        await asyncio.to_thread(thread.join)
        elsewhere.close()


def test_importing_loads_no_aiohttp() -> None:
    code = (
        "import sys, bestchat_server_ext.adapters.provider_http as lane\n"
        "from bestchat_server_ext.core.catalog import ProviderFacts\n"
        "lane.HttpProvider(ProviderFacts('a', 'A', 'openai'), None)\n"
        "assert 'aiohttp' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


# Models.

LARGE = ModelFacts("openai/large", window=1000, tools=True)
HIDDEN = ModelFacts("openai/hidden")


async def listed(provider: HttpProvider) -> Sequence[ModelFacts]:
    try:
        return await provider.models()
    finally:
        await provider.close()


async def test_the_models_that_a_server_lists(host: Host) -> None:
    body = {
        "data": [
            {"id": "org/new", "max_model_len": 77, "owned_by": "x"},
            {"id": "large", "context_length": 2000},
            {"id": f"named-{KEY}"},
        ]
    }
    host.behave = lambda call: call.answer(200, json.dumps(body).encode())
    assert await listed(made(host, known=KnownModels((HIDDEN, LARGE)))) == [
        ModelFacts("openai/org/new", window=77),
        ModelFacts("openai/large", window=2000),
    ]
    (call,) = host.calls
    assert call.line == "GET /v1/models HTTP/1.1"
    assert call.headers["authorization"] == f"Bearer {KEY}"


async def test_a_long_list_is_cut_before_it_is_looked_through(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def told(key: str | None, text: str) -> bool:
        looked.append(text)
        return tells(key, text)

    monkeypatch.setattr(asked, "tells", told)
    body = {"data": [{"id": f"m{number}"} for number in range(6000)]}
    host.behave = lambda call: call.answer(200, json.dumps(body).encode())
    assert len(await listed(made(host, key="k" * 8000))) == 5000
    assert "openai/m4999" in looked
    assert "openai/m5000" not in looked


async def test_a_list_is_read_off_the_loop(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    provider, threads = made(host), list[int]()
    models = provider._lane.models

    def noted(name: str, body: bytes) -> Sequence[ModelFacts]:
        threads.append(threading.get_ident())
        return models(name, body)

    lane = SimpleNamespace(headers=provider._lane.headers, list_path="/models", models=noted)
    monkeypatch.setattr(provider, "_lane", lane)
    assert len(await listed(provider)) == 2
    assert threads
    assert threading.get_ident() not in threads


async def test_a_long_label_is_left_out(host: Host) -> None:
    facts = ProviderFacts("anthropic", "Anthropic", "anthropic", list_path="/models")
    names = {"brief": "b" * LABEL_MAX, "long": "l" * (LABEL_MAX + 1)}
    body = {"data": [{"id": key, "display_name": name} for key, name in names.items()]}
    host.behave = lambda call: call.answer(200, json.dumps(body).encode())
    provider = made(host, facts=facts)
    found = await ModelLists().listed("anthropic", provider, "fingerprint")
    await provider.close()
    assert [each.label for each in found] == [names["brief"], ""]


async def test_a_key_in_a_label_is_recognised(host: Host) -> None:
    facts = ProviderFacts("anthropic", "Anthropic", "anthropic", list_path="/models")
    named = {"fine": "Fine", "echo": KEY, "loud": f"Bearer {KEY.upper()}"}
    body = {"data": [{"id": key, "display_name": name} for key, name in named.items()]}
    host.behave = lambda call: call.answer(200, json.dumps(body).encode())
    assert [each.label for each in await listed(made(host, facts=facts))] == ["Fine"]


async def test_a_server_that_has_no_list_is_not_asked(host: Host) -> None:
    facts = msgspec.structs.replace(OPENAI, list_path=None)
    provider = made(host, known=KnownModels(lambda: [LARGE]), facts=facts)
    assert await listed(provider) == [LARGE]
    assert host.calls == []


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b'{"error":"no, sk-canary-0123456789"}', errors.ProviderAuth),
        (200, b"<html>", errors.ProviderError),
        (200, b'{"models":[]}', errors.ProviderError),
    ],
)
async def test_no_list_is_an_error(
    host: Host, status: int, body: bytes, expected: type[errors.ChatError]
) -> None:
    host.behave = lambda call: call.answer(status, body)
    with pytest.raises(expected) as caught:
        await listed(made(host))
    assert KEY not in str(caught.value)


async def test_a_model_outside_of_a_closed_catalog_is_refused_unasked(host: Host) -> None:
    provider = made(host, known=KnownModels((HIDDEN,)), only_known=True)
    error = await failure(provider)
    assert isinstance(error, errors.ModelNotFound)
    assert "hidden" in error.info.hint
    assert host.calls == []
    await provider.close()


def test_facts_are_those_that_are_known() -> None:
    provider = HttpProvider(OPENAI, FixedEndpoint("http://127.0.0.1:9/v1"), KnownModels((LARGE,)))
    assert provider.facts("large") == LARGE
    assert provider.facts("other") == ModelFacts("openai/other", known=False)


def test_a_key_that_comes_back_in_other_letters_is_recognised() -> None:
    shouted = errors.ProviderError(f"No such key: {KEY.upper()}", hint=f"Is it {KEY.lower()}?")
    quiet = str(scrubbed(shouted, KEY))
    assert KEY.lower() not in quiet.lower()
