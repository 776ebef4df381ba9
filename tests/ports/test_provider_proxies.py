"""Proxies and certificate authorities of the environment, both real ones on this machine.

The host has a name that nobody but the proxy knows, and a certificate of an authority that nobody
but SSL_CERT_FILE knows.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from bestchat_server_ext.adapters.provider_http import Connections, HttpProvider
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import Chunk, FinishChunk, ModelRef, TextChunk
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.testing.endpoint import FixedEndpoint
from bestchat_server_ext.testing.http_host import Call, Host
from bestchat_server_ext.testing.port_suites.provider import user_message

KEY = "sk-canary-0123456789"
NAME = "models.invalid"
FACTS = ProviderFacts("openai", "OpenAI", "openai")
ANSWER = (
    b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


async def test_proxies_of_a_limited_number_of_addresses_are_remembered() -> None:
    connections = Connections()
    for number in range(300):
        await connections.proxy(f"http://127.0.0.1:{number + 1}/v1")
    kept = list(connections._proxies)
    assert len(kept) == 256
    assert kept[-1] == "http://127.0.0.1:300/v1"


class Proxy:
    """A proxy that leads every CONNECT to one host."""

    def __init__(self, target: str) -> None:
        self.heads: list[str] = []
        self.refusal = b""
        self._target = target
        self._pipes: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if self.refusal:
            writer.write(self.refusal)
            writer.close()
            return
        port = int(self._target.rpartition(":")[2])
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._pipes += [
            asyncio.create_task(self._pipe(reader, far_writer)),
            asyncio.create_task(self._pipe(far_reader, writer)),
        ]

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.transport.abort()


@pytest.fixture
async def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    """A host with TLS, whose authority SSL_CERT_FILE names."""

    async def behave(call: Call) -> None:
        await call.stream(ANSWER)

    authority, host = trustme.CA(), Host(behave)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME).configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    await host.start(context)
    yield host
    await host.stop()


@pytest.fixture
async def proxy(host: Host) -> AsyncIterator[Proxy]:
    proxy = Proxy(host.url)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
async def provider() -> AsyncIterator[HttpProvider]:
    provider = HttpProvider(FACTS, FixedEndpoint(f"https://{NAME}/v1", KEY))
    yield provider
    await provider.close()


async def heard(provider: HttpProvider) -> list[Chunk]:
    request = ModelRequest(ModelRef("openai", "large"), (user_message("Hi"),))
    return [chunk async for together in provider.stream(request) for chunk in together]


async def failure(provider: HttpProvider) -> errors.ChatError:
    with pytest.raises(errors.ChatError) as caught:
        await heard(provider)
    assert KEY not in str(caught.value)
    assert "password" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_through_a_proxy_to_a_private_authority(
    host: Host,
    proxy: Proxy,
    provider: HttpProvider,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    scheme: str,
) -> None:
    monkeypatch.setenv(name, f"{scheme}127.0.0.1:{proxy.port}")
    assert await heard(provider) == [TextChunk("Hello"), FinishChunk("stop")]
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {NAME}:443 HTTP/1.1\r\n")
    assert KEY not in head
    (call,) = host.calls
    assert call.path == "/v1/chat/completions"
    assert call.headers["authorization"] == f"Bearer {KEY}"


async def test_a_proxy_with_a_password(
    host: Host, proxy: Proxy, provider: HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:password@127.0.0.1:{proxy.port}")
    assert TextChunk("Hello") in await heard(provider)
    expected = b64encode(b"ada:password").decode()
    assert f"Proxy-Authorization: Basic {expected}" in proxy.heads[0]
    assert "proxy-authorization" not in host.calls[0].headers


async def test_no_proxy_is_honoured(
    proxy: Proxy, provider: HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", "example.org,.invalid")
    error = await failure(provider)
    assert "not known on this network" in str(error)
    assert proxy.heads == []


async def test_without_the_authority_the_variable_is_named(
    host: Host, proxy: Proxy, provider: HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("SSL_CERT_FILE")
    error = await failure(provider)
    assert type(error) is errors.ProviderError, "no waiting helps"
    assert NAME in error.info.text
    assert "SSL_CERT_FILE" in error.info.hint
    assert host.calls == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", errors.ProviderError),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", errors.ProviderError),
        (b"HTTP/1.1 503 Busy\r\n\r\n", errors.ProviderUnavailable),
    ],
)
async def test_a_proxy_that_refuses(
    proxy: Proxy,
    provider: HttpProvider,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes,
    kind: type[errors.ChatError],
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:password@127.0.0.1:{proxy.port}")
    proxy.refusal = answer
    error = await failure(provider)
    assert type(error) is kind
    assert "HTTPS_PROXY" in error.info.hint


async def test_a_proxy_that_is_not_there(
    proxy: Proxy, provider: HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await proxy.stop()
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:password@127.0.0.1:{proxy.port}")
    error = await failure(provider)
    assert isinstance(error, errors.ProviderUnavailable)
    assert "HTTPS_PROXY" in error.info.hint


async def test_a_proxy_that_does_not_speak_http(
    provider: HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    error = await failure(provider)
    assert "none that speaks HTTP" in str(error)
    assert "HTTPS_PROXY" in error.info.hint
