"""What is read: each function is one question, asked within a transaction."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)

from bestchat_server_ext.adapters.storage_sql import rows, sqlite_bulk
from bestchat_server_ext.adapters.storage_sql.tables import (
    conversations,
    events,
    file_uploads,
    messages,
    tool_executions,
    turns,
)
from bestchat_server_ext.core.conversation import ACTIVE, Conversation, ConversationState, Turn
from bestchat_server_ext.core.errors import InvalidRequest, NotFound
from bestchat_server_ext.core.events import Envelope
from bestchat_server_ext.core.ids import ConversationId, OwnerId, TurnId, is_id
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.ports.storage import ListFilter, Located, ObjectKind, Page

Value = TypeVar("Value")

_TURN_PREFIX = "turn_"
_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]

# Those that every turn asks are made once: to make one costs as much as to carry it out.

_HERE = conversations.c.id == bindparam("key")
_HEAD = (
    select(*conversations.c, *(column.label(f"{_TURN_PREFIX}{column.key}") for column in rows.TURN))
    .join_from(conversations, turns, isouter=True)
    .where(_HERE)
    .order_by(turns.c.created_seq)
)


def _all_of(table: Table) -> Select[Any]:
    """Everything of a conversation in the order in which it came to be."""
    here = table.c.conversation_id == bindparam("key")
    return select(table).where(here).order_by(table.c.created_seq)


_MESSAGES, _EXECUTIONS = _all_of(messages), _all_of(tool_executions)
_NEWEST_SEQ = select(conversations.c.seq).where(_HERE)
_NEWEST_SEQS = select(conversations.c.id, conversations.c.seq).where(
    conversations.c.id.in_(bindparam("keys", expanding=True))
)
_NEWEST_SEQS_OF = _NEWEST_SEQS.where(conversations.c.owner == bindparam("owner"))
_EVENTS_AFTER = (
    select(events)
    .where(events.c.conversation_id == bindparam("key"), events.c.seq > bindparam("after"))
    .order_by(events.c.seq)
    .limit(bindparam("most", type_=events.c.seq.type))
)
_ACTIVE_TURNS = (
    select(func.count())
    .select_from(turns)
    # As text, which the planner must see to know that the index will do.
    .where(turns.c.state.in_([literal_column(f"'{state}'") for state in sorted(ACTIVE)]))
    .where(turns.c.owner == bindparam("owner"))
)
_WHERE_AND_WHOSE = select(conversations.c.id, conversations.c.owner)
_LOCATE: dict[ObjectKind, Select[Any]] = {
    "conversation": _WHERE_AND_WHOSE.where(_HERE),
    "turn": _WHERE_AND_WHOSE.join(turns).where(turns.c.id == bindparam("key")),
    "execution": _WHERE_AND_WHOSE.join(tool_executions).where(
        tool_executions.c.id == bindparam("key")
    ),
    "file": _WHERE_AND_WHOSE.join(file_uploads).where(file_uploads.c.id == bindparam("key")),
}


def load(connection: Connection, conversation_id: ConversationId) -> ConversationState:
    """A whole conversation, in three queries."""
    conversation, its_turns = _read_head(connection, conversation_id)
    here = {"key": conversation_id}
    said = connection.execute(_MESSAGES, here).mappings()
    ran = connection.execute(_EXECUTIONS, here).mappings()
    return ConversationState(
        conversation,
        {row["id"]: rows.message(row) for row in said},
        {turn.id: turn for turn in its_turns},
        {row["id"]: rows.execution(row) for row in ran},
    )


def _read_head(
    connection: Connection, conversation_id: ConversationId
) -> tuple[Conversation, list[Turn]]:
    """A conversation and its turns, in one query."""
    found = connection.execute(_HEAD, {"key": conversation_id}).mappings().all()
    head = required(next(iter(found), None), "conversation")
    its_turns = [
        rows.turn({name: row[f"{_TURN_PREFIX}{name}"] for name in Turn.__struct_fields__})
        for row in found
        if row[f"{_TURN_PREFIX}id"] is not None
    ]
    return rows.conversation(head), its_turns


def newest_seq(connection: Connection, conversation_id: ConversationId) -> int:
    """The number of a conversation's newest event."""
    found = connection.execute(_NEWEST_SEQ, {"key": conversation_id})
    newest: int | None = found.scalar_one_or_none()
    return required(newest, "conversation")


def newest_seqs(
    connection: Connection, conversation_ids: Collection[ConversationId], owner: OwnerId | None
) -> dict[str, int]:
    """The numbers of the newest events of several conversations."""
    if connection.dialect.name == "sqlite":
        return sqlite_bulk.newest_seqs(connection, conversation_ids, owner)
    query = _NEWEST_SEQS
    given: rows.Values = {"keys": list(conversation_ids)}
    if owner is not None:
        query, given = _NEWEST_SEQS_OF, {**given, "owner": owner}
    return {str(key): seq for key, seq in connection.execute(query, given)}


def events_after(
    connection: Connection, conversation_id: ConversationId, seq: int, limit: int
) -> tuple[Envelope, ...] | None:
    """The events that follow `seq`; none if some of them were trimmed."""
    # Numbers come from outside, and the column holds 32 bits.
    seq = max(-1, min(seq, 2**31 - 1))
    given = {"key": conversation_id, "after": seq, "most": limit}
    found = connection.execute(_EVENTS_AFTER, given).mappings().all()
    if found:
        complete = found[0]["seq"] == seq + 1
    else:
        complete = newest_seq(connection, conversation_id) <= seq
    return tuple(map(rows.envelope, found)) if complete else None


