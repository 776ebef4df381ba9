"""Keys at rest: the services that store them, use them, and look after what protects them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from bestchat_server_ext.api.providers import ConfigureProvider, StoredProvider
from bestchat_server_ext.bootstrap.administration import database_libraries, database_place
from bestchat_server_ext.bootstrap.plugins import open_catalog
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.provider_settings import KeyCommand
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.catalog import Catalog
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.provider_configs import SITE
from bestchat_server_ext.ports.secrets import Secrets
from bestchat_server_ext.ports.vault import Vault
from bestchat_server_ext.services.key_rotation import KeyRotation, KeysStatus, Rotation, opens
from bestchat_server_ext.services.provider_settings import ProviderSettingsService

if TYPE_CHECKING:
    from bestchat_server_ext.adapters.storage_sql import Database
    from bestchat_server_ext.settings import Settings

Result = TypeVar("Result")


def build_vault(settings: Settings, environ: Mapping[str, str]) -> Vault:
    """The vault of this process; nothing is read or made yet.

    Raises:
        InvalidRequest: the variable with the master keys cannot be read.
    """
    from bestchat_server_ext.adapters.vault_aes import open_vault

    return open_vault(environ, settings.data_dir, shared=bool(settings.database_url))


def build_provider_settings(
    settings: Settings,
    environ: Mapping[str, str],
    database: Database,
    secrets: Secrets,
    catalog: Catalog,
    clock: Clock,
    site: SitePolicy,
) -> ProviderSettingsService:
    """What is stored for providers, around an open database."""
    from bestchat_server_ext.adapters.key_command import SubprocessKeyCommands

    return ProviderSettingsService(
        database.provider_configs,
        build_vault(settings, environ),
        secrets,
        catalog,
        clock,
        site,
        user_keys=settings.allow_user_keys,
        # Several servers and users: what one of them stored must not be run as another.
        commands=None if settings.database_url else SubprocessKeyCommands(environ),
    )


@dataclass(frozen=True)
class Keys:
    """What the `bestchat` command works with.

    Attributes:
        settings: stores and forgets.
        rotation: looks after master keys.
    """

    settings: ProviderSettingsService
    rotation: KeyRotation


@asynccontextmanager
async def open_keys(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Keys]:
    """The services for keys, around the database that the options name, while it is needed.

    Raises:
        ChatError: the database cannot be opened, or an option cannot be used.
    """
    from bestchat_server_ext.adapters.clock_system import SystemClock
    from bestchat_server_ext.adapters.secrets_env import EnvSecrets
    from bestchat_server_ext.adapters.storage_sql import open_database

    with database_libraries():
        database = await open_database(database_place(settings))
    try:
        stored = build_provider_settings(
            settings,
            environ,
            database,
            EnvSecrets(environ),
            open_catalog(),
            SystemClock(),
            SitePolicy(settings.allowed_models, settings.allowed_base_urls),
        )
        vault = build_vault(settings, environ)
        yield Keys(stored, KeyRotation(database.provider_configs, vault))
    finally:
        await database.close()


# What the command does. All of it blocks.


def look_at_keys(settings: Settings, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Where the master keys are, and what a person should know about that; changes nothing.

    Neither the database nor a keyring is asked.

    Raises:
        ChatError: they cannot be used.
    """
    from bestchat_server_ext.adapters.vault_aes import look

    return look(environ, settings.data_dir, shared=bool(settings.database_url))


@dataclass(frozen=True)
class StoredProviders:
    """What is stored for providers, by their names.

    Attributes:
        usable: those that requests could be sent to with it.
        unreadable: those with a key that does not open, and how many such keys there are.
    """

    usable: frozenset[str] = frozenset()
    unreadable: Mapping[str, int] = field(default_factory=dict)


def look_at_stored(settings: Settings, environ: Mapping[str, str]) -> StoredProviders:
    """What is stored for providers, and whether it opens; changes nothing.

    A keyring is asked only where a key is stored that nothing else opens.

    Raises:
        ChatError: it cannot be looked at.
    """
    from bestchat_server_ext.adapters.storage_sql import maintenance

    with database_libraries():
        found = maintenance.inspect_provider_configs(database_place(settings))
    if not found:
        return StoredProviders()
    vault = build_vault(settings, environ)

    async def tried() -> list[bool]:
        return [await opens(vault, config) for config in found]

    pairs = list(zip(found, asyncio.run(tried()), strict=True))
    return StoredProviders(
        frozenset(
            config.provider
            for config, good in pairs
            if good and config.speaks and (settings.allow_user_keys or config.owner == SITE)
        ),
        Counter(config.provider for config, good in pairs if not good),
    )


def keys_status(settings: Settings, environ: Mapping[str, str]) -> KeysStatus:
    """How it stands with keys at rest; makes no master key.

    Raises:
        ChatError: it cannot be looked at.
    """
    return _with_keys(settings, environ, lambda keys: keys.rotation.status())


def rotate_keys(settings: Settings, environ: Mapping[str, str]) -> Rotation:
    """Bring all keys under a new master key, while servers go on serving.

    Raises:
        ChatError: it cannot be done; what was not moved opens as before.
    """
    return _with_keys(settings, environ, lambda keys: keys.rotation.rotate())


def drop_keys(settings: Settings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Forget the master keys that open nothing any more; give their ids.

    Raises:
        ChatError: it cannot be done.
    """
    return _with_keys(settings, environ, lambda keys: keys.rotation.drop())


def store_key(
    settings: Settings,
    environ: Mapping[str, str],
    owner: OwnerId,
    request: ConfigureProvider,
    command: KeyCommand | None = None,
) -> StoredProvider:
    """Store a provider's key and settings, or the command that prints its key.

    Raises:
        ChatError: it cannot be done.
    """
    return _with_keys(settings, environ, lambda keys: keys.settings.store(owner, request, command))


def forget_key(
    settings: Settings, environ: Mapping[str, str], owner: OwnerId, provider: str
) -> None:
    """Delete what is stored for a provider.

    Raises:
        ChatError: it cannot be done.
    """
    _with_keys(settings, environ, lambda keys: keys.settings.forget(owner, provider))


def _with_keys(
    settings: Settings,
    environ: Mapping[str, str],
    work: Callable[[Keys], Coroutine[Any, Any, Result]],
) -> Result:
    async def run() -> Result:
        async with open_keys(settings, environ) as keys:
            return await work(keys)

    return asyncio.run(run())
