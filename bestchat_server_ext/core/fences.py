"""Fenced code blocks: what of a Markdown text is code, as a person would see it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_LINE_END = re.compile(r"\r\n?|\n")
_OPENING = re.compile(
    r"(?P<lead>[ \t]*(?:(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]))[ \t]*)*)"
    r"(?P<marks>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)"
)


class Segment(msgspec.Struct, frozen=True):
    """A piece of a text: prose, or the body of one code block."""

    text: str
    """The piece, without fences; without the indentation of the lists and the marks of the
    quotations that a block stands in."""
    language: str | None = None
    """What the block says it is, in lower case, or nothing; none for prose."""


def segments(text: str) -> Iterator[Segment]:
    """Cut a text at its fences. A block that broke off counts as well."""
    opening: re.Match[str] | None = None
    body: list[str] = []
    for line in _LINE_END.split(text):
        if opening is None:
            opening = _OPENING.fullmatch(line)
            if opening is None:
                body.append(line)
                continue
            yield Segment("\n".join(body))
            body = []
            continue
        inside = _inside(line, opening["lead"])
        if _closes(inside, opening["marks"]):
            yield Segment("\n".join(body), _language(opening))
            opening, body = None, []
        else:
            body.append(inside)
    if opening is None:
        yield Segment("\n".join(body))
    elif body:
        yield Segment("\n".join(body), _language(opening))


def _language(opening: re.Match[str]) -> str:
    words: list[str] = opening["info"].split()
    return words[0].lower() if words else ""


def _inside(line: str, lead: str) -> str:
    """A line without what stands before its block: white space, and marks of quotations."""
    before = " \t>" if ">" in lead else " \t"
    stripped = line.lstrip(before)
    return line[min(len(lead), len(line) - len(stripped)) :]


def _closes(line: str, marks: str) -> bool:
    bare = line.strip(" \t")
    return bare.startswith(marks) and not bare.strip(marks[0]) and not line.startswith("    ")
