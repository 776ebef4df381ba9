"""Chat, Ollama's own format: a JSON object on each line, not server-sent events.

Source: the public API reference of `POST /api/chat`, and Ollama's source for what that leaves out.
It is spoken, and not Ollama's imitation of OpenAI's, because only here can the size of the context
be chosen: a request that is longer than the server's own would lose its beginning without a word.
"""

from __future__ import annotations

import re

import msgspec

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.messages import ImagePart, Message, ToolCallPart, ToolResultPart
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
from bestchat_server_ext.core.wire import encoding, refusals
from bestchat_server_ext.core.wire.decoding import NUL, REPLACEMENT, StreamDecoder, count
from bestchat_server_ext.core.wire.jsonlines import JSONLinesDecoder
from bestchat_server_ext.core.wire.lane import KeyStyle, key_headers

# What is read of a line. Everything else in it is skipped without being built.


class _Function(msgspec.Struct, gc=False):
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw()


class _ToolCall(msgspec.Struct, gc=False):
    id: str = ""
    function: _Function | None = None


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Line(msgspec.Struct, gc=False):
    message: _Message | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: refusals.ErrorBody | str | None = None


_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
"""`load` and `unload` stay unknown: they answer requests that ask for no answer."""


class OllamaDecoder(StreamDecoder):
    """Turns the bytes of one streamed answer into chunks."""

    def __init__(self) -> None:
        """Begin at the start of a response body."""
        super().__init__(JSONLinesDecoder())
        self._decoder = msgspec.json.Decoder(_Line)
        self._calls = 0

    def _read(self, data: bytes, chunks: list[Chunk]) -> None:
        line = self._decoder.decode(data)
        if line.error is not None:
            raise _with_hint(refusals.error_in(line.error))
        if line.message is not None:
            self._read_message(line.message, chunks)
        if line.done:
            self.done = self.finished = True
            reason = _FINISH.get(line.done_reason or "", "unknown")
            if self._calls and reason != "length":
                reason = "tool_calls"  # which they call a stop like any other
            chunks.append(FinishChunk(reason))
        if line.prompt_eval_count is not None or line.eval_count is not None:
            usage = Usage(count(line.prompt_eval_count), count(line.eval_count))
            chunks.append(UsageChunk(usage))

    def _read_message(self, message: _Message, chunks: list[Chunk]) -> None:
        calls = [self._call(call) for call in message.tool_calls] if message.tool_calls else None
        if message.thinking:
            chunks.append(ReasoningChunk(message.thinking.replace(NUL, REPLACEMENT)))
        if message.content:
            chunks.append(TextChunk(message.content.replace(NUL, REPLACEMENT)))
        if calls:
            chunks += calls

    def _call(self, call: _ToolCall) -> ToolCallChunk:
        """A call, which always comes whole; its own index is 0 for all of them in some versions."""
        function = call.function or _Function()
        self._calls += 1
        return ToolCallChunk(
            self._calls - 1,
            call.id.replace(NUL, REPLACEMENT),
            function.name.replace(NUL, REPLACEMENT),
            _arguments(bytes(function.arguments)),
        )


def _arguments(given: bytes) -> str:
    """Arguments as JSON text: an object as it was written, or what a text says."""
    if given[:1] == b'"':
        return msgspec.json.decode(given, type=str).replace(NUL, REPLACEMENT)
    return "" if given == b"null" else given.decode()


# Requests.


