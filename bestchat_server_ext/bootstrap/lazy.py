"""A provider that is built when it is first needed: there are dozens, and few are ever used."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import Chunk, ModelFacts
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.provider import Provider


class LazyProvider:
    """Stands for a provider until somebody wants something of it, and passes that on."""

    def __init__(self, build: Callable[[], Provider]) -> None:
        """Know how it is built."""
        self._build = build
        self._built: Provider | None = None

    @property
    def provider(self) -> Provider:
        """The provider itself."""
        if self._built is None:
            self._built = self._build()
        return self._built

    def stream(self, request: ModelRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Ask a model."""
        return self.provider.stream(request)

    async def models(self, owner: OwnerId | None = None) -> Sequence[ModelFacts]:
        """The models it is known to have."""
        return await self.provider.models(owner)

    def facts(self, model: str) -> ModelFacts:
        """What is known of one model."""
        return self.provider.facts(model)

    async def present(self) -> bool:
        """Whether its server answers at once; of what is not ours, that is not asked."""
        from bestchat_server_ext.adapters.provider_http import HttpProvider

        provider = self.provider
        return not isinstance(provider, HttpProvider) or await provider.present()

    async def close(self) -> None:
        """Let go of what it has, if it was ever built."""
        if self._built is not None:
            await self._built.close()
