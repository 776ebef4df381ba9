"""Who is told what happens: the log, metrics and traces."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.telemetry import Telemetry
from bestchat_server_ext.services.telemetry import FanOut

if TYPE_CHECKING:
    from bestchat_server_ext.adapters.metrics_prometheus import PrometheusMetrics
    from bestchat_server_ext.bootstrap.sharing import CountedBus


async def observers(
    environ: Mapping[str, str], clock: Clock, bus: CountedBus, *, serves: bool
) -> Telemetry:
    """Whoever is to be told what happens: in a kernel nobody but the log, which is silent there."""
    from bestchat_server_ext.adapters.telemetry_log import TelemetryLog

    told: list[Telemetry] = [TelemetryLog()]
    if serves:
        metrics = await asyncio.to_thread(_metrics, clock, bus)
        metrics.open()
        told.append(metrics)
    if _traced(environ):
        told.append(await asyncio.to_thread(_traces))
    return FanOut(told)


def _traced(environ: Mapping[str, str]) -> bool:
    """Whether somebody uses OpenTelemetry here: to load it in vain would take a kernel 20 ms."""
    if "opentelemetry.trace" in sys.modules:
        return True
    asked_for = any(name.startswith("OTEL_") for name in environ)
    return asked_for and find_spec("opentelemetry") is not None


def _metrics(clock: Clock, bus: CountedBus) -> PrometheusMetrics:
    from bestchat_server_ext.adapters.metrics_prometheus import PrometheusMetrics

    return PrometheusMetrics(clock, {"bus": lambda: bus.waiting})


def _traces() -> Telemetry:
    from bestchat_server_ext.adapters.traces_otel import OpenTelemetryTraces

    return OpenTelemetryTraces()
