"""A conversation as a value, and how events change it.

Rows are the truth, and the state of every client is `reduce(snapshot, envelope)`. The storage
adapter changes its rows with the same functions, so the two cannot drift apart; those functions
are also where an event that does not fit the present state is refused.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import (
    Conflict,
    ErrorInfo,
    LimitReached,
    NotFound,
    TurnActive,
    VersionConflict,
)
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    MessageId,
    OwnerId,
    RequestId,
    TurnId,
    derived_id,
)
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.models import RequestOptions, Usage
from bestchat_server_ext.core.queue import QUEUE_LIMIT, QueuedMessage
from bestchat_server_ext.core.tools import ExecutionState, ToolExecution, ToolResult

TurnState = Literal["running", "waiting", "finished", "failed", "cancelled", "interrupted"]

ACTIVE: frozenset[TurnState] = frozenset({"running", "waiting"})
"""States in which a turn keeps its conversation busy."""


class Conversation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation without what was said in it."""

    id: ConversationId
    """Names it."""
    owner: OwnerId
    """Whose it is."""
    seq: int
    """Number of its newest event."""
    created_at: datetime
    """When it began, UTC."""
    updated_at: datetime
    """When something was last said or done in it, UTC."""
    title: str = ""
    """What it is called; empty until it has a name."""
    label: str = ""
    """Where it came from, for example a notebook's path."""
    version: int = 1
    """Grows with every change of title or settings; who changes them says which one was seen."""
    settings: ConversationSettings = ConversationSettings()
    """What is set for it."""
    starred: bool = False
    """Whether it has a star."""
    archived: bool = False
    """Whether it is put away."""
    deleted_at: datetime | None = None
    """When it was deleted, UTC; after a while it is gone for good. None if it was not."""
    forked_from: ConversationId | None = None
    """The conversation whose messages it began with, if it is a fork."""
    queue: tuple[QueuedMessage, ...] = ()
    """Messages that wait for the turns before them, the next one first."""


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """One user message and everything that happens until the final answer."""

    id: TurnId
    """Names it."""
    conversation_id: ConversationId
    """Where it happens."""
    request_id: RequestId
    """The client's own id of the request that asked for it."""
    message_id: MessageId
    """The user message that it answers."""
    model: str
    """The model that answers."""
    started_at: datetime
    """When it began, UTC."""
    state: TurnState
    """How far it has come."""
    attended: bool = True
    """Whether a person is there to be asked for approvals."""
    step: int = 0
    """The current request to the model, from 1; 0 before the first."""
    cancelling: bool = False
    """Whether somebody pressed Stop."""
    usage: Usage = Usage()
    """What its steps have cost together so far."""
    error: ErrorInfo | None = None
    """Why it failed, if it did."""
    ended_at: datetime | None = None
    """When it ended, UTC."""
    fallback: str | None = None
    """The model that answers in its place since `model` failed; none, as long as it did not."""
    parent_id: MessageId | None = None
    """The message that its first answer follows, where it goes on with a turn that broke off; none
    for `message_id`."""
    options: RequestOptions = RequestOptions()
    """How to answer."""
    first_message_id: MessageId | None = None
    """The oldest message that its requests contain, apart from pinned ones; none for all."""

    @property
    def follows(self) -> MessageId:
        """The message that its first answer follows."""
        return self.parent_id or self.message_id

    @property
    def active(self) -> bool:
        """Whether it keeps its conversation busy."""
        return self.state in ACTIVE


class ConversationState(msgspec.Struct, frozen=True):
    """A whole conversation: the snapshot that a client starts from."""

    conversation: Conversation
    """The conversation itself."""
    messages: dict[str, Message]
    """All messages by id, in the order in which they were added."""
    turns: dict[str, Turn]
    """All turns by id, oldest first."""
    executions: dict[str, ToolExecution]
    """All tool executions by id, oldest first."""

    def branch(self, leaf: MessageId | None) -> tuple[Message, ...]:
        """The messages from the root down to `leaf`, oldest first."""
        path = []
        while leaf is not None:
            message = self.messages[leaf]
            path.append(message)
            leaf = message.parent_id
        return tuple(reversed(path))

    @property
    def newest(self) -> MessageId | None:
        """The message that was added last: where a conversation goes on by itself."""
        last = next(reversed(self.messages), None)
        return None if last is None else MessageId(last)

    @property
    def active_turn(self) -> Turn | None:
        """The turn that keeps the conversation busy, if one does."""
        return next((turn for turn in reversed(self.turns.values()) if turn.active), None)


