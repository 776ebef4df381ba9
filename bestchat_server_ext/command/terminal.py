"""Speaking to whoever sits before the terminal, if there is somebody."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias, TypeVar

Topics: TypeAlias = "_SubParsersAction[ArgumentParser]"
"""Where a topic's parser is added."""

Result = TypeVar("Result")

PATIENCE_SECONDS = 1.0
"""After that, a person wants to know that something goes on."""


def say(text: str, end: str = "\n") -> None:
    """Tell what was done, or asked for."""
    print(text, end=end, flush=True)  # noqa: T201  a command's standard output is its answer


def complain(text: str) -> None:
    """Tell what went wrong, or that it takes its time: beside the answer, not in it."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  likewise


def watched() -> bool:
    """Whether somebody reads along."""
    return sys.stdout.isatty()


def patiently(what: str, work: Callable[[], Result]) -> Result:
    """Do something, and say so if it takes more than a moment.

    Whoever interrupts it is told that it goes on to its end: what it did is to be known then.
    """
    with _uninterrupted(), ThreadPoolExecutor(1) as thread:
        future = thread.submit(work)
        if wait([future], PATIENCE_SECONDS).not_done:
            complain(f"{what} …")
        return future.result()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Answer Ctrl-C with a sentence, instead of an exception that may come at any point."""

    def answer(_number: int, _frame: FrameType | None) -> None:
        complain("bestchat: finishing what was begun …")

    before = signal.signal(signal.SIGINT, answer)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def confirmed(question: str) -> bool:
    """Ask whoever sits before the terminal; anything but a yes is a no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
