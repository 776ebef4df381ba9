"""The suites of bus and cache, in one process and across two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis import Redis

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.adapters.redis import RedisBus, RedisCache, RedisServer
from bestchat_server_ext.adapters.redis import cache as cache_module
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.ports.bus import Bus, DraftWanted, Frame, Subscription
from bestchat_server_ext.ports.cache import Cache
from bestchat_server_ext.testing.port_suites.bus import BusSuite
from bestchat_server_ext.testing.port_suites.cache import CacheSuite, PassTime

CAPACITY = 10


async def opened(server: RedisServer, until: Any) -> RedisBus:
    bus = RedisBus(server, MemoryBus(CAPACITY))
    bus.open()
    await until(lambda: server.up)
    return bus


class TestRedisBus(BusSuite):
    capacity = CAPACITY

    @pytest.fixture
    async def bus(self, reach: Any, until: Any) -> AsyncIterator[Bus]:
        bus = await opened(reach(), until)
        yield bus
        await bus.close()


class Apart:
    """Two processes seen as one bus: what is said here is heard there."""

    def __init__(self, speaking: RedisBus, listening: RedisBus) -> None:
        self._speaking, self._listening = speaking, listening

    @property
    def everywhere(self) -> bool:
        return self._listening.everywhere

    async def publish(self, topic: str, frames: Sequence[Frame]) -> None:
        await self._speaking.publish(topic, frames)
        await self._speaking._outbox.sent()  # the suite goes on as if it had been at once

    async def subscribe(self, topic: str) -> Subscription:
        return await self._listening.subscribe(topic)


class TestRedisBusAcrossProcesses(BusSuite):
    capacity = CAPACITY

    @pytest.fixture
    async def bus(self, reach: Any, until: Any) -> AsyncIterator[Bus]:
        speaking, listening = await opened(reach(), until), await opened(reach(), until)
        yield Apart(speaking, listening)
        await speaking.close()
        await listening.close()


class TestRedisCache(CacheSuite):
    @pytest.fixture
    def server(self, reach: Any) -> RedisServer:
        server: RedisServer = reach()
        server.begin()
        return server

    @pytest.fixture
    def cache(self, server: RedisServer) -> Cache:
        return RedisCache(server)

    @pytest.fixture
    def pass_time(self, server: RedisServer, redis_url: str) -> PassTime:
        def pass_seconds(seconds: float) -> None:
            """Redis' own clock goes on by itself, so that ends come nearer instead."""
            with Redis.from_url(redis_url) as client:
                for key in client.scan_iter(server.key("*")):
                    client.pexpire(key, client.pttl(key) - int(seconds * 1000))

        return pass_seconds


async def test_two_installations_on_one_redis_do_not_meet(reach: Any, until: Any) -> None:
    ours, theirs = reach(), reach(installation="another")
    mine, other = await opened(ours, until), await opened(theirs, until)
    await RedisCache(ours).put("key", 1, b"ours", seconds=60)
    assert await RedisCache(theirs).get("key", 1) is None
    assert await RedisCache(ours).get("key", 1) == b"ours"
    subscription = await other.subscribe("topic")
    await mine.publish("topic", [Frame(DraftWanted(ConversationId("topic")))])
    await mine._outbox.sent()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(subscription.get(), 0.1)
    await mine.close()
    await other.close()


async def test_nothing_stays_in_redis_for_ever(reach: Any, redis_url: str) -> None:
    server = reach()
    server.begin()
    await RedisCache(server).put("key", 1, b"value", seconds=0.0001)
    await RedisCache(server).put("other", 1, b"value", seconds=30)
    with Redis.from_url(redis_url) as client:
        left = [client.pttl(key) for key in client.scan_iter(server.key("*"))]
    # The short-lived one may go between the two questions, and is then -2; -1 would be for ever.
    assert all(0 < milliseconds <= 30_000 or milliseconds == -2 for milliseconds in left)


async def test_what_is_large_is_not_kept(reach: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "MAX_BYTES", 10)
    server = reach()
    server.begin()
    cache = RedisCache(server)
    await cache.put("key", 1, b"x" * 11, seconds=60)
    assert await cache.get("key", 1) is None
    await cache.put("key", 1, b"x" * 10, seconds=60)
    assert await cache.get("key", 1) is not None
