"""Turns: start, queue, go on with, cancel, get."""

from __future__ import annotations

from typing import Annotated

import msgspec

from bestchat_server_ext.api.files import Files
from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.conversation import Conversation, Turn
from bestchat_server_ext.core.ids import ConversationId, MessageId, RequestId, TurnId
from bestchat_server_ext.core.messages import ImagePart
from bestchat_server_ext.core.models import RequestOptions

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000_000)]


Images = Annotated[tuple[ImagePart, ...], msgspec.Meta(max_length=8)]


class TurnRequest(ApiRequest, kw_only=True):
    """What every request for an answer has."""

    conversation_id: ConversationId
    """Where."""
    request_id: Annotated[RequestId, msgspec.Meta(min_length=1, max_length=100)]
    """An id made by the client, unique per owner: sending the request again starts nothing."""
    model: Annotated[str, msgspec.Meta(max_length=300)] | None = None
    """Model reference of who is to answer; if none, the conversation's own model, else the default
    model."""
    options: RequestOptions = RequestOptions()
    """How to answer."""
    attended: bool = True
    """Whether a person is there to be asked for approvals; if not, asking means denying."""


class StartTurn(TurnRequest, kw_only=True):
    """Say something, and have it answered."""

    text: Text
    """What the user says."""
    images: Images = ()
    """Pictures that go along."""
    files: Files = ()
    """Uploaded files that go along, pictures among them: see `files.create`."""
    parent_id: MessageId | None = None
    """The message it follows. None follows the newest message, unless `root` is set."""
    root: bool = False
    """Whether to begin a new branch at the very start of the conversation."""
    queue: bool = False
    """Whether to let it wait, if the conversation is busy, until the turns before it have finished.
    It follows the newest message then."""


class ContinueTurn(TurnRequest, kw_only=True):
    """Go on with a turn that broke off: that was interrupted, stopped, or failed."""

    turn_id: TurnId
    """That turn."""


class UnqueueMessage(ApiRequest):
    """Take back a message that waits."""

    conversation_id: ConversationId
    """Where."""
    turn_id: TurnId
    """The turn that was to answer it."""


class SendQueued(ApiRequest):
    """Send the first message that waits, after a turn that did not finish has held it up."""

    conversation_id: ConversationId
    """Where."""


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
    queued: bool = False
    """Whether the message waits: turn and message come to be when it is sent."""


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
continue_ = Procedure(
    name="turns.continue",
    summary="Go on with a turn that broke off, from what is stored of it.",
    request=ContinueTurn,
    response=TurnTicket,
    scope=Scope.TURNS,
    target="conversation_id",
)
unqueue = Procedure(
    name="turns.unqueue",
    summary="Take back a message that waits for its turn.",
    request=UnqueueMessage,
    response=Conversation,
    scope=Scope.TURNS,
    target="conversation_id",
)
send_queued = Procedure(
    name="turns.send_queued",
    summary="Send the first message that waits.",
    request=SendQueued,
    response=TurnTicket,
    scope=Scope.TURNS,
    target="conversation_id",
)
