"""The only place that chooses and builds adapters.

Each is imported where it is chosen, so that what is not used is not loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import NotInstalled
from bestchat_server_ext.dispatch.bindings import Services
from bestchat_server_ext.dispatch.dispatcher import Dispatcher
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.secrets import Secrets
from bestchat_server_ext.ports.tool_host import ToolHost
from bestchat_server_ext.services.context import ContextManager
from bestchat_server_ext.services.conversations import ConversationManager
from bestchat_server_ext.services.providers import ProviderEntry, ProviderRegistry
from bestchat_server_ext.services.stream import StreamService
from bestchat_server_ext.services.tokens import TokenService
from bestchat_server_ext.services.tools import ToolExecutor
from bestchat_server_ext.services.turn_run import Wheel
from bestchat_server_ext.services.turns import TurnService

if TYPE_CHECKING:
    from bestchat_server_ext.adapters.storage_sql import Database
    from bestchat_server_ext.settings import Settings

_log = logging.getLogger(__name__)

DATABASE_NAME = "bestchat.sqlite3"

TOOLS_GROUP = "bestchat.tools"
"""Entry points of this group name Python functions that become tools."""

_LOCAL_IDLE_SECONDS = 600.0
"""The embedded model answers one turn after the other, and the others wait for it in silence."""

OPENAI_URL = "https://api.openai.com/v1"


class Application:
    """All services of one process, behind one dispatcher."""

    def __init__(self, services: Services, database: Database) -> None:
        """Own these services and the database beneath them."""
        self._services = services
        self._database = database
        self.dispatcher = Dispatcher(services)

    @property
    def tokens(self) -> TokenService:
        """BestChat's own credentials."""
        return self._services.tokens

    @property
    def running_turns(self) -> int:
        """How many turns run in this process."""
        return self._services.turns.running

    async def authenticate(self, token: str) -> Caller:
        """Who comes with a BestChat token.

        Raises:
            NotAuthenticated: it is not valid.
        """
        return await self._services.tokens.authenticate(token)

    async def close(self) -> None:
        """Store what running turns have heard, and let go of everything."""
        await self._services.turns.close()
        await self._services.providers.close()
        await self._database.close()


async def open_application(
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    *,
    tools: Sequence[ToolHost] = (),
) -> Application:
    """Build the services and open the database.

    Args:
        environ: where options and keys are read from.
        overrides: options that go on top.
        tools: tool hosts in addition to those of installed plugins.

    Raises:
        InvalidRequest: an option cannot be used.
        Unavailable: the database cannot be opened.
        NotInstalled: this is the light install, which has no services.
    """
    settings = await asyncio.to_thread(_settings, environ, overrides)
    database = await _open_database(settings)
    from bestchat_server_ext.adapters.bus_memory import MemoryBus
    from bestchat_server_ext.adapters.cache_memory import MemoryCache
    from bestchat_server_ext.adapters.clock_system import SystemClock
    from bestchat_server_ext.adapters.secrets_env import EnvSecrets

    clock = SystemClock()
    secrets = EnvSecrets(environ)
    stream = StreamService(database.storage, MemoryBus(), MemoryCache(clock), clock)
    providers = ProviderRegistry(
        _providers(settings, secrets, clock), secrets, database.storage, settings.default_model
    )
    executor = ToolExecutor([*tools, *_plugin_tools()])
    wheel = Wheel(
        database.storage, stream, ContextManager(), providers, executor, settings.step_limit
    )
    services = Services(
        storage=database.storage,
        stream=stream,
        conversations=ConversationManager(database.storage, stream),
        providers=providers,
        turns=TurnService(wheel),
        tokens=TokenService(database.tokens, clock),
    )
    services.turns.open()
    return Application(services, database)


def _settings(environ: Mapping[str, str], overrides: Mapping[str, Any] | None) -> Settings:
    from bestchat_server_ext import settings  # in a thread: pydantic takes its time to load

    return settings.load(environ, overrides)


async def _open_database(settings: Settings) -> Database:
    from bestchat_server_ext.adapters.storage_sql import open_database

    try:
        return await open_database(settings.data_dir / DATABASE_NAME)
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"Working without a server needs {error.name}, which is not installed here.",
            hint="Run: pip install 'bestchat[lab]' — or start the kernel from a Jupyter Server "
            "that has BestChat.",
        ) from error


def _providers(settings: Settings, secrets: Secrets, clock: Clock) -> list[ProviderEntry]:
    entries = [_openai(secrets), _local(settings)]
    if settings.scripts_dir is not None:
        from bestchat_server_ext.adapters.provider_scripted import ScriptedProvider

        scripted = ScriptedProvider(settings.scripts_dir, clock)
        entries.append(ProviderEntry("scripted", scripted))
    return entries


def _openai(secrets: Secrets) -> ProviderEntry:
    from bestchat_server_ext.adapters.endpoint_configured import ConfiguredEndpoint
    from bestchat_server_ext.adapters.provider_http import OpenAIProvider

    url_name, key_name = "OPENAI_BASE_URL", "OPENAI_API_KEY"
    endpoint = ConfiguredEndpoint(
        secrets, url_name=url_name, key_name=key_name, default_url=OPENAI_URL, label="OpenAI"
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


def _plugin_tools() -> list[ToolHost]:
    """Functions that installed packages offer as tools; a broken one is left out, and said."""
    from bestchat_server_ext.adapters.tools_server import FunctionTools

    host = FunctionTools()
    for entry in entry_points(group=TOOLS_GROUP):
        try:
            host.register(entry.load(), name=entry.name)
        except Exception:  # noqa: BLE001  plugins are not ours; one must not stop the others
            _log.exception("BestChat: the tool %s of %s is left out", entry.name, entry.value)
    return [host]


def install_model(settings: Settings, name: str, progress: Callable[[int, int], None]) -> str:
    """Bring the weights of an embedded model into `data_dir`; give the path.

    Raises:
        ChatError: there is no such model, or it could not be brought.
    """
    from bestchat_server_ext.adapters.local_model import weights

    return str(weights.install(settings.data_dir, progress, name))
