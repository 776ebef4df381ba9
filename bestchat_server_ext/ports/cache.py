"""The cache: only what can be lost, never a lock, a lease or a sole copy."""

from __future__ import annotations

from typing import Protocol


class Cache(Protocol):
    """Keeps values for a while.

    A value carries the version (for a conversation: the `seq`) that it was made from, and counts
    only while that version is still the present one.
    """

    async def get(self, key: str, version: int) -> bytes | None:
        """The value kept under a key, if it was made from this version and is not too old."""
        ...

    async def put(self, key: str, version: int, value: bytes, *, seconds: float) -> None:
        """Keep a value for at most so long. An older version never replaces a newer one."""
        ...

    async def drop(self, key: str) -> None:
        """Forget a value."""
        ...
