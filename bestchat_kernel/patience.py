"""Work that other people's code does, and that may take for ever: a time box around it."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

Value = TypeVar("Value")


class TooLong(BaseException):
    """Raised in the middle of work that has outlived its box, so that it ends."""


def within(seconds: float, work: Callable[[], Value], late: Value) -> Value:
    """What some work gives, or `late` if that takes too long.

    The work is done in a thread of its own, which is left behind: a call that sleeps or computes
    in C cannot be ended from outside. One that runs Python is.

    Raises:
        BaseException: whatever the work raises in time.
    """
    done: list[Value] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except TooLong:
            pass
        except BaseException as error:  # noqa: BLE001  it is raised again where it is waited for
            failed.append(error)

    # A copy of the context: what a user has set, as numpy's way of printing, holds over there.
    thread = threading.Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if done:
        return done[0]
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(TooLong)
        )
    return late
