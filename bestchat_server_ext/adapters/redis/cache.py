"""RedisCache: values that all servers of an installation share, and that can be lost."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis

from bestchat_server_ext.adapters.redis.server import RedisServer

MAX_BYTES = 4 * 1024 * 1024
"""The largest value that is kept: a larger one is read from storage as fast as from here."""

# Each is one step for Redis: whoever writes at the same time comes before or after it.

_GET = """
if redis.call('HGET', KEYS[1], 'version') == ARGV[1] then
  return redis.call('HGET', KEYS[1], 'value')
end
return false
"""

_PUT = """
local version = redis.call('HGET', KEYS[1], 'version')
if version and tonumber(version) > tonumber(ARGV[1]) then
  return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'value', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""


class RedisCache:
    """Keeps values in Redis, which throws them away when their time is over."""

    def __init__(self, server: RedisServer) -> None:
        """Keep them on this server."""
        self._server = server
        self._get = server.client.register_script(_GET)
        self._put = server.client.register_script(_PUT)

    async def get(self, key: str, version: int) -> bytes | None:
        """The value kept under a key, if it was made from this version and is not too old."""

        def ask(_: Redis) -> Awaitable[object]:
            return cast("Awaitable[object]", self._get([self._place(key)], [version]))

        value = await self._server.answer(ask)
        return value if isinstance(value, bytes) else None

    async def put(self, key: str, version: int, value: bytes, *, seconds: float) -> None:
        """Keep a value for at most so long, unless a newer one is there."""
        if len(value) > MAX_BYTES:
            return
        arguments: list[int | bytes] = [version, value, max(1, int(seconds * 1000))]

        def ask(_: Redis) -> Awaitable[object]:
            return cast("Awaitable[object]", self._put([self._place(key)], arguments))

        await self._server.answer(ask)

    async def drop(self, key: str) -> None:
        """Forget a value."""
        await self._server.answer(lambda redis: redis.delete(self._place(key)))

    def _place(self, key: str) -> str:
        return self._server.key(f"cache:{key}")
