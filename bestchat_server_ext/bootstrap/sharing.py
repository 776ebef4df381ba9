"""Bus and cache: of this process alone, or of several servers through Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bestchat_server_ext.core.errors import NotInstalled
from bestchat_server_ext.ports.bus import Bus
from bestchat_server_ext.ports.cache import Cache
from bestchat_server_ext.ports.clock import Clock

if TYPE_CHECKING:
    from bestchat_server_ext.adapters.redis import (
        RedisReport as RedisReport,  # noqa: PLC0414  for the command, which shows it
    )
    from bestchat_server_ext.adapters.redis import RedisServer
    from bestchat_server_ext.adapters.storage_sql import Database
    from bestchat_server_ext.settings import Settings


class CountedBus(Bus, Protocol):
    """A bus that says how much waits in it."""

    @property
    def waiting(self) -> int:
        """Frames that wait for all listeners together."""
        ...


@dataclass(frozen=True)
class Shared:
    """What this process shares with others, where there are any.

    Attributes:
        bus: carries live frames.
        cache: keeps what can be lost.
        open: begins to speak with the others.
        close: lets go of them.
        state: `ok`, what is wrong with Redis, or nothing where there is none.
    """

    bus: CountedBus
    cache: Cache
    open: Callable[[], None]
    close: Callable[[], Awaitable[None]]
    state: Callable[[], str]


async def open_shared(settings: Settings, database: Database, clock: Clock) -> Shared:
    """Choose bus and cache. Redis need not be there yet.

    Raises:
        InvalidRequest: the address of Redis cannot be used.
        NotInstalled: Redis is wanted, and its library is not installed.
    """
    from bestchat_server_ext.adapters.bus_memory import MemoryBus
    from bestchat_server_ext.adapters.cache_memory import MemoryCache

    local = MemoryBus()
    if not settings.redis_url:
        return Shared(local, MemoryCache(clock), _nothing, _nobody, str)
    server = await asyncio.to_thread(_server, settings, database.identity, clock)
    from bestchat_server_ext.adapters.redis import RedisBus, RedisCache

    bus = RedisBus(server, local)
    return Shared(bus, RedisCache(server), bus.open, bus.close, lambda: server.state)


def _server(settings: Settings, installation: str, clock: Clock) -> RedisServer:
    """Redis as it is configured; in a thread, because its library takes its time to load."""
    try:
        from bestchat_server_ext.adapters.redis import RedisServer
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"`redis_url` is set, and {error.name} is not installed here.",
            hint="Run: pip install 'bestchat[team]'",
        ) from error
    return RedisServer(settings.redis_url.get_secret_value(), installation, clock)


def inspect_redis(settings: Settings) -> RedisReport:
    """Look whether Redis answers. Blocks.

    Raises:
        InvalidRequest: its address cannot be used.
        NotInstalled: its library is not installed.
    """
    from bestchat_server_ext.adapters.clock_system import SystemClock

    server = _server(settings, "", SystemClock())
    return asyncio.run(server.inspect())


def _nothing() -> None:
    pass


async def _nobody() -> None:
    pass
