"""Turns: start, cancel, get."""

from __future__ import annotations

from typing import Annotated

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.conversation import Turn
from bestchat_server_ext.core.ids import ConversationId, MessageId, RequestId, TurnId

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000_000)]


class StartTurn(ApiRequest):
    """Say something, and have it answered."""

    conversation_id: ConversationId
    """Where to say it."""
    request_id: Annotated[RequestId, msgspec.Meta(min_length=1, max_length=100)]
    """An id made by the client, unique per owner: sending the request again starts nothing."""
    text: Text
    """What the user says."""
    model: Annotated[str, msgspec.Meta(max_length=300)] | None = None
    """Model reference of who is to answer; the default model if none."""
    parent_id: MessageId | None = None
    """The message it follows. None follows the newest message, unless `root` is set."""
    root: bool = False
    """Whether to begin a new branch at the very start of the conversation."""
    attended: bool = True
    """Whether a person is there to be asked for approvals; if not, asking means denying."""


class TurnTicket(msgspec.Struct, frozen=True):
    """The receipt for a started turn; what comes of it arrives as events."""

    turn_id: TurnId
    """The turn."""
    message_id: MessageId
    """The user's message as it was stored."""
    seq: int
    """Number of the event that began the turn: follow the conversation from here. Zero if the
    request had been received before: follow from the beginning."""
    model: str
    """The model that answers."""
    label: str = ""
    """What to show beside its name, for example *demo model*."""


class CancelTurn(ApiRequest):
    """Stop a turn. What has arrived is kept."""

    turn_id: TurnId
    """Which one."""


class GetTurn(ApiRequest):
    """Read how far a turn has come."""

    turn_id: TurnId
    """Which one."""


start = Procedure(
    name="turns.start",
    summary="Say something and have it answered; the answer arrives as events.",
    request=StartTurn,
    response=TurnTicket,
    scope=Scope.TURNS,
    target="conversation_id",
)
cancel = Procedure(
    name="turns.cancel",
    summary="Stop a turn; cancelling one that has ended changes nothing.",
    request=CancelTurn,
    response=Turn,
    scope=Scope.TURNS,
    target="turn_id",
)
get = Procedure(
    name="turns.get",
    summary="Read how far a turn has come.",
    request=GetTurn,
    response=Turn,
    scope=Scope.CONVERSATIONS_READ,
    target="turn_id",
)
