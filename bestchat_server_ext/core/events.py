"""Events: past-tense facts of a conversation, and deltas, which are not facts yet.

An event is durable and numbered by `seq` without gaps, from 1, within its conversation. A delta
is a piece of an answer on its way; once the answer is complete, `MessageAdded` says it whole and
the deltas mean nothing any more. Readers ignore event types that they do not know, so that an
older client survives a newer server.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import ErrorInfo
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    MessageId,
    OwnerId,
    RequestId,
    TurnId,
)
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.models import RequestOptions
from bestchat_server_ext.core.queue import QueuedMessage
from bestchat_server_ext.core.tools import Decision, ToolExecution, ToolResult


class ConversationCreated(msgspec.Struct, frozen=True, tag="conversation_created"):
    """A conversation began."""

    owner: OwnerId
    """Whose it is."""
    title: str = ""
    """What it is called."""
    label: str = ""
    """Where it came from, for example a notebook's path."""
    settings: ConversationSettings = ConversationSettings()
    """What is set for it."""
    forked_from: ConversationId | None = None
    """The conversation whose messages it began with, if it is a fork."""


class ConversationRenamed(msgspec.Struct, frozen=True, tag="conversation_renamed"):
    """A conversation got another title."""

    title: str
    """The new title."""
    replaces: int | None = None
    """The version of the conversation that was changed; none for whichever there was."""
    first: bool = False
    """Whether it is the title that the first message gives. It counts only where there is none, and
    makes no new version."""


class ConversationConfigured(msgspec.Struct, frozen=True, tag="conversation_configured"):
    """A conversation got other settings."""

    settings: ConversationSettings
    """All its settings from now on."""
    replaces: int | None = None
    """The version of the conversation that was changed; none for whichever there was."""


class ConversationStarred(msgspec.Struct, frozen=True, tag="conversation_starred"):
    """A conversation got a star, or lost it."""

    starred: bool
    """Whether it has one now."""


class ConversationArchived(msgspec.Struct, frozen=True, tag="conversation_archived"):
    """A conversation was put away, or brought back."""

    archived: bool
    """Whether it is put away now."""


class ConversationTrashed(msgspec.Struct, frozen=True, tag="conversation_trashed"):
    """A conversation was deleted; for a while that can be undone."""


class ConversationRestored(msgspec.Struct, frozen=True, tag="conversation_restored"):
    """A deletion was undone."""


class ConversationDeleted(msgspec.Struct, frozen=True, tag="conversation_deleted"):
    """A conversation and all that hung on it is gone. Published, never stored."""


class MessagePinned(msgspec.Struct, frozen=True, tag="message_pinned"):
    """A message was pinned, or let go."""

    message_id: MessageId
    """The message."""
    pinned: bool
    """Whether it is pinned now."""


class MessageQueued(msgspec.Struct, frozen=True, tag="message_queued"):
    """A message was said while another turn was running; it is sent after that."""

    message: QueuedMessage
    """The message."""


class MessageUnqueued(msgspec.Struct, frozen=True, tag="message_unqueued"):
    """A message waits no longer: it is being sent, or was taken back."""

    turn_id: TurnId
    """The turn that was to answer it."""


class MessageAdded(msgspec.Struct, frozen=True, tag="message_added"):
    """A message is complete, or as complete as it will ever be."""

    message: Message
    """The message."""


class TurnStarted(msgspec.Struct, frozen=True, tag="turn_started"):
    """A user message is to be answered."""

    turn_id: TurnId
    """The new turn."""
    request_id: RequestId
    """The client's own id of the request that asked for it."""
    message_id: MessageId
    """The user message that it answers."""
    model: str
    """The model that is to answer."""
    attended: bool = True
    """Whether a person is there to be asked for approvals."""
    parent_id: MessageId | None = None
    """The message that its first answer follows, where it goes on with a turn that broke off; none
    for `message_id`."""
    options: RequestOptions = RequestOptions()
    """How to answer."""


class StepStarted(msgspec.Struct, frozen=True, tag="step_started"):
    """A model is being asked; deltas of `message_id` follow."""

    turn_id: TurnId
    """The turn it belongs to."""
    step: int
    """Which request to a model within that turn, from 1."""
    message_id: MessageId
    """The answer that will come of it."""
    parent_id: MessageId
    """The message that answer follows."""


class AttemptFailed(msgspec.Struct, frozen=True, tag="attempt_failed"):
    """A model did not answer a step, and another attempt follows."""

    turn_id: TurnId
    """The turn it belongs to."""
    step: int
    """The step that is asked again."""
    model: str
    """The model that failed."""
    error: ErrorInfo
    """Why."""
    next_model: str
    """The model that is asked now; the same one, where it is asked again."""
    kept: bool = True
    """Whether what had arrived of the answer stands. If not, its deltas begin anew."""


