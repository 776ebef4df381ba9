"""HttpProvider: one request at a time to one provider's server, and the list of its models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from bestchat_server_ext.adapters.provider_http import address as where
from bestchat_server_ext.adapters.provider_http import failures
from bestchat_server_ext.adapters.provider_http.answer import Answer
from bestchat_server_ext.adapters.provider_http.connections import Connections
from bestchat_server_ext.adapters.provider_http.known import Known, KnownModels
from bestchat_server_ext.adapters.provider_http.lanes import lane_of
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import Chunk, ModelFacts, ModelRef
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.wire.keys import scrubbed, tells
from bestchat_server_ext.ports.endpoint import Address, Endpoint

if TYPE_CHECKING:
    import aiohttp

_LIST_LIMIT = 4 * 1024 * 1024
"""Bytes that are read of a list of models; the largest have one million."""
_LISTED_MAX = 5000
"""Models of a list that are looked at; the largest have a few hundred."""
_PLAIN = frozenset({"", "identity"})
"""Content codings that are none."""
_PRESENT_SECONDS = 0.3
"""How long a server on this machine may take to say that it is there."""
_LIST_SECONDS = 5.0
"""How long a list of models may take, all in all."""


class Outgoing(msgspec.Struct, frozen=True):
    """A request as it is going to be sent."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""

    def __repr__(self) -> str:
        """Without headers and body, which hold the key and the prompt."""
        return f"Outgoing({self.method} to {where.host(self.url)})"


