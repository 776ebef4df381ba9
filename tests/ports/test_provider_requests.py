"""Every provider of the table: what it is sent, and that its way of answering is understood.

`requests/` holds what is sent, one file for each, to be read by people. After a change that is
meant, write them anew with `BESTCHAT_WRITE_REQUESTS=1 pytest tests/ports/test_provider_requests.py`
and look at the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.adapters.catalog_file import open_catalog
from bestchat_server_ext.adapters.clock_system import SystemClock
from bestchat_server_ext.adapters.provider_http import HttpProvider
from bestchat_server_ext.adapters.provider_litellm import LitellmProvider
from bestchat_server_ext.adapters.secrets_env import EnvSecrets
from bestchat_server_ext.bootstrap.lazy import LazyProvider
from bestchat_server_ext.bootstrap.plugins import ExtendedCatalog
from bestchat_server_ext.bootstrap.providers import providers
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelRef,
    ReasoningChunk,
    RequestOptions,
    TextChunk,
    UsageChunk,
)
from bestchat_server_ext.core.provider_settings import Credential
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.core.tools import ToolSpec
from bestchat_server_ext.ports.endpoint import Address
from bestchat_server_ext.services.providers import ProviderEntry
from bestchat_server_ext.settings import Settings
from bestchat_server_ext.testing.http_host import Call, Host
from bestchat_server_ext.testing.port_suites.provider import user_message

FOLDER = Path(__file__).parent / "requests"
WRITE = "BESTCHAT_WRITE_REQUESTS" in os.environ  # tests see a clean environment
KEY = "sk-canary-0123456789"
CATALOG = ExtendedCatalog(open_catalog())
AWAY = [facts for facts in CATALOG.providers() if not facts.at_home]
OVER_HTTP = [facts for facts in AWAY if facts.lane != "litellm"]
CLOCK = ToolSpec("clock", "Tells the time.", {"type": "object", "properties": {}})

PLACES = {
    "AZURE_OPENAI_ENDPOINT": "https://resource.openai.azure.com",
    "DATABRICKS_HOST": "https://workspace.cloud.databricks.com",
    "VLLM_BASE_URL": "http://vllm.example/v1",
    "LITELLM_PROXY_API_BASE": "http://litellm.example",
    "CUSTOM_BASE_URL": "http://custom.example/v1",
    "WATSONX_URL": "https://us-south.ml.cloud.ibm.com",
}
"""What has to be said, because there is no usual place."""


class Named:
    """Finds credentials in an environment, for everybody."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    async def find(self, provider: str, _owner: OwnerId | None) -> Credential:
        facts = CATALOG.provider(provider)
        assert facts is not None
        key, url = (self._environ.get(name or "") for name in (facts.key_name, facts.url_name))
        return Credential(key, url, "environment" if key or url else None)

    async def renewed(self, *_: object) -> None:
        """Nobody has another one."""


def environment(facts: ProviderFacts) -> dict[str, str]:
    """Everything that a provider needs, and its usual place where it has one."""
    needed = {item.name for item in facts.other_names if item.needed}
    if not facts.base_url and facts.url_name:
        needed.add(facts.url_name)
    environ = {name: PLACES.get(name, f"value-of-{name}") for name in needed}
    return environ | ({facts.key_name: KEY} if facts.key_name else {})


def entries(environ: Mapping[str, str], site: SitePolicy | None = None) -> dict[str, ProviderEntry]:
    every = providers(
        Settings(),
        EnvSecrets(environ),
        SystemClock(),
        site or SitePolicy(),
        Named(environ),
        CATALOG,
    )
    return {entry.name: entry for entry in every}


def built(facts: ProviderFacts, environ: Mapping[str, str]) -> HttpProvider | LitellmProvider:
    lazy = entries(environ)[facts.name].provider
    assert isinstance(lazy, LazyProvider)
    assert isinstance(lazy.provider, HttpProvider | LitellmProvider)
    return lazy.provider


