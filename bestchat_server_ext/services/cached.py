"""Values that come back from the cache.

The cache may be shared, and whoever can write to it can write anything: what cannot be read is not
there. A key says which layout its value has, so that versions of this program that differ in it do
not meet.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import TypeVar

import msgspec

from bestchat_server_ext.ports.cache import Cache

Value = TypeVar("Value")


@cache
def layout(kind: type) -> str:
    """Names the layout of a kind of value: another one as soon as any of its fields changes."""
    return sha256(msgspec.json.encode(msgspec.json.schema(kind))).hexdigest()[:16]


async def cached(cache: Cache, key: str, version: int, kind: type[Value]) -> Value | None:
    """The value kept under a key for this version; none, and none any more, if it is unreadable."""
    kept = await cache.get(key, version)
    if kept is None:
        return None
    try:
        return msgspec.json.decode(kept, type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        await cache.drop(key)
        return None
