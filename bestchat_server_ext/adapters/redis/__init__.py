"""Bus and cache for several servers, through one Redis.

    server     where it is, whether it answers, and what things are called there
    bus        RedisBus: the port `bus`; who listens in this process
    listener   the one connection on which the others are heard
    outbox     what this process tells the others
    payload    frames as they travel
    cache      RedisCache: the port `cache`

Nothing waits for Redis and nothing depends on it: what it loses is in storage, and whoever may
have missed something is told to look there.
"""

from __future__ import annotations

from bestchat_server_ext.adapters.redis.bus import RedisBus
from bestchat_server_ext.adapters.redis.cache import RedisCache
from bestchat_server_ext.adapters.redis.server import RedisReport, RedisServer

__all__ = ["RedisBus", "RedisCache", "RedisReport", "RedisServer"]
