"""LitellmProvider: requests and answers, in OpenAI's terms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from bestchat_server_ext.adapters.provider_litellm import library
from bestchat_server_ext.adapters.provider_litellm.failures import failure
from bestchat_server_ext.adapters.provider_litellm.parameters import parameters
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import Look, ProviderFacts
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import Chunk, ModelFacts, ModelRef
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.wire.keys import scrubbed
from bestchat_server_ext.core.wire.openai import OpenAIDecoder, OpenAILane
from bestchat_server_ext.ports.catalog import Catalog
from bestchat_server_ext.ports.endpoint import Address, Endpoint

_NO_KEY = "none"
"""What is sent as a key to an address for which there is none."""


class LitellmProvider:
    """Answers for all models of one provider that only litellm speaks with."""

    def __init__(
        self,
        facts: ProviderFacts,
        endpoint: Endpoint,
        catalog: Catalog,
        look: Look,
        *,
        idle_seconds: float = 120.0,
    ) -> None:
        """Know who is asked; nothing is loaded yet.

        Args:
            facts: what is known of the provider; litellm's own name for it is among that.
            endpoint: finds its key, and its address if it has one.
            catalog: knows its models.
            look: finds its further variables.
            idle_seconds: how long the provider may send nothing at all.
        """
        self._provider = facts
        self._endpoint = endpoint
        self._catalog = catalog
        self._look = look
        self._idle_seconds = idle_seconds

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Ask a model; chunks that arrive together come together.

        Raises:
            ChatError: whatever went wrong, while iterating.
        """
        address = await self._endpoint.address(request.owner)
        litellm = await asyncio.to_thread(library.load, self._prefix)
        arguments = self.arguments(request, address)
        answer: Any = None
        try:
            async with asyncio.timeout(self._idle_seconds):
                answer = await litellm.acompletion(**arguments)
            decoder = OpenAIDecoder()
            while (data := await self._next(answer)) is not None:
                if chunks := decoder.feed(b"data: " + data + b"\n\n"):
                    yield chunks
        except errors.ChatError as error:
            raise scrubbed(error, *self._secrets(address)) from None
        except Exception as error:  # noqa: BLE001  whatever its many libraries raise
            # Without a cause: the exceptions carry requests, and with them keys and prompts.
            mapped = failure(error, self._provider.label)
            raise scrubbed(mapped, *self._secrets(address)) from None
        finally:
            if answer is not None:
                await answer.aclose()

    async def models(self, owner: OwnerId | None = None) -> Sequence[ModelFacts]:  # noqa: ARG002  all see the same
        """The models that the catalogue knows: providers of the long tail have no common list."""
        return self._catalog.models(self._provider.name)

    def facts(self, model: str) -> ModelFacts:
        """What is known of one model, without asking anybody."""
        return self._catalog.model(ModelRef(self._provider.name, model))

    async def close(self) -> None:
        """Let go of the connections that litellm keeps."""
        if library.is_loaded():
            await library.load().close_litellm_async_clients()
        await self._endpoint.close()

    def arguments(self, request: ModelRequest, address: Address) -> dict[str, Any]:
        """What litellm is called with."""
        facts = self.facts(request.model.model)
        body: dict[str, Any] = msgspec.json.decode(OpenAILane().encode(request, facts))
        if not address.base_url:
            # What proves who asks belongs to the provider's own place, and goes nowhere else.
            body |= parameters(self._provider, self._look)
        body |= {
            "model": f"{self._prefix}/{request.model.model}",
            "timeout": self._idle_seconds,
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": True,
            "no-log": True,
        }
        if address.key:
            body["api_key"] = address.key
        if address.base_url:
            body["api_base"] = address.base_url
            # Without one, litellm would take a key from the environment, and send it there.
            body.setdefault("api_key", _NO_KEY)
        return body

    @property
    def _prefix(self) -> str:
        """The name of the provider at litellm."""
        return next(iter(self._provider.litellm_names), self._provider.name)

    async def _next(self, answer: Any) -> bytes | None:  # noqa: ANN401  litellm's own
        """The next piece of an answer, as JSON; none at its end."""
        try:
            async with asyncio.timeout(self._idle_seconds):
                piece = await anext(answer)
        except StopAsyncIteration:
            return None
        encoded: str = piece.model_dump_json(exclude_none=True)
        return encoded.encode()

    def _secrets(self, address: Address) -> list[str | None]:
        others = [self._look(item.name) for item in self._provider.other_names if item.secret]
        return [address.key, *others]
