"""Silence: gives up servers that have stopped sending.

aiohttp has a timer for every connection and makes it anew for every packet, which with a thousand
answers is a sixth of all that reading costs. So it is taken off where an answer has begun, and one
timer looks at all answers of an event loop now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_LOOKS = 8
"""How often in the time that a server may be silent it is looked at: how exact that time is."""


class Waiting(Protocol):
    """Something that may wait for a server."""

    waiting_since: float | None
    """Since when, by the event loop's clock; none while it does not wait."""

    def give_up(self) -> None:
        """Wait no more."""
        ...


class Silence:
    """Looks after the answers of one event loop."""

    def __init__(self, seconds: float) -> None:
        """Give up a server after so many seconds in which nothing came."""
        self._seconds = seconds
        self._watched: set[Waiting] = set()
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def watch(self, waiting: Waiting) -> Iterator[None]:
        """Look after one of them meanwhile."""
        self._watched.add(waiting)
        if self._timer is None:
            self._look_later()
        try:
            yield
        finally:
            self._watched.discard(waiting)

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._seconds / _LOOKS, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for waiting in self._watched:
            since = waiting.waiting_since
            if since is not None and now - since >= self._seconds:
                waiting.give_up()
        if self._watched:
            self._look_later()
