"""The one thread that owns client or services for the life of the process.

The main thread of a kernel only displays and takes interrupts; everything that waits happens
here, on one event loop.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Value = TypeVar("Value")

_log = logging.getLogger(__name__)

_CLOSE_SECONDS = 5.0


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="bestchat", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def submit(self, work: Coroutine[Any, Any, Value]) -> Future[Value]:
        """Begin some work over there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Have some work done over there, and wait for it."""
        return self.submit(work).result()

    def close_with(self, work: Coroutine[Any, Any, None]) -> None:
        """Do some last work, then stop. A process that ends does not wait for long."""
        try:
            self.submit(work).result(_CLOSE_SECONDS)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSE_SECONDS)


_shared: LoopThread | None = None
_starting = threading.Lock()


def loop_thread() -> LoopThread:
    """The loop of this process, started on first use."""
    global _shared  # noqa: PLW0603  there is one per process, and no earlier moment to make it
    with _starting:
        if _shared is None:
            _shared = LoopThread()
        return _shared


def at_exit(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Register the work that closes client or services when the process ends.

    It has to run before the executors of `concurrent.futures` stop, and `atexit` comes after
    them. `threading` knows the right moment, in all versions of CPython that we support, though
    under a private name; elsewhere `atexit` has to do.
    """
    importlib.import_module("concurrent.futures.thread")  # whose own end is registered before ours
    register = getattr(threading, "_register_atexit", atexit.register)
    register(lambda: _close(work))


def _close(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        loop_thread().close_with(work())
    except Exception as error:  # noqa: BLE001  nothing may stand in the way of a process's end
        _log.warning("BestChat did not close cleanly: %s", type(error).__name__)
