"""One process's services, put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from bestchat_server_ext.bootstrap.administration import database_place
from bestchat_server_ext.bootstrap.interpreter import settle_for_crowds
from bestchat_server_ext.bootstrap.keys import build_provider_settings
from bestchat_server_ext.bootstrap.observers import observers
from bestchat_server_ext.bootstrap.plugins import open_catalog
from bestchat_server_ext.bootstrap.providers import key_names, providers
from bestchat_server_ext.bootstrap.sharing import open_shared
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import Disabled, NotInstalled
from bestchat_server_ext.core.failover import Fallbacks
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.dispatch.bindings import Services
from bestchat_server_ext.dispatch.dispatcher import Dispatcher
from bestchat_server_ext.ports.cache import Cache
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.telemetry import Telemetry
from bestchat_server_ext.ports.tool_host import ToolHost
from bestchat_server_ext.services.budget import Budget
from bestchat_server_ext.services.context import ContextManager
from bestchat_server_ext.services.conversations import ConversationManager
from bestchat_server_ext.services.exchange import ExchangeService
from bestchat_server_ext.services.failover import FailoverService
from bestchat_server_ext.services.files import FileService, Limits
from bestchat_server_ext.services.housekeeping import Housekeeping
from bestchat_server_ext.services.model_lists import ModelLists
from bestchat_server_ext.services.pages import PageService
from bestchat_server_ext.services.provider_settings import ProviderSettingsService
from bestchat_server_ext.services.provider_trial import ProviderTrial
from bestchat_server_ext.services.providers import ProviderRegistry
from bestchat_server_ext.services.stream import StreamService
from bestchat_server_ext.services.telemetry import FanOut
from bestchat_server_ext.services.titles import TitleService
from bestchat_server_ext.services.tokens import TokenService
from bestchat_server_ext.services.tools import ToolExecutor
from bestchat_server_ext.services.turn_run import Wheel
from bestchat_server_ext.services.turns import TurnService
from bestchat_server_ext.services.usage import UsageService

if TYPE_CHECKING:
    from bestchat_server_ext.adapters.storage_sql import Database
    from bestchat_server_ext.settings import Loaded, Settings

_log = logging.getLogger(__name__)

TOOLS_GROUP = "bestchat.tools"
"""Entry points of this group name Python functions that become tools."""


class Application:
    """All services of one process, behind one dispatcher."""

    def __init__(
        self,
        services: Services,
        database: Database,
        telemetry: Telemetry | None = None,
        leave: Callable[[], Awaitable[None]] | None = None,
        max_sockets: int = 64,
    ) -> None:
        """Own these services, the database beneath them, and those who observe.

        `leave` lets go of what this process shares with others.
        """
        self._leave = leave
        self._services = services
        self._database = database
        self.telemetry = telemetry or FanOut()
        self.max_sockets = max_sockets
        """WebSockets that one owner may have open."""
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
        """Store what running turns have heard, and let go of everything.

        What fails to close keeps nothing else from being closed.
        """
        async with AsyncExitStack() as last_first:
            last_first.push_async_callback(self.telemetry.close)
            last_first.push_async_callback(self._database.close)
            if self._leave is not None:
                last_first.push_async_callback(self._leave)
            last_first.push_async_callback(self._services.providers.close)
            last_first.push_async_callback(self._services.usage.close)
            last_first.push_async_callback(self._services.files.close)
            last_first.push_async_callback(self._services.turns.close)
            last_first.push_async_callback(self._services.housekeeping.close)


async def open_application(
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    *,
    loaded: Loaded | None = None,
    tools: Sequence[ToolHost] = (),
    serves: bool = False,
) -> Application:
    """Build the services and open the database.

    Args:
        environ: where options and keys are read from.
        overrides: options that go on top.
        loaded: the options, if somebody has read them already: they are not read again then.
        tools: tool hosts in addition to those of installed plugins.
        serves: whether this process is a server: its metrics are seen, and the keys in its
            environment are the site's. Elsewhere they are the user's own.

    Raises:
        InvalidRequest: an option cannot be used.
        Disabled: the site has switched BestChat off.
        Unavailable: the database cannot be opened.
        NotInstalled: this is the light install, which has no services.
    """
    if serves:
        settle_for_crowds()
    if loaded is None:
        loaded = await asyncio.to_thread(_load, environ, overrides)
    settings = loaded.settings
    if not settings.enabled:
        raise Disabled("BestChat is switched off here.")
    async with AsyncExitStack() as undo:
        database = await _open_database(settings)
        undo.push_async_callback(database.close)
        application = await _assemble(loaded, database, environ, tools, serves=serves)
        undo.pop_all()
    return application


async def _assemble(
    loaded: Loaded,
    database: Database,
    environ: Mapping[str, str],
    tools: Sequence[ToolHost],
    *,
    serves: bool,
) -> Application:
    """Put services around an open database, and set them going."""
    settings = loaded.settings
    from bestchat_server_ext.adapters.clock_system import SystemClock

    clock = SystemClock()
    shared = await open_shared(settings, database, clock)
    bus, cache = shared.bus, shared.cache
    stream = StreamService(database.storage, bus, cache, clock)
    usage = UsageService(database.usage, clock)
    registry, stored = await _registry(settings, environ, database, clock, cache, serves=serves)
    telemetry = await observers(environ, clock, bus, serves=serves)
    budget = _budget(settings, database, registry, usage)
    files = _files(settings, database, clock)
    wheel = Wheel(
        database.storage,
        stream,
        ContextManager(),
        files,
        registry,
        ToolExecutor([*tools, *_plugin_tools()]),
        FailoverService(registry, bus, cache, clock, _fallbacks(settings), usage=usage),
        budget,
        settings.step_limit,
        telemetry,
    )
    conversations = ConversationManager(database.storage, stream)
    kept = timedelta(days=settings.keep_deleted_days)
    services = Services(
        storage=database.storage,
        stream=stream,
        conversations=conversations,
        exchange=ExchangeService(stream, files),
        files=files,
        housekeeping=Housekeeping(conversations, files, clock, kept),
        pages=_pages(settings),
        providers=registry,
        turns=TurnService(
            wheel, TitleService(stream, registry, usage, budget, settings.title_model or None)
        ),
        tokens=TokenService(database.tokens, clock),
        usage=usage,
        provider_settings=stored,
        trial=ProviderTrial(registry, stored, clock, usage=usage),
        redis=shared.state,
        options=loaded.options(),
        database=database.label,
        notices=database.notices,
    )
    shared.open()
    services.turns.open()
    services.housekeeping.open()
    return Application(services, database, telemetry, shared.close, settings.max_sockets)


async def _registry(
    settings: Settings,
    environ: Mapping[str, str],
    database: Database,
    clock: Clock,
    cache: Cache,
    *,
    serves: bool,
) -> tuple[ProviderRegistry, ProviderSettingsService]:
    """The providers that there are, and what is stored for them."""
    from bestchat_server_ext.adapters.secrets_env import EnvSecrets

    site = SitePolicy(
        settings.allowed_models, settings.allowed_base_urls, settings.allow_user_keys or serves
    )
    catalog = await asyncio.to_thread(open_catalog)
    secrets = EnvSecrets(environ, hidden=() if site.user_keys else key_names(catalog))
    stored = build_provider_settings(settings, environ, database, secrets, catalog, clock, site)
    registry = ProviderRegistry(
        providers(settings, secrets, clock, site, stored, catalog),
        secrets,
        database.storage,
        settings.default_model,
        site,
        ModelLists(catalog, cache),
        stored,
    )
    return registry, stored


def _files(settings: Settings, database: Database, clock: Clock) -> FileService:
    from bestchat_server_ext.adapters.file_texts import ChildTextReader
    from bestchat_server_ext.adapters.files_obstore import LocalFiles

    limits = Limits(settings.max_file_mb * 10**6, settings.max_files_mb * 10**6)
    store = LocalFiles(settings.data_dir / "files")
    return FileService(database.uploads, store, ChildTextReader(), clock, limits)


def _pages(settings: Settings) -> PageService:
    from bestchat_server_ext.adapters.file_texts import ChildTextReader
    from bestchat_server_ext.adapters.pages_http import HttpPages
    from bestchat_server_ext.adapters.provider_http.address import find_proxy

    source = HttpPages(find_proxy, excepted=settings.private_page_hosts)
    return PageService(source, ChildTextReader(seconds=20), allowed=settings.allow_pages)


def _budget(
    settings: Settings, database: Database, registry: ProviderRegistry, usage: UsageService
) -> Budget:
    return Budget(
        database.storage,
        registry,
        usage,
        most_turns=settings.max_running_turns,
        max_cost=settings.max_cost or None,
    )


def _fallbacks(settings: Settings) -> Fallbacks:
    return Fallbacks(
        outage=settings.fallback_models,
        overflow=settings.fallback_models_overflow,
        refused=settings.fallback_models_refused,
    )


def _load(environ: Mapping[str, str], overrides: Mapping[str, Any] | None) -> Loaded:
    from bestchat_server_ext import settings  # in a thread: pydantic takes its time to load

    return settings.load_with_origins(environ, overrides)


async def _open_database(settings: Settings) -> Database:
    from bestchat_server_ext.adapters.storage_sql import open_database

    try:
        return await open_database(database_place(settings), pool_size=settings.database_pool_size)
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"Working without a server needs {error.name}, which is not installed here.",
            hint="Run: pip install 'bestchat[lab]' — or start the kernel from a Jupyter Server "
            "that has BestChat.",
        ) from error


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
