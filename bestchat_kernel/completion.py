"""Completion inside of chat cells: options, their values, and mentions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher
from IPython.core.interactiveshell import InteractiveShell

from bestchat_kernel.elsewhere import Elsewhere
from bestchat_kernel.namespace import variables
from bestchat_kernel.options import FORMS, OPTIONS

_LINE = re.compile(r"\s*(?:%%chat|%chat\s+(?:ask|fix|explain))(?P<rest>\s.*)?", re.DOTALL)
_MENTION = re.compile(
    r"(?:^|\s)@(?P<name>(?:file|url):\S*|conversation:(?:\"[^\"\n]*|[^\s\"]*)|(?:In|Out)\[\d*|\w*)$"
)
_FLAG = re.compile(r"(?:^|\s)(?P<flag>--?[\w-]*)$")
_VALUE = re.compile(r"(?:^|\s)(?P<flag>--?[\w-]+)[=\s]\s*(?P<value>[^\s=]*)$")
_CELLS = 20
"""Cells, and results, of which the last are offered."""
_PATHS = 100
"""Paths that are offered at a time."""
_OF_VARIABLES = {"--image", "--schema", "--out"}


class Completion:
    """Completes what stands in a chat cell of one shell."""

    def __init__(self, shell: InteractiveShell, elsewhere: Elsewhere) -> None:
        """Know the shell's variables, and what there is elsewhere."""
        self._shell = shell
        self._elsewhere = elsewhere

    def mentioned(self, before: str) -> tuple[list[str], str] | None:
        """What could be mentioned at the end of a text, and what is there of it; none if nothing.

        Args:
            before: what is written before the cursor.
        """
        mention = _MENTION.search(before)
        if mention is None:
            return None
        begun = mention["name"]
        if begun.startswith("file:"):
            return _paths(begun), begun
        if begun.startswith("conversation:"):
            names = [_quoted(title) for title in self._elsewhere.titles()]
            # A quote is understood before it is written.
            bare = begun.replace('"', "").lower()
            return [it for it in names if it.replace('"', "").lower().startswith(bare)], begun
        others = ["conversation:", "error", "file:", "url:", *self._cells(begun)]
        return self._names(begun) + _beginning(others, begun), begun

    def _cells(self, begun: str) -> list[str]:
        """Cells and results that can be mentioned; only their names, until one is chosen."""
        if "[" not in begun:
            return ["In[", "Out["]
        numbers = self._shell.user_ns.get("_oh", {})
        if begun.startswith("In["):
            numbers = range(1, self._shell.execution_count)
        return [f"{begun.partition('[')[0]}[{number}]" for number in list(numbers)[-_CELLS:]]

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


def _quoted(title: str) -> str:
    return f'conversation:"{title}"' if " " in title else f"conversation:{title}"


def _paths(begun: str) -> list[str]:
    """Files and folders whose path begins so; such as need no quotes."""
    folder, _, name = begun.removeprefix("file:").rpartition("/")
    try:
        with os.scandir(Path(f"{folder}/" if folder else ".").expanduser()) as found:
            names = [f"{it.name}/" if it.is_dir() else it.name for it in found]
    except (OSError, RuntimeError):
        return []
    head = begun.removesuffix(name)
    shown = [it for it in names if " " not in it and (name or not it.startswith("."))]
    return _beginning([head + it for it in shown], begun)[:_PATHS]


def _beginning(names: Iterable[str], begun: str) -> list[str]:
    return sorted(name for name in names if name.startswith(begun))


_MATCHER = "bestchat_matcher"


def install(shell: InteractiveShell, elsewhere: Elsewhere) -> None:
    """Complete in this shell."""
    uninstall(shell)
    completion = Completion(shell, elsewhere)

    def match(context: CompletionContext) -> dict[str, Any]:
        return completion.match(context)

    marked = context_matcher(identifier=_MATCHER, priority=100)
    shell.Completer.custom_matchers.append(marked(match))


def uninstall(shell: InteractiveShell) -> None:
    """Complete no more."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [it for it in matchers if getattr(it, "matcher_identifier", "") != _MATCHER]