class RequestReduced(msgspec.Struct, frozen=True, tag="request_reduced"):
    """The oldest messages were left out of a request, because the model's window is too small.

    The conversation itself has all of them.
    """

    turn_id: TurnId
    """The turn it belongs to."""
    step: int
    """The step whose request it was."""
    first_message_id: MessageId
    """The oldest message that was sent, apart from pinned ones."""
    left_out: int
    """How many messages were left out."""
    tokens_before: int
    """Tokens of the whole, estimated."""
    tokens_after: int
    """Tokens of what was sent, estimated."""
    window: int
    """Tokens that the model can take."""


class ToolProposed(msgspec.Struct, frozen=True, tag="tool_proposed"):
    """A model asked for a tool."""

    execution: ToolExecution
    """The execution in its first state."""


class ApprovalRequested(msgspec.Struct, frozen=True, tag="approval_requested"):
    """A call waits for a person's decision."""

    execution_id: ExecutionId
    """The execution that waits."""


class ApprovalAnswered(msgspec.Struct, frozen=True, tag="approval_answered"):
    """A decision was made over a call, by a person or by a rule."""

    execution_id: ExecutionId
    """The execution it is about."""
    decision: Decision
    """What was decided."""


class ToolStarted(msgspec.Struct, frozen=True, tag="tool_started"):
    """A tool is about to run."""

    execution_id: ExecutionId
    """The execution that runs."""


class ToolFinished(msgspec.Struct, frozen=True, tag="tool_finished"):
    """A tool ended, or what became of it will never be known."""

    execution_id: ExecutionId
    """The execution that ended."""
    state: Literal["done", "failed", "unknown"]
    """How it ended."""
    result: ToolResult
    """What it brought."""


class TurnWaiting(msgspec.Struct, frozen=True, tag="turn_waiting"):
    """Nothing runs in the turn until somebody answers an approval."""

    turn_id: TurnId
    """The turn that waits."""


class TurnResumed(msgspec.Struct, frozen=True, tag="turn_resumed"):
    """A turn that waited goes on."""

    turn_id: TurnId
    """The turn that goes on."""


class CancelRequested(msgspec.Struct, frozen=True, tag="cancel_requested"):
    """Somebody pressed Stop."""

    turn_id: TurnId
    """The turn that is to end."""


class TurnFinished(msgspec.Struct, frozen=True, tag="turn_finished"):
    """The final answer is there."""

    turn_id: TurnId
    """The turn that ended."""


class TurnFailed(msgspec.Struct, frozen=True, tag="turn_failed"):
    """The turn ended without a final answer."""

    turn_id: TurnId
    """The turn that ended."""
    error: ErrorInfo
    """Why."""


class TurnCancelled(msgspec.Struct, frozen=True, tag="turn_cancelled"):
    """The turn was stopped; what had arrived is kept."""

    turn_id: TurnId
    """The turn that ended."""


class TurnInterrupted(msgspec.Struct, frozen=True, tag="turn_interrupted"):
    """The process that ran the turn is gone; what it had stored is kept."""

    turn_id: TurnId
    """The turn that ended."""


TurnEnded = TurnFinished | TurnFailed | TurnCancelled | TurnInterrupted

Quiet = (
    ConversationConfigured
    | ConversationStarred
    | ConversationArchived
    | ConversationTrashed
    | ConversationRestored
    | MessagePinned
)
"""Events after which a conversation keeps its place in lists: nothing was said in it."""

Event = (
    ConversationCreated
    | ConversationRenamed
    | ConversationConfigured
    | ConversationStarred
    | ConversationArchived
    | ConversationTrashed
    | ConversationRestored
    | ConversationDeleted
    | MessageAdded
    | MessagePinned
    | MessageQueued
    | MessageUnqueued
    | TurnStarted
    | StepStarted
    | AttemptFailed
    | RequestReduced
    | ToolProposed
    | ApprovalRequested
    | ApprovalAnswered
    | ToolStarted
    | ToolFinished
    | TurnWaiting
    | TurnResumed
    | CancelRequested
    | TurnFinished
    | TurnFailed
    | TurnCancelled
    | TurnInterrupted
)


class Envelope(msgspec.Struct, frozen=True, tag="event"):
    """An event with its place in the order of its conversation."""

    conversation_id: ConversationId
    """The conversation it is a fact of."""
    seq: int
    """Its number in that conversation, from 1, without gaps."""
    at: datetime
    """When it was written, UTC."""
    event: Event
    """The fact."""


class Delta(msgspec.Struct, frozen=True, tag="delta"):
    """Pieces `first` to `n` of a streaming part.

    A reader that has pieces up to `first - 1` appends the text; one that has piece `n` already
    ignores it; for any other there is a gap, and it subscribes again. Pieces are counted rather
    than characters because Python and JavaScript count those differently.
    """

    conversation_id: ConversationId
    """The conversation it belongs to."""
    turn_id: TurnId
    """The turn that is running."""
    message_id: MessageId
    """The answer that is growing."""
    part: int
    """Index of the part within that answer, from 0."""
    kind: Literal["text", "reasoning"]
    """What kind of part."""
    first: int
    """Number of the first piece in here, from 1."""
    n: int
    """Number of the last piece in here."""
    text: str
    """The pieces, joined."""
    attempt: int = 1
    """Which beginning of the answer it belongs to. A higher one than before: forget the pieces of
    the earlier beginnings."""
