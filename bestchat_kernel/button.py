"""The button under an answer that grows, which stops it.

It is there only where somebody can press it, and where it can go without a trace: a saved notebook
looks as if it had never been. A short answer needs none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bestchat_kernel.listening import listening
from bestchat_kernel.screens import CellScreen

if TYPE_CHECKING:
    from ipywidgets.widgets.widget_button import Button

_AFTER_SECONDS = 0.5

_VIEW = "application/vnd.jupyter.widget-view+json"


class AnswerButton:
    """Stands under one answer, from a moment after it was asked for until it ends."""

    def __init__(self, screen: CellScreen, kernel: Any) -> None:  # noqa: ANN401  ipykernel ships no types
        """Stand on a screen, in a kernel."""
        self._screen = screen
        self._kernel = kernel
        self._due = time.monotonic() + _AFTER_SECONDS
        self._button: Button | None = None
        self._press: Callable[[], None] = lambda: None

    @staticmethod
    def possible() -> bool:
        """Whether there are widgets here at all."""
        return find_spec("ipywidgets") is not None

    def tick(self, press: Callable[[], None]) -> None:
        """Show it when it is time, and hear whether it is pressed."""
        self._press = press
        if self._button is None and time.monotonic() >= self._due:
            self._show()
        listening.look(self._kernel)

    def _show(self) -> None:
        from ipywidgets.widgets.widget_button import Button

        button = Button(description="Stop", icon="stop", tooltip="Stop this answer")  # type: ignore[no-untyped-call]  # it has no types
        # Where a front end has subshells, it is heard in the usual way.
        button.on_click(lambda _: self._press())  # type: ignore[no-untyped-call]  # likewise
        listening.begin(button.comm, self._hear)
        self._button = button
        view = {"model_id": button.model_id, "version_major": 2, "version_minor": 0}
        self._screen.put_below({_VIEW: view})

    def _hear(self, data: Mapping[str, Any]) -> None:
        match data:
            case {"content": {"event": "click"}}:
                self._press()

    def close(self) -> None:
        """Take it away."""
        if self._button is None:
            return
        button, self._button = self._button, None
        self._screen.take_away()
        listening.end(button.model_id)
        for part in (button, button.layout, button.style):
            part.close()