def page(connection: Connection, owner: OwnerId, limit: int, cursor: str, only: ListFilter) -> Page:
    """A page of an owner's conversations, the last changed first."""
    place = conversations.c.updated_at, conversations.c.id
    query = select(conversations).where(conversations.c.owner == owner, *_filters(only))
    if cursor:
        query = query.where(tuple_(*place) < _cursor_place(cursor))
    query = query.order_by(*(column.desc() for column in place)).limit(limit + 1)
    found = connection.execute(query).mappings().all()
    items = tuple(map(rows.conversation, found[:limit]))
    return Page(items, _cursor_after(items[-1]) if len(found) > limit else "")


def _filters(only: ListFilter) -> Iterator[ColumnElement[bool]]:
    columns = conversations.c
    deleted = columns.deleted_at
    yield deleted.is_not(None) if only.deleted else deleted.is_(None)
    if only.starred is not None:
        yield columns.starred if only.starred else ~columns.starred
    if only.archived is not None and not only.deleted:
        yield columns.archived if only.archived else ~columns.archived
    if only.label is not None:
        yield columns.label == only.label


def deleted_before(
    connection: Connection, moment: datetime, limit: int
) -> tuple[ConversationId, ...]:
    """Conversations that were deleted before a moment, the first deleted first."""
    deleted = conversations.c.deleted_at
    query = select(conversations.c.id).where(deleted < moment).order_by(deleted).limit(limit)
    return tuple(map(ConversationId, connection.execute(query).scalars()))


def queues_at_rest(connection: Connection, limit: int) -> tuple[ConversationId, ...]:
    """Conversations in which messages wait although the turn before them has finished."""
    newest = (
        select(turns.c.state)
        .where(turns.c.conversation_id == conversations.c.id)
        .order_by(turns.c.created_seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    waiting = conversations.c.queue.is_not(None), conversations.c.deleted_at.is_(None)
    query = (
        select(conversations.c.id)
        .where(*waiting, newest == "finished")
        .order_by(conversations.c.id)
    )
    return tuple(map(ConversationId, connection.execute(query.limit(limit)).scalars()))


def _cursor_after(item: Conversation) -> str:
    return urlsafe_b64encode(msgspec.json.encode((item.updated_at, item.id))).decode()


def _cursor_place(cursor: str) -> ColumnElement[Any]:
    try:
        text = urlsafe_b64decode(cursor)
        updated_at, identifier = msgspec.json.decode(text, type=tuple[_Zoned, str])
        updated_at = updated_at.astimezone(UTC)
    except (ValueError, OverflowError, msgspec.MsgspecError):
        raise _bad_cursor() from None
    if not is_id(identifier):
        raise _bad_cursor()
    return tuple_(
        literal(updated_at, conversations.c.updated_at.type),
        literal(identifier, conversations.c.id.type),
    )


def _bad_cursor() -> InvalidRequest:
    return InvalidRequest(
        "This cursor was not given out here.",
        hint="Begin again with the first page.",
        field="cursor",
    )


def locate(connection: Connection, kind: ObjectKind, object_id: str) -> Located | None:
    """Where an object is and whose."""
    row = connection.execute(_LOCATE[kind], {"key": object_id}).first()
    return None if row is None else Located(*row)


def newest_turn(connection: Connection, *where: ColumnElement[bool]) -> Turn | None:
    """The most recent turn of which a condition is true."""
    newest = turns.c.started_at.desc(), turns.c.id.desc()
    query = select(*rows.TURN).where(*where).order_by(*newest).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else rows.turn(row)


def active_turns(connection: Connection, owner: OwnerId) -> int:
    """How many of an owner's turns have not ended."""
    return int(connection.execute(_ACTIVE_TURNS, {"owner": owner}).scalar_one())


def pending(
    connection: Connection, owner: OwnerId, conversation_id: ConversationId | None
) -> tuple[ToolExecution, ...]:
    """An owner's tool calls that wait for a decision, the oldest first."""
    calls = tool_executions.c
    query = (
        select(tool_executions)
        .join(conversations)
        # A literal in the text: the planner must see it to know that the index will do.
        .where(calls.state == literal("waiting", literal_execute=True))
        .where(conversations.c.owner == owner)
        .order_by(calls.turn_id, calls.step, calls.position)
    )
    if conversation_id is not None:
        query = query.where(calls.conversation_id == conversation_id)
    return tuple(map(rows.execution, connection.execute(query).mappings()))


def partial(connection: Connection, turn_id: TurnId) -> Reply:
    """What was kept of a turn's unfinished answer."""
    query = select(turns.c.partial).where(turns.c.id == turn_id)
    row = required(connection.execute(query).first(), "turn")
    return msgspec.convert(row.partial or {}, Reply)


def require_id(text: str, what: str) -> None:
    """Refuse a text that is not an id: it names nothing.

    Raises:
        NotFound: it is none.
    """
    if not is_id(text):
        raise _missing(what)


def required(value: Value | None, what: str) -> Value:
    """A value that has to be there.

    Raises:
        NotFound: it is not.
    """
    if value is None:
        raise _missing(what)
    return value


def _missing(what: str) -> NotFound:
    return NotFound(f"There is no such {what}.", hint="Check the id; it may have been deleted.")
