from __future__ import annotations

import pytest

from bestchat_server_ext.adapters.cache_memory import MemoryCache
from bestchat_server_ext.ports.cache import Cache
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.cache import CacheSuite, PassTime


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class TestMemoryCache(CacheSuite):
    @pytest.fixture
    def cache(self, clock: ManualClock) -> Cache:
        return MemoryCache(clock)

    @pytest.fixture
    def pass_time(self, clock: ManualClock) -> PassTime:
        return clock.advance


async def test_the_least_recently_used_values_go_first(clock: ManualClock) -> None:
    cache = MemoryCache(clock, max_bytes=33)
    for key in "abc":
        await cache.put(key, 1, b"x" * 10, seconds=60)
    assert await cache.get("a", 1) is not None
    await cache.put("d", 1, b"x" * 10, seconds=60)
    kept = [key for key in "abcd" if await cache.get(key, 1)]
    assert kept == ["a", "c", "d"]


async def test_what_is_too_large_is_not_kept(clock: ManualClock) -> None:
    cache = MemoryCache(clock, max_bytes=10)
    await cache.put("a", 1, b"x" * 5, seconds=60)
    await cache.put("a", 2, b"x" * 11, seconds=60)
    assert await cache.get("a", 2) is None
    assert await cache.get("a", 1) is None


async def test_replaced_dropped_and_expired_values_give_their_bytes_back(
    clock: ManualClock,
) -> None:
    cache = MemoryCache(clock, max_bytes=11)
    for number in range(3):
        await cache.put("a", number, b"x" * 10, seconds=60)
    assert await cache.get("a", 2) == b"x" * 10
    await cache.drop("a")
    await cache.put("b", 1, b"x" * 10, seconds=60)
    clock.advance(61)
    assert await cache.get("b", 1) is None
    await cache.put("c", 1, b"x" * 10, seconds=60)
    assert await cache.get("c", 1) == b"x" * 10
    assert cache._bytes == 11
