"""litellm by way of its OpenAI route, which leads to a host of ours: nobody else is asked."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from bestchat_server_ext.adapters.catalog_file import open_catalog
from bestchat_server_ext.adapters.provider_litellm import LitellmProvider, library
from bestchat_server_ext.adapters.provider_litellm.failures import said
from bestchat_server_ext.adapters.provider_litellm.parameters import PARAMETERS
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelRef,
    RequestOptions,
    TextChunk,
    ToolCallChunk,
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

KEY = "sk-canary-0123456789"
PROMPT = "the secret prompt"
ROOT = Path(__file__).parents[2]

pytestmark = [
    # It filters these itself, when it is loaded; pytest puts its own filters in their place.
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the .* attribute on the instance is deprecated"),
]


TAIL = ProviderFacts("tail", "The long tail", "litellm", litellm_names=("openai",))


BEDROCK = next(facts for facts in open_catalog().providers() if facts.name == "bedrock")
BEDROCK_MODEL = "converse/some-model"
REGION = {"AWS_REGION": "eu-west-1"}


def piece(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps(chunk | {"choices": [choice]}).encode() + b"\n\n"


USAGE = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
)


async def whole(call: Call) -> None:
    if b"no-such-model-anywhere" in call.body:
        await call.answer(404, b'{"error":{"message":"no such model","code":"model_not_found"}}')
        return
    pieces = [piece({"role": "assistant", "content": "Hel"}), piece({"content": "lo"})]
    await call.stream(*pieces, piece({}, "stop"), USAGE, b"data: [DONE]\n\n")


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host(whole)
    await host.start()
    yield host
    await host.stop()


def made(url: str, facts: ProviderFacts = TAIL, **variables: str) -> LitellmProvider:
    return LitellmProvider(
        facts, FixedEndpoint(url, KEY), open_catalog(), variables.get, idle_seconds=20
    )


@pytest.fixture
async def provider(host: Host) -> AsyncIterator[LitellmProvider]:
    provider = made(f"{host.url}/v1")
    yield provider
    await provider.close()


def asking(prompt: str = PROMPT, model: str = "large") -> ModelRequest:
    return ModelRequest(ModelRef("tail", model), (user_message(prompt),))


async def heard(
    provider: LitellmProvider, chunks: list[Chunk] | None = None, model: str = "large"
) -> list[Chunk]:
    chunks = [] if chunks is None else chunks
    async for together in provider.stream(asking(model=model)):
        chunks += together
    return chunks


async def failure(
    provider: LitellmProvider, *before: Chunk, model: str = "large"
) -> errors.ChatError:
    chunks: list[Chunk] = []
    with pytest.raises(errors.ChatError) as caught:
        await heard(provider, chunks, model)
    assert chunks == list(before)
    for shown in (str(caught.value), repr(caught.value), repr(caught.value.info)):
        assert KEY not in shown
        assert PROMPT not in shown
    assert caught.value.__cause__ is None
    return caught.value


class TestConformance(ProviderSuite):
    @pytest.fixture
    def request_for(self) -> RequestFor:
        return asking


async def test_an_answer_is_ours(host: Host, provider: LitellmProvider) -> None:
    assert await heard(provider) == [
        TextChunk("Hel"),
        TextChunk("lo"),
        FinishChunk("stop"),
        UsageChunk(Usage(3, 2)),
    ]
    (call,) = host.calls
    assert call.path == "/v1/chat/completions"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    body = json.loads(call.body)
    assert body["messages"] == [{"role": "user", "content": PROMPT}]
    assert body["stream_options"] == {"include_usage": True}


async def test_a_tool_call_in_pieces(host: Host, provider: LitellmProvider) -> None:
    def calling(**function: str) -> bytes:
        call = {"index": 0, "id": "c1", "type": "function", "function": function}
        return piece({"tool_calls": [call]})

    host.behave = lambda call: call.stream(
        calling(name="clock", arguments=""), calling(arguments="{}"), piece({}, "tool_calls")
    )
    chunks = await heard(provider)
    calls = [chunk for chunk in chunks if isinstance(chunk, ToolCallChunk)]
    assert "".join(call.name for call in calls) == "clock"
    assert "".join(call.arguments for call in calls) == "{}"
    assert FinishChunk("tool_calls") in chunks


async def test_the_environment_stays_as_it_is(host: Host, tmp_path: Path) -> None:
    """In a process of its own: in this one, the library has been loaded before."""
    code = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "Path('.env').write_text('FROM_A_FILE=1')\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
        "import test_provider_litellm as ours\n"
        "assert 'litellm' not in sys.modules\n"
        "before = dict(os.environ)\n"
        "async def main():\n"
        "    provider = ours.made(sys.argv[1])\n"
        "    print([chunk for chunk in await ours.heard(provider)])\n"
        "    await provider.close()\n"
        "asyncio.run(main())\n"
        "assert 'litellm' in sys.modules\n"
        "assert dict(os.environ) == before, set(os.environ) ^ set(before)\n"
    )

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, f"{host.url}/v1"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert b"TextChunk(text='Hel')" in out


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (401, "Incorrect API key: {key}", errors.ProviderAuth),
        (404, "The model does not exist", errors.ModelNotFound),
        (429, "Slow down", errors.RateLimited),
        (400, "This model's maximum context length is 5 tokens", errors.ContextOverflow),
        (400, "Something is wrong with {key}", errors.ProviderError),
        (500, "Oops", errors.ProviderUnavailable),
        (503, "Overloaded", errors.ProviderUnavailable),
    ],
)
async def test_refusals(
    host: Host,
    provider: LitellmProvider,
    status: int,
    message: str,
    expected: type[errors.ChatError],
) -> None:
    body = json.dumps({"error": {"message": message.format(key=KEY)}}).encode()
    host.behave = lambda call: call.answer(
        status, body, Content_Type="application/json", Retry_After="7"
    )
    error = await failure(provider)
    assert type(error) is expected
    assert len(host.calls) == 1, "it has tried again"
    assert message.partition(":")[0].partition("{")[0].strip() in error.info.text
    if expected is errors.RateLimited:
        assert error.info.retry_after == 7.0


async def test_a_refused_connection(host: Host, provider: LitellmProvider) -> None:
    await host.stop()
    assert isinstance(await failure(provider), errors.ProviderUnavailable)


@pytest.mark.parametrize("name", ["tail", "bedrock"])
async def test_a_host_that_cannot_be_reached(host: Host, name: str) -> None:
    """litellm words that as if the provider had said it, here or there."""
    facts = TAIL if name == "tail" else BEDROCK
    await host.stop()
    provider = made(f"{host.url}/v1", facts, **REGION)
    error = await failure(provider, model=BEDROCK_MODEL)
    assert type(error) is errors.ProviderUnavailable
    assert error.info.text == f"{facts.label} cannot be reached."
    assert "Check its URL" in error.info.hint
    await provider.close()


async def test_a_host_whose_name_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    provider = made("http://bedrock.invalid", BEDROCK, **REGION)
    error = await failure(provider, model=BEDROCK_MODEL)
    assert type(error) is errors.ProviderUnavailable
    assert error.info.text.startswith(f"{BEDROCK.label} cannot be reached: the name of its server")
    assert "region" in error.info.hint
    await provider.close()


async def test_a_certificate_that_nobody_vouches_for() -> None:
    """No connection either; and trying again will not help."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    secured = Host(whole)
    await secured.start(context)
    provider = made(secured.url.replace("http:", "https:"), BEDROCK, **REGION)
    error = await failure(provider, model=BEDROCK_MODEL)
    assert type(error) is errors.ProviderError
    assert error.info.text == f"The certificate of {BEDROCK.label} cannot be verified."
    assert "SSL_CERT_FILE" in error.info.hint
    await provider.close()
    await secured.stop()