class SeqGap(Exception):
    """An event came whose predecessors are missing: replay from the last one seen."""


def answer_id(turn_id: TurnId, step: int) -> MessageId:
    """The id of the answer that a step brings."""
    return MessageId(derived_id(turn_id, "answer", step))


def tool_message_id(turn_id: TurnId, step: int) -> MessageId:
    """The id of the message that carries the results of a step's tools."""
    return MessageId(derived_id(turn_id, "tools", step))


def execution_id(turn_id: TurnId, step: int, position: int) -> ExecutionId:
    """The id of the tool execution at a position among the calls of a step."""
    return ExecutionId(derived_id(turn_id, "execution", step, position))


def create(conversation_id: ConversationId, created: ev.Envelope) -> ConversationState:
    """The state after the first event of a conversation, which says that it was created."""
    if not isinstance(created.event, ev.ConversationCreated):
        raise Conflict("A conversation begins with its creation.")
    conversation = Conversation(
        id=conversation_id,
        owner=created.event.owner,
        seq=created.seq,
        created_at=created.at,
        updated_at=created.at,
        title=created.event.title,
        label=created.event.label,
        settings=created.event.settings,
        forked_from=created.event.forked_from,
    )
    return ConversationState(conversation, {}, {}, {})


def reduce(state: ConversationState, envelope: ev.Envelope) -> ConversationState:
    """The state after one more event. An event that is contained already changes nothing.

    Raises:
        SeqGap: events are missing in between.
        Conflict: the event does not fit; the store never lets such an event happen.
    """
    have = state.conversation.seq
    if envelope.seq <= have:
        return state
    if envelope.seq > have + 1:
        raise SeqGap(f"have {have}, got {envelope.seq}")
    conversation = apply_conversation(state.conversation, envelope.event, envelope.at)
    conversation = msgspec.structs.replace(conversation, seq=envelope.seq)
    state = msgspec.structs.replace(state, conversation=conversation)
    return _reduce_parts(state, envelope)


def _reduce_parts(state: ConversationState, envelope: ev.Envelope) -> ConversationState:
    event = envelope.event
    changes: dict[str, Any] = {}
    if isinstance(event, ev.MessageAdded):
        changes["messages"] = _with(state.messages, event.message)
    if isinstance(event, ev.MessagePinned):
        changes["messages"] = _pinned(state.messages, event)
    if isinstance(event, ev.TurnStarted):
        if state.active_turn is not None:
            raise TurnActive("This conversation is busy with another turn.")
        turn = start_turn(state.conversation.id, event, envelope.at)
        changes["turns"] = _with(state.turns, turn)
    elif (turn_id := turn_of(event)) is not None and turn_id in state.turns:
        turn = apply_turn(state.turns[turn_id], event, envelope.at)
        changes["turns"] = {**state.turns, turn_id: turn}
    if isinstance(event, ev.ToolProposed):
        changes["executions"] = _with(state.executions, event.execution)
    elif (key := execution_of(event)) is not None:
        if key not in state.executions:
            raise Conflict("There is no such tool call in this conversation.")
        execution = apply_execution(state.executions[key], event)
        changes["executions"] = {**state.executions, key: execution}
    return msgspec.structs.replace(state, **changes)


_Item = TypeVar("_Item", Message, Turn, ToolExecution)


def _with(items: dict[str, _Item], new: _Item) -> dict[str, _Item]:
    if new.id in items:
        raise Conflict("This is in the conversation already.")
    return {**items, new.id: new}


def _pinned(messages: dict[str, Message], event: ev.MessagePinned) -> dict[str, Message]:
    if event.message_id not in messages:
        raise no_such_message()
    message = msgspec.structs.replace(messages[event.message_id], pinned=event.pinned)
    return {**messages, event.message_id: message}


