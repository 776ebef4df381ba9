"""OpenAIProvider: requests, sessions, lists of models."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Callable, Sequence
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING

import msgspec

from bestchat_server_ext.adapters.provider_http import address as where
from bestchat_server_ext.adapters.provider_http import failures
from bestchat_server_ext.adapters.provider_http.answer import Answer
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.models import Chunk, ModelFacts
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.wire.openai import encode_request
from bestchat_server_ext.ports.endpoint import Address, Endpoint

if TYPE_CHECKING:
    import aiohttp

Catalog = Sequence[ModelFacts] | Callable[[], Sequence[ModelFacts]]
"""The models that are known beforehand, or how to find out which those are at the moment."""

_LIST_LIMIT = 8 * 1024 * 1024
"""Bytes that are read of a list of models."""
_LIST_SECONDS = 5.0
"""How long a list of models may take, all in all."""


class OpenAIProvider:
    """Answers for all models of one server that speaks OpenAI's format."""

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        catalog: Catalog = (),
        *,
        label: str = "",
        lists_models: bool = True,
        only_known: bool = False,
        idle_seconds: float = 120.0,
        connect_seconds: float = 15.0,
    ) -> None:
        """Speak to one server.

        Args:
            name: the first half of its model references.
            endpoint: where the server is.
            catalog: what is known of its models beforehand.
            label: what the server is called in errors; the name, if empty.
            lists_models: whether the server may be asked which models it has.
            only_known: whether models outside of the catalog are refused without asking it.
            idle_seconds: how long the server may send nothing at all.
            connect_seconds: how long connecting may take, name look-up and TLS included.
        """
        self._name = name
        self._endpoint = endpoint
        self._catalog = catalog
        self._label = label or name
        self._lists_models = lists_models
        self._only_known = only_known
        self._idle_seconds = idle_seconds
        self._connect_seconds = connect_seconds
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._proxies: dict[str, str | None] = {}

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Ask a model; chunks that arrive together come together.

        Raises:
            ChatError: whatever went wrong, while iterating.
        """
        self._require_known(request.model.model)
        body = encode_request(request)
        address = await self._endpoint.address()
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._post(address, body)
            answer = Answer(response)
            while chunks := await answer.read():
                yield chunks
            await answer.drain()
        except errors.ChatError as error:
            raise failures.scrubbed(error, address.key) from None
        except (OSError, ValueError, failures.client_error()) as error:
            # Without a cause: aiohttp's errors carry the request's headers, and with them the key.
            raise failures.failure(error, self._place(address)) from None
        finally:
            if response is not None:
                response.close()

    async def models(self) -> Sequence[ModelFacts]:
        """The models of the catalog that the server has, then what else it has.

        Raises:
            ChatError: the server could not be asked.
        """
        known = {facts.ref: facts for facts in self._known()}
        if not self._lists_models:
            return tuple(known.values())
        listed = {facts.ref: facts for facts in await self._list()}
        both = [_merged(facts, listed[ref]) for ref, facts in known.items() if ref in listed]
        return (*both, *(facts for ref, facts in listed.items() if ref not in known))

    def facts(self, model: str) -> ModelFacts:
        """What is known of one model, without asking anybody."""
        ref = f"{self._name}/{model}"
        known = (facts for facts in self._known() if facts.ref == ref)
        return next(known, None) or ModelFacts(ref, known=False)

    async def close(self) -> None:
        """Let go of connections, and of the server if it is ours."""
        here = asyncio.get_running_loop()
        sessions, self._sessions = self._sessions, {}
        for loop, session in sessions.items():
            if loop is here:
                await session.close()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(session.close(), loop)
                await asyncio.wrap_future(closing)
        await self._endpoint.close()

    # Requests.

    def _known(self) -> Sequence[ModelFacts]:
        return self._catalog() if callable(self._catalog) else self._catalog

    def _require_known(self, model: str) -> None:
        names = [facts.ref.partition("/")[2] for facts in self._known()]
        if self._only_known and model not in names:
            raise errors.ModelNotFound(
                f"{self._label} has no model named {model!r}.",
                hint=f"It has: {', '.join(names)}.",
                field="model",
            )

    async def _post(self, address: Address, body: bytes) -> aiohttp.ClientResponse:
        """Send a request; give the response once it is known to be an answer."""
        response = await self._send(address, body)
        if response.status != HTTPStatus.OK:
            try:
                raise await failures.refusal(response, self._place(address))
            finally:
                response.close()
        return response

    async def _send(self, address: Address, body: bytes) -> aiohttp.ClientResponse:
        """Send a request over a kept connection, or over a new one if its server has closed it.

        Servers close kept connections when they like, so that a request and the news of the end
        can cross on the way; that request was never seen, and is sent again.
        """
        import aiohttp

        session, proxy = await self._session(), await self._proxy(address.base_url)
        while True:
            kept: list[bool] = []
            try:
                return await session.post(
                    where.url(address, "/chat/completions"),
                    data=body,
                    headers=where.headers(address, accept="text/event-stream"),
                    proxy=proxy,
                    allow_redirects=False,
                    trace_request_ctx=kept,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not kept:
                    raise

    async def _list(self) -> list[ModelFacts]:
        address = await self._endpoint.address()
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                body = await self._get(address, "/models")
            listed = msgspec.json.decode(body, type=_ModelList)
        except errors.ChatError as error:
            raise failures.scrubbed(error, address.key) from None
        except (OSError, ValueError, failures.client_error()) as error:
            raise failures.failure(error, self._place(address)) from None
        harmless = (model for model in listed.data if not failures.tells(address.key, model.id))
        return [_facts(self._name, model) for model in harmless]

    async def _get(self, address: Address, path: str) -> bytes:
        session = await self._session()
        async with session.get(
            where.url(address, path),
            headers=where.headers(address, accept="application/json"),
            proxy=await self._proxy(address.base_url),
            allow_redirects=False,
        ) as response:
            if response.status != HTTPStatus.OK:
                raise await failures.refusal(response, self._place(address))
            return await failures.read_up_to(response, _LIST_LIMIT)

    async def _session(self) -> aiohttp.ClientSession:
        """The session of the running loop: connections belong to the loop they were made on."""
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            # The import takes 0.1 s, which other turns on this loop should not have to wait for.
            aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
            timeout = aiohttp.ClientTimeout(
                total=None,
                connect=self._connect_seconds,
                sock_connect=self._connect_seconds,
                sock_read=self._idle_seconds,
            )
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_reuseconn.append(_note_kept)
            if loop not in self._sessions:  # somebody else may have been faster meanwhile
                self._sessions[loop] = aiohttp.ClientSession(
                    timeout=timeout,
                    trace_configs=[tracing],
                    connector=aiohttp.TCPConnector(limit=0),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers={"Accept-Encoding": "identity", "User-Agent": "BestChat"},
                )
        return self._sessions[loop]

    async def _proxy(self, base_url: str) -> str | None:
        """The environment's proxy for an address, as `trust_env` would find it.

        Found here because `trust_env` also sends what it finds in ~/.netrc, costs two threads per
        request, and takes the way through the proxy even to a server on this machine.
        """
        if base_url not in self._proxies:
            self._proxies[base_url] = await asyncio.to_thread(where.find_proxy, base_url)
        return self._proxies[base_url]

    def _place(self, address: Address) -> str:
        """What to call the server: its name and its host."""
        host = where.host(address.base_url)
        return f"{self._label} at {host}" if host else self._label


async def _note_kept(_session: object, context: SimpleNamespace, _params: object) -> None:
    """Tell the sender of a request that it goes over a connection that was kept."""
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.append(True)


# Lists of models.


class _Model(msgspec.Struct):
    id: str
    context_length: int | None = None
    max_model_len: int | None = None


class _ModelList(msgspec.Struct):
    data: list[_Model]


def _facts(name: str, model: _Model) -> ModelFacts:
    window = model.context_length or model.max_model_len
    return ModelFacts(f"{name}/{model.id}", window=window)


def _merged(known: ModelFacts, listed: ModelFacts) -> ModelFacts:
    """The catalog's facts; the window is the server's own business, where it tells."""
    return msgspec.structs.replace(known, window=listed.window or known.window)
