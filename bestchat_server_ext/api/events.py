"""Events: replay what was, subscribe to what comes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from bestchat_server_ext.api.frames import DraftPosition, Seq, ServerFrame
from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.events import Envelope
from bestchat_server_ext.core.ids import ConversationId


class ReplayEvents(ApiRequest):
    """Read the events that follow a number."""

    conversation_id: ConversationId
    """Of which conversation."""
    after: Seq = 0
    """Number of the last event seen; 0 for all."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 500
    """How many at most."""


class Replay(msgspec.Struct, frozen=True):
    """Events, or a snapshot where events were trimmed."""

    events: tuple[Envelope, ...]
    """The events, oldest first; empty if there is a snapshot."""
    seq: int
    """Number of the conversation's newest event: beyond the last one here, ask again."""
    snapshot: ConversationState | None = None
    """The whole conversation, where the events that were asked for are not kept any more."""


class SubscribeEvents(ApiRequest):
    """Follow a conversation from where the reader stands."""

    conversation_id: ConversationId
    """Which conversation."""
    after: Seq | None = None
    """Number of the last event seen; none to begin with a snapshot."""
    draft: DraftPosition | None = None
    """How much of the streaming answer the reader has; none for nothing."""


class Streamed(msgspec.Struct, frozen=True):
    """One frame of a subscription."""

    frame: ServerFrame
    """The frame, as it travels on the WebSocket."""


replay = Procedure(
    name="events.replay",
    summary="Read the events that follow a number; also the way to follow without a WebSocket.",
    request=ReplayEvents,
    response=Replay,
    scope=Scope.CONVERSATIONS_READ,
    target="conversation_id",
)
subscribe = Procedure(
    name="events.subscribe",
    summary="Follow a conversation: what was missed, what is streaming, then what comes.",
    request=SubscribeEvents,
    response=Streamed,
    scope=Scope.CONVERSATIONS_READ,
    target="conversation_id",
    stream=True,
)