async def test_what_was_met_before_an_answer_is_not_taken_for_it(
    host: Host, provider: LitellmProvider
) -> None:
    """A request that is sent while the failure of another is dealt with."""
    host.behave = lambda call: call.answer(429, b'{"error":{"message":"Slow down"}}')
    nowhere = made("http://127.0.0.1:9/v1")
    try:
        await heard(nowhere)
    except errors.ProviderUnavailable:
        assert type(await failure(provider)) is errors.RateLimited
    await nowhere.close()


async def test_an_answer_that_is_cut(host: Host, provider: LitellmProvider) -> None:
    read = asyncio.Event()

    async def behave(call: Call) -> None:
        await call.begin(piece({"content": "a"}))
        await read.wait()
        call.cut()

    host.behave = behave
    stream = provider.stream(asking())
    assert list(await anext(stream)) == [TextChunk("a")]
    read.set()
    with pytest.raises(errors.ProviderUnavailable):
        await anext(stream)


async def test_silence_is_an_error(host: Host) -> None:
    async def behave(call: Call) -> None:
        await call.begin(piece({"content": "a"}))
        await asyncio.Event().wait()

    host.behave = behave
    provider = LitellmProvider(
        TAIL, FixedEndpoint(f"{host.url}/v1", KEY), open_catalog(), {}.get, idle_seconds=2
    )
    error = await failure(provider, TextChunk("a"))
    assert "fallen silent" in str(error)
    await provider.close()


