"""Answers in Anthropic's format: what an event of a stream means.

Counts are totals so far, input is counted without what the cache held, and reasoning ends in a
seal without which it is not taken back.
"""

from __future__ import annotations

import msgspec

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
from bestchat_server_ext.core.wire.decoding import NUL, REPLACEMENT, StreamDecoder, count
from bestchat_server_ext.core.wire.refusals import ErrorBody, error_in
from bestchat_server_ext.core.wire.sse import SSEDecoder

# What is read of an event. Everything else in it is skipped without being built.


class _Delta(msgspec.Struct, gc=False):
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    stop_reason: str | None = None


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class _Details(msgspec.Struct, gc=False):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _Details | None = None


class _Message(msgspec.Struct, gc=False):
    usage: _Usage | None = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | str | None = None
    usage: _Usage | None = None
    error: ErrorBody | str | None = None


class _Type(msgspec.Struct):
    type: str = ""


_EVENTS = {
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
}

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""`pause_turn` stays unknown: it belongs to tools that run at the provider's, which we never offer.
"""


class _Open(msgspec.Struct):
    """A block that has begun: a tool call, or reasoning whose seal is still to come."""

    call: int | None = None
    arguments: str = ""
    """What to say of the arguments at the end, if nothing was said of them on the way."""
    signature: str = ""


class AnthropicDecoder(StreamDecoder):
    """Turns the bytes of one streamed answer into chunks."""

    def __init__(self) -> None:
        """Begin at the start of a response body."""
        super().__init__(SSEDecoder())
        self._decoder = msgspec.json.Decoder(_Event)
        self._open: dict[int, _Open] = {}
        self._calls = 0
        self._fresh = 0  # input that the cache held nothing of
        self._seen = Usage()

    def _read(self, data: bytes, chunks: list[Chunk]) -> None:
        try:
            event = self._decoder.decode(data)
        except msgspec.ValidationError:
            if msgspec.json.decode(data, type=_Type).type in _EVENTS:
                raise
            return  # of a kind that did not exist when this was written
        if event.delta is not None and event.type == "content_block_delta":
            self._read_delta(event.index, event.delta, chunks)
        elif event.error is not None:
            raise error_in(event.error)
        else:
            self._read_event(event, chunks)

    def _read_delta(self, index: int, delta: _Delta, chunks: list[Chunk]) -> None:
        if delta.text:
            chunks.append(TextChunk(delta.text.replace(NUL, REPLACEMENT)))
        elif delta.thinking:
            chunks.append(ReasoningChunk(delta.thinking.replace(NUL, REPLACEMENT)))
        elif delta.partial_json:
            block = self._block(index)
            if block.call is None:  # its beginning was lost
                block.call = self._next_call()
            block.arguments = ""
            arguments = delta.partial_json.replace(NUL, REPLACEMENT)
            chunks.append(ToolCallChunk(block.call, arguments=arguments))
        elif delta.signature:
            self._block(index).signature = delta.signature.replace(NUL, REPLACEMENT)

    def _read_event(self, event: _Event, chunks: list[Chunk]) -> None:
        match event.type:
            case "message_start" if isinstance(event.message, _Message):
                self._count(event.message.usage, chunks)
            case "content_block_start" if event.content_block is not None:
                self._begin(event.index, event.content_block, chunks)
            case "content_block_stop":
                self._end(event.index, chunks)
            case "message_delta":
                if event.delta is not None and event.delta.stop_reason:
                    self.finished = True
                    reason = _FINISH.get(event.delta.stop_reason, "unknown")
                    chunks.append(FinishChunk(reason))
                self._count(event.usage, chunks)
            case "message_stop":
                for index in [*self._open]:
                    self._end(index, chunks)
                self.done = True
            case "error":
                raise error_in(event.message if isinstance(event.message, str) else ErrorBody())

    def _begin(self, index: int, block: _Block, chunks: list[Chunk]) -> None:
        match block.type:
            case "tool_use":
                raw = bytes(block.input)
                given = "" if raw in {b"{}", b"null"} else raw.decode()
                self._open[index] = _Open(self._next_call(), given)
                name, key = block.name or "", block.id or ""
                chunks.append(
                    ToolCallChunk(
                        self._calls - 1,
                        key.replace(NUL, REPLACEMENT),
                        name.replace(NUL, REPLACEMENT),
                    )
                )
            case "redacted_thinking" if block.data:
                data = block.data.replace(NUL, REPLACEMENT)
                chunks.append(ReasoningChunk("", data, redacted=True))
        if block.type in {"text", "thinking"}:
            self._read_delta(index, _Delta(block.text, thinking=block.thinking), chunks)
            self._read_delta(index, _Delta(signature=block.signature), chunks)

    def _end(self, index: int, chunks: list[Chunk]) -> None:
        block = self._open.pop(index, None)
        if block is None:
            return
        if block.call is not None and block.arguments:
            chunks.append(ToolCallChunk(block.call, arguments=block.arguments))
        if block.signature:
            chunks.append(ReasoningChunk("", block.signature))

    def _block(self, index: int) -> _Open:
        return self._open.setdefault(index, _Open())

    def _next_call(self) -> int:
        self._calls += 1
        return self._calls - 1

    def _count(self, usage: _Usage | None, chunks: list[Chunk]) -> None:
        """Take counts in; they are totals so far, and some servers send them as 0 at first."""
        if usage is None:
            return
        details = usage.output_tokens_details
        seen = self._seen
        read = max(seen.cached_tokens, count(usage.cache_read_input_tokens))
        written = max(seen.cache_write_tokens, count(usage.cache_creation_input_tokens))
        self._fresh = max(self._fresh, count(usage.input_tokens))
        self._seen = Usage(
            input_tokens=self._fresh + read + written,
            output_tokens=max(seen.output_tokens, count(usage.output_tokens)),
            cached_tokens=read,
            reasoning_tokens=max(
                seen.reasoning_tokens, count(details.thinking_tokens) if details else 0
            ),
            cache_write_tokens=written,
        )
        chunks.append(UsageChunk(self._seen))
