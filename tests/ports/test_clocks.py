from __future__ import annotations

import asyncio

import pytest

from bestchat_server_ext.adapters.clock_system import SystemClock
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.testing.clock import START, ManualClock
from bestchat_server_ext.testing.port_suites.clock import ClockSuite


class TestSystemClock(ClockSuite):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


class TestManualClock(ClockSuite):
    @pytest.fixture
    def clock(self) -> Clock:
        return ManualClock()

    async def pass_time(self, clock: Clock, seconds: float) -> None:
        assert isinstance(clock, ManualClock)
        clock.advance(seconds)


async def test_sleepers_wake_in_the_order_of_their_time() -> None:
    clock, woken = ManualClock(), []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleep(seconds)) for seconds in (3, 1, 2, 9)]
    await clock.until_sleeping(4)
    assert woken == []
    clock.advance(3)
    await clock.until_sleeping(1)
    await asyncio.gather(*tasks[:3])
    assert woken == [1, 2, 3]
    tasks[3].cancel()
    await asyncio.wait(tasks)
    assert clock._sleepers == []


async def test_sleeping_for_no_time_lets_others_run_and_ends() -> None:
    await asyncio.wait_for(ManualClock().sleep(0), 5)


def test_ids_of_a_manual_clock_grow_and_repeat_in_every_run() -> None:
    def ids(origin: int) -> list[str]:
        clock, made = ManualClock(origin=origin), []
        for _ in range(3):
            made += [clock.new_id(), clock.new_id()]
            clock.advance(0.001)
        return made

    assert ids(0) == sorted(ids(0)) == ids(0)
    assert not set(ids(0)) & set(ids(1))
    assert ManualClock().now() == START
