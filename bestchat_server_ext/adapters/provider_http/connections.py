"""Connections: one session for each event loop, the proxies on the way, and whom to believe."""

from __future__ import annotations

import asyncio
import importlib
import os
import ssl
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING

import msgspec

from bestchat_server_ext.adapters.provider_http import address as where
from bestchat_server_ext.adapters.provider_http.pacing import Pacer
from bestchat_server_ext.adapters.provider_http.silence import Silence

if TYPE_CHECKING:
    import aiohttp


class Local(msgspec.Struct, frozen=True):
    """What belongs to one event loop: connections belong to the loop they were made on."""

    session: aiohttp.ClientSession
    """Sends requests."""
    pacer: Pacer
    """Holds answers back."""
    silence: Silence
    """Gives up servers that send nothing."""


_PROXIES_MAX = 256
"""Addresses of which the proxy is remembered; everybody may name some of their own."""
_PATIENCE = 10
"""How many times longer a server may send keep-alives than nothing at all."""


class Connections:
    """The connections to one provider's server."""

    def __init__(self, *, idle_seconds: float = 120.0, connect_seconds: float = 15.0) -> None:
        """Nothing is opened yet.

        Args:
            idle_seconds: how long the server may send nothing at all.
            connect_seconds: how long connecting may take, name look-up and TLS included.
        """
        self._idle_seconds = idle_seconds
        self.patience = _PATIENCE * idle_seconds
        """Seconds for which a server may send what says nothing: keep-alives are no answer."""
        self._connect_seconds = connect_seconds
        self._locals: dict[asyncio.AbstractEventLoop, Local] = {}
        self._proxies: dict[str, str | None] = {}

    async def local(self) -> Local:
        """What belongs to the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._locals:
            # Together they take 0.1 s, which other turns on this loop should not have to wait for.
            aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
            context = await asyncio.to_thread(_believed)
            timeout = aiohttp.ClientTimeout(
                total=None,
                connect=self._connect_seconds,
                sock_connect=self._connect_seconds,
                sock_read=self._idle_seconds,
            )
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_reuseconn.append(_note_kept)
            if loop not in self._locals:  # somebody else may have been faster meanwhile
                session = aiohttp.ClientSession(
                    timeout=timeout,
                    trace_configs=[tracing],
                    connector=aiohttp.TCPConnector(limit=0, ssl=context),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    # A few bytes can be inflated to gigabytes, which would hold up the loop.
                    auto_decompress=False,
                    headers={"Accept-Encoding": "identity", "User-Agent": "BestChat"},
                )
                self._locals[loop] = Local(session, Pacer(), Silence(self._idle_seconds))
        return self._locals[loop]

    async def proxy(self, base_url: str) -> str | None:
        """The environment's proxy for an address, as `trust_env` would find it.

        Found here because `trust_env` also sends what it finds in ~/.netrc, costs two threads per
        request, and takes the way through the proxy even to a server on this machine.

        Raises:
            ProviderError: it is of a kind that is not spoken here.
        """
        if base_url not in self._proxies:
            found = await asyncio.to_thread(where.find_proxy, base_url)
            while len(self._proxies) >= _PROXIES_MAX:
                del self._proxies[next(iter(self._proxies))]
            self._proxies[base_url] = found
        return self._proxies[base_url]

    async def close(self) -> None:
        """Let go of all of them, on whatever loops they are."""
        here = asyncio.get_running_loop()
        locals_, self._locals = self._locals, {}
        for loop, local in locals_.items():
            if loop is here:
                await local.session.close()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(local.session.close(), loop)
                await asyncio.wrap_future(closing)


async def _note_kept(_session: object, context: SimpleNamespace, _params: object) -> None:
    """Tell the sender of a request that it goes over a connection that was kept."""
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.append(True)


def _believed() -> ssl.SSLContext:
    """The certificate authorities that are believed: the system's, or those of SSL_CERT_FILE."""
    return _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _context(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Read once for all providers, which takes 20 ms; OpenSSL looks at the variables itself."""
    return ssl.create_default_context()
