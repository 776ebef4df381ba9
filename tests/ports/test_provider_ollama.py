from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.adapters.provider_http import Connections, OllamaProvider
from bestchat_server_ext.adapters.provider_http import ollama as module
from bestchat_server_ext.adapters.provider_http.ollama import estimate, window_for
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts, ollama_url
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelFacts,
    ModelRef,
    RequestOptions,
    TextChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.endpoint import Address
from bestchat_server_ext.testing.endpoint import FixedEndpoint
from bestchat_server_ext.testing.http_host import Call, Host
from bestchat_server_ext.testing.port_suites.provider import (
    ProviderSuite,
    RequestFor,
    user_message,
)

FACTS = ProviderFacts("ollama", "Ollama", "ollama", needs_key=False, list_path="/api/tags")
SHOW = {
    "model_info": {"general.architecture": "llama", "llama.context_length": 131072},
    "capabilities": ["completion", "tools"],
}
TAGS = {"models": [{"name": "llama3:8b", "details": {"parameter_size": "8B"}}]}


def line(content: str = "", **fields: Any) -> bytes:
    message = {"role": "assistant", "content": content}
    return json.dumps({"model": "m", "message": message, "done": False, **fields}).encode() + b"\n"


END = line(done=True, done_reason="stop", prompt_eval_count=3, eval_count=2)


class Ollama:
    """A host that speaks Ollama's format."""

    def __init__(self) -> None:
        self.show: Any = SHOW
        self.chat: Any = (line("Hel"), line("lo"), END)

    async def __call__(self, call: Call) -> None:
        if call.path == "/api/tags":
            await call.answer(200, json.dumps(TAGS).encode())
        elif call.path == "/api/version":
            await call.answer(200, b'{"version":"0.30.0"}')
        elif b"no-such-model-anywhere" in call.body:
            await call.answer(404, b'{"error":"model \'no-such-model-anywhere\' not found"}')
        elif call.path == "/api/show":
            await call.answer(200, json.dumps(self.show).encode())
        elif callable(self.chat):
            await self.chat(call)
        else:
            await call.stream(*self.chat, kind="application/x-ndjson")


@pytest.fixture
def ollama() -> Ollama:
    return Ollama()


@pytest.fixture
async def host(ollama: Ollama) -> AsyncIterator[Host]:
    host = Host(ollama)
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
async def provider(host: Host) -> AsyncIterator[OllamaProvider]:
    connections = Connections(idle_seconds=0.3)
    provider = OllamaProvider(FACTS, FixedEndpoint(host.url), connections=connections)
    yield provider
    await provider.close()


def asking(prompt: str = "Hi", model: str = "llama3:8b") -> ModelRequest:
    return ModelRequest(ModelRef("ollama", model), (user_message(prompt),))


async def heard(provider: OllamaProvider, request: ModelRequest) -> list[Chunk]:
    return [chunk async for together in provider.stream(request) for chunk in together]


def windows(host: Host) -> list[int | None]:
    """The contexts that were asked for."""
    bodies = [json.loads(call.body) for call in host.calls if call.path == "/api/chat"]
    return [body.get("options", {}).get("num_ctx") for body in bodies]


class TestConformance(ProviderSuite):
    @pytest.fixture
    def request_for(self) -> RequestFor:
        return asking


async def test_a_request_and_its_answer(host: Host, provider: OllamaProvider) -> None:
    assert await heard(provider, asking()) == [
        TextChunk("Hel"),
        TextChunk("lo"),
        FinishChunk("stop"),
        UsageChunk(Usage(3, 2)),
    ]
    shown, call = host.calls
    assert (shown.line, json.loads(shown.body)) == (
        "POST /api/show HTTP/1.1",
        {"model": "llama3:8b"},
    )
    assert call.line == "POST /api/chat HTTP/1.1"
    assert call.headers["accept"] == "application/x-ndjson"
    assert "authorization" not in call.headers
    body = json.loads(call.body)
    assert body["truncate"] is False
    assert body["options"] == {"num_ctx": 4096}


