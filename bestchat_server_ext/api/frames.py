"""What travels on the WebSocket, in both directions, as JSON text frames.

A client says `hello`, the server says `welcome`; then the client subscribes to conversations.
What the server sends for one conversation is, in this order: a snapshot or the events that were
missed, the streaming answer as far as it has come, `caught_up`, and then events and deltas live.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import ErrorInfo
from bestchat_server_ext.core.events import Delta, Envelope
from bestchat_server_ext.core.ids import ConversationId, MessageId

HEARTBEAT_SECONDS = 20.0
"""Time between a server's heartbeats: well below the 60 s after which proxies drop silent lines."""

SILENT_BEATS = 3
"""Heartbeats that a client may miss before it takes the server for gone."""

Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class DraftPosition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of a streaming answer a reader has."""

    message_id: MessageId
    """Which answer."""
    part: Seq
    """The last part it has something of."""
    n: Seq
    """The last piece it has of that part."""
    attempt: Seq = 1
    """Which beginning of the answer these belong to."""


class Hello(msgspec.Struct, frozen=True, tag="hello", forbid_unknown_fields=True):
    """The client's first frame."""

    protocol: int
    """The protocol that the client speaks."""


class Subscribe(
    msgspec.Struct, frozen=True, tag="subscribe", forbid_unknown_fields=True, omit_defaults=True
):
    """Follow a conversation; following it already means starting again from here."""

    conversation_id: ConversationId
    """Which conversation."""
    after: Seq | None = None
    """Number of the last event seen; none to begin with a snapshot."""
    draft: DraftPosition | None = None
    """How much of the streaming answer the reader has; none for nothing."""


class Unsubscribe(msgspec.Struct, frozen=True, tag="unsubscribe", forbid_unknown_fields=True):
    """Follow a conversation no longer."""

    conversation_id: ConversationId
    """Which conversation."""


class Ping(msgspec.Struct, frozen=True, tag="ping", forbid_unknown_fields=True):
    """Ask for a heartbeat now, to learn whether the line still works.

    Several that come together may be answered by one heartbeat.
    """


ClientFrame = Hello | Subscribe | Unsubscribe | Ping


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The server's answer to `hello`."""

    protocol: int
    """The protocol that the server speaks."""
    version: str
    """The server's version."""
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    """Time between its heartbeats. A server that says nothing for three of them is gone."""


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
