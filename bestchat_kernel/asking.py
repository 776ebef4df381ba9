"""Asking on the main thread: what the loop thread reports is shown, and interrupts are taken."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal, Protocol

from bestchat_kernel.display import AnswerView, Screen
from bestchat_kernel.failure import ChatInterrupted
from bestchat_kernel.loop import LoopThread
from bestchat_kernel.result import ChatResult
from bestchat_kernel.session import (
    Asked,
    Asks,
    Began,
    Grew,
    Progress,
    Question,
    Restarted,
    Stored,
    Told,
    restarted,
)
from bestchat_kernel.stop import StopButton
from bestchat_kernel.visible import one_line
from bestchat_server_ext.core.errors import ChatError, TurnCancelled
from bestchat_server_ext.core.models import Usage


class Below(Protocol):
    """What stands below an answer while it grows, and may be pressed to stop it."""

    def tick(self, press: Callable[[], None]) -> None:
        """Show it, and hear whether it is pressed; called all the time."""
        ...

    def close(self) -> None:
        """The answer has ended."""
        ...


STOP_SECONDS = 1.0
"""How long an interrupted cell waits for what is kept, before it ends without."""

_PULSE_SECONDS = 0.02

_STOPPED = "Stopped. What had arrived is kept."
_LEFT = "Stopped here. The server did not confirm it in time, so that the turn may go on there."

_CUT = "cut off at the model's limit"


def ask(
    loop: LoopThread,
    session: Asks,
    question: Question,
    screen: Screen,
    below: Below | None = None,
) -> ChatResult:
    """Ask, show the answer while it grows, and give it.

    Args:
        loop: where it is waited for.
        session: whom to ask.
        question: what.
        screen: where to show it.
        below: what stands below it meanwhile, if anything does.

    Raises:
        ChatError: there is no answer.
        ChatInterrupted: somebody pressed Stop.
    """
    news: queue.SimpleQueue[Progress | _Ended] = queue.SimpleQueue()
    view = _Viewer(screen, below, lambda: news.put("pressed"))
    try:
        return _ask(loop, session, question, news, view)
    finally:
        view.close()


def _ask(
    loop: LoopThread,
    session: Asks,
    question: Question,
    news: queue.SimpleQueue[Progress | _Ended],
    view: _Viewer,
) -> ChatResult:
    with StopButton(lambda: news.put("pressed")) as button:
        future = loop.submit(session.ask(question, news.put))
        future.add_done_callback(lambda _: news.put("over"))
        try:
            ended = _pump(news, view)
        except BaseException:  # an alarm of the user's own, for example
            loop.submit(session.stop())
            raise
        if ended != "over":
            # Stop the turn everywhere, and take what is kept of it if that comes soon.
            loop.submit(session.stop())
            ended = _pump(news, view, seconds=STOP_SECONDS)
            view.finish("stopped")
            raise ChatInterrupted(_STOPPED if ended == "over" else _LEFT)
        result = _concluded(future, view)
    if button.pressed:  # at the last moment: the answer is complete, but nothing runs on
        raise ChatInterrupted("Stopped. The answer had arrived.")
    return result


def _concluded(future: Future[ChatResult], view: _Viewer) -> ChatResult:
    """Show how a turn ended."""
    try:
        result = future.result()
    except TurnCancelled:
        view.finish("stopped")
        raise
    except ChatError:
        view.finish("failed")
        raise
    view.answered_by(result.model)
    view.finish(_CUT if result.finish_reason == "length" else "", result.usage)
    return result


_Ended = Literal["over", "pressed", "late"]
"""Why there are no more news to wait for: the turn is over, Stop was pressed, or time is up."""


def _pump(
    news: queue.SimpleQueue[Progress | _Ended], view: _Viewer, seconds: float = float("inf")
) -> _Ended:
    """Show what is reported, until there is no more to wait for."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            progress = news.get(timeout=_PULSE_SECONDS)
        except queue.Empty:
            pass
        else:
            if isinstance(progress, str):
                if progress == "pressed" and seconds < float("inf"):
                    continue  # once more: it is being stopped already
                return progress
            view.take(progress)
        view.tick()
    return "late"


class _Viewer:
    """Turns what is reported into what is shown."""

    def __init__(self, screen: Screen, below: Below | None, press: Callable[[], None]) -> None:
        self._screen = screen
        self._below = below
        self._press = press
        self._view = AnswerView(screen)
        self._model = self._label = ""

    def take(self, progress: Progress) -> None:
        match progress:
            case Began(model=model, label=label):
                self._model, self._label = model, label
            case Grew(text=text):
                self._view.add(text)
            case Stored(text=text):
                self._view.replace(text)
            case Restarted():
                self._screen.note(f"note: {restarted(progress)}")
            case Told(text=text):
                self._screen.note(f"note: {text}")
            case Asked(execution=execution):
                call = f"{execution.call.name} {execution.call.arguments}"
                self._screen.note(f"waiting for approval: {one_line(call)}")

    def answered_by(self, model: str) -> None:
        """Name the model that gave the answer, which need not be the one that was asked."""
        if model != self._model:
            self._model, self._label = model, ""

    def tick(self) -> None:
        self._view.tick()
        if self._below is not None:
            self._below.tick(self._press)

    def close(self) -> None:
        if self._below is not None:
            self._below.close()

    def finish(self, ending: str, usage: Usage | None = None) -> None:
        """Show the end; nothing at all if nothing had begun."""
        if self._view.text or (self._model and not ending):
            self._view.finish(self._model, self._label, usage or Usage(), ending)