# How large a context is asked for.


@pytest.mark.parametrize(
    ("tokens", "window", "expected"),
    [
        (10, 131072, 4096),
        (4096, 131072, 4096),
        (4097, 131072, 8192),
        (60_000, 131072, 65536),
        (500_000, 131072, 131072),
        (10, 2048, 2048),
        (30_000, 40_000, 32768),
        (33_000, 40_000, 40_000),
    ],
)
def test_steps(tokens: int, window: int, expected: int) -> None:
    assert window_for(tokens, window) == expected


def test_an_estimate_leaves_room_for_the_answer() -> None:
    short, long = asking("x"), asking("x" * 30_000)
    assert estimate(long) - estimate(short) == pytest.approx(10_000, abs=2)
    limited = msgspec.structs.replace(short, options=RequestOptions(max_output_tokens=100_000))
    assert estimate(limited) > 100_000


async def test_a_model_is_described_once(host: Host, provider: OllamaProvider) -> None:
    assert provider.facts("llama3:8b") == ModelFacts("ollama/llama3:8b", known=False)
    await heard(provider, asking())
    await heard(provider, asking())
    assert [call.path for call in host.calls] == ["/api/show", "/api/chat", "/api/chat"]
    # What one owner's server says of it is no matter of the others.
    assert provider.facts("llama3:8b") == ModelFacts("ollama/llama3:8b", known=False)


