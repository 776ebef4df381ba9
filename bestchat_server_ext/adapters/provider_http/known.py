"""What is known of a provider's models without asking it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bestchat_server_ext.core.models import ModelFacts, ModelRef
from bestchat_server_ext.ports.catalog import Catalog


class Known(Protocol):
    """Knows the models of one provider."""

    def models(self) -> Sequence[ModelFacts]:
        """Those that chat."""
        ...

    def model(self, ref: ModelRef) -> ModelFacts:
        """What is known of one; `known` is false where that is nothing."""
        ...


class KnownModels:
    """A handful of models, or a way to find out which those are at the moment."""

    def __init__(
        self, models: Sequence[ModelFacts] | Callable[[], Sequence[ModelFacts]] = ()
    ) -> None:
        """Know these."""
        self._models = models

    def models(self) -> Sequence[ModelFacts]:
        """All of them."""
        return self._models() if callable(self._models) else self._models

    def model(self, ref: ModelRef) -> ModelFacts:
        """One of them, if it is."""
        found = (facts for facts in self.models() if facts.ref == str(ref))
        return next(found, None) or ModelFacts(str(ref), known=False)


class CatalogModels:
    """The models that the catalogue has of one provider."""

    def __init__(self, catalog: Catalog, provider: str) -> None:
        """Look into this catalogue."""
        self._catalog = catalog
        self._provider = provider

    def models(self) -> Sequence[ModelFacts]:
        """Those that chat."""
        return self._catalog.models(self._provider)

    def model(self, ref: ModelRef) -> ModelFacts:
        """What is known of one."""
        return self._catalog.model(ref)
