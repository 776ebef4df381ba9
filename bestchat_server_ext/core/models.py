"""Models: how they are named, what is known of them, and what comes back from them."""

from __future__ import annotations

from typing import Literal

import msgspec

from bestchat_server_ext.core.errors import InvalidRequest

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "unknown"]


class ModelRef(msgspec.Struct, frozen=True):
    """A model by name, written `provider/model`."""

    provider: str
    """Who answers."""
    model: str
    """The provider's own name for the model; may itself contain slashes."""

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Read `provider/model`.

        Raises:
            InvalidRequest: there is no provider or no model in it.
        """
        provider, slash, model = text.strip().partition("/")
        if not (provider and slash and model):
            raise InvalidRequest(
                f"{text!r} is not a model reference.",
                hint="Write provider/model, for example openai/gpt-5-mini.",
                field="model",
            )
        return cls(provider, model)

    def __str__(self) -> str:
        """The reference as people write it."""
        return f"{self.provider}/{self.model}"


class ModelFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a model. Nothing is guessed: unknown stays unknown."""

    ref: str
    """The model reference."""
    label: str = ""
    """What to show beside the name, for example *demo model*."""
    window: int | None = None
    """Tokens it can take in and give out together."""
    output_limit: int | None = None
    """Tokens it can give out."""
    tools: bool | None = None
    """Whether it calls tools."""
    known: bool = True
    """Whether these facts come from a catalogue or a server, rather than from nowhere."""
    ready: bool = True
    """Whether it can be used right now."""
    todo: str = ""
    """What is missing, if it is not ready."""


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one step or of a whole turn, as the provider counted them."""

    input_tokens: int = 0
    """Tokens that went in, cached ones included."""
    output_tokens: int = 0
    """Tokens that came out, reasoning included."""
    cached_tokens: int = 0
    """Of those that went in: read from the provider's cache."""
    reasoning_tokens: int = 0
    """Of those that came out: spent on reasoning."""

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


class TextChunk(msgspec.Struct, frozen=True):
    """A piece of the answer."""

    text: str


class ReasoningChunk(msgspec.Struct, frozen=True):
    """A piece of reasoning."""

    text: str


class ToolCallChunk(msgspec.Struct, frozen=True):
    """A piece of a tool call; pieces of several calls may come interleaved."""

    index: int
    """Which call of this step, from 0."""
    id: str = ""
    """The provider's name for the call; usually in its first piece only."""
    name: str = ""
    """The tool, or a piece of its name."""
    arguments: str = ""
    """A piece of the arguments' JSON text."""


class UsageChunk(msgspec.Struct, frozen=True):
    """What the step cost; a later one replaces an earlier one."""

    usage: Usage


class FinishChunk(msgspec.Struct, frozen=True):
    """Why the model stopped."""

    reason: FinishReason


Chunk = TextChunk | ReasoningChunk | ToolCallChunk | UsageChunk | FinishChunk
"""What every lane gives, whatever it hears on the wire."""
