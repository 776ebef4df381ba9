"""A clock that goes on only when it is told to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from bestchat_server_ext.core.ids import uuid7

START = datetime(2026, 1, 1, tzinfo=UTC)
"""What a manual clock shows at first."""


class ManualClock:
    """The port `clock`, in the hands of a test. Its ids are the same in every run."""

    def __init__(self, start: datetime = START, *, origin: int = 0) -> None:
        """Begin at a moment.

        Args:
            start: that moment, in UTC.
            origin: keeps the ids of several clocks in one test apart, 0 to 4095.
        """
        self._start = start
        self._elapsed = 0.0
        self._origin = origin
        self._ids = 0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._fell_asleep = asyncio.Event()

    def now(self) -> datetime:
        """The moment that the test has reached."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds that the test has let go by."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has let that much time go by."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = (self._elapsed + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        self._fell_asleep.set()
        try:
            await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)

    def new_id(self) -> str:
        """A UUIDv7 that is greater than all before it."""
        self._ids += 1
        return uuid7(self.now(), (self._origin << 62 | self._ids).to_bytes(10, "big"))

    def advance(self, seconds: float) -> None:
        """Let time go by, and wake up who has slept long enough, the earliest first."""
        self._elapsed += seconds
        for until, future in sorted(self._sleepers, key=lambda sleeper: sleeper[0]):
            if until <= self._elapsed and not future.done():
                future.set_result(None)

    async def until_sleeping(self, count: int = 1) -> None:
        """Wait until so many tasks sleep by this clock: then it makes sense to advance it."""
        while sum(not future.done() for _, future in self._sleepers) < count:
            self._fell_asleep.clear()
            await self._fell_asleep.wait()
