from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bestchat_server_ext.adapters.provider_http import Connections, HttpProvider, KnownModels
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts
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
from bestchat_server_ext.testing.endpoint import FixedEndpoint
from bestchat_server_ext.testing.http_host import Call, Host
from bestchat_server_ext.testing.port_suites.provider import (
    ProviderSuite,
    RequestFor,
    user_message,
)

KEY = "sk-ant-canary-0123456789"
FACTS = ProviderFacts(
    "anthropic",
    "Anthropic",
    "anthropic",
    key_style="x-api-key",
    list_path="/v1/models?limit=1000",
)
KNOWN = KnownModels((ModelFacts("anthropic/large", output_limit=1234),))


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def text(content: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": content})


BEGIN = event("message_start", message={"usage": {"input_tokens": 3, "output_tokens": 1}})
END = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2}) + event(
    "message_stop"
)
MISSING = b'{"type":"error","error":{"type":"not_found_error","message":"model: no-such"}}'


async def whole(call: Call) -> None:
    if call.line.startswith("GET"):
        await call.answer(200, b'{"data":[{"id":"large","display_name":"Large"}]}')
    elif b"no-such-model-anywhere" in call.body:
        await call.answer(404, MISSING)
    else:
        await call.stream(BEGIN, text("Hel"), event("ping"), text("lo"), END)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host(whole)
    await host.start()
    yield host
    await host.stop()


@pytest.fixture
async def provider(host: Host) -> AsyncIterator[HttpProvider]:
    connections = Connections(idle_seconds=0.3)
    endpoint = FixedEndpoint(host.url, KEY)
    provider = HttpProvider(FACTS, endpoint, KNOWN, connections=connections)
    yield provider
    await provider.close()


def asking(prompt: str = "Hi", model: str = "large") -> ModelRequest:
    return ModelRequest(ModelRef("anthropic", model), (user_message(prompt),))


class TestConformance(ProviderSuite):
    @pytest.fixture
    def request_for(self) -> RequestFor:
        return asking


async def test_a_request_and_its_answer(host: Host, provider: HttpProvider) -> None:
    chunks: list[Chunk] = [
        chunk async for together in provider.stream(asking()) for chunk in together
    ]
    assert [chunk for chunk in chunks if not isinstance(chunk, UsageChunk)] == [
        TextChunk("Hel"),
        TextChunk("lo"),
        FinishChunk("stop"),
    ]
    assert chunks[-1] == UsageChunk(Usage(3, 2))
    (call,) = host.calls
    assert call.line == "POST /v1/messages HTTP/1.1"
    assert call.headers["x-api-key"] == KEY
    assert call.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in call.headers
    body = json.loads(call.body)
    assert body["max_tokens"] == 1234, "the limit that the catalogue knows"


async def test_the_list_of_models(host: Host, provider: HttpProvider) -> None:
    assert [facts.ref for facts in await provider.models()] == ["anthropic/large"]
    assert host.calls[0].path == "/v1/models?limit=1000"


async def failure(provider: HttpProvider, *before: Chunk) -> errors.ChatError:
    chunks: list[Chunk] = []

    async def hear() -> None:
        async for together in provider.stream(asking()):
            chunks.extend(chunk for chunk in together if isinstance(chunk, TextChunk))

    with pytest.raises(errors.ChatError) as caught:
        await hear()
    assert chunks == list(before)
    assert KEY not in str(caught.value)
    return caught.value


async def test_overloaded_in_the_middle(host: Host, provider: HttpProvider) -> None:
    failed = event("error", error={"type": "overloaded_error", "message": f"Overloaded, {KEY}"})
    host.behave = lambda call: call.stream(BEGIN, text("a"), failed)
    error = await failure(provider, TextChunk("a"))
    assert isinstance(error, errors.ProviderUnavailable)


async def test_an_answer_that_just_ends(host: Host, provider: HttpProvider) -> None:
    host.behave = lambda call: call.stream(BEGIN, text("a"))
    error = await failure(provider, TextChunk("a"))
    assert isinstance(error, errors.ProviderUnavailable)
    assert "broke off" in str(error)


async def test_silence(host: Host, provider: HttpProvider) -> None:
    async def behave(call: Call) -> None:
        await call.begin(BEGIN, text("a"))
        await asyncio.Event().wait()

    host.behave = behave
    error = await failure(provider, TextChunk("a"))
    assert isinstance(error, errors.ProviderUnavailable)
    assert "fallen silent" in str(error)
