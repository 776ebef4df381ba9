"""What every cache has to do, as tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bestchat_server_ext.ports.cache import Cache

PassTime = Callable[[float], None]
"""Lets so many seconds go by, as the cache sees it."""


class CacheSuite:
    """The tests. Define the fixtures `cache` and `pass_time`."""

    async def test_what_was_put_is_there(self, cache: Cache) -> None:
        """A value is found under its key and version."""
        await cache.put("key", 7, b"value", seconds=60)
        assert await cache.get("key", 7) == b"value"
        assert await cache.get("other", 7) is None

    async def test_another_version_does_not_count(self, cache: Cache) -> None:
        """Neither an older nor a newer one."""
        await cache.put("key", 7, b"value", seconds=60)
        assert await cache.get("key", 6) is None
        assert await cache.get("key", 8) is None

    async def test_a_newer_version_replaces_an_older_one(self, cache: Cache) -> None:
        """And the older one is gone."""
        await cache.put("key", 1, b"old", seconds=60)
        await cache.put("key", 2, b"new", seconds=60)
        assert await cache.get("key", 2) == b"new"
        assert await cache.get("key", 1) is None

    async def test_an_older_version_does_not_replace_a_newer_one(self, cache: Cache) -> None:
        """Whoever was slow to compute does no harm."""
        await cache.put("key", 2, b"new", seconds=60)
        await cache.put("key", 1, b"old", seconds=60)
        assert await cache.get("key", 2) == b"new"
        assert await cache.get("key", 1) is None

    async def test_of_many_versions_the_newest_stays(self, cache: Cache) -> None:
        """In whichever order they are put, also all at once."""
        versions = [3, 9, 1, 7, 10, 2, 8]
        puts = (cache.put("key", n, str(n).encode(), seconds=60) for n in versions)
        await asyncio.gather(*puts)
        found = {n: await cache.get("key", n) for n in versions}
        assert {n: value for n, value in found.items() if value is not None} == {10: b"10"}

    async def test_any_bytes_can_be_kept(self, cache: Cache) -> None:
        """A cache does not look into values."""
        value = bytes(range(256)) * 40
        await cache.put("key/with: all [sorts] of {signs}", 2**53 - 1, value, seconds=60)
        assert await cache.get("key/with: all [sorts] of {signs}", 2**53 - 1) == value

    async def test_the_same_version_can_be_put_again(self, cache: Cache) -> None:
        """Its time begins anew and its value is the later one."""
        await cache.put("key", 1, b"first", seconds=60)
        await cache.put("key", 1, b"second", seconds=60)
        assert await cache.get("key", 1) == b"second"

    async def test_values_grow_too_old(self, cache: Cache, pass_time: PassTime) -> None:
        """Each by its own time."""
        await cache.put("short", 1, b"value", seconds=10)
        await cache.put("long", 1, b"value", seconds=30)
        pass_time(9)
        assert await cache.get("short", 1) == b"value"
        pass_time(2)
        assert await cache.get("short", 1) is None
        assert await cache.get("long", 1) == b"value"

    async def test_a_dropped_value_is_gone(self, cache: Cache) -> None:
        """Dropping what is not there is no mistake."""
        await cache.put("key", 1, b"value", seconds=60)
        await cache.drop("key")
        await cache.drop("key")
        assert await cache.get("key", 1) is None
        await cache.put("key", 0, b"older", seconds=60)
        assert await cache.get("key", 0) == b"older"
