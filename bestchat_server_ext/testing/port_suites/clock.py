"""What every clock has to do, as tests."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from bestchat_server_ext.core.ids import created_at, is_id
from bestchat_server_ext.ports.clock import Clock


class ClockSuite:
    """The tests. Define the fixture `clock`, and `pass_time` if time has to be pushed."""

    async def pass_time(self, clock: Clock, seconds: float) -> None:  # noqa: ARG002 (real time needs no clock to pass)
        """Let time go by, as the clock sees it."""
        await asyncio.sleep(seconds)

    async def test_now_is_in_utc(self, clock: Clock) -> None:
        """Moments know their zone, and it is UTC."""
        assert clock.now().utcoffset() == timedelta(0)

    async def test_time_goes_on(self, clock: Clock) -> None:
        """Both times grow while time goes by."""
        now, monotonic = clock.now(), clock.monotonic()
        await self.pass_time(clock, 0.02)
        assert clock.now() > now
        assert clock.monotonic() > monotonic

    async def test_sleep_lasts_as_long_as_it_says(self, clock: Clock) -> None:
        """Nobody wakes up early."""
        begun = clock.monotonic()
        sleeper = asyncio.create_task(clock.sleep(0.02))
        await asyncio.sleep(0)
        assert not sleeper.done()
        await self.pass_time(clock, 0.02)
        await asyncio.wait_for(sleeper, 5)
        assert clock.monotonic() - begun >= 0.019  # what timers round off

    async def test_ids_are_new_and_carry_their_time(self, clock: Clock) -> None:
        """Ids are UUIDv7, differ, and were made now."""
        before = clock.now() - timedelta(milliseconds=1)
        ids = [clock.new_id() for _ in range(1000)]
        assert len(set(ids)) == len(ids)
        assert all(is_id(item) and UUID(item).version == 7 for item in ids)
        assert all(before <= created_at(item) <= clock.now() for item in ids)
