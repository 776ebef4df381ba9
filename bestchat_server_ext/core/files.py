"""Attached files: what is known of one, and what a model gets to read of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

import msgspec

from bestchat_server_ext.core.ids import ConversationId, FileId
from bestchat_server_ext.core.messages import FilePart

TEXT_BUDGET = 50_000
"""Characters of the files of one message that a model gets to read: about 12,000 tokens."""
SMALLEST_BUDGET = 2_000
"""Likewise for a model with the smallest of windows."""
MOST_TEXT = 400_000
"""Characters that are kept of what a file says."""
LONGEST_NAME = 200
"""Characters of a file's name."""

FileState = Literal["expected", "receiving", "stored"]
"""How far its bytes have come."""

TextState = Literal["pending", "ready", "none"]
"""Whether it is still to be read; whether there is text in it that can be."""


class FileUpload(msgspec.Struct, frozen=True):
    """A file that was, or is about to be, uploaded."""

    id: FileId
    """Names it; its bytes are at `files/<id>`."""
    conversation_id: ConversationId
    """The conversation it belongs to. It goes when that goes."""
    name: str
    """What it is called."""
    size: int
    """Its bytes."""
    created_at: datetime
    """When it was announced, UTC."""
    media_type: str = ""
    """What it is, by its content; empty until it is there."""
    state: FileState = "expected"
    """How far its bytes have come."""
    text: TextState = "pending"
    """Whether what it says is known already: text is read in the background."""
    note: str = ""
    """What to know about its text, for example that it is cut, or why there is none."""
    attached: bool = False
    """Whether a message has it. One that no message has is removed after some days."""

    @property
    def part(self) -> FilePart:
        """It as a part of a message."""
        return FilePart(self.id, self.name, self.media_type, self.size)


class FileText(msgspec.Struct, frozen=True):
    """What a file says."""

    text: str = ""
    """Its text, or a summary of it; empty where there is none."""
    note: str = ""
    """What to know about it."""


def clean_name(name: str) -> str:
    """A file's name without folders, and without what would steer whoever shows it."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(character for character in last if character.isprintable()).strip(" .")
    if len(shown) > LONGEST_NAME:
        suffix = PurePosixPath(shown).suffix[:20]
        shown = shown[: LONGEST_NAME - len(suffix)] + suffix
    return shown or "file"


def text_budget(window: int | None, files: int) -> int:
    """Characters that each of some files of one message may have.

    A quarter of the model's window for all of them together: four characters are a token.
    """
    most = TEXT_BUDGET if window is None else min(TEXT_BUDGET, max(SMALLEST_BUDGET, window))
    return most // max(1, files)


def as_text(part: FilePart, said: FileText, budget: int) -> str:
    """What a model reads of a file, in the form in which all that is attached goes along."""
    shown, name = said.text, part.name.replace("`", "'")
    if len(shown) > budget:
        shown = f"{shown[:budget]}\n… [cut here: {budget:,} of {len(said.text):,} characters]"
    if not shown:
        why = said.note or f"{part.media_type}, {part.size:,} bytes"
        return f"\n\n---\nAttached file `{name}`, which cannot be read as text: {why}"
    about = f" ({said.note})" if said.note else ""
    fence = _fence(shown)
    return f"\n\n---\nAttached file `{name}`{about}:\n{fence}text\n{shown}\n{fence}"


def missing(part: FilePart) -> str:
    """What a model reads of a file that is gone."""
    name = part.name.replace("`", "'")
    return f"\n\n---\nAttached file `{name}`: it is not there any more."


def _fence(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return fence
