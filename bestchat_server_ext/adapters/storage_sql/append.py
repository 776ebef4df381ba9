"""One append: events get their numbers, and the rows that they change follow.

Rows are changed by the functions that clients change their state with (`core.conversation`), so
the two agree by construction. The conversation's row is written first and thereby locked: writers
to one conversation pass one by one, and what is read after that stays true until the commit. Turns
and tool calls are locked in the order of their ids, as by everybody else, so that nobody waits in
a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from bestchat_server_ext.adapters.storage_sql import rows, search
from bestchat_server_ext.adapters.storage_sql.tables import (
    conversations,
    events,
    file_uploads,
    messages,
    tool_executions,
    turns,
)
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import (
    ACTIVE,
    Conversation,
    apply_conversation,
    apply_execution,
    apply_turn,
    create,
    execution_of,
    no_such_message,
    start_turn,
    turn_of,
)
from bestchat_server_ext.core.errors import Conflict, LeaseLost, NotFound, TurnActive
from bestchat_server_ext.core.events import Envelope, Event
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    FileId,
    OwnerId,
    TurnId,
    is_id,
)
from bestchat_server_ext.core.messages import FilePart, Part
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.ports.storage import Appended, Claim, Lease

# Statements are made once: to make one costs as much as to carry it out, and every turn takes some.

_HERE = conversations.c.id == bindparam("key")
_COUNT_ON = (
    update(conversations)
    .where(_HERE)
    .values(seq=conversations.c.seq + bindparam("count"))
    .returning(*conversations.c)
)
_COUNT_ON_NOW = _COUNT_ON.values(updated_at=bindparam("now", type_=conversations.c.updated_at.type))
_TURNS_HERE = turns.c.conversation_id == bindparam("key")
_NAMED = turns.c.id.in_(bindparam("ids", expanding=True))
_ORDERED = select(turns).order_by(turns.c.id).with_for_update()
_NAMED_TURNS = _ORDERED.where(_TURNS_HERE, _NAMED)
_NAMED_OR_ACTIVE_TURNS = _ORDERED.where(_TURNS_HERE, or_(_NAMED, turns.c.state.in_(ACTIVE)))
_EXECUTIONS = (
    select(tool_executions)
    .where(tool_executions.c.conversation_id == bindparam("key"))
    .where(tool_executions.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(tool_executions.c.id)
    .with_for_update()
)
_KNOWN_REQUESTS = (
    select(turns.c.id)
    .where(turns.c.owner == bindparam("owner"))
    .where(turns.c.request_id.in_(bindparam("requests", expanding=True)))
    .limit(1)
)
_CHANGE_TURN = update(turns).where(turns.c.id == bindparam("key"))
_CHANGE_EXECUTION = update(tool_executions).where(tool_executions.c.id == bindparam("key"))
_ATTACH = (
    update(file_uploads)
    .where(file_uploads.c.conversation_id == bindparam("here"))
    .where(file_uploads.c.id.in_(bindparam("ids", expanding=True)))
    .values(attached=True)
)
_ADD_EVENTS, _ADD_MESSAGES = insert(events), insert(messages)
_ADD_TURNS, _ADD_EXECUTIONS = insert(turns), insert(tool_executions)


def append(
    connection: Connection,
    conversation_id: ConversationId,
    happened: Sequence[Event],
    at: datetime,
    *,
    lease: Lease | None,
    claim: Claim | None,
) -> Appended:
    """Write events and what they change, in the transaction that the connection is in.

    Raises:
        ChatError: as the port says; the transaction must then be rolled back.
    """
    if happened and isinstance(happened[0], ev.ConversationCreated):
        conversation = _create(connection, conversation_id, happened, at)
    else:
        conversation = _count_on(connection, conversation_id, happened, at)
    first = conversation.seq - len(happened) + 1
    envelopes = tuple(
        Envelope(conversation_id, seq, at, event) for seq, event in enumerate(happened, first)
    )
    leased = _read_turns(connection, conversation_id, _turns_of(happened, lease, claim))
    if lease is not None:
        _check(lease, leased)
    _refuse_known_requests(connection, conversation.owner, happened)
    executions = _read_executions(connection, conversation_id, happened)
    change = _Change(conversation, leased, executions)
    for envelope in envelopes:
        change.apply(envelope)
    granted = change.grant(claim)
    change.write(connection, envelopes)
    return Appended(envelopes, granted)


# Reading what the events are about.


def _create(
    connection: Connection,
    conversation_id: ConversationId,
    happened: Sequence[Event],
    at: datetime,
) -> Conversation:
    created = create(conversation_id, Envelope(conversation_id, 1, at, happened[0])).conversation
    values = rows.conversation_values(created) | {"seq": len(happened)}
    query = insert(conversations).values(values)
    result = connection.execute(query.returning(*conversations.c))
    return rows.conversation(result.mappings().one())


def _count_on(
    connection: Connection,
    conversation_id: ConversationId,
    happened: Sequence[Event],
    at: datetime,
) -> Conversation:
    query, given = _COUNT_ON, {"key": conversation_id, "count": len(happened)}
    if not all(isinstance(event, ev.Quiet) for event in happened):
        query, given = _COUNT_ON_NOW, {**given, "now": at}
    row = None
    if is_id(conversation_id):
        row = connection.execute(query, given).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such conversation.", hint="It may have been deleted.")
    return rows.conversation(row)


def _turns_of(
    happened: Sequence[Event], lease: Lease | None, claim: Claim | None
) -> tuple[set[TurnId], bool]:
    """The turns that matter by id; and whether an active one matters, whichever it is."""
    ids = {turn_id for event in happened if (turn_id := turn_of(event)) is not None}
    ids |= {item.execution.turn_id for item in happened if isinstance(item, ev.ToolProposed)}
    ids |= {item.turn_id for item in (lease, claim) if item is not None}
    return ids, any(isinstance(event, ev.TurnStarted) for event in happened)


def _read_turns(
    connection: Connection,
    conversation_id: ConversationId,
    wanted: tuple[set[TurnId], bool],
) -> dict[TurnId, rows.LeasedTurn]:
    ids, active = wanted
    if not ids and not active:
        return {}
    query = _NAMED_OR_ACTIVE_TURNS if active else _NAMED_TURNS
    result = connection.execute(query, {"key": conversation_id, "ids": list(ids)})
    return {row["id"]: rows.leased_turn(row) for row in result.mappings()}


def _read_executions(
    connection: Connection, conversation_id: ConversationId, happened: Sequence[Event]
) -> dict[ExecutionId, ToolExecution]:
    proposed = {item.execution.id for item in happened if isinstance(item, ev.ToolProposed)}
    ids = {key for event in happened if (key := execution_of(event)) is not None} - proposed
    if not ids:
        return {}
    result = connection.execute(_EXECUTIONS, {"key": conversation_id, "ids": list(ids)})
    return {row["id"]: rows.execution(row) for row in result.mappings()}


def _check(lease: Lease, leased: dict[TurnId, rows.LeasedTurn]) -> None:
    row = leased.get(lease.turn_id)
    if row is None or not row.honours(lease):
        raise LeaseLost("Another process has taken over this turn, or it has ended.")


def _refuse_known_requests(
    connection: Connection, owner: OwnerId, happened: Iterable[Event]
) -> None:
    """A request that is received twice is told apart from a second request while one is busy."""
    requests = [event.request_id for event in happened if isinstance(event, ev.TurnStarted)]
    requests += [it.message.request_id for it in happened if isinstance(it, ev.MessageQueued)]
    if not requests:
        return
    if connection.execute(_KNOWN_REQUESTS, {"owner": owner, "requests": requests}).first():
        raise Conflict("This request was received before.")


# Changing it.


class _Change:
    """The rows of one conversation on their way from before the events to after them."""

    def __init__(
        self,
        conversation: Conversation,
        leased: dict[TurnId, rows.LeasedTurn],
        executions: dict[ExecutionId, ToolExecution],
    ) -> None:
        self._before = conversation
        self._conversation = conversation
        self._titles_changed = False
        self._turns = leased
        self._executions = executions
        self._messages: list[rows.Values] = []
        self._pins: list[ev.MessagePinned] = []
        self._changed_turns: set[TurnId] = set()
        self._changed_executions: set[ExecutionId] = set()
        self._proposed: dict[ExecutionId, int] = {}

    def apply(self, envelope: Envelope) -> None:
        """Follow one event, or refuse it."""
        event = envelope.event
        self._conversation = apply_conversation(self._conversation, event, envelope.at)
        match event:
            case ev.ConversationCreated() if envelope.seq > 1:
                raise Conflict("This conversation exists already.")
            case ev.ConversationDeleted():
                raise Conflict("A deletion is not an event that can be appended.")
            case ev.MessageAdded(message):
                here = self._conversation.id
                self._messages.append(rows.message_values(here, message, envelope.seq))
            case ev.ConversationCreated() | ev.ConversationRenamed():
                self._titles_changed = True
            case ev.MessagePinned():
                self._pins.append(event)
            case ev.TurnStarted():
                self._start(event, envelope)
            case ev.ToolProposed(execution):
                self._propose(execution, envelope.seq)
        if (turn_id := turn_of(event)) is not None:
            self._change_turn(turn_id, envelope)
        if (key := execution_of(event)) is not None:
            self._change_execution(key, event)

    def _start(self, event: ev.TurnStarted, envelope: Envelope) -> None:
        if any(row.turn.active for row in self._turns.values()):
            raise TurnActive("This conversation is busy with another turn.")
        turn = start_turn(self._conversation.id, event, envelope.at)
        self._turns[turn.id] = rows.LeasedTurn(turn, self._conversation.owner, envelope.seq)
        self._changed_turns.add(turn.id)

    def _propose(self, execution: ToolExecution, seq: int) -> None:
        here = execution.conversation_id == self._conversation.id
        if not here or execution.turn_id not in self._turns:
            raise Conflict("A tool call belongs to a turn of its conversation.")
        self._executions[execution.id] = execution
        self._proposed[execution.id] = seq

    def _change_turn(self, turn_id: TurnId, envelope: Envelope) -> None:
        row = self._turns.get(turn_id)
        if row is None and isinstance(envelope.event, ev.MessageAdded):
            return  # the user's message comes before the turn that it begins
        if row is None:
            raise Conflict("There is no such turn in this conversation.")
        row.turn = apply_turn(row.turn, envelope.event, envelope.at)
        if isinstance(envelope.event, ev.MessageAdded | ev.StepStarted) or not row.turn.active:
            row.answered = True
        if not row.turn.active:
            row.lease_holder = row.lease_until = None
        self._changed_turns.add(turn_id)

    def _change_execution(self, key: ExecutionId, event: Event) -> None:
        if key not in self._executions:
            raise Conflict("There is no such tool call in this conversation.")
        self._executions[key] = apply_execution(self._executions[key], event)
        self._changed_executions.add(key)

    def grant(self, claim: Claim | None) -> Lease | None:
        """Give the lease to who claims it, if it is free and the turn goes on."""
        row = self._turns.get(claim.turn_id) if claim is not None else None
        if claim is None or row is None or not row.turn.active or row.lease_holder is not None:
            return None
        row.lease_holder, row.lease_until = claim.holder, claim.until
        row.fence += 1
        self._changed_turns.add(claim.turn_id)
        return Lease(claim.turn_id, claim.holder, row.fence)

    # Writing it back. Turns that end do so before others begin: the index allows one at a time.

    def write(self, connection: Connection, envelopes: Sequence[Envelope]) -> None:
        """Write everything that is new or different."""
        here = self._conversation.id
        if changes := rows.conversation_changes(self._before, self._conversation):
            changed = update(conversations).where(conversations.c.id == here)
            connection.execute(changed.values(changes))
        if envelopes:
            connection.execute(_ADD_EVENTS, [rows.event_values(it) for it in envelopes])
        if self._messages:
            connection.execute(_ADD_MESSAGES, self._messages)
        for event in self._pins:
            _pin(connection, here, event)
        if files := _files_of(envelopes):
            connection.execute(_ATTACH, {"here": here, "ids": files})
        said = [it.event.message for it in envelopes if isinstance(it.event, ev.MessageAdded)]
        title = self._conversation.title if self._titles_changed else None
        search.index(connection, here, title, said)
        self._write_turns(connection)
        self._write_executions(connection)

    def _write_turns(self, connection: Connection) -> None:
        changed = [self._turns[key] for key in self._changed_turns]
        for row in changed:
            if row.stored:
                connection.execute(_CHANGE_TURN, {**rows.turn_changes(row), "key": row.turn.id})
        if begun := [rows.turn_values(row) for row in changed if not row.stored]:
            connection.execute(_ADD_TURNS, begun)

    def _write_executions(self, connection: Connection) -> None:
        if changed := [
            rows.execution_changes(self._executions[key])
            for key in self._changed_executions - self._proposed.keys()
        ]:
            connection.execute(_CHANGE_EXECUTION, changed)
        if proposed := [
            rows.execution_values(self._executions[key], seq) for key, seq in self._proposed.items()
        ]:
            connection.execute(_ADD_EXECUTIONS, proposed)


def _files_of(envelopes: Sequence[Envelope]) -> list[FileId]:
    """The files that messages bring along; others go when nobody has sent them for some days."""
    parts: list[Part] = []
    for envelope in envelopes:
        match envelope.event:
            case ev.MessageAdded(message):
                parts += message.parts
            case ev.MessageQueued(message):
                parts += message.files
    ids = (part.file_id for part in parts if isinstance(part, FilePart))
    return [file_id for file_id in ids if is_id(file_id)]


def _pin(connection: Connection, here: ConversationId, event: ev.MessagePinned) -> None:
    its = messages.c.id == event.message_id, messages.c.conversation_id == here
    pinned = update(messages).where(*its).values(pinned=event.pinned)
    if connection.execute(pinned).rowcount == 0:
        raise no_such_message()