class HttpProvider:
    """Answers for all models of one provider, in whichever format that speaks."""

    alive_path: str | None = None
    """What answers quickly if a server is there; the list of models, if none."""

    def __init__(
        self,
        facts: ProviderFacts,
        endpoint: Endpoint,
        known: Known | None = None,
        *,
        only_known: bool = False,
        connections: Connections | None = None,
    ) -> None:
        """Speak to one server.

        Args:
            facts: what is known of the provider: its name, its format, its paths.
            endpoint: where its server is.
            known: what is known of its models beforehand; nothing, if none.
            only_known: whether other models are refused without asking it.
            connections: how to reach it; as usual, if none.
        """
        self._provider = facts
        self._lane = lane_of(facts)
        self._endpoint = endpoint
        self._known: Known = known or KnownModels()
        self._only_known = only_known
        self._connections = connections or Connections()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Ask a model; chunks that arrive together come together.

        Raises:
            ChatError: whatever went wrong, while iterating.
        """
        self._require_known(request.model.model)
        address = await self._endpoint.address(request.owner)
        keys = [address.key]
        response: aiohttp.ClientResponse | None = None
        try:
            try:
                response = await self._ask(request, address)
            except errors.ProviderAuth:
                renewed = await self._endpoint.renewed(address, request.owner)
                if renewed is None:
                    raise
                address = renewed
                keys.append(address.key)
                response = await self._ask(request, address)
            local = await self._connections.local()
            answer = Answer(response, self._lane, local.pacer, self._connections.patience)
            with local.silence.watch(answer):
                while chunks := await answer.read():
                    yield chunks
                await answer.drain()
        except errors.ChatError as error:
            raise scrubbed(error, *keys) from None
        except (OSError, ValueError, failures.client_error()) as error:
            # Without a cause: aiohttp's errors carry the request's headers, and with them the key.
            raise failures.failure(error, self._place(address)) from None
        finally:
            if response is not None:
                response.close()

    async def models(self, owner: OwnerId | None = None) -> Sequence[ModelFacts]:
        """What the server says it has; what is known beforehand, if it cannot be asked.

        Raises:
            ChatError: it was asked in vain.
        """
        if self._provider.list_path is None:
            return self._known.models()
        address = await self._endpoint.address(owner)
        body = await self._fetch(address, self._lane.list_path)
        try:
            listed = await asyncio.to_thread(self._lane.models, self._provider.name, body)
        except errors.ChatError as error:
            raise scrubbed(error, address.key) from None
        return [
            facts
            for facts in listed[:_LISTED_MAX]
            if not tells(address.key, facts.ref) and not tells(address.key, facts.label)
        ]

    async def present(self) -> bool:
        """Whether a server answers at once, where nobody has said that there is one."""
        path = self.alive_path or self._lane.list_path
        try:
            await self._fetch(await self._endpoint.address(), path, seconds=_PRESENT_SECONDS)
        except errors.ChatError:
            return False
        return True

    def facts(self, model: str) -> ModelFacts:
        """What is known of one model, without asking anybody."""
        return self._known.model(ModelRef(self._provider.name, model))

    async def close(self) -> None:
        """Let go of connections, and of the server if it is ours."""
        await self._connections.close()
        await self._endpoint.close()

    def outgoing(self, request: ModelRequest, facts: ModelFacts, address: Address) -> Outgoing:
        """What is sent to ask a model of which this is known."""
        headers = {"Accept": self._lane.accept, "Content-Type": "application/json"}
        return Outgoing(
            "POST",
            where.url(address.base_url, self._lane.chat_path),
            headers | dict(self._lane.headers(address.key)),
            self._lane.encode(request, facts),
        )

    # Requests.

    def _require_known(self, model: str) -> None:
        names = [facts.ref.partition("/")[2] for facts in self._known.models()]
        if self._only_known and model not in names:
            raise errors.ModelNotFound(
                f"{self._provider.label} has no model named {model!r}.",
                hint=f"It has: {', '.join(names)}.",
                field="model",
            )

    async def _ask(self, request: ModelRequest, address: Address) -> aiohttp.ClientResponse:
        """Ask a model; give the response once it is known to be an answer."""
        facts = self.facts(request.model.model)
        return await self._post(self.outgoing(request, facts, address), address)

    async def _post(self, outgoing: Outgoing, address: Address) -> aiohttp.ClientResponse:
        """Send a request; give the response once it is known to be no refusal."""
        response = await self._send(outgoing, address)
        if response.status != HTTPStatus.OK:
            try:
                raise await failures.refusal(response, self._lane, self._place(address))
            finally:
                response.close()
        if (coding := response.headers.get("Content-Encoding", "").strip().lower()) not in _PLAIN:
            response.close()
            raise errors.ProviderError(
                f"{self._place(address)} answered in compressed form, though nobody asked for it.",
                hint=f"Have the server, or the proxy before it, not use {coding[:20]!r} here.",
            )
        return response

    async def _send(self, outgoing: Outgoing, address: Address) -> aiohttp.ClientResponse:
        """Send a request over a kept connection, or over a new one if its server has closed it.

        Servers close kept connections when they like, so that a request and the news of the end
        can cross on the way; that request was never seen, and is sent again.
        """
        import aiohttp

        local = await self._connections.local()
        proxy = await self._connections.proxy(address.base_url)
        while True:
            kept: list[bool] = []
            try:
                return await local.session.request(
                    outgoing.method,
                    outgoing.url,
                    data=outgoing.body or None,
                    headers=outgoing.headers,
                    proxy=proxy,
                    allow_redirects=False,
                    trace_request_ctx=kept,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not kept:
                    raise

    async def _fetch(
        self, address: Address, path: str, body: bytes = b"", seconds: float = _LIST_SECONDS
    ) -> bytes:
        """Ask something that is quickly answered: a GET, or a POST where there is a body.

        Raises:
            ChatError: it was not.
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        outgoing = Outgoing(
            "POST" if body else "GET",
            where.url(address.base_url, path),
            headers | dict(self._lane.headers(address.key)),
            body,
        )
        try:
            async with asyncio.timeout(seconds):
                response = await self._post(outgoing, address)
                async with response:
                    return await failures.read_up_to(response, _LIST_LIMIT)
        except errors.ChatError as error:
            raise scrubbed(error, address.key) from None
        except (OSError, ValueError, failures.client_error()) as error:
            raise failures.failure(error, self._place(address)) from None

    def _place(self, address: Address) -> str:
        """What to call the server: its name and its host."""
        host = where.host(address.base_url)
        return f"{self._provider.label} at {host}" if host else self._provider.label
