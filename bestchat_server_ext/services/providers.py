"""ProviderRegistry: which model answers, and through which provider."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import msgspec

from bestchat_server_ext.api.models import ModelList
from bestchat_server_ext.core.errors import (
    ChatError,
    MissingKey,
    NoModel,
    NotPermitted,
    UnknownProvider,
)
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import ModelFacts, ModelRef
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.provider import Provider
from bestchat_server_ext.ports.secrets import Secrets
from bestchat_server_ext.ports.storage import Storage

_log = logging.getLogger(__name__)

_THREE_WAYS = (
    "Set a provider's key (for example OPENAI_API_KEY); or point OPENAI_BASE_URL at a server of "
    "yours, such as Ollama's, and name the model with -m openai/NAME; or get the demo model with "
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


class ProviderRegistry:
    """The providers there are, and the choice among their models."""

    def __init__(
        self,
        entries: Sequence[ProviderEntry],
        secrets: Secrets,
        storage: Storage,
        default_model: str | None = None,
        site: SitePolicy = SitePolicy(),  # noqa: B008  it is frozen
    ) -> None:
        """Know these providers; `default_model` and `site` are what the configuration says."""
        self._entries: Mapping[str, ProviderEntry] = {entry.name: entry for entry in entries}
        self._secrets = secrets
        self._storage = storage
        self._default_model = default_model or None
        self._site = site

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
        entry = self._entries.get(ref.provider)
        if entry is None:
            known = ", ".join(sorted(self._entries))
            raise UnknownProvider(
                f"There is no provider named {ref.provider!r}.",
                hint=f"The providers here are: {known}.",
                field="model",
            )
        return entry

    def _configured(self, entry: ProviderEntry) -> bool:
        if entry.key_name is None:
            return True
        if self._secrets.get(entry.key_name):
            return True
        return entry.url_name is not None and bool(self._secrets.get(entry.url_name))

    async def resolve(self, owner: OwnerId, named: str | None) -> ModelRef:
        """The model that is to answer: the one that was named, else the default.

        Raises:
            InvalidRequest: what was named is not a model reference.
            UnknownProvider: it names a provider that does not exist here.
            NotPermitted: the site's policy rules it out.
            MissingKey: its provider needs a key and has none.
            NoModel: none was named and there is no default.
        """
        ref = ModelRef.parse(named) if named else await self._default(owner)
        entry = self._entry(ref)
        self._site.require_model(ref)
        if not self._configured(entry):
            if not self._site.user_keys:
                raise NotPermitted(
                    f"The provider {entry.name!r} needs a key, and this site permits no keys of "
                    "one's own where there is no server.",
                    hint="Start the notebook from a Jupyter Server that has BestChat.",
                    field="model",
                )
            raise MissingKey(
                f"The provider {entry.name!r} has no key.",
                hint=f"Set {entry.key_name} before Jupyter is started; without a server, in this "
                "notebook.",
                field="model",
            )
        return ref

    async def usable(self, owner: OwnerId, ref: ModelRef) -> bool:  # noqa: ARG002  keys are per owner
        """Whether a model can be asked at all: its provider is here, permitted and has its key."""
        entry = self._entries.get(ref.provider)
        return entry is not None and self._configured(entry) and self._site.permits_model(ref)

    async def _default(self, owner: OwnerId) -> ModelRef:
        """The default: configured, else last used, else the only provider with one."""
        if self._default_model is not None:
            return ModelRef.parse(self._default_model)
        last = await self._storage.last_turn(owner)
        if last is not None:
            ref = ModelRef.parse(last.model)
            entry = self._entries.get(ref.provider)
            if entry and self._configured(entry) and self._site.permits_model(ref):
                return ref
        sole = [entry for entry in self._entries.values() if self._offers_default(entry)]
        if len(sole) == 1:
            return ModelRef(sole[0].name, sole[0].default or "")
        if sole:
            names = ", ".join(f"{entry.name}/{entry.default}" for entry in sole)
            raise NoModel(
                "Several providers are configured, and none of them is the default.",
                hint=f"Choose one with -m, for example one of: {names}.",
                field="model",
            )
        raise NoModel("There is no default model.", hint=_THREE_WAYS, field="model")

    def _offers_default(self, entry: ProviderEntry) -> bool:
        """Whether a provider's own default may be taken without asking.

        A server that somebody pointed us at need not have the model that the provider's own
        host has, so a redirected provider offers none.
        """
        redirected = entry.url_name is not None and bool(self._secrets.get(entry.url_name))
        if entry.default is None or redirected or not self._configured(entry):
            return False
        return self._site.permits_model(ModelRef(entry.name, entry.default))

    def facts(self, ref: ModelRef) -> ModelFacts:
        """What is known of a model.

        Raises:
            UnknownProvider: there is no such provider.
        """
        return self._entry(ref).provider.facts(ref.model)

    def label(self, ref: ModelRef) -> str:
        """What to show beside a model's name."""
        return self.facts(ref).label

    async def list(self, owner: OwnerId, *, known_only: bool = False) -> ModelList:
        """All models of configured providers. One that fails to answer is left out."""
        models: list[ModelFacts] = []
        for entry in self._entries.values():
            if self._configured(entry) and not known_only:
                try:
                    models += filter(self._permits, await entry.provider.models())
                except ChatError as error:
                    _log.warning("BestChat: no model list from %s: %s", entry.name, error.info.code)
        try:
            default, todo = str(await self.resolve(owner, None)), ""
        except ChatError as error:
            default, todo = None, str(error)
        if known_only and default is not None:
            ref = ModelRef.parse(default)
            models = [self.provider(ref).facts(ref.model)]
        return ModelList(tuple(models), default, todo)

    def _permits(self, facts: ModelFacts) -> bool:
        return self._site.permits_model(ModelRef.parse(facts.ref))

    async def close(self) -> None:
        """Let go of all connections and child processes."""
        for entry in self._entries.values():
            await entry.provider.close()
