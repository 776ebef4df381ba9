"""Chat completions, the format of OpenAI and everything compatible with it.

Source: the public API reference of `POST /chat/completions`, and what compatible servers were
seen to do differently: usage in a chunk without choices, inside a choice, or under a name of
their own; reasoning under several names, or as a typed part of the content (Mistral); tool calls
without an index; errors in the middle of a stream; streams that just end.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.messages import (
    ImagePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    FinishReason,
    ModelFacts,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import JsonObject
from bestchat_server_ext.core.wire import encoding
from bestchat_server_ext.core.wire.decoding import NUL, REPLACEMENT, StreamDecoder, count
from bestchat_server_ext.core.wire.lane import KeyStyle, key_headers
from bestchat_server_ext.core.wire.refusals import (
    UNREADABLE,
    ErrorBody,
    error_in,
    error_of,
    unreadable_list,
)
from bestchat_server_ext.core.wire.sse import SSEDecoder

__all__ = ["OpenAIDecoder", "OpenAILane", "encode_request", "error_of"]

# What is read of a chunk. Everything else in it is skipped without being built.


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Part(msgspec.Struct, gc=False):
    """A part of typed content or reasoning: Mistral's, OpenRouter's, and what thoughts hold."""

    text: str | None = None
    thinking: str | list[_Part] | None = None
    summary: str | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | list[_Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


_Count = int | float | None  # some servers write whole numbers with a fraction


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: _Count = None
    cache_write_tokens: _Count = None


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: _Count = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    total_tokens: _Count = None
    cached_tokens: _Count = None
    prompt_cache_hit_tokens: _Count = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: ErrorBody | str | None = None


_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_FAILURES = {"error", "insufficient_system_resource"}
"""Reasons that are none: the server gave up."""


class OpenAIDecoder(StreamDecoder):
    """Turns the bytes of one streamed answer into chunks."""

    def __init__(self) -> None:
        """Begin at the start of a response body."""
        super().__init__(SSEDecoder())
        self._decoder = msgspec.json.Decoder(_Chunk)
        self._last_call = -1
        self._call_ids: dict[str, int] = {}

    def _read(self, data: bytes, chunks: list[Chunk]) -> None:
        chunk = self._decoder.decode(data)
        if chunk.error is not None:
            raise error_in(chunk.error)
        usage = chunk.usage
        if chunk.choices:
            choice = chunk.choices[0]
            usage = usage or choice.usage
            if choice.delta is not None:
                self._read_delta(choice.delta, chunks)
            if choice.finish_reason:
                self._read_finish(choice.finish_reason, chunks)
        if usage is not None:
            chunks.append(UsageChunk(_usage(usage)))

    def _read_finish(self, reason: str, chunks: list[Chunk]) -> None:
        if reason in _FAILURES:
            raise error_in(ErrorBody())
        self.finished = True
        chunks.append(FinishChunk(_FINISH.get(reason, "unknown")))

    def _read_delta(self, delta: _Delta, chunks: list[Chunk]) -> None:
        if reasoning := delta.reasoning_content or delta.reasoning:
            chunks.append(ReasoningChunk(reasoning.replace(NUL, REPLACEMENT)))
        elif delta.reasoning_details:
            _read_thoughts(delta.reasoning_details, chunks)
        if content := delta.content or delta.refusal:
            if isinstance(content, str):
                chunks.append(TextChunk(content.replace(NUL, REPLACEMENT)))
            else:
                _read_parts(content, chunks)
        if delta.tool_calls:
            for call in delta.tool_calls:
                function = call.function or _Function()
                chunks.append(
                    ToolCallChunk(
                        self._index(call),
                        call.id.replace(NUL, REPLACEMENT) if call.id else "",
                        function.name.replace(NUL, REPLACEMENT) if function.name else "",
                        function.arguments.replace(NUL, REPLACEMENT) if function.arguments else "",
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


def _read_parts(parts: list[_Part], chunks: list[Chunk]) -> None:
    for part in parts:
        if part.thinking:
            _read_thoughts([part], chunks)
        if part.text:
            chunks.append(TextChunk(part.text.replace(NUL, REPLACEMENT)))


def _read_thoughts(parts: list[_Part], chunks: list[Chunk]) -> None:
    """Typed reasoning: it says something directly, in parts of its own, or as a summary."""
    said = ""
    for part in parts:
        if isinstance(part.thinking, list):
            said += "".join(piece.text or "" for piece in part.thinking)
        else:
            said += part.thinking or part.text or part.summary or ""
    if said:
        chunks.append(ReasoningChunk(said.replace(NUL, REPLACEMENT)))


def _usage(usage: _Usage) -> Usage:
    prompt = usage.prompt_tokens_details or _PromptDetails()
    completion = usage.completion_tokens_details or _CompletionDetails()
    read, cached = count(usage.prompt_tokens), prompt.cached_tokens
    return Usage(
        input_tokens=read,
        # Some servers count reasoning in the total only: Gemini's, xAI's.
        output_tokens=max(count(usage.completion_tokens), count(usage.total_tokens) - read),
        cached_tokens=count(cached or usage.cached_tokens or usage.prompt_cache_hit_tokens),
        reasoning_tokens=count(completion.reasoning_tokens),
        cache_write_tokens=count(prompt.cache_write_tokens),
    )


# Requests.


class OpenAILane(msgspec.Struct, frozen=True):
    """Chat completions, and how one server deviates from them."""

    chat_path: str = "/chat/completions"
    """Where requests go."""
    list_path: str = "/models"
    """Where the list of models is."""
    key_style: KeyStyle = "bearer"
    """How the key travels; Azure's way is `api-key`."""
    stream_usage: bool = True
    """Whether usage has to be asked for; some servers send it unasked and refuse the question."""
    max_tokens_name: str = "max_tokens"
    """What limits an answer; OpenAI's own models want `max_completion_tokens`."""
    system_role: Literal["system", "developer"] = "system"
    """Who gives the standing instructions."""

    @property
    def accept(self) -> str:
        """The media type of a streamed answer."""
        return "text/event-stream"

    def headers(self, key: str | None) -> dict[str, str]:
        """The key, where there is one."""
        return key_headers(self.key_style, key)

    def encode(self, request: ModelRequest, facts: ModelFacts) -> bytes:  # noqa: ARG002
        """The body of the request for one step; no fact about the model changes it."""
        messages: list[JsonObject] = []
        if request.system:
            messages.append({"role": self.system_role, "content": request.system})
        for message in request.messages:
            messages += _encode_message(message)
        body: JsonObject = {"model": request.model.model, "messages": messages, "stream": True}
        if self.stream_usage:
            body["stream_options"] = {"include_usage": True}
        if request.tools:
            body["tools"] = [encoding.function(tool) for tool in request.tools]
        options = request.options
        chosen = {
            "temperature": options.temperature,
            "top_p": options.top_p,
            self.max_tokens_name: options.max_output_tokens,
            "stop": options.stop,
        }
        body |= {name: value for name, value in chosen.items() if value is not None}
        return msgspec.json.encode(body)

    def decoder(self) -> OpenAIDecoder:
        """For the body of one answer."""
        return OpenAIDecoder()

    def error_of(
        self, status: int, body: bytes, retry_after: float | None = None
    ) -> errors.ProviderError:
        """The error behind a response that is not a stream."""
        return error_of(status, body, retry_after)

    def models(self, provider: str, body: bytes) -> list[ModelFacts]:
        """What a list of models says.

        Raises:
            ProviderError: it is no list of models.
        """
        try:
            listed = msgspec.json.decode(body, type=_ModelList | list[_Model])
        except UNREADABLE as error:
            raise unreadable_list() from error
        found = listed if isinstance(listed, list) else listed.data or []
        return [_facts(provider, model) for model in found]


