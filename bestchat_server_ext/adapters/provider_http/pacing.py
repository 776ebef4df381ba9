"""Pacer: lets packets gather, so that the process is woken once for all of them.

A token of an answer is a packet of its own, and what it costs is not reading it but waking up for
it. So whoever has read something leaves the connection alone for a moment; the operating system
keeps what arrives, and gives it away in one piece. The first piece of an answer never waits.

The moment is as short as nobody notices while there is little to do, and grows while the loop is
busy or late: 1,000 answers at once then cost less than 500 that are read as they come.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import cast

SHORTEST, LONGEST = 0.04, 0.25
"""Seconds for which a connection is left alone: by day, and at the worst of times."""

_IDLE, _BUSY = 0.10, 0.20
"""Shares of the loop's time below and above which the moment gets shorter or longer."""
_STEP = 1.5
"""How much shorter or longer."""
_WINDOW = 0.25
"""Seconds over which the load is judged."""
_GRAIN = 0.005
"""Seconds; who is due within the same few milliseconds is released together."""

_TOGETHER = 16
"""How many are released in one go at most: what else the loop has to do comes in between."""


class Pacer:
    """Holds the connections of one event loop back, each for a moment."""

    def __init__(self) -> None:
        """Begin with nothing held."""
        self.interval = SHORTEST
        """Seconds for which a connection is held at present."""
        self._held: deque[tuple[float, asyncio.ReadTransport]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._spent = 0.0
        self._late: list[float] = []

    def hold(self, transport: asyncio.BaseTransport) -> None:
        """Leave a connection alone for a moment. It may be closed meanwhile."""
        socket = _below_tls(transport)
        socket.pause_reading()
        loop = asyncio.get_running_loop()
        due = loop.time() + self.interval
        self._held.append((due, socket))
        if self._timer is None:
            if due - self._since > LONGEST + _WINDOW:  # nothing was held for a while
                self._judge_anew(loop.time())
            self._timer = loop.call_at(due, self.release)

    def release(self) -> None:
        """Let through what has waited long enough, a portion at a time."""
        loop = asyncio.get_running_loop()
        now, held = loop.time(), self._held
        if held:
            self._late.append(max(0.0, now - held[0][0]))
        for _ in range(_TOGETHER):
            if not held or held[0][0] > now + _GRAIN:
                break
            held.popleft()[1].resume_reading()
        self._timer = loop.call_at(held[0][0], self.release) if held else None
        if now - self._since >= _WINDOW:
            self._judge(now)

    def _judge(self, now: float) -> None:
        """Choose the moment anew, by what the loop did with its time."""
        busy = (time.thread_time() - self._spent) / (now - self._since)
        late = sum(self._late) / len(self._late) / self.interval if self._late else 0.0
        self.interval = next_interval(self.interval, max(busy, late))
        self._judge_anew(now)

    def _judge_anew(self, now: float) -> None:
        self._since, self._spent, self._late = now, time.thread_time(), []


def next_interval(interval: float, load: float) -> float:
    """The moment that follows, in seconds.

    Args:
        interval: the present one.
        load: the share of its time that the loop was busy, or late.
    """
    if load > _BUSY:
        return min(LONGEST, interval * _STEP)
    return max(SHORTEST, interval / _STEP) if load < _IDLE else interval


def _below_tls(transport: asyncio.BaseTransport) -> asyncio.ReadTransport:
    """The transport of the socket itself.

    Holding the TLS layer back would spare the decoding and not the waking up, as it goes on reading
    what it does not pass on. What is beneath it has no public name; other loops' layers, which lack
    this one, are held back themselves.
    """
    while (layer := getattr(transport, "_ssl_protocol", None)) is not None:
        below = getattr(layer, "_transport", None)
        if below is None:  # it is gone already
            break
        transport = below
    return cast("asyncio.ReadTransport", transport)
