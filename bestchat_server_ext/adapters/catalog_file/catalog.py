"""FileCatalog: the two files, as values."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import ModelFacts, ModelRef, Prices

FOLDER = Path(__file__).parent
PROVIDERS = FOLDER / "providers.json"
MODELS = FOLDER / "models.json"


class ListedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the file says of a model; its name is the key that it stands under."""

    window: int | None = None
    output_limit: int | None = None
    tools: bool | None = None
    images: bool | None = None
    reasoning: bool | None = None
    prefill: bool | None = None
    cache: bool | None = None
    deprecated: str = ""
    prices: Prices | None = None
    """Without a day: that is the file's."""


class ListedProvider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The models of a provider."""

    models: dict[str, ListedModel]
    others: frozenset[str]
    """Names of models that do not chat."""


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of models; most of it is left undecoded until it is asked for."""

    as_of: str
    """The day on which it was made."""
    source: str
    """What it was made from."""
    providers: dict[str, msgspec.Raw]
    """A `ListedProvider` for each provider that has any."""


_NOTHING = ListedProvider({}, frozenset())

# Made here because the files are read in threads; two that learn a type together crash.
_providers = msgspec.json.Decoder(tuple[ProviderFacts, ...])
_files = msgspec.json.Decoder(ModelFile)
_listed = msgspec.json.Decoder(ListedProvider)


class FileCatalog:
    """Knows what the files say."""

    def __init__(self, providers: bytes, models: bytes) -> None:
        """Read the contents of both files."""
        table = _providers.decode(providers)
        self._providers = {facts.name: facts for facts in table}
        self._file = _files.decode(models)
        self._listed: dict[str, ListedProvider] = {}

    @property
    def as_of(self) -> str:
        """The day on which the file of models was made."""
        return self._file.as_of

    def providers(self) -> tuple[ProviderFacts, ...]:
        """All providers, in the order of the file."""
        return tuple(self._providers.values())

    def provider(self, name: str) -> ProviderFacts | None:
        """One provider; none if there is no such one."""
        return self._providers.get(name)

    def models(self, provider: str) -> tuple[ModelFacts, ...]:
        """The models of a provider that chat, sorted by name; none of an unknown provider."""
        listed = self._of(provider).models
        return tuple(self._facts(ModelRef(provider, name), listed[name]) for name in listed)

    def model(self, ref: ModelRef) -> ModelFacts:
        """What is known of a model; `known` is false where that is nothing."""
        listed = self._of(ref.provider).models.get(ref.model)
        if listed is None:
            return ModelFacts(str(ref), known=False, prefill=self._prefill(ref.provider, None))
        return self._facts(ref, listed)

    def others(self, provider: str) -> frozenset[str]:
        """Names of a provider's models that do not chat, or not over its lane."""
        return self._of(provider).others

    def _of(self, provider: str) -> ListedProvider:
        if provider not in self._listed:
            raw = self._file.providers.get(provider)
            # An unknown name is not kept: those are made up by whoever asks.
            if raw is None:
                return _NOTHING
            self._listed[provider] = _listed.decode(raw)
        return self._listed[provider]

    def _facts(self, ref: ModelRef, listed: ListedModel) -> ModelFacts:
        prices = listed.prices
        return ModelFacts(
            str(ref),
            window=listed.window,
            output_limit=listed.output_limit,
            tools=listed.tools,
            images=listed.images,
            reasoning=listed.reasoning,
            prefill=self._prefill(ref.provider, listed.prefill),
            cache=listed.cache,
            prices=prices and msgspec.structs.replace(prices, as_of=self._file.as_of),
            deprecated=listed.deprecated,
        )

    def _prefill(self, provider: str, said: bool | None) -> bool | None:  # noqa: FBT001
        """What the lane makes impossible or sure counts more than what a model could do."""
        facts = self._providers.get(provider)
        return said if facts is None or facts.prefill is None else facts.prefill


def open_catalog() -> FileCatalog:
    """Read the files that ship with BestChat."""
    return FileCatalog(PROVIDERS.read_bytes(), MODELS.read_bytes())
