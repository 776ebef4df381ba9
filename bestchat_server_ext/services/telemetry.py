"""Telling those who observe: once for all of them, and from turns without many words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bestchat_server_ext.core.conversation import Turn
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.telemetry import (
    CANCELLED,
    Fact,
    FirstDelta,
    StepBegan,
    StepEnded,
    Telemetry,
    ToolBegan,
    ToolEnded,
    TurnBegan,
    TurnEnded,
    TurnLeft,
)

_log = logging.getLogger(__name__)


class FanOut:
    """Tells everybody. Whoever fails harms neither the others nor the turn, and is named once."""

    def __init__(self, observers: Sequence[Telemetry] = ()) -> None:
        """Tell these; nobody, if there are none."""
        self._observers = observers
        self._blamed: set[type] = set()

    def notice(self, fact: Fact) -> None:
        """Pass a fact on."""
        for observer in self._observers:
            try:
                observer.notice(fact)
            except Exception as error:  # noqa: BLE001  observing must not change what is observed
                self._blame(observer, error)

    async def close(self) -> None:
        """Let all of them go."""
        for observer in self._observers:
            try:
                await observer.close()
            except Exception as error:  # noqa: BLE001  the others are to be closed too
                self._blame(observer, error)

    def _blame(self, observer: Telemetry, error: Exception) -> None:
        if type(observer) not in self._blamed:
            self._blamed.add(type(observer))
            name = type(observer).__name__
            _log.warning(
                "BestChat: %s failed, perhaps not for the last time: %s", name, origin(error)
            )


class StepWatch:
    """What the task that asks a model has to say about it."""

    def __init__(self, first_delta: Callable[[], None]) -> None:
        """`first_delta` is to be called when the first piece is published."""
        self.first_delta = first_delta
        self.heard = False
        """Whether its first piece was told of."""
        self.reply = Reply()
        """What the model gave."""
        self.error = ""
        """The code of what went wrong."""


class ToolWatch:
    """What the task that runs a tool has to say about it."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.error = ""
        """`TOOL_FAILED` where the result tells of a failure."""


class TurnWatch:
    """Tells of one turn while this process runs it."""

    def __init__(self, telemetry: Telemetry, clock: Clock, turn: Turn, provider: str) -> None:
        """Tell `telemetry` of a turn; `provider` is who answers, by a name of ours."""
        self._telemetry = telemetry
        self._clock = clock
        self._conversation_id, self._turn_id = turn.conversation_id, turn.id
        self._provider, self._model = provider, turn.model
        self._first_delta: float | None = None
        self._ended: TurnEnded | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """This process runs the turn."""
        where = self._conversation_id, self._turn_id
        self._telemetry.notice(TurnBegan(*where, self._provider, self._model))
        try:
            yield
        finally:
            self._telemetry.notice(self._ended or TurnLeft(*where))

    def end(self, turn: Turn, tools: int) -> None:
        """The turn has ended. It is told after the ends of all that it had begun."""
        self._ended = TurnEnded(
            self._conversation_id,
            self._turn_id,
            self._provider,
            self._model,
            state=turn.state,
            steps=turn.step,
            tools=tools,
            usage=turn.usage,
            seconds=((turn.ended_at or self._clock.now()) - turn.started_at).total_seconds(),
            first_delta_seconds=self._first_delta,
            error=turn.error.code if turn.error is not None else "",
        )

    @contextmanager
    def step(self, step: int) -> Iterator[StepWatch]:
        """A model is being asked."""
        who = self._turn_id, step, self._provider
        self._telemetry.notice(StepBegan(*who, self._conversation_id, self._model))
        began = self._clock.monotonic()

        def first_delta() -> None:
            if watch.heard:  # an attempt after the first one that was heard of
                return
            watch.heard = True
            seconds = self._clock.monotonic() - began
            if self._first_delta is None:
                self._first_delta = seconds
            self._telemetry.notice(FirstDelta(*who, seconds))

        watch = StepWatch(first_delta)
        try:
            yield watch
        except asyncio.CancelledError:
            watch.error = CANCELLED
            raise
        finally:
            seconds, reply = self._clock.monotonic() - began, watch.reply
            self._telemetry.notice(
                StepEnded(*who, seconds, reply.usage, reply.finish_reason, watch.error)
            )

    @contextmanager
    def tool(self, execution: ToolExecution) -> Iterator[ToolWatch]:
        """A tool is running."""
        who = self._turn_id, execution.id, execution.call.name
        self._telemetry.notice(ToolBegan(*who, execution.call.id))
        began, watch = self._clock.monotonic(), ToolWatch()
        try:
            yield watch
        except asyncio.CancelledError:
            watch.error = CANCELLED
            raise
        finally:
            seconds = self._clock.monotonic() - began
            self._telemetry.notice(ToolEnded(*who, seconds, watch.error))
