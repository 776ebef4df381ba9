"""The last cell that failed, for `%chat fix`: as text, so that nothing of it is kept alive."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from bestchat_kernel.failure import ChatFailed

_LONGEST = 8000
"""Characters of a traceback that are sent: its end, where the error is."""


@dataclass(frozen=True)
class Failure:
    """A cell that failed.

    Attributes:
        source: the cell, as it was written.
        told: the traceback, without IPython's own frames.
    """

    source: str
    told: str


class Failures:
    """Remembers the last failure of a shell."""

    def __init__(
        self, shell: InteractiveShell, is_chat: Callable[[str], bool] = lambda _: False
    ) -> None:
        """Listen to a shell; `is_chat` says which cells are chats beside those of the magics."""
        self._shell = shell
        self._is_chat = is_chat
        self.last: Failure | None = None
        """The last one; none if there was none yet."""
        self.ran = ""
        """The cell that ran last, other than a chat."""

    def heard(self, result: Any) -> None:  # noqa: ANN401  IPython's, which has no types
        """Take the end of a cell, as IPython's event `post_run_cell` tells it."""
        source = getattr(result.info, "raw_cell", None) or ""
        if source.lstrip().startswith(("%chat", "%%chat")) or self._is_chat(source):
            return
        self.ran = source
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, Exception) and not isinstance(error, ChatFailed):
            self.last = Failure(source, _told(error))

    def names(self, source: str) -> tuple[str, ...]:
        """The names that a cell uses, each once, in order; none if it is no Python."""
        try:
            code: str = self._shell.transform_cell(source)  # type: ignore[no-untyped-call]  # IPython's own
            tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError):
            return ()
        used = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
        ordered = sorted(used, key=lambda node: (node.lineno, node.col_offset))
        return tuple(dict.fromkeys(node.id for node in ordered))


def _told(error: Exception) -> str:
    frames = error.__traceback__
    while frames is not None and _is_ipythons(frames):
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    text = "".join(lines).rstrip()
    return text if len(text) <= _LONGEST else f"…\n{text[-_LONGEST:]}"


def _is_ipythons(frame: TracebackType) -> bool:
    module: Mapping[str, object] = frame.tb_frame.f_globals
    return str(module.get("__name__", "")).startswith("IPython.")
