"""ModelLists: which models a provider has, by the catalogue and by its own word."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from bestchat_server_ext.core.catalog import ProviderFacts, merged
from bestchat_server_ext.core.errors import ProviderUnavailable
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import ModelFacts, ModelRef
from bestchat_server_ext.ports.cache import Cache
from bestchat_server_ext.ports.catalog import Catalog
from bestchat_server_ext.ports.provider import Provider
from bestchat_server_ext.services.cached import cached

ANSWER_SECONDS = 5.0
"""How long a provider may take to list its models."""

HOSTED_SECONDS = 24 * 3600.0
"""How long the list of a provider's own place is good."""

OWN_SECONDS = 60.0
"""How long that of a server of one's own is: models are fetched and started there by hand."""

LISTED_MAX = 5000
"""Models of one list that are read; the largest have a few hundred."""

NAME_MAX = 200
"""Characters in a model's name; lists come from other people's servers."""

LABEL_MAX = 200
"""Characters in what a model is called; a longer one is left out."""

TOKENS_MAX = 1_000_000_000

_VERSION = 1
"""Of what is kept in the cache: grows when facts change their form."""


def fingerprint(*parts: str | None) -> str:
    """Names a key and an address in the cache, without telling them."""
    return sha256(msgspec.json.encode(parts)).hexdigest()


class ModelLists:
    """Completes the catalogue with what providers tell, and remembers that for a while."""

    def __init__(self, catalog: Catalog | None = None, cache: Cache | None = None) -> None:
        """Know a catalogue; without one, nothing is known beforehand."""
        self._catalog = catalog
        self._cache = cache

    def provider(self, name: str) -> ProviderFacts | None:
        """What is known of a provider."""
        return self._catalog.provider(name) if self._catalog else None

    def model(self, ref: ModelRef, told: ModelFacts) -> ModelFacts:
        """What is known of a model, completed with what its provider's code tells."""
        return merged(self._catalog.model(ref), told) if self._catalog else told

    async def known(
        self, name: str, secret: str, *, redirected: bool = False
    ) -> Sequence[ModelFacts]:
        """The models of a provider that are known without asking anybody.

        Args:
            name: the provider's name.
            secret: fingerprint of the key and the address that it would be asked with.
            redirected: whether it was pointed elsewhere: its own models say little of that place.
        """
        told = await self._kept(name, secret)
        if told is not None:
            return self._completed(name, told, redirected=redirected)
        return self._catalog.models(name) if self._catalog and not redirected else ()

    async def listed(
        self,
        name: str,
        provider: Provider,
        secret: str,
        *,
        redirected: bool = False,
        owner: OwnerId | None = None,
    ) -> Sequence[ModelFacts]:
        """The models that a provider has: first those of the catalogue, then the others.

        Args:
            name: the provider's name.
            provider: whom to ask.
            secret: fingerprint of the key and the address that it is asked with.
            redirected: whether it was pointed elsewhere.
            owner: for whom it is asked.

        Raises:
            ChatError: it cannot be asked, or did not answer in time.
        """
        facts = self.provider(name)
        prefix = facts.list_prefix if facts else ""
        if facts is not None and facts.at_home:
            return self._completed(name, _sound(name, await provider.models(owner), prefix))
        if facts is not None and facts.list_path is None:
            return await self.known(name, secret, redirected=redirected)
        told = await self._kept(name, secret)
        if told is None:
            told = _sound(name, await _ask(provider, owner), prefix)
            own = redirected or facts is None or not facts.needs_key
            await self._keep(name, secret, told, OWN_SECONDS if own else HOSTED_SECONDS)
        return self._completed(name, told, redirected=redirected)

    async def _kept(self, name: str, secret: str) -> Sequence[ModelFacts] | None:
        if self._cache is None:
            return None
        return await cached(self._cache, _place(name, secret), _VERSION, tuple[ModelFacts, ...])

    async def _keep(
        self, name: str, secret: str, told: Sequence[ModelFacts], seconds: float
    ) -> None:
        if self._cache is not None:
            value = msgspec.json.encode(told)
            await self._cache.put(_place(name, secret), _VERSION, value, seconds=seconds)

    def _completed(
        self, name: str, told: Sequence[ModelFacts], *, redirected: bool = False
    ) -> Sequence[ModelFacts]:
        """What a provider told, with what the catalogue knows; what does not chat is left out."""
        if self._catalog is None:
            return told
        others = frozenset[str]() if redirected else self._catalog.others(name)
        refs = [(ModelRef.parse(facts.ref), facts) for facts in told]
        every = [(self._catalog.model(ref), said) for ref, said in refs if ref.model not in others]
        found = [merged(known, said) for known, said in every if known.known]
        return found + [said for known, said in every if not known.known]


def _place(name: str, secret: str) -> str:
    return f"models/{name}/{secret}"


async def _ask(provider: Provider, owner: OwnerId | None) -> Sequence[ModelFacts]:
    """Ask a provider for its list.

    Raises:
        ChatError: it cannot be asked, or did not answer in time.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await provider.models(owner)
    except TimeoutError as error:
        raise ProviderUnavailable(
            f"It did not list its models within {ANSWER_SECONDS:.0f} seconds.",
            hint="Name the model you want, or try again later.",
        ) from error


def _sound(name: str, told: Sequence[ModelFacts], prefix: str) -> list[ModelFacts]:
    """What can be shown of a list: names and numbers that are none are left out."""
    found: dict[str, ModelFacts] = {}
    for facts in told[:LISTED_MAX]:
        model = facts.ref.removeprefix(f"{name}/").removeprefix(prefix)
        if model and model.isprintable() and len(model) <= NAME_MAX:
            found[model] = msgspec.structs.replace(
                facts,
                ref=str(ModelRef(name, model)),
                label=_label(facts.label),
                window=_tokens(facts.window),
                output_limit=_tokens(facts.output_limit),
            )
    return [found[model] for model in sorted(found)]


def _label(text: str) -> str:
    return text if text.isprintable() and len(text) <= LABEL_MAX else ""


def _tokens(number: int | None) -> int | None:
    return number if number is not None and 0 < number <= TOKENS_MAX else None
