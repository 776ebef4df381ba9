from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bestchat_server_ext.adapters import metrics_prometheus
from bestchat_server_ext.adapters.metrics_prometheus import PrometheusMetrics
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.ports.telemetry import SocketClosed, SocketOpened
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.telemetry import Held, Story, TelemetrySuite, tell


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def metrics(clock: ManualClock, registry: CollectorRegistry) -> PrometheusMetrics:
    return PrometheusMetrics(clock, {}, registry)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"bestchat_{name}", labels)


class TestPrometheusMetrics(TelemetrySuite):
    @pytest.fixture
    def telemetry(self, metrics: PrometheusMetrics) -> PrometheusMetrics:
        return metrics

    @pytest.fixture
    def held(self, registry: CollectorRegistry) -> Held:
        return lambda: int(value(registry, "turns_running") or 0)


def test_a_turn_is_counted(metrics: PrometheusMetrics, registry: CollectorRegistry) -> None:
    story = Story(usage=Usage(10, 20, 4, 5))
    tell(metrics, [story.began])
    assert value(registry, "turns_running") == 1
    assert value(registry, "turns_total", state="finished") == 0
    tell(metrics, story.whole()[1:])
    assert value(registry, "turns_running") == 0
    assert value(registry, "turns_total", state="finished") == 1
    scripted = {"provider": "scripted"}
    assert value(registry, "first_delta_seconds_sum", **scripted) == 0.25
    assert value(registry, "step_seconds_sum", **scripted) == 1.5
    kinds = ("input", "output", "cached", "reasoning")
    tokens = [value(registry, "tokens_total", kind=kind, **scripted) for kind in kinds]
    assert tokens == [10, 20, 4, 5]
    assert value(registry, "tool_calls_total", outcome="done") == 1
    assert value(registry, "provider_errors_total", code="", **scripted) is None


def test_failures_are_counted_by_code_and_a_stop_is_none(
    metrics: PrometheusMetrics, registry: CollectorRegistry
) -> None:
    story = Story()
    tell(metrics, [story.step_failed, story.step_cancelled, story.failed, story.tool_failed])
    errors = "provider_errors_total"
    assert value(registry, errors, provider="scripted", code="rate_limited") == 1
    assert value(registry, errors, provider="scripted", code="cancelled") is None
    assert value(registry, "turns_total", state="failed") == 1
    assert value(registry, "tool_calls_total", outcome="tool_failed") == 1


def test_no_label_holds_what_somebody_typed(
    metrics: PrometheusMetrics, registry: CollectorRegistry
) -> None:
    tell(metrics, Story(turn="turn-canary", model="scripted/canary").whole())
    shown = generate_latest(registry).decode()
    assert "canary" not in shown
    assert "conversation" not in shown


class TestSeveralApplications:
    @pytest.fixture
    def other(self, clock: ManualClock, registry: CollectorRegistry) -> PrometheusMetrics:
        return PrometheusMetrics(clock, {}, registry)

    async def test_they_add_up(
        self, metrics: PrometheusMetrics, other: PrometheusMetrics, registry: CollectorRegistry
    ) -> None:
        tell(metrics, [Story("one").began, SocketOpened(), Story("one").ended])
        tell(metrics, [Story("two").began])
        tell(
            other, [Story("three").began, SocketOpened(), Story("four").ended, Story("five").began]
        )
        assert value(registry, "turns_running") == 3
        assert value(registry, "sockets") == 2
        assert value(registry, "turns_total", state="finished") == 2
        await other.close()
        assert value(registry, "turns_running") == 1
        assert value(registry, "sockets") == 1
        assert value(registry, "turns_total", state="finished") == 2
        tell(metrics, [SocketClosed()])
        assert value(registry, "sockets") == 0

    def test_a_module_that_is_loaded_anew_goes_on_counting(
        self,
        metrics: PrometheusMetrics,
        registry: CollectorRegistry,
        clock: ManualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        tell(metrics, [Story().ended])
        monkeypatch.delitem(sys.modules, metrics_prometheus.__name__)
        anew: Any = importlib.import_module(metrics_prometheus.__name__)
        assert anew.PrometheusMetrics is not PrometheusMetrics
        tell(anew.PrometheusMetrics(clock, {}, registry), [Story().ended])
        assert value(registry, "turns_total", state="finished") == 2


class TestTicking:
    @pytest.fixture
    def queue(self) -> list[int]:
        return [0, 0]

    @pytest.fixture
    async def ticking(
        self, clock: ManualClock, registry: CollectorRegistry, queue: list[int]
    ) -> AsyncIterator[PrometheusMetrics]:
        opened = PrometheusMetrics(clock, {"bus": lambda: len(queue)}, registry)
        opened.open()
        await clock.until_sleeping()
        yield opened
        await opened.close()

    @pytest.mark.usefixtures("ticking")
    async def test_lag_is_what_a_timer_was_late(
        self, clock: ManualClock, registry: CollectorRegistry
    ) -> None:
        for seconds in (1.0, 1.5):
            clock.advance(seconds)
            await clock.until_sleeping()
        assert value(registry, "event_loop_lag_seconds_count") == 2
        assert value(registry, "event_loop_lag_seconds_sum") == 0.5
        assert value(registry, "event_loop_lag_seconds_bucket", le="0.001") == 1

    @pytest.mark.usefixtures("ticking")
    async def test_queues_are_looked_at(
        self, clock: ManualClock, registry: CollectorRegistry, queue: list[int]
    ) -> None:
        assert value(registry, "queue_length", queue="bus") == 2
        queue.append(0)
        clock.advance(1)
        await clock.until_sleeping()
        assert value(registry, "queue_length", queue="bus") == 3

    async def test_who_is_stopped_while_closing_it_stops(self, registry: CollectorRegistry) -> None:
        class Stubborn(ManualClock):
            """A clock whose sleepers take their time to get up."""

            def __init__(self) -> None:
                super().__init__()
                self.woken, self.up = asyncio.Event(), asyncio.Event()

            async def sleep(self, seconds: float) -> None:
                try:
                    await super().sleep(seconds)
                finally:
                    self.woken.set()
                    await self.up.wait()

        clock = Stubborn()
        opened = PrometheusMetrics(clock, {"bus": lambda: 2}, registry)
        opened.open()
        await clock.until_sleeping()
        closing = asyncio.create_task(opened.close())
        await clock.woken.wait()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert value(registry, "queue_length", queue="bus") == 0
        clock.up.set()
        await opened.close()

    async def test_nothing_goes_on_once_it_is_closed(
        self, ticking: PrometheusMetrics, clock: ManualClock, registry: CollectorRegistry
    ) -> None:
        await ticking.close()
        assert value(registry, "queue_length", queue="bus") == 0
        assert clock._sleepers == []
