"""UnawaitedThreads: threads for what cannot be stopped, and must not keep a process from ending."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from threading import Lock, Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class UnawaitedThreads(Executor):
    """A few threads that end when there is nothing to do, so that there is nothing to close.

    Those of `ThreadPoolExecutor` are waited for when the interpreter ends, even after `shutdown`:
    a name server that does not answer would hold up the exit of a server or kernel.
    """

    def __init__(self, most: int, name: str) -> None:
        """Begin none yet; later `most` at the same time, with this name."""
        self._most = most
        self._name = name
        self._running = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have something done as soon as a thread is free."""
        future = Future[T]()
        with self._lock:
            if self._running < self._most:
                Thread(target=self._work, name=self._name, daemon=True).start()
                self._running += 1
            self._waiting.append(partial(_do, future, partial(fn, *args, **kwargs)))
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                do = self._waiting.popleft()
            do()


def _do(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return  # nobody waits for it any more
    try:
        found = work()
    except Exception as error:  # noqa: BLE001  it goes to whoever waits
        future.set_exception(error)
    else:
        future.set_result(found)