def asking(facts: ProviderFacts) -> ModelRequest:
    options = RequestOptions(temperature=0.5, max_output_tokens=100)
    ref = ModelRef(facts.name, facts.default or "a-model")
    return ModelRequest(ref, (user_message("Hello"),), "Be brief.", (CLOCK,), options)


async def sent(facts: ProviderFacts) -> dict[str, Any]:
    """What would be sent, as a value to read: the key's own text is not part of it."""
    provider, request = built(facts, environment(facts)), asking(facts)
    address: Address = await provider._endpoint.address()
    if isinstance(provider, LitellmProvider):
        shown: dict[str, Any] = {"litellm": provider.arguments(request, address)}
    else:
        outgoing = provider.outgoing(request, provider.facts(request.model.model), address)
        shown = {
            "method": outgoing.method,
            "url": outgoing.url,
            "headers": outgoing.headers,
            "body": json.loads(outgoing.body),
        }
    await provider.close()
    written: dict[str, Any] = json.loads(json.dumps(shown).replace(KEY, "<key>"))
    return written


@pytest.mark.parametrize("facts", AWAY, ids=lambda facts: facts.name)
async def test_what_is_sent(facts: ProviderFacts) -> None:
    path, shown = FOLDER / f"{facts.name}.json", await sent(facts)
    if WRITE:
        path.write_text(json.dumps(shown, indent=2) + "\n")
    assert shown == json.loads(path.read_text())
    assert (facts.key_name is not None) == ("<key>" in json.dumps(shown))


def test_there_is_no_file_without_a_provider() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {facts.name for facts in AWAY}


# What is missing is named.


@pytest.mark.parametrize("facts", AWAY, ids=lambda facts: facts.name)
async def test_every_missing_variable_is_named(facts: ProviderFacts) -> None:
    whole = environment(facts)
    if not facts.needs_key:
        whole.pop(facts.key_name or "", None)
    for name in whole:
        lacking = {other: value for other, value in whole.items() if other != name}
        provider = built(facts, lacking)
        with pytest.raises(errors.MissingKey) as caught:
            await anext(provider.stream(asking(facts)))
        assert name in caught.value.info.hint
        await provider.close()


# How they answer.


def sse(*chunks: Any) -> bytes:
    texts = (chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks)
    return b"".join(f"data: {text}\n\n".encode() for text in texts)


def piece(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice], **more}


COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
STOP = piece({}, "stop")
PLAIN = sse(
    piece({"role": "assistant", "content": ""}),
    piece({"content": "Hel"}),
    piece({"content": "lo"}),
    STOP,
    {"id": "c", "choices": [], "usage": COUNTS},
    "[DONE]",
)
"""As OpenAI answers, and most of those who are compatible."""


def reasoning(name: str, **usage: Any) -> bytes:
    """Thoughts under a name of their own, and usage in the last piece."""
    return sse(
        piece({"role": "assistant", "content": None, name: "Hm."}),
        piece({"content": "Hello", name: None}),
        piece({"content": ""}, "stop", usage=usage or COUNTS),
        "[DONE]",
    )


def mistral() -> bytes:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    return sse(
        piece({"role": "assistant", "content": [thought]}),
        piece({"content": [{"type": "text", "text": "Hello"}]}),
        piece({"content": ""}, "stop", usage=COUNTS),
        "[DONE]",
    )


