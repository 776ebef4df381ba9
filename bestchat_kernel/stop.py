"""The Stop button, while a cell waits.

An interrupt usually raises wherever the main thread happens to be, and people press twice: the
second one would disturb what the first one does, or even the kernel's reply to the cell, without
which front ends wait for ever. So the first press is only heard here, and those that follow until
the cell is over are not heard at all.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

DEAF_SECONDS = 0.5
"""How long after a cell was stopped further presses are taken to have been meant for it."""


class StopButton:
    """Hears the first interrupt of a `with` block, without an exception.

    Attributes:
        pressed: whether there was one.
        before: who heard interrupts before, and will again.
    """

    def __init__(
        self, press: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Call `press` at the first interrupt; it runs in a signal handler."""
        self._press = press
        self._clock = clock
        self._until = float("inf")
        self.pressed = False
        self.before: Callable[[int, FrameType | None], Any] | None = None

    def __enter__(self) -> Self:
        before = signal.getsignal(signal.SIGINT)
        if isinstance(before, StopButton):
            before = before.before
        # Other threads are not interrupted; and where interrupts are ignored, they stay so.
        if threading.current_thread() is threading.main_thread() and callable(before):
            self.before = before
            signal.signal(signal.SIGINT, self)
        return self

    def __exit__(self, *_: object) -> None:
        if self.pressed:
            self._until = self._clock() + DEAF_SECONDS
        elif self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal, as Python calls its handlers."""
        if not self.pressed:
            self.pressed = True
            self._press()
        elif self._clock() >= self._until and self.before is not None:
            signal.signal(signal.SIGINT, self.before)
            self.before(number, frame)
