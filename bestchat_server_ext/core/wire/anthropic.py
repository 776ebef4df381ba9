"""Messages, the format of Anthropic: requests, and what is said around an answer.

Source: the public API reference of `POST /v1/messages`, version 2023-06-01, and what its servers
refuse: two messages of one role in a row, text that is only white space, white space at the end of
an answer that is to be continued, ids of tool calls that occur twice or hold anything but letters,
digits, `_` and `-`. Ids from other providers are all of that, so they are written anew here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from bestchat_server_ext.core import errors
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
from bestchat_server_ext.core.models import ModelFacts
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import JsonObject, ToolSpec
from bestchat_server_ext.core.wire import encoding
from bestchat_server_ext.core.wire.anthropic_stream import AnthropicDecoder
from bestchat_server_ext.core.wire.lane import KeyStyle, key_headers
from bestchat_server_ext.core.wire.refusals import UNREADABLE, error_of, unreadable_list

VERSION = "2023-06-01"
"""The version of the format that is spoken here."""

OUTPUT_LIMIT = 8192
"""Tokens of an answer where nothing else is known. The format has no "as much as you can"; models
with a lower limit are no longer served, and one that nobody knows yet is a new one."""


class AnthropicLane(msgspec.Struct, frozen=True):
    """Messages, and how one server deviates from them."""

    chat_path: str = "/v1/messages"
    """Where requests go."""
    list_path: str = "/v1/models?limit=1000"
    """Where the list of models is: all of it on one page."""
    key_style: KeyStyle = "x-api-key"
    """How the key travels; gateways often want `bearer`."""

    @property
    def accept(self) -> str:
        """The media type of a streamed answer."""
        return "text/event-stream"

    def headers(self, key: str | None) -> dict[str, str]:
        """The version, and the key, where there is one."""
        return {"anthropic-version": VERSION} | key_headers(self.key_style, key)

    def encode(self, request: ModelRequest, facts: ModelFacts) -> bytes:
        """The body of the request for one step.

        Breakpoints tell the provider where to look for what it has kept: behind the tools, behind
        the system, and behind the last two things the model was told. They move with every step
        and are no part of what is compared; everything else in a shared beginning stays as it is.
        """
        options = request.options
        limit = options.max_output_tokens or facts.output_limit or OUTPUT_LIMIT
        body: JsonObject = {"model": request.model.model, "max_tokens": limit, "stream": True}
        chosen = {
            "temperature": options.temperature,
            "top_p": options.top_p,
            "stop_sequences": options.stop,
        }
        body |= {name: value for name, value in chosen.items() if value is not None}
        tools = [_encode_tool(tool) for tool in request.tools]
        system: list[JsonObject] = []
        if request.system.strip():
            system.append({"type": "text", "text": request.system})
        turns = _Turns(str(request.model)).of(request.messages)
        if facts.cache is not False:
            told = [turn.content for turn in turns if turn.role == "user"]
            _mark(tools, system, *told[-2:])
        if tools:
            body["tools"] = tools
        if system:
            body["system"] = system
        body["messages"] = turns
        return msgspec.json.encode(body)

    def decoder(self) -> AnthropicDecoder:
        """For the body of one answer."""
        return AnthropicDecoder()

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
            listed = msgspec.json.decode(body, type=_ModelList)
        except UNREADABLE as error:
            raise unreadable_list() from error
        return [_facts(provider, model) for model in listed.data or ()]


def _mark(*runs: list[JsonObject]) -> None:
    """Put a breakpoint behind each of up to four runs of blocks."""
    for run in runs:
        if run:
            run[-1]["cache_control"] = {"type": "ephemeral"}


def _encode_tool(tool: ToolSpec) -> JsonObject:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    }


_THOUGHTS = {"thinking", "redacted_thinking"}


class _Turn(msgspec.Struct):
    """A message as they count them: user and assistant take turns."""

    role: Literal["user", "assistant"]
    content: list[JsonObject]


class _Turns:
    """Our messages as theirs."""

    def __init__(self, model: str) -> None:
        """Begin a conversation with `model`, a reference."""
        self._model = model
        self._turns: list[_Turn] = []
        self._used: set[str] = set()
        self._ids: dict[str, str] = {}

    def of(self, messages: Sequence[Message]) -> list[_Turn]:
        """All of them."""
        for message in messages:
            self._add(message)
        for turn in self._turns:
            if turn.role == "user":  # what came of tools has to stand first
                turn.content.sort(key=lambda block: block["type"] != "tool_result")
        if self._turns and self._turns[-1].role == "assistant":
            self._trim(self._turns[-1].content)
        return self._turns

    def _add(self, message: Message) -> None:
        blocks = [block for part in message.parts if (block := self._block(message, part))]
        while blocks and blocks[-1]["type"] in _THOUGHTS:
            blocks.pop()  # stopped while it was thinking; thoughts must not come last
        if not blocks:
            return
        role: Literal["user", "assistant"] = "user" if message.role == "tool" else message.role
        if self._turns and self._turns[-1].role == role:
            self._turns[-1].content += blocks
        else:
            self._turns.append(_Turn(role, blocks))

    def _trim(self, content: list[JsonObject]) -> None:
        """Take white space off the end of an answer that is to be continued."""
        if content[-1]["type"] == "text":
            content[-1]["text"] = content[-1]["text"].rstrip()

    def _block(self, message: Message, part: Part) -> JsonObject | None:
        match part:
            case TextPart(text):
                return {"type": "text", "text": text} if text.strip() else None
            case ImagePart(media_type, data):
                return _image(media_type, data) if message.role == "user" else None
            case FilePart():
                return None  # what it says stands in the request in its place
            case ReasoningPart():
                return _thoughts(part) if message.model == self._model else None
            case ToolCallPart(call):
                return {
                    "type": "tool_use",
                    "id": self._id(call.id),
                    "name": call.name,
                    "input": encoding.arguments(call),
                }
            case ToolResultPart(call_id):
                return _result(self._ids.get(call_id, call_id), part)

    def _id(self, call_id: str) -> str:
        """An id that they accept; the next result for `call_id` goes by it."""
        wanted = re.sub(r"[^a-zA-Z0-9_-]", "_", call_id) or "call"
        name, number = wanted, 1
        while name in self._used:
            number += 1
            name = f"{wanted}_{number}"
        self._used.add(name)
        self._ids[call_id] = name
        return name


def _thoughts(part: ReasoningPart) -> JsonObject | None:
    """Reasoning as it came. Without its seal, or with another model's, it would be refused."""
    if not part.signature:
        return None
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.signature}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _image(media_type: str, data: bytes) -> JsonObject:
    source = {"type": "base64", "media_type": media_type, "data": encoding.base64(data)}
    return {"type": "image", "source": source}


def _result(key: str, part: ToolResultPart) -> JsonObject:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": key}
    if part.result.content:
        block["content"] = part.result.content
    if part.result.is_error:
        block["is_error"] = True
    return block


# Lists of models.


class _Support(msgspec.Struct, frozen=True):
    supported: bool | None = None


class _Capabilities(msgspec.Struct):
    image_input: _Support = _Support()
    thinking: _Support = _Support()


class _Model(msgspec.Struct):
    id: str
    display_name: str = ""
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    capabilities: _Capabilities | None = None


class _ModelList(msgspec.Struct):
    data: list[_Model] | None


def _facts(provider: str, model: _Model) -> ModelFacts:
    can = model.capabilities or _Capabilities()
    return ModelFacts(
        f"{provider}/{model.id}",
        label=model.display_name,
        window=model.max_input_tokens,
        output_limit=model.max_tokens,
        images=can.image_input.supported,
        reasoning=can.thinking.supported,
    )
