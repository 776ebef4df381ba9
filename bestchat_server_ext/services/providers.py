"""ProviderRegistry: which model answers, and through which provider."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from bestchat_server_ext.api.models import LeftOut, ModelList
from bestchat_server_ext.api.providers import ProviderInfo, ProviderList
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.errors import (
    ChatError,
    KeyUnreadable,
    MissingKey,
    NoModel,
    NotPermitted,
    ProviderUnavailable,
    UnknownProvider,
)
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import ModelFacts, ModelRef, Prices
from bestchat_server_ext.core.provider_settings import Outlook, stays_here
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.provider import Provider
from bestchat_server_ext.ports.secrets import Secrets
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.services.model_lists import ModelLists, fingerprint
from bestchat_server_ext.services.provider_settings import ProviderSettingsService

_log = logging.getLogger(__name__)

_THREE_WAYS = (
    "Set a provider's key (for example OPENAI_API_KEY); or start Ollama, or point OPENAI_BASE_URL "
    "at a server of yours and name the model with -m openai/NAME; or get the demo model with "
    "`bestchat models add smollm2-135m` and choose it with -m local/smollm2-135m."
)


class ProviderEntry(msgspec.Struct, frozen=True):
    """One provider as the registry knows it."""

    name: str
    """The first half of its model references."""
    provider: Provider
    """The adapter that speaks to it."""
    key_name: str | None = None
    """The variable that holds its key; none where no key is needed."""
    url_name: str | None = None
    """The variable that can point it elsewhere; if it does, no key is insisted upon."""
    default: str | None = None
    """The model that it answers with if nothing else is said; none if it is never chosen so."""
    present: Callable[[], Awaitable[bool]] | None = None
    """Says whether its server runs on this machine; none where there is no need to ask."""


class ProviderRegistry:
    """The providers there are, and the choice among their models."""

    def __init__(
        self,
        entries: Sequence[ProviderEntry],
        secrets: Secrets,
        storage: Storage,
        default_model: str | None = None,
        site: SitePolicy = SitePolicy(),  # noqa: B008  it is frozen
        lists: ModelLists | None = None,
        settings: ProviderSettingsService | None = None,
    ) -> None:
        """Know these providers.

        Args:
            entries: the providers.
            secrets: where keys and addresses are looked up.
            storage: knows the model that was used last.
            default_model: what the configuration says; none if nothing.
            site: what the site permits.
            lists: the catalogue, and what providers told; without it, they are asked each time.
            settings: what users have stored; without it, only the environment counts.
        """
        self._entries: Mapping[str, ProviderEntry] = {entry.name: entry for entry in entries}
        self._secrets = secrets
        self._storage = storage
        self._default_model = default_model or None
        self._site = site
        self._lists = lists or ModelLists()
        self._settings = settings

    def provider(self, ref: ModelRef) -> Provider:
        """The provider of a model.

        Raises:
            UnknownProvider: there is none of that name.
        """
        return self._entry(ref).provider

    def known_name(self, model: str) -> str:
        """The provider in a model reference if it is one of ours, else `unknown`: to count by."""
        name = model.partition("/")[0]
        return name if name in self._entries else "unknown"

    def _entry(self, ref: ModelRef) -> ProviderEntry:
        return self._named(ref.provider, field="model")

    def _named(self, name: str, field: str = "provider") -> ProviderEntry:
        entry = self._entries.get(name)
        if entry is None:
            known = ", ".join(sorted(self._entries))
            raise UnknownProvider(
                f"There is no provider named {name!r}.",
                hint=f"The providers here are: {known}.",
                field=field,
            )
        return entry

    async def _outlook(self, owner: OwnerId) -> Outlook:
        """What an owner has set up: stored, or in the environment."""
        if self._settings is None:
            return Outlook(self._secrets.get)
        return await self._settings.outlook(owner)

    def _configured(self, entry: ProviderEntry, outlook: Outlook) -> bool:
        return not self._missing(entry, outlook)

    def _missing(self, entry: ProviderEntry, outlook: Outlook) -> tuple[str, ...]:
        """The variables that have to be set before a provider can be asked."""
        return self._facts(entry).missing(outlook.of(entry.name))

    def _facts(self, entry: ProviderEntry) -> ProviderFacts:
        """What is known of a provider; of one that the catalogue lacks, what its entry says."""
        return self._lists.provider(entry.name) or ProviderFacts(
            entry.name,
            entry.name,
            "openai",
            base_url="its own",
            key_name=entry.key_name,
            needs_key=entry.key_name is not None,
            url_name=entry.url_name,
            list_path="its own",
        )

    async def resolve(self, owner: OwnerId, named: str | None, *, probe: bool = True) -> ModelRef:
        """The model that is to answer: the one that was named, else the default.

        Args:
            owner: who asks.
            named: a model reference; none for the default.
            probe: whether a server on this machine may be looked for, if nothing else is set up.

        Raises:
            InvalidRequest: what was named is not a model reference.
            UnknownProvider: it names a provider that does not exist here.
            NotPermitted: the site's policy rules it out.
            MissingKey: its provider needs a key and has none.
            NoModel: none was named and there is no default.
        """
        outlook = await self._outlook(owner)
        ref = ModelRef.parse(named) if named else await self._default(owner, outlook, probe=probe)
        entry = self._entry(ref)
        self._site.require_model(ref)
        if missing := self._missing(entry, outlook):
            if not self._site.user_keys:
                raise NotPermitted(
                    f"The provider {entry.name!r} needs a key, and this site permits no keys of "
                    "one's own where there is no server.",
                    hint="Start the notebook from a Jupyter Server that has BestChat.",
                    field="model",
                )
            lack = "has no key" if entry.key_name in missing else "is not set up"
            raise MissingKey(
                f"The provider {entry.name!r} {lack}.",
                hint=f"Set {' and '.join(missing)} before Jupyter is started; without a server, in "
                "this notebook.",
                field="model",
            )
        return ref

    async def usable(self, owner: OwnerId, refs: Iterable[ModelRef]) -> tuple[ModelRef, ...]:
        """The models that can be asked at all: here, permitted, and with a key."""
        outlook = await self._outlook(owner)
        return tuple(ref for ref in refs if self._can_be_asked(ref, outlook))

    def _can_be_asked(self, ref: ModelRef, outlook: Outlook) -> bool:
        entry = self._entries.get(ref.provider)
        if entry is None or not self._site.permits_model(ref):
            return False
        return self._configured(entry, outlook)

    async def _default(self, owner: OwnerId, outlook: Outlook, *, probe: bool) -> ModelRef:
        """The default: configured, else last used, else the sole provider's, else Ollama's."""
        if self._default_model is not None:
            return ModelRef.parse(self._default_model)
        # One that failed may have been a slip of the pen, and must not become the default.
        last = await self._storage.last_turn(owner, finished=True)
        if last is not None:
            ref = ModelRef.parse(last.model)
            if self._can_be_asked(ref, outlook):
                return ref
        offered = [self._offered(entry, outlook) for entry in self._entries.values()]
        sole = [ref for ref in offered if ref is not None]
        if len(sole) == 1:
            return sole[0]
        if sole:
            names = ", ".join(map(str, sole))
            raise NoModel(
                "Several providers are configured, and none of them is the default.",
                hint=f"Choose one with -m, for example one of: {names}.",
                field="model",
            )
        running = await self._running(owner, outlook) if probe else None
        if running is None:
            raise NoModel("There is no default model.", hint=_THREE_WAYS, field="model")
        return running

    async def _running(self, owner: OwnerId, outlook: Outlook) -> ModelRef | None:
        """The first model of an Ollama that runs; none if none does."""
        for entry in self._entries.values():
            if self._facts(entry).lane == "ollama" and self._configured(entry, outlook):
                found, _ = await self._models(entry, owner, outlook, known_only=False)
                permitted = [facts for facts in found if self._permits(facts)]
                if permitted:
                    return ModelRef.parse(permitted[0].ref)
        return None

    def _offered(self, entry: ProviderEntry, outlook: Outlook) -> ModelRef | None:
        """A provider's own default, if it may be taken without asking.

        A server that somebody pointed us at need not have the model that the provider's own
        host has, so a redirected provider offers none, unless one was named for it.
        """
        ref = self._default_of(entry, outlook)
        if ref is None or not self._configured(entry, outlook):
            return None
        named = entry.name in outlook.defaults
        fits = named or not self._redirected(entry, outlook)
        return ref if fits and self._site.permits_model(ref) else None

    def _default_of(self, entry: ProviderEntry, outlook: Outlook) -> ModelRef | None:
        """What a provider answers with: the model that was named for it, else its own."""
        named = outlook.defaults.get(entry.name)
        if named:
            return ModelRef.parse(named)
        return ModelRef(entry.name, entry.default) if entry.default else None

    def facts(self, ref: ModelRef) -> ModelFacts:
        """What is known of a model.

        Raises:
            UnknownProvider: there is no such provider.
        """
        return self._lists.model(ref, self._entry(ref).provider.facts(ref.model))

    async def prices(self, owner: OwnerId, ref: ModelRef) -> Prices | None:
        """What a model costs an owner; none where that is unknown.

        The catalogue's prices are those of the provider's own host. A server that somebody pointed
        us at may charge more, or nothing.

        Raises:
            UnknownProvider: there is no such provider.
        """
        moved = self._redirected(self._entry(ref), await self._outlook(owner))
        return None if moved else self.facts(ref).prices

    def label(self, ref: ModelRef) -> str:
        """What to show beside a model's name."""
        return self.facts(ref).label

    async def list(
        self, owner: OwnerId, *, known_only: bool = False, name: str | None = None
    ) -> ModelList:
        """The models of configured providers. One that fails to answer is left out, and named.

        Args:
            owner: whose default it is.
            known_only: whether nobody is to be asked over the network.
            name: the provider whose models to list; none for those of all.

        Raises:
            UnknownProvider: there is none of that name.
        """
        outlook = await self._outlook(owner)
        every = tuple(self._entries.values()) if name is None else (self._named(name),)
        entries = [entry for entry in every if name is not None or self._configured(entry, outlook)]
        found = await asyncio.gather(
            *(self._models(entry, owner, outlook, known_only=known_only) for entry in entries)
        )
        models = [facts for some, _ in found for facts in some if self._permits(facts)]
        try:
            default, todo = str(await self.resolve(owner, None, probe=not known_only)), ""
        except ChatError as error:
            default, todo = None, str(error)
        listed = default in {facts.ref for facts in models}
        if known_only and name is None and default is not None and not listed:
            models.insert(0, self.facts(ModelRef.parse(default)))
        left_out = tuple(reason for _, reason in found if reason is not None)
        return ModelList(tuple(models), default, todo, left_out)

    async def model(self, owner: OwnerId, text: str) -> ModelFacts:
        """What is known of a model, without asking anybody.

        Raises:
            InvalidRequest: this is no model reference.
            UnknownProvider: it names a provider that does not exist here.
        """
        ref = ModelRef.parse(text)
        known = self.facts(ref)
        if known.known:
            return known
        entry, outlook = self._entry(ref), await self._outlook(owner)
        secret, redirected = self._fingerprint(entry, outlook), self._redirected(entry, outlook)
        told = await self._lists.known(entry.name, secret, redirected=redirected)
        return next((facts for facts in told if facts.ref == known.ref), known)

    async def _models(
        self, entry: ProviderEntry, owner: OwnerId, outlook: Outlook, *, known_only: bool
    ) -> tuple[Sequence[ModelFacts], LeftOut | None]:
        """The models of a provider; none and the reason where they cannot be told."""
        facts, lists = self._facts(entry), self._lists
        secret, redirected = self._fingerprint(entry, outlook), self._redirected(entry, outlook)
        if missing := self._missing(entry, outlook):
            return (), LeftOut(entry.name, f"It is not set up: set {' and '.join(missing)}.")
        unasked, url = not (facts.needs_key or redirected), facts.url(outlook.of(entry.name))
        if url is not None and not self._site.permits_url(url):
            reason = LeftOut(entry.name, "This site does not permit requests to its address.")
            return (), None if unasked else reason
        if known_only and not facts.at_home:
            return await lists.known(entry.name, secret, redirected=redirected), None
        if entry.present is not None and not redirected and not await entry.present():
            return (), None  # that nobody has started Ollama here is no news
        try:
            found = await lists.listed(
                entry.name, entry.provider, secret, redirected=redirected, owner=owner
            )
        except ChatError as error:
            if unasked and error.info.code == ProviderUnavailable.code:
                return (), None  # that nobody has started Ollama here is no news
            _log.warning("BestChat: no model list from %s: %s", entry.name, error.info.code)
            return (), LeftOut(entry.name, error.info.text)
        return found, None

    def _redirected(self, entry: ProviderEntry, outlook: Outlook) -> bool:
        return self._facts(entry).redirected(outlook.of(entry.name))

    def _fingerprint(self, entry: ProviderEntry, outlook: Outlook) -> str:
        """Names what a provider is asked with: another key may see other models."""
        return fingerprint(*map(outlook.of(entry.name), self._facts(entry).variables))

    async def providers(self, owner: OwnerId) -> ProviderList:
        """All providers, and how each is set up."""
        outlook, settings = await self._outlook(owner), self._settings
        stored = await settings.stored(owner) if settings else {}
        unreadable = await settings.unreadable(owner) if settings else ()
        return ProviderList(
            tuple(
                msgspec.structs.replace(
                    self._info(entry, outlook),
                    problem=KeyUnreadable.code if entry.name in unreadable else "",
                    stored=stored.get(entry.name),
                )
                for entry in self._entries.values()
            )
        )

    def _info(self, entry: ProviderEntry, outlook: Outlook) -> ProviderInfo:
        facts, look = self._facts(entry), outlook.of(entry.name)
        is_stored, default = entry.name in outlook.stored, self._default_of(entry, outlook)
        names = (facts.key_name, facts.url_name, *(item.name for item in facts.other_names))
        given = next((name for name in names if name and look(name)), "")
        variable = "" if is_stored else given
        needs = facts.missing(look)
        return ProviderInfo(
            name=entry.name,
            label=facts.label,
            lane=facts.lane,
            configured=not needs,
            source=_source(entry.name, outlook, variable) if not needs else "",
            variable=variable if not needs else "",
            needs=needs,
            key_name=facts.key_name,
            url_name=facts.url_name,
            redirected=facts.redirected(look),
            default=None if default is None else str(default),
            permitted=self._site.permits_provider(entry.name, facts.url(look)),
            docs=facts.docs,
            here=facts.at_home or stays_here(facts.url(look) or ""),
        )

    def _permits(self, facts: ModelFacts) -> bool:
        return self._site.permits_model(ModelRef.parse(facts.ref))

    async def close(self) -> None:
        """Let go of all connections and child processes."""
        for entry in self._entries.values():
            await entry.provider.close()


def _source(
    name: str, outlook: Outlook, variable: str
) -> Literal["", "environment", "user", "site"]:
    """Where what is used of a provider comes from."""
    if name in outlook.stored:
        return outlook.sources[name]
    return "environment" if variable else ""