def encode_request(request: ModelRequest) -> bytes:
    """The body of the request for one step, as most servers understand it."""
    return OpenAILane().encode(request, ModelFacts(str(request.model), known=False))


def _encode_message(message: Message) -> list[JsonObject]:
    """One of our messages as one or, for tool results, several of theirs."""
    if message.role == "tool":
        return [
            {"role": "tool", "tool_call_id": part.call_id, "content": part.result.content}
            for part in message.parts
            if isinstance(part, ToolResultPart)
        ]
    encoded: dict[str, Any] = {"role": message.role, "content": _content(message)}
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


def _content(message: Message) -> str | list[JsonObject]:
    """Plain text, which every server takes; parts only where a person sent an image.

    Reasoning stays at home: no compatible server wants its own thoughts back as text.
    """
    if message.role != "user" or not any(isinstance(part, ImagePart) for part in message.parts):
        return message.text
    parts: list[JsonObject] = []
    for part in message.parts:
        if isinstance(part, TextPart) and part.text:
            parts.append({"type": "text", "text": part.text})
        elif isinstance(part, ImagePart):
            url = f"data:{part.media_type};base64,{encoding.base64(part.data)}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
    return parts


# Lists of models.


class _Model(msgspec.Struct):
    id: str
    context_length: int | None = None
    max_model_len: int | None = None
    max_context_length: int | None = None
    context_window: int | None = None


class _ModelList(msgspec.Struct):
    data: list[_Model] | None


def _facts(provider: str, model: _Model) -> ModelFacts:
    window = (
        model.context_length
        or model.max_model_len
        or model.max_context_length
        or model.context_window
    )
    return ModelFacts(f"{provider}/{model.id}", window=window)
