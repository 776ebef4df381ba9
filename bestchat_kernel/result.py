"""What a cell leaves behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bestchat_kernel.markdown import safe_markdown
from bestchat_kernel.visible import visible
from bestchat_server_ext.core.models import Usage

_LINE_END = re.compile(r"\r\n?|\n")
_OPENING = re.compile(
    r"(?P<lead>[ \t]*(?:(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]))[ \t]*)*)"
    r"(?P<marks>`{3,}(?=[^`]*$)|~{3,}).*"
)


@dataclass(frozen=True)
class ChatResult:
    """One answer.

    Attributes:
        text: the answer, as the model wrote it.
        model: the model that wrote it, as a model reference.
        usage: tokens of the whole turn, as the provider counted them.
        conversation_id: where it was said.
        turn_id: the turn that brought it.
        finish_reason: why the model stopped: `stop`, or `length` where its limit cut it off.
        code: the bodies of the fenced code blocks in it.
    """

    text: str
    model: str
    usage: Usage
    conversation_id: str
    turn_id: str
    finish_reason: str = "unknown"

    @property
    def code(self) -> list[str]:
        """The bodies of the answer's fenced code blocks, in order.

        Without the indentation of the lists and the marks of the quotations that they stand in.
        One that broke off counts as well.
        """
        return list(_blocks(self.text))

    def _repr_markdown_(self) -> str:
        """How a notebook shows it."""
        return safe_markdown(visible(self.text))

    def __str__(self) -> str:
        """The answer."""
        return self.text


def _blocks(text: str) -> Iterator[str]:
    opening: re.Match[str] | None = None
    body: list[str] = []
    for line in _LINE_END.split(text):
        if opening is None:
            opening, body = _OPENING.fullmatch(line), []
            continue
        inside = _inside(line, opening["lead"])
        if _closes(inside, opening["marks"]):
            yield "\n".join(body)
            opening = None
        else:
            body.append(inside)
    if opening is not None and body:
        yield "\n".join(body)


def _inside(line: str, lead: str) -> str:
    """A line without what stands before its block: white space, and marks of quotations."""
    before = " \t>" if ">" in lead else " \t"
    stripped = line.lstrip(before)
    return line[min(len(lead), len(line) - len(stripped)) :]


def _closes(line: str, marks: str) -> bool:
    bare = line.strip(" \t")
    return bare.startswith(marks) and not bare.strip(marks[0]) and not line.startswith("    ")