class OllamaLane(msgspec.Struct, frozen=True):
    """Ollama's chat, and how large a context one server can afford."""

    chat_path: str = "/api/chat"
    """Where requests go."""
    list_path: str = "/api/tags"
    """Where the list of models is."""
    key_style: KeyStyle = "bearer"
    """How the key travels, where a server wants one."""
    window_limit: int | None = None
    """The most tokens of context to ask for: memory for all of them is taken at once."""

    @property
    def accept(self) -> str:
        """The media type of a streamed answer."""
        return "application/x-ndjson"

    def headers(self, key: str | None) -> dict[str, str]:
        """The key, where there is one."""
        return key_headers(self.key_style, key)

    def encode(self, request: ModelRequest, facts: ModelFacts) -> bytes:
        """The body of the request for one step.

        Where the window is not known, the server's own default holds. A request that does not
        fit is to be refused, not to be cut.
        """
        messages: list[JsonObject] = []
        if request.system:
            messages.append({"role": "system", "content": request.system})
        for message in request.messages:
            messages += _encode_message(message)
        body: JsonObject = {"model": request.model.model, "messages": messages, "stream": True}
        body["truncate"] = False
        if request.tools:
            body["tools"] = [encoding.function(tool) for tool in request.tools]
        if options := self._options(request, facts):
            body["options"] = options
        return msgspec.json.encode(body)

    def _options(self, request: ModelRequest, facts: ModelFacts) -> JsonObject:
        window = facts.window
        if window is not None and self.window_limit is not None:
            window = min(window, self.window_limit)
        options = {
            "num_ctx": window,
            "num_predict": request.options.max_output_tokens,
            "temperature": request.options.temperature,
            "top_p": request.options.top_p,
            "stop": request.options.stop,
        }
        return {name: value for name, value in options.items() if value is not None}

    def decoder(self) -> OllamaDecoder:
        """For the body of one answer."""
        return OllamaDecoder()

    def error_of(
        self, status: int, body: bytes, retry_after: float | None = None
    ) -> errors.ProviderError:
        """The error behind a response that is not a stream."""
        return _with_hint(refusals.error_of(status, body, retry_after))

    def models(self, provider: str, body: bytes) -> list[ModelFacts]:
        """What a list of models says; models that cannot chat are left out.

        Raises:
            ProviderError: it is no list of models.
        """
        try:
            listed = msgspec.json.decode(body, type=_ModelList)
        except refusals.UNREADABLE as error:
            raise refusals.unreadable_list() from error
        return [
            _facts(provider, model)
            for model in listed.models or ()
            if not model.capabilities or "completion" in model.capabilities
        ]


def _encode_message(message: Message) -> list[JsonObject]:
    """One of our messages as one or, for tool results, several of theirs."""
    if message.role == "tool":
        return [
            {"role": "tool", "tool_name": part.name, "content": part.result.content}
            for part in message.parts
            if isinstance(part, ToolResultPart)
        ]
    encoded: JsonObject = {"role": message.role, "content": message.text}
    images = [part.data for part in message.parts if isinstance(part, ImagePart)]
    if images and message.role == "user":
        encoded["images"] = [encoding.base64(data) for data in images]
    calls = [part.call for part in message.parts if isinstance(part, ToolCallPart)]
    if calls:
        encoded["tool_calls"] = [
            {"function": {"name": call.name, "arguments": encoding.arguments(call)}}
            for call in calls
        ]
    if not calls and not encoded["content"] and "images" not in encoded:
        return []  # stopped while it was thinking
    return [encoded]


# Errors.

_MISSING = re.compile(r"model ['\"]?([\w./:-]+)['\"]? not found", re.ASCII)


def _with_hint(error: errors.ProviderError) -> errors.ProviderError:
    """The error; where a model is missing, with the command that fetches it."""
    missing = _MISSING.search(error.info.text)
    if missing is None:
        return error
    return errors.ModelNotFound(
        error.info.text, hint=f"Fetch it where Ollama runs: ollama pull {missing[1]}"
    )


# Lists of models.


class _Details(msgspec.Struct):
    parameter_size: str | None = None
    context_length: int | None = None


class _Model(msgspec.Struct):
    name: str
    details: _Details | None = None
    capabilities: list[str] | None = None


class _ModelList(msgspec.Struct):
    models: list[_Model] | None


def _facts(provider: str, model: _Model) -> ModelFacts:
    details, can = model.details or _Details(), model.capabilities
    return ModelFacts(
        f"{provider}/{model.name}",
        label=details.parameter_size or "",
        window=details.context_length,
        tools=("tools" in can) if can else None,
        images=("vision" in can) if can else None,
        reasoning=("thinking" in can) if can else None,
    )