def no_such_message() -> NotFound:
    """The error for a message that is not in its conversation."""
    return NotFound(
        "There is no such message in this conversation.",
        hint="Read the conversation again.",
        field="message_id",
    )


def apply_conversation(conversation: Conversation, event: ev.Event, at: datetime) -> Conversation:
    """The conversation after an event, apart from its counter.

    Raises:
        Conflict: it was deleted; `VersionConflict` if somebody else has changed it meanwhile.
        LimitReached: too many messages wait.
    """
    changes: dict[str, Any] = {} if isinstance(event, ev.Quiet) else {"updated_at": at}
    match event:
        case ev.ConversationRenamed(title=title, first=True):
            changes["title"] = conversation.title or title
        case ev.ConversationRenamed(title=title, replaces=replaces):
            changes |= {"title": title, "version": _next_version(conversation, replaces)}
        case ev.ConversationConfigured(settings=settings, replaces=replaces):
            changes |= {"settings": settings, "version": _next_version(conversation, replaces)}
        case ev.ConversationStarred(starred=starred):
            changes["starred"] = starred
        case ev.ConversationArchived(archived=archived):
            changes["archived"] = archived
        case ev.ConversationTrashed():
            changes["deleted_at"] = conversation.deleted_at or at
        case ev.ConversationRestored():
            changes["deleted_at"] = None
        case ev.MessageQueued(message=message):
            require_undeleted(conversation)
            _require_place(conversation.queue, message)
            changes["queue"] = (*conversation.queue, message)
        case ev.MessageUnqueued(turn_id=turn_id):
            changes["queue"] = _without(conversation.queue, turn_id)
        case ev.TurnStarted():
            require_undeleted(conversation)
    return msgspec.structs.replace(conversation, **changes)


def _next_version(conversation: Conversation, replaces: int | None) -> int:
    if replaces is not None and replaces != conversation.version:
        raise VersionConflict(
            f"This conversation was changed meanwhile: it has version {conversation.version}, "
            f"not {replaces}."
        )
    return conversation.version + 1


def require_undeleted(conversation: Conversation) -> None:
    """Refuse a conversation that was deleted.

    Raises:
        Conflict: it was.
    """
    if conversation.deleted_at is not None:
        raise Conflict(
            "This conversation was deleted.", hint="Restore it first, or begin another one."
        )


def _require_place(queue: tuple[QueuedMessage, ...], message: QueuedMessage) -> None:
    if len(queue) >= QUEUE_LIMIT:
        raise LimitReached(
            f"{QUEUE_LIMIT} messages wait already.",
            hint="Wait until some of them were sent, or take one back.",
        )
    if any(item.request_id == message.request_id for item in queue):
        raise Conflict("This request was received before.")


def _without(queue: tuple[QueuedMessage, ...], turn_id: TurnId) -> tuple[QueuedMessage, ...]:
    left = tuple(item for item in queue if item.turn_id != turn_id)
    if len(left) == len(queue):
        raise Conflict(
            "This message does not wait any more.",
            hint="It was sent or taken back; look at the conversation again.",
        )
    return left


def start_turn(conversation_id: ConversationId, event: ev.TurnStarted, at: datetime) -> Turn:
    """The turn that an event begins."""
    return Turn(
        id=event.turn_id,
        conversation_id=conversation_id,
        request_id=event.request_id,
        message_id=event.message_id,
        model=event.model,
        started_at=at,
        state="running",
        attended=event.attended,
        parent_id=event.parent_id,
        options=event.options,
    )


def turn_of(event: ev.Event) -> TurnId | None:
    """The turn that an event changes, if it changes one."""
    match event:
        case ev.MessageAdded(message):
            return message.turn_id
        case (
            ev.StepStarted()
            | ev.AttemptFailed()
            | ev.RequestReduced()
            | ev.TurnWaiting()
            | ev.TurnResumed()
            | ev.CancelRequested()
            | ev.TurnFinished()
            | ev.TurnFailed()
            | ev.TurnCancelled()
            | ev.TurnInterrupted()
        ):
            return event.turn_id
        case _:
            return None


