"""A model's reply while it arrives: chunks in, parts and numbered pieces out."""

from __future__ import annotations

from array import array
from typing import Literal

import msgspec

from bestchat_server_ext.core.errors import (
    ChatError,
    ContentRefused,
    LimitReached,
    ProviderError,
    ProviderUnavailable,
)
from bestchat_server_ext.core.failover import Heard
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
    signature: str = ""
    """The provider's seal on reasoning."""
    redacted: bool = False
    """Whether the reasoning is hidden in its signature."""


class Reply(msgspec.Struct, frozen=True):
    """Everything one step brought, as far as it came."""

    parts: tuple[ReplyPart, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    finish_reason: FinishReason | None = None

    @property
    def characters(self) -> int:
        """Characters of text and reasoning."""
        return sum(len(part.text) for part in self.parts)


class Growth(msgspec.Struct, frozen=True):
    """What became visible by one chunk: piece `n` of part `part`."""

    part: int
    kind: PartKind
    n: int
    text: str


class _GrowingPart:
    """Text in one piece and where its pieces end: a thousand strings would take five times as much.

    In UTF-8: one emoji makes Python take four bytes for every character of a string.
    """

    def __init__(self, kind: PartKind) -> None:
        self.kind = kind
        self.signature = ""
        self.redacted = False
        self._utf8 = bytearray()
        self._ends = array("L")

    @property
    def n(self) -> int:
        """How many pieces there are."""
        return len(self._ends)

    def add(self, piece: str) -> str:
        """Take a piece, and give it as it is kept."""
        try:
            self._utf8 += piece.encode()
        except UnicodeEncodeError:  # no look beforehand: there are many pieces, and hardly one such
            piece = _mended(piece)
            self._utf8 += piece.encode()
        self._ends.append(len(self._utf8))
        return piece

    def after(self, n: int) -> str:
        """What stands behind the first `n` pieces."""
        start = self._ends[n - 1] if n else 0
        return self._utf8[start:].decode()

    @property
    def text(self) -> str:
        return self._utf8.decode()


def _mended(text: str) -> str:
    """A text without halves of surrogate pairs: nobody could store or send it.

    Packages that bring providers may let them through; what comes over the wire has none.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class _GrowingCall(msgspec.Struct):
    id: str = ""
    name: str = ""
    arguments: list[str] = []


def endless() -> ProviderError:
    """The error of an answer that is longer than any model's can be."""
    return ProviderError(
        "The provider's answer does not end.", hint="Check the model, and try again."
    )


class ReplyBuilder:
    """Gathers the chunks of one step.

    Text and reasoning become parts in the order in which they first came; a change of kind
    begins a new part, and so does a seal, which holds for the reasoning before it. Pieces are
    kept apart, so that a reader who has seen some of them can be given exactly the rest.
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
            case TextChunk(text):
                return self._grow("text", text)
            case ReasoningChunk(text):
                growth = self._grow("reasoning", text)
                if chunk.signature:
                    self._seal(chunk)
                return growth
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
            case TextChunk(text):
                self._characters += len(text)
            case ReasoningChunk(text):
                self._characters += len(text) + len(chunk.signature)
            case ToolCallChunk():
                self._characters += len(chunk.name) + len(chunk.arguments)
            case _:
                return
        if self._characters > MOST_CHARACTERS or len(self._calls) > MOST_CALLS:
            raise endless()

    def _grow(self, kind: PartKind, text: str) -> Growth | None:
        if not text:
            return None
        part = self._open(kind)
        kept = part.add(text)
        return Growth(len(self._parts) - 1, kind, part.n, kept)

    def _open(self, kind: PartKind) -> _GrowingPart:
        """The part that a piece of this kind belongs to."""
        last = self._parts[-1] if self._parts else None
        if last is None or last.kind != kind or last.signature:
            last = _GrowingPart(kind)
            self._parts.append(last)
        return last

    def _seal(self, chunk: ReasoningChunk) -> None:
        """Close a part with its signature; one without text is kept all the same.

        Hidden thoughts are a part of their own, whatever was thought aloud before them.
        """
        part = self._open("reasoning")
        if chunk.redacted and part.n:
            part = _GrowingPart("reasoning")
            self._parts.append(part)
        part.signature, part.redacted = _mended(chunk.signature), chunk.redacted

    def pieces_after(self, part: int, n: int) -> list[tuple[int, PartKind, int, int, str]]:
        """Everything beyond piece `n` of part `part`: (part, kind, first, last, text) per part."""
        behind = []
        for index, growing in enumerate(self._parts):
            last = growing.n
            seen = 0 if index > part else n if index == part else last
            if seen < last:
                behind.append((index, growing.kind, seen + 1, last, growing.after(seen)))
        return behind

    def _whole_calls(self) -> tuple[ToolCall, ...]:
        """The calls, each with an id of its own: some servers send none, or one for all."""
        calls: dict[str, ToolCall] = {}
        for index, call in sorted(self._calls.items()):
            key = _mended(call.id) or f"call_{index}"
            while key in calls:
                key = f"{key}_{index}"
            calls[key] = ToolCall(key, _mended(call.name), _mended("".join(call.arguments)))
        return tuple(calls.values())

    def partial(self) -> Reply:
        """What had arrived when the stream was cut: unfinished tool calls are left out."""
        parts = tuple(
            ReplyPart(part.kind, part.text, part.signature, part.redacted) for part in self._parts
        )
        return Reply(parts, (), self._usage, None)

    def forget_end(self) -> None:
        """Take back what the last attempt said of its end: the next one says it anew."""
        self._usage, self._finish_reason = Usage(), None

    @property
    def heard(self) -> Heard:
        """What has arrived, as far as another attempt depends on it."""
        sealed = bool(self._calls) or any(part.signature for part in self._parts)
        return Heard(text=bool(self._parts), sealed=sealed)

    @property
    def edge(self) -> str:
        """The white space at the end of the text so far."""
        if not self._parts or self._parts[-1].kind != "text":
            return ""
        text = self._parts[-1].text
        return text[len(text.rstrip()) :]

    def finish(self) -> Reply:
        """The whole reply.

        Raises:
            ProviderUnavailable: the stream ended without an answer: no text, no call, no reason.
        """
        reply, calls = self.partial(), self._whole_calls()
        if not reply.parts and not calls and self._finish_reason is None:
            raise ProviderUnavailable(
                "The provider closed the stream without an answer.", hint="Try again."
            )
        reason = self._finish_reason or ("tool_calls" if calls else "unknown")
        return msgspec.structs.replace(reply, calls=calls, finish_reason=reason)


def silence(reply: Reply, step: int) -> ChatError | None:
    """Why a reply is no answer; none if it says or asks something, or may well be silent.

    Silence after tools is fine: some models end so once the work is done. Silence in place of
    the first answer would look like success where nothing has happened.
    """
    if reply.calls or any(part.kind == "text" and part.text.strip() for part in reply.parts):
        return None
    match reply.finish_reason:
        case "content_filter":
            return ContentRefused(
                "The provider's content policy refused the answer.", hint="Say it in other words."
            )
        case "length":
            return LimitReached(
                "The model reached its limit of tokens before it said anything.",
                hint="Ask for less at once, or choose another model.",
            )
        case "stop" if step > 1:
            return None
        case _:
            return ProviderError("The model gave an empty answer.", hint="Try again.")