async def test_closing_hangs_up(host: Host, provider: LitellmProvider) -> None:
    async def behave(call: Call) -> None:
        await call.begin(piece({"content": "a"}))
        await asyncio.Event().wait()

    host.behave, host.watching = behave, True
    stream = provider.stream(asking())
    await anext(stream)
    await stream.aclose()
    async with asyncio.timeout(5):
        await host.calls[0].gone.wait()


async def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_loaded", [])
    monkeypatch.setitem(sys.modules, "litellm", None)
    error = await failure(made("http://127.0.0.1:9"))
    assert isinstance(error, errors.NotInstalled)
    assert error.info.hint == "Run: pip install 'bestchat[lab]'"


def test_importing_loads_no_litellm() -> None:
    code = (
        "import sys, bestchat_server_ext.adapters.provider_litellm\n"
        "assert 'litellm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# Every provider of the table that it is for.

LITELLM = [facts for facts in open_catalog().providers() if facts.lane == "litellm"]


@pytest.mark.parametrize("facts", LITELLM, ids=lambda facts: facts.name)
def test_every_variable_has_a_name_there(facts: ProviderFacts) -> None:
    variables = {item.name: f"value of {item.name}" for item in facts.other_names}
    provider = made("", facts, **variables)
    ref = ModelRef(facts.name, "some-model")
    options = RequestOptions(temperature=0.5, max_output_tokens=7)
    request = ModelRequest(ref, (user_message("Hi"),), "Be brief.", options=options)
    arguments = provider.arguments(request, Address("", KEY))
    assert arguments["model"] == f"{facts.litellm_names[0]}/some-model"
    assert arguments["api_key"] == KEY
    assert (arguments["num_retries"], arguments["max_retries"]) == (0, 0)
    assert arguments["drop_params"]
    for name, value in variables.items():
        assert arguments[PARAMETERS[name]] == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("litellm.RateLimitError: RateLimitError: OpenAIException - Slow down", "Slow down"),
        ('litellm.BadRequestError: BedrockException - {"message":"No \\"x\\""}', 'No \\"x\\"'),
        ("Something else", "Something else"),
    ],
)
def test_what_the_provider_said(text: str, expected: str) -> None:
    assert said(text) == expected


async def test_an_address_of_ones_own_gets_no_key_of_the_environment(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """litellm looks there by itself; what it finds belongs to whoever runs the server."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-site")
    endpoint = FixedEndpoint(f"{host.url}/v1", None)
    provider = LitellmProvider(TAIL, endpoint, open_catalog(), {}.get, idle_seconds=20)
    assert TextChunk("Hel") in await heard(provider)
    await provider.close()
    sent = [call.headers for call in host.calls]
    assert sent
    assert "sk-of-the-site" not in str(sent)
