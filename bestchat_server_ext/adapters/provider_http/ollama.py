"""OllamaProvider: models on a machine of one's own, and how much of its memory to ask for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from bestchat_server_ext.adapters.provider_http.connections import Connections
from bestchat_server_ext.adapters.provider_http.known import Known
from bestchat_server_ext.adapters.provider_http.provider import HttpProvider
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.messages import ImagePart, ReasoningPart
from bestchat_server_ext.core.models import ModelFacts
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.wire.refusals import UNREADABLE
from bestchat_server_ext.ports.endpoint import Address, Endpoint

if TYPE_CHECKING:
    import aiohttp

SMALLEST_WINDOW = 4096
"""Tokens; what Ollama itself takes for machines without much memory."""

_LOADED_SECONDS = 300.0
"""How long Ollama keeps a model in memory that nobody asks."""
_KEPT_MAX = 256
"""Models that are remembered, of all servers together."""
_ANSWER = 2048
"""Tokens of room for an answer whose length nobody limits."""
_BYTES_PER_TOKEN = 3
"""Few, so that the estimate is rather too large: English has four, source code three."""
_TOKENS_PER_IMAGE = 1536


def estimate(request: ModelRequest) -> int:
    """Tokens that a request and its answer may take, rather too many than too few."""
    texts, images = [request.system], 0
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, ImagePart):
                images += 1
            elif not isinstance(part, ReasoningPart):  # which stays at home
                texts.append(msgspec.json.encode(part).decode())
    texts += [msgspec.json.encode(tool).decode() for tool in request.tools]
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    room = request.options.max_output_tokens or _ANSWER
    return size // _BYTES_PER_TOKEN + images * _TOKENS_PER_IMAGE + room


def window_for(tokens: int, window: int) -> int:
    """The context to ask for: the smallest step that holds so many tokens.

    Ollama takes the memory for all of a context at once: the 128K that many models could have cost
    more than a laptop has, and a hello needs none of it. So the steps are powers of two from
    `SMALLEST_WINDOW` on, up to the model's own window.
    """
    step = SMALLEST_WINDOW
    while step < tokens:
        step *= 2
    return min(step, window)


_Value = TypeVar("_Value")


class _Kept(Generic[_Value]):
    """What is known of models, for as long as one stays in memory.

    A model belongs to a server: that of one owner must not decide for that of another.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], tuple[_Value, float]] = {}

    def get(self, address: Address, model: str) -> _Value | None:
        value, until = self._values.get((address.base_url, model), (None, 0.0))
        return value if asyncio.get_running_loop().time() < until else None

    def put(self, address: Address, model: str, value: _Value) -> None:
        place = (address.base_url, model)
        self._values.pop(place, None)
        while len(self._values) >= _KEPT_MAX:
            del self._values[next(iter(self._values))]
        self._values[place] = (value, asyncio.get_running_loop().time() + _LOADED_SECONDS)


class OllamaProvider(HttpProvider):
    """Answers for all models of one Ollama, and of those that its owners have in its place.

    A model that is asked for another context is loaded anew, which takes seconds. So a step that
    was asked for holds for as long as the model stays in memory, whoever asks it meanwhile; and
    a request that was refused because the estimate was too small is sent again with the model's
    whole window.
    """

    alive_path = "/api/version"

    def __init__(
        self,
        facts: ProviderFacts,
        endpoint: Endpoint,
        known: Known | None = None,
        *,
        connections: Connections | None = None,
    ) -> None:
        """Speak to one server.

        Args:
            facts: what is known of the provider.
            endpoint: where its server is.
            known: what is known of its models beforehand.
            connections: how to reach it; as usual, if none.
        """
        super().__init__(facts, endpoint, known, connections=connections)
        self._shown: _Kept[ModelFacts] = _Kept()
        self._asked: _Kept[int] = _Kept()

    async def _ask(self, request: ModelRequest, address: Address) -> aiohttp.ClientResponse:
        facts = await self._show(request.model.model, address)
        if facts.window is None:
            return await self._post(self.outgoing(request, facts, address), address)
        window = self._window(request, facts.window, address)
        while True:
            try:
                sized = msgspec.structs.replace(facts, window=window)
                return await self._post(self.outgoing(request, sized, address), address)
            except errors.ContextOverflow:
                if window == facts.window:
                    raise
                window = facts.window
                self._asked.put(address, request.model.model, window)

    def _window(self, request: ModelRequest, window: int, address: Address) -> int:
        """The context to ask for: what is needed, or what is loaded already."""
        loaded = self._asked.get(address, request.model.model) or 0
        needed = max(window_for(estimate(request), window), min(loaded, window))
        self._asked.put(address, request.model.model, needed)
        return needed

    async def _show(self, model: str, address: Address) -> ModelFacts:
        """What the server tells of a model; asked now and then, and only the server knows."""
        told = self._shown.get(address, model)
        if told is None:
            body = msgspec.json.encode({"model": model})
            known = self.facts(model)
            try:
                told = _read_show(known.ref, await self._fetch(address, "/api/show", body))
            except errors.ProviderUnavailable:
                raise
            except errors.ProviderError:
                return known  # the request itself will say what is wrong with the model
            self._shown.put(address, model, told)
        return told


# What is read of what a server tells of a model.


class _Show(msgspec.Struct):
    model_info: dict[str, object] | None = None
    parameters: str = ""
    capabilities: list[str] | None = None


def _read_show(ref: str, body: bytes) -> ModelFacts:
    """The facts in an answer of `/api/show`.

    Raises:
        ProviderError: it cannot be read.
    """
    try:
        show = msgspec.json.decode(body, type=_Show)
    except UNREADABLE as error:
        raise errors.ProviderError(
            "Ollama's description of the model is unreadable.",
            hint="Upgrade Ollama, or see what else answers at its address.",
        ) from error
    info, can = show.model_info or {}, show.capabilities
    lengths = [value for name, value in info.items() if name.endswith(".context_length")]
    windows = [value for value in lengths if isinstance(value, int) and value > 0]
    for line in show.parameters.splitlines():
        name, *values = line.split()[:2] or [""]
        if name == "num_ctx" and values and values[0].isdecimal():
            windows.append(int(values[0]))  # whoever made the model has chosen
    return ModelFacts(
        ref,
        window=min(windows, default=None),
        tools=("tools" in can) if can else None,
        images=("vision" in can) if can else None,
        reasoning=("thinking" in can) if can else None,
    )
