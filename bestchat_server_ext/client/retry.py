"""When to come back to a server that was lost: soon at first, then less and less often.

The pauses are jittered: a thousand clients that lose one server together must not come back to it
together.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol

FIRST_SECONDS = 0.1
"""The longest that the first pause may be."""

LONGEST_SECONDS = 10.0
"""The longest that any pause may be; each is up to twice as long as the one before."""


class Waiting(Protocol):
    """The part of a clock that waiting needs; see `ports.clock`."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


class RealTime:
    """Time as it goes by."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)


class Retry:
    """The pauses between attempts to reach one server."""

    def __init__(self, away_seconds: float, clock: Waiting, dice: random.Random) -> None:
        """Give a server up once it has stayed away for `away_seconds`."""
        self._away_seconds = away_seconds
        self._clock = clock
        self._dice = dice
        self._failures = 0
        self._away_since: float | None = None

    def reset(self) -> None:
        """It is there, and things move on."""
        self._failures, self._away_since = 0, None

    async def pause(self) -> bool:
        """Wait before the next attempt; say whether there is to be one."""
        now = self._clock.monotonic()
        if self._away_since is None:
            self._away_since = now
        if now - self._away_since > self._away_seconds:
            return False
        # Bounded before the power is taken: a server may stay away for days.
        longest = min(FIRST_SECONDS * 2.0 ** min(self._failures, 30), LONGEST_SECONDS)
        self._failures += 1
        await self._clock.sleep(self._dice.uniform(longest / 2, longest))
        return True
