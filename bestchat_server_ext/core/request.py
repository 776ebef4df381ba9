"""What is sent to a model: the projection of a conversation, not its transcript."""

from __future__ import annotations

import msgspec

from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.tools import ToolSpec


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


class ModelRequest(msgspec.Struct, frozen=True):
    """One step, as a lane gets it."""

    model: ModelRef
    """Who is to answer."""
    messages: tuple[Message, ...]
    """The branch that the answer continues, oldest first."""
    system: str = ""
    """Standing instructions."""
    tools: tuple[ToolSpec, ...] = ()
    """What the model may call."""
    options: RequestOptions = RequestOptions()
    """How to answer."""
    owner: OwnerId | None = None
    """Whose key is used; none for the one of the process."""
