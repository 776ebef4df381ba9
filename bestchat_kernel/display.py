"""A streaming answer in a cell.

A display is updated by sending all of it again, so the pause between two updates grows with the
text: at most fifty a second, and never more bytes than Jupyter lets a kernel send.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from bestchat_kernel.markdown import safe_markdown
from bestchat_kernel.visible import one_line, visible
from bestchat_server_ext.core.models import Usage

_SHORTEST_PAUSE = 0.02
_BYTES_PER_SECOND = 600_000
"""Well below the server's own limit of a million, which it shares with everything in the cell."""


class Screen(Protocol):
    """Where a cell shows things."""

    def show(self, bundle: dict[str, str], metadata: dict[str, Any]) -> None:
        """Put a bundle in the place of what was shown before."""
        ...

    def end(self) -> None:
        """The answer is complete: what comes next stands below it."""
        ...

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        ...


class AnswerView:
    """Shows one answer while it grows."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        """Show on a screen."""
        self._screen = screen
        self._clock = clock
        self._pieces: list[str] = []
        self._next = 0.0
        self._dirty = False

    @property
    def text(self) -> str:
        """Everything that has arrived."""
        return "".join(self._pieces)

    def add(self, piece: str) -> None:
        """Take a piece of the answer."""
        self._pieces.append(piece)
        self._dirty = True

    def replace(self, text: str) -> None:
        """Take the answer as it was stored, in place of the pieces."""
        if text != self.text:
            self._pieces, self._dirty = [text], True

    def tick(self) -> None:
        """Show what is new, unless the last time was a moment ago."""
        now = self._clock()
        if self._dirty and now >= self._next:
            size = self._show(self.text, {})
            self._next = now + max(_SHORTEST_PAUSE, size / _BYTES_PER_SECOND)

    def finish(self, model: str, label: str, usage: Usage, ending: str = "") -> None:
        """Show all of it, who wrote it, and how it ended if not well."""
        caption = " · ".join(part for part in (model, label, ending) if part)
        bestchat = {"model": model, "usage": counted(usage)}
        self._show(self.text, {"bestchat": bestchat}, caption)
        self._screen.end()

    def _show(self, text: str, metadata: dict[str, Any], caption: str = "") -> int:
        """Show a text; give the bytes that it takes on its way."""
        bundle = captioned(text, caption)
        self._screen.show(bundle, metadata)
        self._dirty = False
        return sum(len(value.encode("utf-8", "replace")) for value in bundle.values())


def captioned(text: str, caption: str = "", plain: str | None = None) -> dict[str, str]:
    """A Markdown text in the formats that front ends show, with a line below it.

    Args:
        text: what somebody or a model wrote; it is made safe here.
        caption: the line below, if there is one.
        plain: the same for where there is no Markdown, if it is not the text itself.
    """
    text, caption = visible(text), one_line(caption)
    plain = text if plain is None else visible(plain)
    if caption:
        text, plain = text.rstrip("\n"), plain.rstrip("\n")
    return {
        "text/markdown": safe_markdown(text) + (f"\n\n*— {caption}*" if caption else ""),
        "text/plain": plain + (f"\n\n— {caption}" if caption else ""),
    }


def counted(usage: Usage) -> dict[str, int]:
    """Tokens as a cell's metadata have them."""
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
