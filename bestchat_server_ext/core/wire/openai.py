"""Chat completions, the format of OpenAI and everything compatible with it.

Source: the public API reference of `POST /chat/completions`, and what compatible servers were
seen to do differently: usage in a chunk without choices, reasoning under two names, tool calls
without an index, errors in the middle of a stream, streams that just end.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.messages import (
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
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
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import JsonObject, ToolSpec
from bestchat_server_ext.core.wire.sse import SSEDecoder

# What is read of a chunk. Everything else in it is skipped without being built.


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _ErrorBody(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: _ErrorBody | str | None = None


_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class OpenAIDecoder:
    """Turns the bytes of one streamed answer into chunks."""

    def __init__(self) -> None:
        """Begin at the start of a response body."""
        self._sse = SSEDecoder()
        self._decoder = msgspec.json.Decoder(_Chunk)
        self._last_call = -1
        self._call_ids: dict[str, int] = {}
        self.done = False
        """Whether the end marker was seen: whatever follows is not part of the answer."""
        self.finished = False
        """Whether the model said why it stopped: the answer is whole, end marker or not."""
        self.error: errors.ProviderError | None = None
        """What is wrong behind the last chunks: every further call raises it."""

    def feed(self, data: bytes) -> list[Chunk]:
        """Take bytes in any split; give the chunks that they complete.

        Chunks that stand before an error count, so an error that comes together with some is
        kept in `error` and raised by the next call.

        Raises:
            ProviderError: the provider put an error, or something unreadable, into the stream.
        """
        if self.error is not None:
            raise self.error
        return self._decode(self._sse.feed(data))

    def close(self) -> list[Chunk]:
        """The body has ended: give what was still held back.

        Raises:
            ProviderError: as in `feed`.
        """
        if self.error is not None:
            raise self.error
        return self._decode(self._sse.close())

    def _decode(self, events: Iterable[bytes]) -> list[Chunk]:
        chunks: list[Chunk] = []
        try:
            for data in events:
                if self.done:
                    break
                self._decode_event(data.strip(), chunks)
        except errors.ProviderError as error:
            self.error = error
            if not chunks:
                raise
        return chunks

    def _decode_event(self, data: bytes, chunks: list[Chunk]) -> None:
        if data == b"[DONE]":
            self.done = True
            return
        if not data:
            return
        try:
            chunk = self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise errors.ProviderError(
                "The provider sent a piece of the answer that cannot be read.",
                hint="Check that its URL is that of an OpenAI-compatible API.",
            ) from error
        if chunk.error is not None:
            raise error_in(chunk.error)
        self._read(chunk, chunks)

    def _read(self, chunk: _Chunk, chunks: list[Chunk]) -> None:
        for choice in (chunk.choices or ())[:1]:
            if choice.delta is not None:
                self._read_delta(choice.delta, chunks)
            if choice.finish_reason:
                self.finished = True
                reason = _FINISH.get(choice.finish_reason, "unknown")
                chunks.append(FinishChunk(reason))
        if chunk.usage is not None:
            chunks.append(UsageChunk(_usage(chunk.usage)))

    def _read_delta(self, delta: _Delta, chunks: list[Chunk]) -> None:
        if reasoning := delta.reasoning_content or delta.reasoning:
            chunks.append(ReasoningChunk(reasoning))
        if delta.content:
            chunks.append(TextChunk(delta.content))
        for call in delta.tool_calls or ():
            function = call.function or _Function()
            chunks.append(
                ToolCallChunk(
                    index=self._index(call),
                    id=call.id or "",
                    name=function.name or "",
                    arguments=function.arguments or "",
                )
            )

    def _index(self, call: _ToolCall) -> int:
        """Which call a piece belongs to; some servers leave the index out, or the id, or both."""
        if call.index is not None:
            self._last_call = max(self._last_call, call.index)
            return call.index
        if call.id and call.id in self._call_ids:
            return self._call_ids[call.id]
        named = call.function is not None and bool(call.function.name)
        if call.id or named or self._last_call < 0:
            self._last_call += 1
            if call.id:
                self._call_ids[call.id] = self._last_call
        return self._last_call


def _usage(usage: _Usage) -> Usage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        cached_tokens=(prompt.cached_tokens if prompt else None) or 0,
        reasoning_tokens=(completion.reasoning_tokens if completion else None) or 0,
    )


# Requests.


def encode_request(request: ModelRequest) -> bytes:
    """The body of the request for one step.

    Key order and white space are fixed: two requests that share a beginning share its bytes,
    which is what lets a provider's cache recognise it.
    """
    messages: list[JsonObject] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    for message in request.messages:
        messages += _encode_message(message)
    body: JsonObject = {"model": request.model.model, "messages": messages, "stream": True}
    body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
    return msgspec.json.encode(body)


def _encode_tool(tool: ToolSpec) -> JsonObject:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }


def _encode_message(message: Message) -> list[JsonObject]:
    """One of our messages as one or, for tool results, several of theirs."""
    if message.role == "tool":
        return [
            {"role": "tool", "tool_call_id": part.call_id, "content": part.result.content}
            for part in message.parts
            if isinstance(part, ToolResultPart)
        ]
    encoded: dict[str, Any] = {"role": message.role, "content": _text(message)}
    calls = [part.call for part in message.parts if isinstance(part, ToolCallPart)]
    if calls:
        encoded["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    elif not encoded["content"]:
        return []  # stopped while it was thinking; servers refuse a message that says nothing
    return [encoded]


def _text(message: Message) -> str:
    # Reasoning stays at home: no compatible server wants its own thoughts back as text.
    shown = (part for part in message.parts if not isinstance(part, ReasoningPart))
    return "".join(part.text for part in shown if isinstance(part, TextPart))


# Errors.


def error_in(error: _ErrorBody | str) -> errors.ProviderError:
    """The error that a provider put into its stream."""
    body = _ErrorBody(message=error) if isinstance(error, str) else error
    return _classify(None, body, None)


class _Refusal(msgspec.Struct):
    """The shapes of a refusal: ours to expect, the others as servers were seen to write them."""

    error: _ErrorBody | str | None = None
    message: str | None = None
    detail: Any = None

    @property
    def body(self) -> _ErrorBody:
        if isinstance(self.error, _ErrorBody):
            return self.error
        detail = self.detail if isinstance(self.detail, str) else None
        return _ErrorBody(message=self.error or self.message or detail)


def error_of(status: int, body: bytes, retry_after: float | None = None) -> errors.ProviderError:
    """The error behind a response that is not a stream, from its status and its body."""
    try:
        decoded = msgspec.json.decode(body, type=_Refusal | list[_Refusal])
    except (msgspec.DecodeError, UnicodeDecodeError):
        decoded = _Refusal()
    if isinstance(decoded, list):
        decoded = decoded[0] if decoded else _Refusal()
    return _classify(status, decoded.body, retry_after)


_LONGEST_MESSAGE = 300
_OVERFLOW = (
    "context_length",
    "context length",
    "context size",
    "exceed_context",
    "maximum context",
    "maximum model length",
    "prompt is too long",
)
_BROKE, _REFUSED = "The provider broke the answer off.", "The provider answered with HTTP {}."


def _classify(
    status: int | None, body: _ErrorBody, retry_after: float | None
) -> errors.ProviderError:
    said = " ".join((body.message or "").split())[:_LONGEST_MESSAGE]
    text = _REFUSED.format(status) if status else _BROKE
    if said:
        text = f"The provider says: {said}"
    if status is None and isinstance(body.code, int):
        status = body.code  # in a stream, the status is part of the error
    telling = f"{body.code} {body.type} {said}".lower()
    if any(word in telling for word in _OVERFLOW):
        hint = "Start a new conversation, or choose a model with a larger window."
        return errors.ContextOverflow(text, hint=hint)
    if "content_filter" in telling or "content_policy" in telling:
        return errors.ContentRefused(text, hint="Say it in other words.")
    if status in {401, 403} or "invalid_api_key" in telling:
        return errors.ProviderAuth(text, hint="Check the provider's key.")
    if status == HTTPStatus.NOT_FOUND or "model_not_found" in telling:
        return errors.ModelNotFound(text, hint="Check the model's name and the provider's URL.")
    if "insufficient_quota" in telling or status == HTTPStatus.PAYMENT_REQUIRED:
        # It comes as a 429, yet no waiting helps.
        return errors.ProviderError(text, hint="Check the credit of the account at the provider.")
    if status == HTTPStatus.TOO_MANY_REQUESTS or "rate_limit" in telling:
        return errors.RateLimited(text, hint="Wait a little.", retry_after=retry_after)
    ours = status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR
    hint = "" if ours else "Try again in a moment."
    return errors.ProviderError(text, hint=hint, retry_after=retry_after)
