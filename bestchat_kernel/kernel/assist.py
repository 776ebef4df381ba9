"""Completion, inspection, and whether a cell is complete."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, get_args

from IPython.core.interactiveshell import InteractiveShell

from bestchat_kernel.completion import Completion
from bestchat_kernel.elsewhere import Elsewhere
from bestchat_kernel.kernel.talk import HELP, Talk
from bestchat_kernel.namespace import variables
from bestchat_kernel.replay import Mode
from bestchat_server_ext.core.cost import Grouping

Reply = dict[str, Any]
Ask = Callable[[str, int], Reply]
"""Asks IPython about a text and a place in it."""

_COMMAND = re.compile(r"\s*/(?P<name>[a-z]*)")
_ARGUMENT = re.compile(r"\s*/(?P<name>[a-z]+)[ \t]+(?P<begun>\S*)")
_EXPRESSION = re.compile(r"\{\{\s(?P<source>(?:(?!\}\}).)*)$", re.DOTALL)
_ATTRIBUTE = re.compile(r"(?<![\w@.])(?P<name>[^\W\d]\w*)\.[\w.]*$")
_WORD = re.compile(r"[/\w.]")
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)


class Assist:
    """Helps with what is written in a BestChat kernel."""

    def __init__(self, shell: InteractiveShell, talk: Talk, elsewhere: Elsewhere) -> None:
        """Know what there is to mention and to do."""
        self._shell = shell
        self._talk = talk
        self._mentions = Completion(shell, elsewhere)

    # Completion.

    def complete(self, code: str, place: int, ipython: Ask) -> Reply:
        """What could stand at the cursor, which is `place` characters from the beginning."""
        cell = self._talk.read(code)
        if cell.kind == "python":
            return ipython(_blanked(code, cell.text), place)
        if cell.kind in {"ipython", "code"} or code.lstrip()[:place].startswith("%"):
            return ipython(code, place)
        before = code[:place]
        if (command := _COMMAND.fullmatch(before)) is not None:
            return _offered(self._talk.commands | {"help": ""}, command["name"], place, "command")
        if (argument := _ARGUMENT.fullmatch(before)) is not None:
            return _offered(self._arguments(argument["name"]), argument["begun"], place, "value")
        if (expression := _EXPRESSION.search(before)) is not None:
            return _shifted(ipython, expression["source"], expression.start("source"))
        if (mention := self._mentions.mentioned(before)) is not None:
            names, begun = mention
            return _offered(names, begun, place, "mention")
        if before.isidentifier():  # the first word of a cell: it may become anything
            return ipython(before, place)
        attribute = _ATTRIBUTE.search(before)
        if attribute is not None and attribute["name"] in self._shell.user_ns:
            return _shifted(ipython, attribute[0], attribute.start())
        return _offered((), "", place, "")

    def _arguments(self, command: str) -> Iterable[str]:
        match command:
            case "explain":
                return variables(self._shell)
            case "usage":
                return get_args(Grouping)
            case "replay":
                return get_args(Mode)
            case _:
                return ()

    # Inspection.

    def inspect(self, code: str, place: int, ipython: Ask) -> Reply:
        """What is known about the word at the cursor."""
        cell = self._talk.read(code)
        if cell.kind == "python":
            return ipython(_blanked(code, cell.text), place)
        if cell.kind in {"ipython", "code"}:
            return ipython(code, place)
        word = _word_at(code, place)
        if word.startswith("/"):
            return self._command_told(word[1:])
        return ipython(word, len(word))

    def _command_told(self, name: str) -> Reply:
        what = HELP if name == "help" else self._talk.commands.get(name)
        data = {} if what is None else {"text/plain": f"/{name} {what}"}
        return {"status": "ok", "found": what is not None, "data": data, "metadata": {}}

    # Completeness.

    def is_complete(self, code: str, ipython: Callable[[str], dict[str, str]]) -> dict[str, str]:
        """Whether to run what was typed, or to wait for another line."""
        cell = self._talk.read(code)
        match cell.kind:
            case "python" if not cell.text.strip() and not code.endswith("\n\n"):
                return {"status": "incomplete", "indent": ""}
            case "python":
                return ipython(cell.text)
            case "ipython":
                return ipython(code)
            case "message" if cell.text is not code and not cell.text.strip():
                return {"status": "incomplete", "indent": ""}
            case "message" | "again" if len(_FENCE.findall(cell.text)) % 2:
                return {"status": "incomplete", "indent": ""}
            case _:
                return {"status": "complete"}


def _blanked(code: str, python: str) -> str:
    """The cell with its first words blank, so that every place in it stays what it is."""
    head = code[: len(code) - len(python)]
    return re.sub(r"\S", " ", head) + python


def _word_at(code: str, place: int) -> str:
    start = end = min(place, len(code))
    while start > 0 and _WORD.match(code[start - 1]):
        start -= 1
    while end < len(code) and _WORD.match(code[end]):
        end += 1
    return code[start:end].strip(".")


def _offered(names: Iterable[str], begun: str, place: int, kind: str) -> Reply:
    start = place - len(begun)
    matches = sorted(name for name in names if name.startswith(begun))
    types = [{"start": start, "end": place, "text": name, "type": kind} for name in matches]
    return {
        "status": "ok",
        "matches": matches,
        "cursor_start": start,
        "cursor_end": place,
        "metadata": {"_jupyter_types_experimental": types},
    }


def _shifted(ipython: Ask, source: str, offset: int) -> Reply:
    """What IPython completes in a piece of a cell, told in places of the whole cell."""
    found = ipython(source, len(source))
    found["cursor_start"] += offset
    found["cursor_end"] += offset
    for item in found["metadata"].get("_jupyter_types_experimental", ()):
        item["start"] += offset
        item["end"] += offset
    return found
