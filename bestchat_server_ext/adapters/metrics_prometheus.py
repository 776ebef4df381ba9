"""Metrics in prometheus_client's registry, which Jupyter Server shows at `/metrics`.

The registry belongs to the process: several applications in it add up, and one that is opened
after another, even by a module that was loaded anew, goes on with the same metrics. Labels are
names from tables of ours, never what somebody typed: each new value is a new time series.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar, cast

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from bestchat_server_ext.core.ids import TurnId
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.telemetry import (
    CANCELLED,
    Fact,
    FirstDelta,
    SocketClosed,
    SocketOpened,
    StepEnded,
    ToolEnded,
    TurnBegan,
    TurnEnded,
    TurnLeft,
)

TICK_SECONDS = 1.0
"""How often the event loop is timed and queues are looked at."""

_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_FIRST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_STEP_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_STATES = ("finished", "failed", "cancelled", "interrupted")

Metric = TypeVar("Metric", bound=MetricWrapperBase)

_making = threading.Lock()


class PrometheusMetrics:
    """The port `telemetry`, counted. `open` begins to measure the event loop it is called on."""

    def __init__(
        self,
        clock: Clock,
        queues: Mapping[str, Callable[[], int]],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        """Count into a registry.

        Args:
            clock: what the event loop is timed by.
            queues: by name, functions that say how much waits right now.
            registry: where the metrics are found or made.
        """
        self._clock = clock
        self._queues = queues
        self._metrics = _Metrics(registry)
        self._lengths = dict.fromkeys(queues, 0)
        self._running: set[TurnId] = set()
        self._sockets = 0
        self._ticking: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Look at event loop and queues from now on, until closed."""
        self._ticking = asyncio.create_task(self._tick(), name="bestchat-metrics")

    def notice(self, fact: Fact) -> None:
        """Count a fact."""
        metrics = self._metrics
        match fact:
            case TurnBegan(turn_id=turn_id):
                self._set_running(self._running | {turn_id})
            case TurnLeft(turn_id=turn_id):
                self._set_running(self._running - {turn_id})
            case TurnEnded(turn_id=turn_id, state=state):
                self._set_running(self._running - {turn_id})
                metrics.turns.labels(state).inc()
            case FirstDelta(provider=provider, seconds=seconds):
                metrics.first_delta.labels(provider).observe(seconds)
            case StepEnded():
                self._count_step(fact)
            case ToolEnded(error=error):
                metrics.tool_calls.labels(error or "done").inc()
            case SocketOpened():
                self._set_sockets(self._sockets + 1)
            case SocketClosed():
                self._set_sockets(max(0, self._sockets - 1))
            case _:
                pass

    def _count_step(self, fact: StepEnded) -> None:
        metrics, provider, usage = self._metrics, fact.provider, fact.usage
        metrics.steps.labels(provider).observe(fact.seconds)
        for kind, tokens in (
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cached", usage.cached_tokens),
            ("reasoning", usage.reasoning_tokens),
        ):
            metrics.tokens.labels(provider, kind).inc(max(0, tokens))
        if fact.error not in {"", CANCELLED}:
            metrics.errors.labels(provider, fact.error).inc()

    # Gauges show the sum over all applications of the process, so each changes them by what has
    # changed for itself.

    def _set_running(self, running: set[TurnId]) -> None:
        self._metrics.running.inc(len(running) - len(self._running))
        self._running = running

    def _set_sockets(self, sockets: int) -> None:
        self._metrics.sockets.inc(sockets - self._sockets)
        self._sockets = sockets

    def _set_length(self, queue: str, length: int) -> None:
        self._metrics.queue_length.labels(queue).inc(length - self._lengths[queue])
        self._lengths[queue] = length

    async def _tick(self) -> None:
        while True:
            for queue, length in self._queues.items():
                self._set_length(queue, length())
            before = self._clock.monotonic()
            await self._clock.sleep(TICK_SECONDS)
            late = self._clock.monotonic() - before - TICK_SECONDS
            self._metrics.lag.observe(max(0.0, late))

    async def close(self) -> None:
        """Stop measuring, and take this application's part out of the gauges."""
        try:
            if (ticking := self._ticking) is not None:
                ticking.cancel()
                await asyncio.wait([ticking])
                if not ticking.cancelled():
                    ticking.result()  # raises what ended it before
        finally:
            self._set_running(set())
            self._set_sockets(0)
            for queue in self._queues:
                self._set_length(queue, 0)


class _Metrics:
    """All metrics, found in a registry or made there."""

    def __init__(self, registry: CollectorRegistry) -> None:
        one = partial(_found_or_made, registry)
        with _making:
            self.turns = one(Counter, "turns_total", "Turns that have ended", "state")
            self.running = one(Gauge, "turns_running", "Turns that run in this process")
            self.first_delta = one(
                partial(Histogram, buckets=_FIRST_BUCKETS),
                "first_delta_seconds",
                "From asking a model to the first piece of its answer",
                "provider",
            )
            self.steps = one(
                partial(Histogram, buckets=_STEP_BUCKETS),
                "step_seconds",
                "From asking a model to the end of its answer",
                "provider",
            )
            self.tokens = one(
                Counter,
                "tokens_total",
                "Tokens; cached ones are among input, reasoning among output",
                *("provider", "kind"),
            )
            self.errors = one(
                Counter, "provider_errors_total", "Steps that failed", "provider", "code"
            )
            self.tool_calls = one(Counter, "tool_calls_total", "Tools that have run", "outcome")
            self.sockets = one(Gauge, "sockets", "Open WebSockets")
            self.queue_length = one(Gauge, "queue_length", "What waits in a queue", "queue")
            self.lag = one(
                partial(Histogram, buckets=_LAG_BUCKETS),
                "event_loop_lag_seconds",
                "How late a timer of one second was",
            )
        for state in _STATES:
            self.turns.labels(state)  # so that a rate can be told from the first one on


def _found_or_made(
    registry: CollectorRegistry, make: Callable[..., Metric], name: str, text: str, *labels: str
) -> Metric:
    """The metric of that name. The registry has no public way to ask for one."""
    name = f"bestchat_{name}"
    found = registry._names_to_collectors.get(name)  # noqa: SLF001  see above
    if found is not None:
        return cast("Metric", found)
    return make(name, text, labels, registry=registry)
