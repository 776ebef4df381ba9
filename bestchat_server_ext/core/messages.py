"""Messages: what a role said, in parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.ids import ExecutionId, FileId, MessageId, TurnId
from bestchat_server_ext.core.models import FinishReason, Usage
from bestchat_server_ext.core.tools import ToolCall, ToolResult

Role = Literal["user", "assistant", "tool"]

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Media types of pictures: those that the providers' formats have in common."""


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """Plain text, usually Markdown."""

    text: str
    """The text itself."""


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    """A picture that goes along with a text."""

    media_type: str
    """Its format, for example `image/png`."""
    data: bytes
    """The file's bytes; base64 in JSON."""


class FilePart(msgspec.Struct, frozen=True, tag="file"):
    """An uploaded file that goes along with a text: its name here, its bytes elsewhere."""

    file_id: FileId
    """Where its bytes are."""
    name: str
    """What it is called."""
    media_type: str
    """What it is, by its content, for example `text/csv`."""
    size: int
    """Its bytes."""


class ReasoningPart(msgspec.Struct, frozen=True, tag="reasoning", omit_defaults=True):
    """What a model thought before it spoke."""

    text: str
    """The thoughts, as far as the provider shows them."""
    signature: str = ""
    """The provider's seal: it takes the thoughts back only as they were, and only with this."""
    redacted: bool = False
    """Whether the provider hides them: `signature` is then the thoughts, in its own cipher."""


class ToolCallPart(msgspec.Struct, frozen=True, tag="tool_call"):
    """A tool that the model asks for."""

    call: ToolCall
    """What it asks for."""
    execution_id: ExecutionId
    """Where to follow what comes of it."""


class ToolResultPart(msgspec.Struct, frozen=True, tag="tool_result"):
    """What came of a tool call."""

    call_id: str
    """The `ToolCall.id` that it answers."""
    name: str
    """The tool that ran."""
    result: ToolResult
    """What it brought."""


Part = TextPart | ImagePart | FilePart | ReasoningPart | ToolCallPart | ToolResultPart


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One node in the tree of a conversation."""

    id: MessageId
    """Names it."""
    parent_id: MessageId | None
    """The message it answers or follows; none for the first of a branch."""
    role: Role
    """Who speaks."""
    parts: tuple[Part, ...]
    """What was said, in order."""
    created_at: datetime
    """When it was complete, UTC."""
    turn_id: TurnId
    """The turn it belongs to."""
    step: int = 0
    """The step of that turn, from 1; 0 for the user's message."""
    model: str | None = None
    """The model that wrote it, as a model reference."""
    usage: Usage | None = None
    """What it cost in tokens, where the provider said so."""
    finish_reason: FinishReason | None = None
    """Why the model stopped."""
    partial: bool = False
    """Whether it was cut short: by Stop, by a failure, or by the end of a process."""
    pinned: bool = False
    """Whether somebody pinned it: it is kept in view, and in every request."""

    @property
    def text(self) -> str:
        """All text parts, joined; reasoning and tools are left out."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


def require_pictures(parts: Sequence[Part]) -> None:
    """Refuse pictures of a kind that models do not look at.

    Raises:
        InvalidRequest: one of them is.
    """
    for number, part in enumerate(parts):
        if isinstance(part, ImagePart) and part.media_type not in PICTURES:
            raise InvalidRequest(
                f"{part.media_type[:40]!r} is no kind of picture that models look at.",
                hint=f"Send one of {', '.join(sorted(PICTURES))}.",
                field=f"images[{number}].media_type",
            )
