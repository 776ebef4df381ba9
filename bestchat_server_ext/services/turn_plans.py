"""How turns begin: which events each way of asking for an answer comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bestchat_server_ext.api.turns import TurnRequest
from bestchat_server_ext.core.conversation import ConversationState, Turn, no_such_message
from bestchat_server_ext.core.errors import Conflict, InvalidRequest, NotFound, TurnActive
from bestchat_server_ext.core.events import (
    ConversationRenamed,
    Event,
    MessageAdded,
    MessageUnqueued,
    TurnStarted,
)
from bestchat_server_ext.core.ids import MessageId, RequestId, TurnId, derived_id
from bestchat_server_ext.core.messages import FilePart, ImagePart, Message, TextPart
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.queue import QueuedMessage

_TITLE_LENGTH = 80


@dataclass(frozen=True)
class Plan:
    """What begins a turn.

    Attributes:
        started: the event that begins it.
        before: events that come before it, in the same transaction.
        after: events that come after it, likewise.
    """

    started: TurnStarted
    before: tuple[Event, ...] = ()
    after: tuple[Event, ...] = ()

    @property
    def events(self) -> tuple[Event, ...]:
        """All of it, in order."""
        return (*self.before, self.started, *self.after)


@dataclass(frozen=True)
class Said:
    """What a user says.

    Attributes:
        text: the words.
        images: the pictures that go along.
        files: the files that do.
    """

    text: str
    images: Sequence[ImagePart] = ()
    files: Sequence[FilePart] = ()


def question_id(turn_id: TurnId) -> MessageId:
    """The id of the user message that a turn brings."""
    return MessageId(derived_id(turn_id, "question"))


def begun_by(state: ConversationState, request_id: RequestId) -> Turn | None:
    """The turn that a request began here, if it was received before."""
    return next((turn for turn in state.turns.values() if turn.request_id == request_id), None)


def say(
    state: ConversationState,
    asked: TurnRequest,
    turn_id: TurnId,
    model: ModelRef,
    said: Said,
    parent: MessageId | None,
    at: datetime,
) -> Plan:
    """A new user message, and its answer.

    Raises:
        NotFound: the message to follow is not in this conversation.
    """
    if parent is not None and parent not in state.messages:
        raise NotFound(
            "The message to follow is not in this conversation.",
            hint="Read the conversation again.",
            field="parent_id",
        )
    message = _user_message(turn_id, said, parent, at)
    named: tuple[Event, ...] = ()
    if not state.conversation.title and not state.messages:
        named = (ConversationRenamed(first_title(said.text), first=True),)
    started = _started(asked, turn_id, model, message.id)
    return Plan(started, (MessageAdded(message),), named)


def send(state: ConversationState, waiting: QueuedMessage, at: datetime) -> Plan:
    """A message that has waited, and its answer: it follows what is newest now."""
    said = Said(waiting.text, waiting.images, waiting.files)
    message = _user_message(waiting.turn_id, said, state.newest, at)
    started = TurnStarted(
        waiting.turn_id,
        waiting.request_id,
        message.id,
        waiting.model,
        waiting.attended,
        options=waiting.options,
    )
    return Plan(started, (MessageUnqueued(waiting.turn_id), MessageAdded(message)))


def regenerate(
    state: ConversationState, asked: TurnRequest, turn_id: TurnId, model: ModelRef, of: MessageId
) -> Plan:
    """Another answer to the user message that a message is, or belongs to.

    Raises:
        NotFound: there is no such message in this conversation.
    """
    message = _message(state, of)
    while message.role != "user" and message.parent_id is not None:
        message = state.messages[message.parent_id]
    return Plan(_started(asked, turn_id, model, message.id))


def go_on(
    state: ConversationState, asked: TurnRequest, turn_id: TurnId, model: ModelRef, of: TurnId
) -> Plan:
    """The rest of a turn that broke off.

    Raises:
        NotFound: there is no such turn in this conversation.
        Conflict: it has not broken off.
    """
    turn = state.turns.get(of)
    if turn is None:
        raise NotFound("There is no such turn in this conversation.", field="turn_id")
    if turn.active:
        raise TurnActive("This turn is still under way.")
    if turn.state == "finished":
        raise Conflict(
            "This turn has finished: there is nothing to go on with.",
            hint="Say something, or have it answered again.",
        )
    its = [message.id for message in state.messages.values() if message.turn_id == turn.id]
    last = its[-1] if its else turn.message_id
    parent = last if last != turn.message_id else turn.parent_id
    return Plan(_started(asked, turn_id, model, turn.message_id, parent))


def edited(
    state: ConversationState,
    of: MessageId,
    text: str,
    images: Sequence[ImagePart] | None,
    files: Sequence[FilePart] | None,
) -> tuple[Said, MessageId | None]:
    """What is said in place of a user message, and the message that it follows.

    Raises:
        NotFound: there is no such message in this conversation.
        InvalidRequest: it is not a user's.
    """
    message = _message(state, of)
    if message.role != "user":
        raise InvalidRequest(
            "Only what a user said can be said differently.",
            hint="Have the answer made again with messages.regenerate.",
            field="message_id",
        )
    if images is None:
        images = [part for part in message.parts if isinstance(part, ImagePart)]
    if files is None:
        files = [part for part in message.parts if isinstance(part, FilePart)]
    return Said(text, images, files), message.parent_id


def waiting_for(state: ConversationState, request_id: RequestId) -> QueuedMessage | None:
    """The message that waits and came with a request, if one does."""
    return next((it for it in state.conversation.queue if it.request_id == request_id), None)


def _message(state: ConversationState, message_id: MessageId) -> Message:
    message = state.messages.get(message_id)
    if message is None:
        raise no_such_message()
    return message


def _user_message(
    turn_id: TurnId,
    said: Said,
    parent: MessageId | None,
    at: datetime,
) -> Message:
    return Message(
        id=question_id(turn_id),
        parent_id=parent,
        role="user",
        parts=(TextPart(said.text), *said.images, *said.files),
        created_at=at,
        turn_id=turn_id,
    )


def _started(
    asked: TurnRequest,
    turn_id: TurnId,
    model: ModelRef,
    message_id: MessageId,
    parent_id: MessageId | None = None,
) -> TurnStarted:
    return TurnStarted(
        turn_id,
        asked.request_id,
        message_id,
        str(model),
        asked.attended,
        parent_id,
        asked.options,
    )


def first_title(text: str) -> str:
    """A conversation's first title: the first line of its first message."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"
