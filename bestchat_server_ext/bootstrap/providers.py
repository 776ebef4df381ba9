"""Which providers there are, and how each is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.secrets import Secrets
from bestchat_server_ext.services.providers import ProviderEntry

if TYPE_CHECKING:
    from bestchat_server_ext.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"

KEY_NAMES = ("OPENAI_API_KEY",)
"""The variables that hold providers' keys."""

_LOCAL_IDLE_SECONDS = 600.0
"""The embedded model answers one turn after the other, and the others wait for it in silence."""


def providers(
    settings: Settings, secrets: Secrets, clock: Clock, site: SitePolicy
) -> list[ProviderEntry]:
    """All providers, whether they have a key or not."""
    entries = [_openai(secrets, site), _local(settings)]
    if settings.scripts_dir is not None:
        from bestchat_server_ext.adapters.provider_scripted import ScriptedProvider

        scripted = ScriptedProvider(settings.scripts_dir, clock)
        entries.append(ProviderEntry("scripted", scripted))
    return entries


def _openai(secrets: Secrets, site: SitePolicy) -> ProviderEntry:
    from bestchat_server_ext.adapters.endpoint_configured import ConfiguredEndpoint
    from bestchat_server_ext.adapters.provider_http import OpenAIProvider

    url_name, key_name = "OPENAI_BASE_URL", "OPENAI_API_KEY"
    endpoint = ConfiguredEndpoint(
        secrets,
        url_name=url_name,
        key_name=key_name,
        default_url=OPENAI_URL,
        label="OpenAI",
        site=site,
    )
    provider = OpenAIProvider("openai", endpoint, label="OpenAI")
    return ProviderEntry("openai", provider, key_name, url_name, default="gpt-5-mini")


def _local(settings: Settings) -> ProviderEntry:
    from bestchat_server_ext.adapters.local_model import LocalModelEndpoint
    from bestchat_server_ext.adapters.provider_http import OpenAIProvider

    endpoint = LocalModelEndpoint(settings.data_dir)
    provider = OpenAIProvider(
        "local",
        endpoint,
        endpoint.catalog,
        label="The demo model",
        lists_models=False,
        only_known=True,
        idle_seconds=_LOCAL_IDLE_SECONDS,
    )
    return ProviderEntry("local", provider)


def provider_variables(settings: Settings) -> tuple[str, ...]:
    """The variables that hold the providers' keys and addresses."""
    from bestchat_server_ext.adapters.clock_system import SystemClock
    from bestchat_server_ext.adapters.secrets_env import EnvSecrets

    entries = providers(settings, EnvSecrets({}), SystemClock(), SitePolicy())
    names = [name for entry in entries for name in (entry.key_name, entry.url_name)]
    return tuple(name for name in names if name)
