"""A model's reply while it arrives: chunks in, parts and numbered pieces out."""

from __future__ import annotations

from typing import Literal

import msgspec

from bestchat_server_ext.core.errors import ProviderError
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    FinishReason,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.tools import ToolCall

MOST_CHARACTERS = 2_000_000
"""Characters that one step may bring, arguments included: beyond any model's output limit."""

MOST_CALLS = 128
"""Tool calls that one step may ask for."""

PartKind = Literal["text", "reasoning"]


class ReplyPart(msgspec.Struct, frozen=True):
    """One finished stretch of text or reasoning."""

    kind: PartKind
    text: str


class Reply(msgspec.Struct, frozen=True):
    """Everything one step brought, as far as it came."""

    parts: tuple[ReplyPart, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    finish_reason: FinishReason | None = None


class Growth(msgspec.Struct, frozen=True):
    """What became visible by one chunk: piece `n` of part `part`."""

    part: int
    kind: PartKind
    n: int
    text: str


class _GrowingPart(msgspec.Struct):
    kind: PartKind
    pieces: list[str]


class _GrowingCall(msgspec.Struct):
    id: str = ""
    name: str = ""
    arguments: list[str] = []


class ReplyBuilder:
    """Gathers the chunks of one step.

    Text and reasoning become parts in the order in which they first came; a change of kind
    begins a new part. Pieces are kept apart, so that a reader who has seen some of them can be
    given exactly the rest.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._parts: list[_GrowingPart] = []
        self._calls: dict[int, _GrowingCall] = {}
        self._usage = Usage()
        self._finish_reason: FinishReason | None = None
        self._characters = 0

    def add(self, chunk: Chunk) -> Growth | None:
        """Take one chunk; say what of it a reader can see.

        Raises:
            ProviderError: the reply is longer than any model's can be.
        """
        self._weigh(chunk)
        match chunk:
            case TextChunk(text) | ReasoningChunk(text):
                kind: PartKind = "text" if isinstance(chunk, TextChunk) else "reasoning"
                return self._grow(kind, text)
            case ToolCallChunk():
                call = self._calls.setdefault(chunk.index, _GrowingCall())
                call.id = call.id or chunk.id
                call.name += chunk.name
                call.arguments.append(chunk.arguments)
            case UsageChunk(usage):
                self._usage = usage
            case FinishChunk(reason):
                self._finish_reason = reason
        return None

    def _weigh(self, chunk: Chunk) -> None:
        match chunk:
            case TextChunk(text) | ReasoningChunk(text):
                self._characters += len(text)
            case ToolCallChunk():
                self._characters += len(chunk.name) + len(chunk.arguments)
            case _:
                return
        if self._characters > MOST_CHARACTERS or len(self._calls) > MOST_CALLS:
            raise ProviderError(
                "The provider's answer does not end.", hint="Check the model, and try again."
            )

    def _grow(self, kind: PartKind, text: str) -> Growth | None:
        if not text:
            return None
        if not self._parts or self._parts[-1].kind != kind:
            self._parts.append(_GrowingPart(kind, []))
        pieces = self._parts[-1].pieces
        pieces.append(text)
        return Growth(len(self._parts) - 1, kind, len(pieces), text)

    def pieces_after(self, part: int, n: int) -> list[tuple[int, PartKind, int, int, str]]:
        """Everything beyond piece `n` of part `part`: (part, kind, first, last, text) per part."""
        behind = []
        for index, growing in enumerate(self._parts):
            seen = 0 if index > part else n if index == part else len(growing.pieces)
            if rest := growing.pieces[seen:]:
                last = len(growing.pieces)
                behind.append((index, growing.kind, seen + 1, last, "".join(rest)))
        return behind

    def _whole_calls(self) -> tuple[ToolCall, ...]:
        """The calls, each with an id of its own: some servers send none, or one for all."""
        calls: dict[str, ToolCall] = {}
        for index, call in sorted(self._calls.items()):
            key = call.id or f"call_{index}"
            while key in calls:
                key = f"{key}_{index}"
            calls[key] = ToolCall(key, call.name, "".join(call.arguments))
        return tuple(calls.values())

    def partial(self) -> Reply:
        """What had arrived when the stream was cut: unfinished tool calls are left out."""
        parts = tuple(ReplyPart(part.kind, "".join(part.pieces)) for part in self._parts)
        return Reply(parts, (), self._usage, None)

    def finish(self) -> Reply:
        """The whole reply.

        Raises:
            ProviderError: the stream ended without an answer: no text, no call, no reason.
        """
        reply, calls = self.partial(), self._whole_calls()
        if not reply.parts and not calls and self._finish_reason is None:
            raise ProviderError(
                "The provider closed the stream without an answer.", hint="Try again."
            )
        reason = self._finish_reason or ("tool_calls" if calls else "unknown")
        return msgspec.structs.replace(reply, calls=calls, finish_reason=reason)