async def test_after_a_while_nothing_is_remembered(
    host: Host, provider: OllamaProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOADED_SECONDS", 0.0)
    await heard(provider, asking("x" * 60_000))
    await heard(provider, asking())
    assert [call.path for call in host.calls] == ["/api/show", "/api/chat"] * 2
    assert windows(host) == [32768, 4096]


async def test_a_limited_number_of_models_is_remembered() -> None:
    kept: module._Kept[int] = module._Kept()
    address = Address("http://127.0.0.1:9", None)
    for number in range(300):
        kept.put(address, f"m{number}", number)
    assert len(kept._values) == 256
    assert kept.get(address, "m0") is None
    assert kept.get(address, "m299") == 299


class OwnersServers(FixedEndpoint):
    """Another server for every owner."""

    def __init__(self, servers: dict[str, str]) -> None:
        super().__init__("")
        self._servers = servers

    async def address(self, owner: OwnerId | None = None) -> Address:
        return Address(self._servers[str(owner)], None)


async def test_one_owners_server_does_not_decide_for_anothers(host: Host) -> None:
    poor = Ollama()
    poor.show = {"model_info": {"x.context_length": 5000}, "capabilities": ["vision"]}
    other = Host(poor)
    await other.start()
    endpoint = OwnersServers({"ada": other.url, "bob": host.url})
    provider = OllamaProvider(FACTS, endpoint)
    for owner in ("ada", "bob", "ada"):
        request = msgspec.structs.replace(asking("x" * 60_000), owner=OwnerId(owner))
        await heard(provider, request)
    assert windows(other) == [5000, 5000]
    assert windows(host) == [32768]
    await provider.close()
    await other.stop()


async def test_a_loaded_context_is_kept(host: Host, provider: OllamaProvider) -> None:
    for prompt in ("short", "x" * 60_000, "short again"):
        await heard(provider, asking(prompt))
    assert windows(host) == [4096, 32768, 32768]


async def test_whoever_made_the_model_has_chosen(
    host: Host, ollama: Ollama, provider: OllamaProvider
) -> None:
    ollama.show = {**SHOW, "parameters": 'stop "<|end|>"\nnum_ctx    2048'}
    await heard(provider, asking("x" * 60_000))
    assert windows(host) == [2048]


@pytest.mark.parametrize("show", [{}, [], {"model_info": {"llama.context_length": "many"}}])
async def test_without_a_window_the_servers_own_holds(
    host: Host, ollama: Ollama, provider: OllamaProvider, show: Any
) -> None:
    ollama.show = show
    assert TextChunk("Hel") in await heard(provider, asking())
    assert windows(host) == [None]


async def test_an_estimate_that_was_too_small_is_mended(
    host: Host, ollama: Ollama, provider: OllamaProvider
) -> None:
    async def chat(call: Call) -> None:
        if json.loads(call.body)["options"]["num_ctx"] < 131072:
            await call.answer(400, b'{"error":"the input exceeds the context length"}')
        else:
            await call.stream(line("ok"), END, kind="application/x-ndjson")

    ollama.chat = chat
    assert TextChunk("ok") in await heard(provider, asking())
    assert windows(host) == [4096, 131072]


async def test_what_fits_nowhere_is_an_overflow(
    host: Host, ollama: Ollama, provider: OllamaProvider
) -> None:
    ollama.chat = lambda call: call.answer(400, b'{"error":"input exceeds context length"}')
    with pytest.raises(errors.ContextOverflow):
        await heard(provider, asking())
    assert windows(host) == [4096, 131072]


# Trouble.


async def test_a_missing_model_says_how_to_fetch_it(provider: OllamaProvider) -> None:
    with pytest.raises(errors.ModelNotFound) as caught:
        await heard(provider, asking(model="no-such-model-anywhere"))
    assert "ollama pull no-such-model-anywhere" in caught.value.info.hint


async def test_no_server(host: Host, provider: OllamaProvider) -> None:
    await host.stop()
    with pytest.raises(errors.ProviderUnavailable, match="cannot be reached"):
        await heard(provider, asking())


async def test_a_page_in_place_of_an_answer(ollama: Ollama, provider: OllamaProvider) -> None:
    ollama.chat = lambda call: call.answer(200, b"<html>Please log in")
    with pytest.raises(errors.ProviderError, match="document"):
        await heard(provider, asking())


@pytest.mark.parametrize("how", ["cut", "silent", "error", "garbage"])
async def test_what_had_arrived_is_kept(ollama: Ollama, provider: OllamaProvider, how: str) -> None:
    read = asyncio.Event()

    async def chat(call: Call) -> None:
        await call.begin(line("a"), kind="application/x-ndjson")
        await read.wait()
        if how == "cut":
            call.cut()
        elif how == "error":
            await call.chunk(b'{"error":"an error was encountered while running the model"}\n')
        elif how == "garbage":
            await call.chunk(b"\x00\xff nonsense\n")
        await asyncio.Event().wait()

    ollama.chat = chat
    stream = provider.stream(asking())
    assert list(await anext(stream)) == [TextChunk("a")]
    read.set()
    with pytest.raises(errors.ProviderError):
        await anext(stream)


# Whether one is there.


async def test_it_is_found_where_it_runs(host: Host, provider: OllamaProvider) -> None:
    assert await provider.present()
    assert [call.path for call in host.calls] == ["/api/version"]
    assert [facts.ref for facts in await provider.models()] == ["ollama/llama3:8b"]


async def test_one_that_is_silent_is_not_waited_for(host: Host, provider: OllamaProvider) -> None:
    async def behave(call: Call) -> None:
        await asyncio.Event().wait()

    host.behave = behave
    async with asyncio.timeout(5):
        assert not await provider.present()


async def test_none_is_found_where_none_runs(host: Host, provider: OllamaProvider) -> None:
    await host.stop()
    assert not await provider.present()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("box", "http://box:11434"),
        ("box:80", "http://box:80"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        ("::1", "http://[::1]:11434"),
        ("[::1]:80", "http://[::1]:80"),
        ("http://[::]:5", "http://127.0.0.1:5"),
        ("https://box.example/ollama", "https://box.example/ollama"),
        ("box/ollama", "http://box:11434/ollama"),
    ],
)
def test_what_ollamas_own_variable_holds(text: str, url: str) -> None:
    assert ollama_url(text) == url
