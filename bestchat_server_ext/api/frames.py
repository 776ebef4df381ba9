"""What travels on the WebSocket, in both directions, as JSON text frames.

A client says `hello`, the server says `welcome`; then the client subscribes to conversations.
What the server sends for one conversation is, in this order: a snapshot or the events that were
missed, the streaming answer as far as it has come, `caught_up`, and then events and deltas live.
"""

from __future__ import annotations

import msgspec

from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import ErrorInfo
from bestchat_server_ext.core.events import Delta, Envelope
from bestchat_server_ext.core.ids import ConversationId


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The server's answer to `hello`."""

    protocol: int
    """The protocol that the server speaks."""
    version: str
    """The server's version."""


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """The whole conversation: forget what you had of it."""

    conversation_id: ConversationId
    """Which conversation."""
    state: ConversationState
    """All of it, as of `state.conversation.seq`."""


class CaughtUp(msgspec.Struct, frozen=True, tag="caught_up"):
    """Everything up to this moment was sent; what follows is live."""

    conversation_id: ConversationId
    """Which conversation."""
    seq: int
    """Number of the newest event that was sent."""


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """The server is alive, and this far."""

    seqs: dict[str, int]
    """Newest event of each subscribed conversation; whoever has less subscribes again."""


class Problem(msgspec.Struct, frozen=True, tag="error"):
    """A frame could not be obeyed, or a subscription ended."""

    error: ErrorInfo
    """What went wrong."""
    conversation_id: ConversationId | None = None
    """The subscription that it ended, if it ended one."""


ServerFrame = Welcome | Snapshot | Envelope | Delta | CaughtUp | Heartbeat | Problem
