"""The cache within one process: the least recently used values go first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from bestchat_server_ext.ports.clock import Clock

MAX_BYTES = 32 * 1024 * 1024
"""What all values together may take, in bytes."""


@dataclass(frozen=True)
class _Entry:
    version: int
    value: bytes
    until: float


class MemoryCache:
    """Keeps values in memory, up to a number of bytes."""

    def __init__(self, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        """Tell time by `clock`; keep at most `max_bytes` of keys and values together."""
        self._clock = clock
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0

    async def get(self, key: str, version: int) -> bytes | None:
        """The value kept under a key, if it was made from this version and is not too old."""
        entry = self._fresh(key)
        if entry is None or entry.version != version:
            return None
        self._entries.move_to_end(key)
        return entry.value

    async def put(self, key: str, version: int, value: bytes, *, seconds: float) -> None:
        """Keep a value for at most so long, unless a newer one is there."""
        before = self._fresh(key)
        if before is not None and before.version > version:
            return
        self._forget(key)
        self._entries[key] = _Entry(version, value, self._clock.monotonic() + seconds)
        self._bytes += _size(key, value)
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._entries)))

    async def drop(self, key: str) -> None:
        """Forget a value."""
        self._forget(key)

    def _fresh(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.until <= self._clock.monotonic():
            self._forget(key)
            return None
        return entry

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= _size(key, entry.value)


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value)
