"""Conversations as files: JSON that has everything, Markdown to read, a notebook to run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.fences import segments
from bestchat_server_ext.core.ids import MessageId
from bestchat_server_ext.core.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

KIND = "bestchat.conversation"
"""What such files say that they are."""

_PYTHON = frozenset({"python", "py", "python3", "ipython", "ipython3", "pycon"})
_NAME_LENGTH = 60


class Archive(msgspec.Struct, frozen=True):
    """A whole conversation, as a JSON file holds it."""

    exported_at: datetime
    """When it was written, UTC."""
    state: ConversationState
    """All of it, every branch included."""
    kind: Literal["bestchat.conversation"] = "bestchat.conversation"
    """Tells such files from others."""
    version: int = 1
    """Of this layout; grows when an older reader could not read it."""


def to_json(state: ConversationState, at: datetime) -> str:
    """Everything there is of a conversation."""
    encoded = msgspec.json.encode(Archive(at, state))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def to_markdown(state: ConversationState, leaf: MessageId | None) -> str:
    """One branch, to be read: who said what, and which tools were used."""
    blocks = [f"# {_one_line(_title(state))}"]
    for message in state.branch(leaf):
        if message.role != "tool":
            blocks.append(f"## {_speaker(message)}")
        blocks += filter(None, map(_markdown, message.parts))
    return "\n\n".join(blocks) + "\n"


def to_notebook(state: ConversationState, leaf: MessageId | None) -> str:
    """One branch as a notebook (nbformat 4.5): prose in Markdown cells, Python in code cells."""
    cells = [_cell("title", "markdown", f"# {_one_line(_title(state))}")]
    for message in state.branch(leaf):
        for number, (kind, source) in enumerate(_cells(message)):
            cells.append(_cell(f"{message.id[-12:]}-{number}", kind, source))
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return msgspec.json.format(msgspec.json.encode(notebook), indent=1).decode() + "\n"


def file_name(state: ConversationState, ending: str) -> str:
    """What to call a file: the title as far as every file system takes it."""
    words = re.findall(r"\w+", _title(state))
    return ("-".join(words)[:_NAME_LENGTH].strip("-") or "conversation") + ending


def _title(state: ConversationState) -> str:
    return state.conversation.title or "Conversation"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _speaker(message: Message) -> str:
    if message.role == "user":
        return "You"
    cut = " (broke off)" if message.partial else ""
    return f"{message.model or 'Model'}{cut}"


def _markdown(part: Part) -> str:
    match part:
        case TextPart(text=text):
            return text.strip("\n")
        case ImagePart(media_type=media_type):
            return f"*An image ({media_type}).*"
        case FilePart(name=name):
            return f"*The file {_coded(name)}.*"
        case ReasoningPart():
            return ""
        case ToolCallPart(call=call):
            return f"Called `{call.name}`:\n\n{_fenced(call.arguments, 'json')}"
        case ToolResultPart(name=name, result=result):
            said = "failed" if result.is_error else "gave"
            return f"`{name}` {said}:\n\n{_fenced(result.content)}"


def _coded(name: str) -> str:
    """A name that somebody else chose, so that nothing in it is Markdown."""
    shown = _one_line(name.replace("`", "'"))
    return f"`{shown}`"


def _fenced(text: str, language: str = "") -> str:
    """A block with fences that nothing in it can be taken for."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _cells(message: Message) -> Iterator[tuple[str, str]]:
    if message.role != "assistant":
        said = "\n\n".join(filter(None, map(_markdown, message.parts)))
        if message.role == "user":
            yield "markdown", f"**You:** {said}"
        elif said:
            yield "markdown", said
        return
    for part in message.parts:
        if isinstance(part, TextPart):
            yield from _answer_cells(part.text)
        elif said := _markdown(part):
            yield "markdown", said


def _answer_cells(text: str) -> Iterator[tuple[str, str]]:
    for segment in segments(text):
        if not segment.text.strip():
            continue
        if segment.language is None:
            yield "markdown", segment.text.strip("\n")
        elif segment.language in _PYTHON:
            yield "code", segment.text
        else:
            yield "markdown", _fenced(segment.text, segment.language)


def _cell(key: str, kind: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": key, "metadata": {}, "source": _lines(source)}
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell


def _lines(source: str) -> Sequence[str]:
    return source.splitlines(keepends=True)
