"""The catalogue: which providers and models are known, without asking any of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import ModelFacts, ModelRef


class Catalog(Protocol):
    """Knows by heart. Nothing here waits, and nothing here is a secret."""

    def providers(self) -> Sequence[ProviderFacts]:
        """All providers, in the order in which people should see them."""
        ...

    def provider(self, name: str) -> ProviderFacts | None:
        """One provider; none if there is no such one."""
        ...

    def models(self, provider: str) -> Sequence[ModelFacts]:
        """The models of a provider that chat, sorted by name; none of an unknown provider."""
        ...

    def model(self, ref: ModelRef) -> ModelFacts:
        """What is known of a model; `known` is false where that is nothing."""
        ...

    def others(self, provider: str) -> Collection[str]:
        """Names of a provider's models that do not chat, or not over its lane.

        Lists of models that are asked for over the network hold them as well.
        """
        ...
