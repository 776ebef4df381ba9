"""Completion inside of chat cells: options, their values, and mentions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher
from IPython.core.interactiveshell import InteractiveShell

from bestchat_kernel.namespace import variables
from bestchat_kernel.options import FORMS, OPTIONS

_LINE = re.compile(r"\s*(?:%%chat|%chat\s+(?:ask|fix|explain))(?P<rest>\s.*)?", re.DOTALL)
_MENTION = re.compile(r"(?:^|\s)@(?P<name>\w*)$")
_FLAG = re.compile(r"(?:^|\s)(?P<flag>--?[\w-]*)$")
_VALUE = re.compile(r"(?:^|\s)(?P<flag>--?[\w-]+)[=\s]\s*(?P<value>[^\s=]*)$")
_OF_VARIABLES = {"--image", "--schema", "--out"}


class Completion:
    """Completes what stands in a chat cell of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Know the shell's variables."""
        self._shell = shell

    def mentioned(self, before: str) -> tuple[list[str], str] | None:
        """What could be mentioned at the end of a text, and what is there of it; none if nothing.

        Args:
            before: what is written before the cursor.
        """
        mention = _MENTION.search(before)
        return None if mention is None else (self._names(mention["name"]), mention["name"])

    def candidates(self, cell: str, line: int, column: int) -> tuple[list[str], int] | None:
        """What could stand at the cursor, and how much of it is there; none outside of chats.

        Args:
            cell: the whole cell.
            line: the cursor's line, from 0.
            column: the cursor's place in it, from 0.
        """
        lines = cell.split("\n")
        begun = next((at for at, text in enumerate(lines) if text.strip()), 0)
        cell_magic = lines[begun].lstrip().startswith("%%chat")
        at = begun if cell_magic else line
        head = _LINE.match(lines[at] if at != line else lines[at][:column])
        if head is None:
            return None
        before = (head["rest"] or "") if at == line else lines[line][:column]
        if (mention := self.mentioned(before)) is not None:
            return mention[0], len(mention[1])
        if at != line:
            return [], 0
        if (value := _VALUE.search(before)) is not None and not value["value"].startswith("-"):
            return self._values(value["flag"], value["value"]), len(value["value"])
        if (flag := _FLAG.search(before)) is not None:
            flags = [spelled for option in OPTIONS for spelled in option.flags]
            return _beginning(flags, flag["flag"]), len(flag["flag"])
        return [], 0

    def _names(self, begun: str) -> list[str]:
        return _beginning(variables(self._shell), begun)

    def _values(self, flag: str, begun: str) -> list[str]:
        if flag in _OF_VARIABLES:
            return self._names(begun)
        return _beginning(FORMS, begun) if flag == "--as" else []

    def match(self, context: CompletionContext) -> dict[str, Any]:
        """What IPython's completer is told."""
        found = self.candidates(context.full_text, context.cursor_line, context.cursor_position)
        if found is None:
            return {"completions": [], "suppress": False}
        names, length = found
        written = context.text_until_cursor
        return {
            "completions": [SimpleCompletion(text=name, type="chat") for name in names],
            "matched_fragment": written[len(written) - length :],
            # Where a name or an option may stand, nothing else has anything to say.
            "suppress": True,
            "ordered": True,
        }


def _beginning(names: Iterable[str], begun: str) -> list[str]:
    return sorted(name for name in names if name.startswith(begun))


_MATCHER = "bestchat_matcher"


def install(shell: InteractiveShell) -> None:
    """Complete in this shell."""
    uninstall(shell)
    completion = Completion(shell)

    def match(context: CompletionContext) -> dict[str, Any]:
        return completion.match(context)

    marked = context_matcher(identifier=_MATCHER, priority=100)
    shell.Completer.custom_matchers.append(marked(match))


def uninstall(shell: InteractiveShell) -> None:
    """Complete no more."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [it for it in matchers if getattr(it, "matcher_identifier", "") != _MATCHER]