def execution_of(event: ev.Event) -> ExecutionId | None:
    """The tool execution that an event changes, if it changes one."""
    match event:
        case ev.ApprovalRequested() | ev.ApprovalAnswered() | ev.ToolStarted() | ev.ToolFinished():
            return event.execution_id
        case _:
            return None


def apply_turn(turn: Turn, event: ev.Event, at: datetime) -> Turn:
    """The turn after an event that `turn_of` says is about it.

    Raises:
        Conflict: the turn has ended already.
    """
    if not turn.active:
        raise Conflict(f"This turn is {turn.state} already.")
    match event:
        case ev.MessageAdded(message):
            return msgspec.structs.replace(turn, usage=turn.usage + (message.usage or Usage()))
        case ev.StepStarted(step=step):
            return msgspec.structs.replace(turn, step=step, state="running")
        case ev.AttemptFailed(next_model=model):
            fallback = model if model != turn.model else None
            return msgspec.structs.replace(turn, fallback=fallback)
        case ev.RequestReduced(first_message_id=first):
            return msgspec.structs.replace(turn, first_message_id=first)
        case ev.TurnWaiting():
            return msgspec.structs.replace(turn, state="waiting")
        case ev.TurnResumed():
            return msgspec.structs.replace(turn, state="running")
        case ev.CancelRequested():
            return msgspec.structs.replace(turn, cancelling=True)
        case ev.TurnFinished():
            return msgspec.structs.replace(turn, state="finished", ended_at=at)
        case ev.TurnFailed(error=error):
            return msgspec.structs.replace(turn, state="failed", ended_at=at, error=error)
        case ev.TurnCancelled():
            return msgspec.structs.replace(turn, state="cancelled", ended_at=at)
        case ev.TurnInterrupted():
            return msgspec.structs.replace(turn, state="interrupted", ended_at=at)
        case _:
            return turn


_BEFORE: dict[str, frozenset[ExecutionState]] = {
    "waiting": frozenset({"proposed"}),
    "approved": frozenset({"proposed", "waiting"}),
    "denied": frozenset({"proposed", "waiting", "approved"}),
    "running": frozenset({"approved"}),
    "done": frozenset({"running"}),
    "failed": frozenset({"proposed", "approved", "running"}),
    "unknown": frozenset({"running"}),
}


def apply_execution(execution: ToolExecution, event: ev.Event) -> ToolExecution:
    """The execution after an event that `execution_of` says is about it.

    Raises:
        Conflict: it is past that state already, for example because somebody else was faster
            to answer its approval.
    """
    match event:
        case ev.ApprovalRequested():
            return _step(execution, "waiting")
        case ev.ApprovalAnswered(decision=decision):
            if execution.decision is not None and decision.by != "system":
                raise _decided(execution)  # the first answer counts, until the turn is stopped
            execution = msgspec.structs.replace(execution, decision=decision)
            if decision.verdict == "approve":
                return _step(execution, "approved")
            refusal = ToolResult(_refusal(decision.by, decision.reason), is_error=True)
            return _step(execution, "denied", refusal)
        case ev.ToolStarted():
            return _step(execution, "running")
        case ev.ToolFinished(state=state, result=result):
            return _step(execution, state, result)
        case _:
            return execution


def _step(
    execution: ToolExecution, state: ExecutionState, result: ToolResult | None = None
) -> ToolExecution:
    if execution.state not in _BEFORE[state]:
        raise _decided(execution)
    return msgspec.structs.replace(execution, state=state, result=result)


def _decided(execution: ToolExecution) -> Conflict:
    return Conflict(
        f"This tool call is {execution.state} already.",
        hint="Look at the conversation again: somebody else has decided.",
    )


def _refusal(by: str, reason: str) -> str:
    """What the model is told about a call that did not happen."""
    match by:
        case "policy":
            text = "The policy does not allow this call."
        case "system":
            text = "This call did not run."
        case _:  # a person, with whichever credential
            text = "The user rejected this call."
    return f"{text} {reason}".strip() + " Do not try it again unless the user asks for it."