DIALECTS: dict[str, bytes] = {
    "anthropic": b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in (
            {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
            {"type": "ping"},
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": "Hello"},
            },
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 2},
            },
            {"type": "message_stop"},
        )
    ),
    "ollama": b'{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}\n'
    b'{"model":"m","message":{"role":"assistant","content":"lo"},"done":false}\n'
    b'{"model":"m","message":{"content":""},"done":true,"done_reason":"stop",'
    b'"prompt_eval_count":3,"eval_count":2}\n',
    "azure": sse({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}) + PLAIN,
    "gemini": sse(piece({"role": "assistant", "content": "Hello"}, "stop", usage=COUNTS), "[DONE]"),
    "mistral": mistral(),
    "cohere": sse(
        piece({"role": "assistant", "content": "Hello"}),
        piece({}, "COMPLETE", usage=COUNTS),
        "[DONE]",
    ),
    "groq": sse(
        piece({"role": "assistant", "reasoning": "Hm."}, x_groq={"id": "r"}),
        piece({"content": "Hello"}),
        piece({}, "stop", x_groq={"id": "r", "usage": COUNTS}),
        {"id": "c", "choices": [], "usage": COUNTS},
        "[DONE]",
    ),
    "deepseek": b": keep-alive\n\n" + reasoning("reasoning_content", **COUNTS),
    "xai": reasoning("reasoning_content", prompt_tokens=3, completion_tokens=1, total_tokens=5),
    "openrouter": b": OPENROUTER PROCESSING\n\n" + reasoning("reasoning", **COUNTS),
    "perplexity": sse(
        piece({"role": "assistant", "content": "Hel"}, usage=COUNTS, citations=["https://x.y"]),
        piece({"role": "assistant", "content": "lo"}, "stop", usage=COUNTS),
    ),
    "moonshot": sse(
        piece({"content": "Hello"}),
        {"id": "c", "choices": [{"delta": {}, "finish_reason": "stop", "usage": COUNTS}]},
        "[DONE]",
    ),
    "zai": reasoning("reasoning_content"),
    "dashscope": reasoning("reasoning_content"),
    "minimax": reasoning("reasoning_content"),
    "vllm": reasoning("reasoning_content"),
    "cerebras": reasoning("reasoning"),
    "together": reasoning("reasoning"),
}
"""Answers as each was seen to give them; `PLAIN` where nothing is special."""


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host()
    await host.start()
    yield host
    await host.stop()


@pytest.mark.parametrize("facts", OVER_HTTP, ids=lambda facts: facts.name)
async def test_what_it_answers(host: Host, facts: ProviderFacts) -> None:
    async def behave(call: Call) -> None:
        if call.path == "/api/show":
            await call.answer(200, b"{}")
            return
        kind = "application/x-ndjson" if facts.lane == "ollama" else "text/event-stream"
        body = DIALECTS.get(facts.name, PLAIN)
        await call.stream(*(body[at : at + 50] for at in range(0, len(body), 50)), kind=kind)

    host.behave = behave
    assert facts.url_name is not None
    provider = built(facts, environment(facts) | {facts.url_name: host.url})
    chunks: list[Chunk] = []
    async for together in provider.stream(asking(facts)):
        chunks += together
    await provider.close()
    said = "".join(chunk.text for chunk in chunks if isinstance(chunk, TextChunk))
    thought = "".join(chunk.text for chunk in chunks if isinstance(chunk, ReasoningChunk))
    assert (said, thought) in {("Hello", ""), ("Hello", "Hm.")}
    assert bool(thought) == (b"Hm." in DIALECTS.get(facts.name, b""))
    assert sum(isinstance(chunk, FinishChunk) for chunk in chunks) == 1
    usage = [chunk.usage for chunk in chunks if isinstance(chunk, UsageChunk)][-1]
    assert (usage.input_tokens, usage.output_tokens) == (3, 2)


# Before they are used.


def test_opening_builds_nothing() -> None:
    every = entries({})
    assert len(every) >= len(AWAY)
    for entry in every.values():
        assert isinstance(entry.provider, LazyProvider)
        assert entry.provider._built is None


@pytest.mark.parametrize("name", ["JUPYTERHUB_API_URL", "JUPYTERHUB_USER"])
async def test_on_a_hub_nobody_is_looked_for(name: str) -> None:
    found = entries({name: "x"})
    asked = {key: entry.present for key, entry in found.items() if entry.present is not None}
    assert set(asked) == {"ollama", "lmstudio"}
    for present in asked.values():
        assert not await present()
    for entry in found.values():
        assert isinstance(entry.provider, LazyProvider)
        assert entry.provider._built is None
