"""Work that is done once for all who want it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Together(Generic[Result]):
    """Callers get the result of what is under way; where nothing is, it begins."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, Result]], name: str) -> None:
        """Remember the work; `name` is that of its task."""
        self._work = work
        self._name = name
        self._task: asyncio.Task[Result] | None = None

    async def __call__(self) -> Result:
        """Give the result, or raise what the work raises.

        A caller who is cancelled leaves it to go on: others may be waiting for it too.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=self._name)
            self._task.add_done_callback(self._end)
        return await asyncio.shield(self._task)

    def _end(self, task: asyncio.Task[Result]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # seen, even if nobody has waited for it to the end

    async def over(self) -> None:
        """Wait until nothing is under way, however it ends."""
        if self._task is not None:
            await asyncio.wait([self._task])
