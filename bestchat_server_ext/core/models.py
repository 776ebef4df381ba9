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
            InvalidRequest: there is no provider or no model in it, or something that steers what
                shows it: names stand in logs, where a line of their own would be a forged one.
        """
        provider, slash, model = text.strip().partition("/")
        if not (provider and slash and model and model.isprintable() and provider.isprintable()):
            raise InvalidRequest(
                f"{text!r} is not a model reference.",
                hint="Write provider/model, for example openai/gpt-5-mini.",
                field="model",
            )
        return cls(provider, model)

    def __str__(self) -> str:
        """The reference as people write it."""
        return f"{self.provider}/{self.model}"


class Prices(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model costs, in US dollars per million tokens.

    Decimal numbers as text, so that no rounding creeps in; none where the price is unknown.
    """

    input: str | None = None
    """Tokens that go in, past the cache."""
    output: str | None = None
    """Tokens that come out, reasoning included."""
    cache_read: str | None = None
    """Tokens that the provider reads from its cache."""
    cache_write: str | None = None
    """Tokens that the provider writes to its cache."""
    as_of: str = ""
    """The day of this knowledge, as 2026-01-31."""
    up_to: int | None = None
    """Tokens that may go in at these prices; a longer request costs more. None: there is no end."""


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
    images: bool | None = None
    """Whether it looks at images."""
    reasoning: bool | None = None
    """Whether it thinks before it speaks."""
    prefill: bool | None = None
    """Whether it goes on with an answer that was begun for it."""
    cache: bool | None = None
    """Whether its provider keeps the beginning of a request, and charges less for it again."""
    prices: Prices | None = None
    """What it costs."""
    deprecated: str = ""
    """The day on which its provider stops serving it, as 2026-01-31; empty if none is known."""


class RequestOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to answer; what is none is left to the provider."""

    temperature: float | None = None
    """How far to stray from the likeliest word."""
    top_p: float | None = None
    """Share of the likely words that are considered at all."""
    max_output_tokens: int | None = None
    """Tokens after which to stop, reasoning included."""
    stop: tuple[str, ...] | None = None
    """Texts before which to stop."""


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
    cache_write_tokens: int = 0
    """Of those that went in: written to the provider's cache."""

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )


class TextChunk(msgspec.Struct, frozen=True):
    """A piece of the answer."""

    text: str


class ReasoningChunk(msgspec.Struct, frozen=True):
    """A piece of reasoning."""

    text: str
    signature: str = ""
    """The provider's seal on the reasoning that ends here; what follows is other reasoning."""
    redacted: bool = False
    """Whether the provider hides it: `signature` is all there is of it."""


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
