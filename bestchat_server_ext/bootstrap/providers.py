"""Which providers there are, and how each is reached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bestchat_server_ext.bootstrap.lazy import LazyProvider
from bestchat_server_ext.bootstrap.plugins import ExtendedCatalog, open_catalog
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.catalog import Catalog
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.credentials import Credentials
from bestchat_server_ext.ports.endpoint import Endpoint
from bestchat_server_ext.ports.provider import Provider
from bestchat_server_ext.ports.secrets import Secrets
from bestchat_server_ext.services.providers import ProviderEntry

if TYPE_CHECKING:
    from bestchat_server_ext.settings import Settings

_HUB_NAMES = ("JUPYTERHUB_API_URL", "JUPYTERHUB_USER")
"""Variables of a server that a hub has started."""

_LOCAL_IDLE_SECONDS = 600.0
"""The embedded model answers one turn after the other, and the others wait for it in silence."""


@dataclass(frozen=True)
class _Builder:
    """Builds providers, each when it is first needed."""

    settings: Settings
    secrets: Secrets
    clock: Clock
    site: SitePolicy
    credentials: Credentials
    catalog: ExtendedCatalog

    def build(self, facts: ProviderFacts) -> Provider:
        if facts.name in self.catalog.plugins:
            return self.catalog.plugins[facts.name].build(self.credentials)
        match facts.lane:
            case "scripted":
                return self._scripted()
            case "local":
                return self._local(facts)
            case "litellm":
                return self._litellm(facts)
            case _:
                return self._http(facts)

    def _endpoint(self, facts: ProviderFacts) -> Endpoint:
        from bestchat_server_ext.adapters.endpoint_configured import ConfiguredEndpoint

        return ConfiguredEndpoint(facts, self.credentials, self.secrets, self.site)

    def _http(self, facts: ProviderFacts) -> Provider:
        from bestchat_server_ext.adapters.provider_http import (
            CatalogModels,
            HttpProvider,
            OllamaProvider,
        )

        speaking = OllamaProvider if facts.lane == "ollama" else HttpProvider
        known = CatalogModels(self.catalog, facts.name)
        return speaking(facts, self._endpoint(facts), known)

    def _litellm(self, facts: ProviderFacts) -> Provider:
        from bestchat_server_ext.adapters.provider_litellm import LitellmProvider

        return LitellmProvider(facts, self._endpoint(facts), self.catalog, self.secrets.get)

    def _scripted(self) -> Provider:
        from bestchat_server_ext.adapters.provider_scripted import ScriptedProvider

        assert self.settings.scripts_dir is not None  # noqa: S101  else it has no entry
        return ScriptedProvider(self.settings.scripts_dir, self.clock)

    def _local(self, facts: ProviderFacts) -> Provider:
        from bestchat_server_ext.adapters.local_model import LocalModelEndpoint
        from bestchat_server_ext.adapters.provider_http import (
            Connections,
            HttpProvider,
            KnownModels,
        )

        endpoint = LocalModelEndpoint(self.settings.data_dir)
        return HttpProvider(
            facts,
            endpoint,
            KnownModels(endpoint.catalog),
            only_known=True,
            connections=Connections(idle_seconds=_LOCAL_IDLE_SECONDS),
        )


def providers(
    settings: Settings,
    secrets: Secrets,
    clock: Clock,
    site: SitePolicy,
    credentials: Credentials,
    catalog: ExtendedCatalog,
) -> list[ProviderEntry]:
    """All providers, whether they have a key or not; none of them is built yet."""
    builder = _Builder(settings, secrets, clock, site, credentials, catalog)
    hub = any(secrets.get(name) for name in _HUB_NAMES)
    return [
        _entry(facts, LazyProvider(partial(builder.build, facts)), hub=hub)
        for facts in builder.catalog.providers()
        if facts.lane != "scripted" or settings.scripts_dir is not None
    ]


def _entry(facts: ProviderFacts, provider: LazyProvider, *, hub: bool) -> ProviderEntry:
    present = None
    if not facts.needs_key and urlsplit(facts.base_url).hostname == "127.0.0.1":
        # On a hub, whoever answers on this machine need not be the user.
        present = _absent if hub else provider.present
    return ProviderEntry(
        facts.name,
        provider,
        facts.key_name,
        facts.url_name,
        default=facts.default,
        present=present,
    )


async def _absent() -> bool:
    return False


def key_names(catalog: Catalog) -> tuple[str, ...]:
    """The variables that hold providers' keys, and whatever else proves who asks."""
    return tuple(name for facts in catalog.providers() for name in facts.secret_names)


def provider_variables(_settings: Settings) -> tuple[str, ...]:
    """The variables that hold the providers' keys and addresses."""
    return tuple(name for facts in open_catalog().providers() for name in facts.variables)
