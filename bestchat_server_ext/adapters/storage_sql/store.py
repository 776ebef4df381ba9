"""SqlStorage: the port `storage` on SQL."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, delete, literal, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from bestchat_server_ext.adapters.storage_sql import append, leases, rows
from bestchat_server_ext.adapters.storage_sql.engine import Connections
from bestchat_server_ext.adapters.storage_sql.tables import (
    conversations,
    events,
    messages,
    tool_executions,
    turns,
)
from bestchat_server_ext.core.conversation import Conversation, ConversationState, Turn
from bestchat_server_ext.core.errors import InvalidRequest, NotFound
from bestchat_server_ext.core.events import ConversationDeleted, Envelope, Event
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    MessageId,
    OwnerId,
    RequestId,
    TurnId,
    is_id,
)
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.ports.storage import (
    Appended,
    Claim,
    Lease,
    Located,
    Page,
    PartialText,
)

Value = TypeVar("Value")

_TURN_PREFIX = "turn_"
_Zoned = Annotated[datetime, msgspec.Meta(tz=True)]


class SqlStorage:
    """Conversations as rows and events, in one database."""

    def __init__(self, connections: Connections) -> None:
        """Work on these connections; who made them closes them."""
        self._connections = connections

    # Writing.

    async def append(
        self,
        conversation_id: ConversationId,
        events: Sequence[Event],
        at: datetime,
        *,
        lease: Lease | None = None,
        claim: Claim | None = None,
    ) -> Appended:
        """Write events and what they change; see the port."""
        async with self._connections.write() as connection:
            return await append.append(
                connection, conversation_id, events, at, lease=lease, claim=claim
            )

    async def delete(self, conversation_id: ConversationId, at: datetime) -> Envelope:
        """Remove a conversation; all that hangs on it goes by cascade."""
        _require_id(conversation_id, "conversation")
        query = delete(conversations).where(conversations.c.id == conversation_id)
        async with self._connections.write() as connection:
            result = await connection.execute(query.returning(conversations.c.seq))
            seq = _found(result.scalar_one_or_none(), "conversation")
        return Envelope(conversation_id, seq + 1, at, ConversationDeleted())

    async def renew(self, texts: Sequence[PartialText], until: datetime) -> tuple[TurnId, ...]:
        """Renew leases and keep partial texts, in one transaction."""
        if not texts:
            return ()
        async with self._connections.write() as connection:
            return await leases.renew(connection, texts, until)

    async def release(self, lease: Lease, seq: int) -> bool:
        """Give a waiting turn's lease back, unless something newer was written."""
        async with self._connections.write() as connection:
            return await leases.release(connection, lease, seq)

    async def seize_expired(self, now: datetime, holder: str, until: datetime) -> list[Lease]:
        """Take over the leases that have run out."""
        async with self._connections.write() as connection:
            return await leases.seize_expired(connection, now, holder, until)

    # Reading conversations.

    async def load(self, conversation_id: ConversationId) -> ConversationState:
        """The whole conversation, in three queries on one view of the database."""
        _require_id(conversation_id, "conversation")
        async with self._connections.read() as connection:
            conversation, its_turns = await _read_head(connection, conversation_id)
            said = await _read_all(connection, select(messages), conversation_id)
            ran = await _read_all(connection, select(tool_executions), conversation_id)
            return ConversationState(
                conversation,
                {row["id"]: rows.message(row) for row in said},
                {turn.id: turn for turn in its_turns},
                {row["id"]: rows.execution(row) for row in ran},
            )

    async def seq(self, conversation_id: ConversationId) -> int:
        """The number of the newest event."""
        _require_id(conversation_id, "conversation")
        async with self._connections.read() as connection:
            return await _read_seq(connection, conversation_id)

    async def events_after(
        self, conversation_id: ConversationId, seq: int, *, limit: int
    ) -> tuple[Envelope, ...] | None:
        """The events that follow `seq`; none if some of them were trimmed.

        Raises:
            NotFound: there is no such conversation.
        """
        _require_id(conversation_id, "conversation")
        newer = events.c.conversation_id == conversation_id, events.c.seq > seq
        query = select(events).where(*newer).order_by(events.c.seq).limit(limit)
        async with self._connections.read() as connection:
            found = (await connection.execute(query)).mappings().all()
            if found:
                complete = found[0]["seq"] == seq + 1
            else:
                complete = await _read_seq(connection, conversation_id) <= seq
            return tuple(map(rows.envelope, found)) if complete else None

    async def list_conversations(self, owner: OwnerId, *, limit: int, cursor: str = "") -> Page:
        """An owner's conversations, the last changed first."""
        place = conversations.c.updated_at, conversations.c.id
        query = select(conversations).where(conversations.c.owner == owner)
        if cursor:
            query = query.where(tuple_(*place) < _cursor_place(cursor))
        query = query.order_by(*(column.desc() for column in place)).limit(limit + 1)
        async with self._connections.read() as connection:
            found = (await connection.execute(query)).mappings().all()
            items = tuple(map(rows.conversation, found[:limit]))
        return Page(items, _cursor_after(items[-1]) if len(found) > limit else "")

    async def locate(
        self, object_id: ConversationId | TurnId | ExecutionId | MessageId
    ) -> Located | None:
        """Where an object is and whose, whatever kind of object it is."""
        if not is_id(object_id):
            return None
        place = conversations.c.id, conversations.c.owner
        places: list[Select[Any]] = [select(*place).where(conversations.c.id == object_id)]
        places += [
            select(*place).join_from(table, conversations).where(table.c.id == object_id)
            for table in (turns, tool_executions, messages)
        ]
        async with self._connections.read() as connection:
            row = (await connection.execute(union_all(*places))).first()
            return None if row is None else Located(*row)

    # Reading turns.

    async def turn(self, turn_id: TurnId) -> Turn:
        """One turn."""
        _require_id(turn_id, "turn")
        return _found(await self._one_turn(turns.c.id == turn_id), "turn")

    async def find_turn(self, owner: OwnerId, request_id: RequestId) -> Turn | None:
        """The turn that an owner's request began."""
        return await self._one_turn(turns.c.owner == owner, turns.c.request_id == request_id)

    async def last_turn(self, owner: OwnerId) -> Turn | None:
        """The owner's most recent turn in any conversation."""
        return await self._one_turn(turns.c.owner == owner)

    async def _one_turn(self, *where: ColumnElement[bool]) -> Turn | None:
        newest = turns.c.started_at.desc(), turns.c.id.desc()
        query = select(*rows.TURN).where(*where).order_by(*newest).limit(1)
        async with self._connections.read() as connection:
            row = (await connection.execute(query)).mappings().first()
            return None if row is None else rows.turn(row)

    async def pending(
        self, owner: OwnerId, conversation_id: ConversationId | None
    ) -> tuple[ToolExecution, ...]:
        """Tool calls that wait for a decision, the oldest first."""
        if conversation_id is not None and not is_id(conversation_id):
            return ()
        query = (
            select(tool_executions)
            .join(conversations)
            # A literal in the text: the planner must see it to know that the index will do.
            .where(tool_executions.c.state == literal("waiting", literal_execute=True))
            .where(conversations.c.owner == owner)
            .order_by(tool_executions.c.turn_id, tool_executions.c.step, tool_executions.c.position)
        )
        if conversation_id is not None:
            query = query.where(tool_executions.c.conversation_id == conversation_id)
        async with self._connections.read() as connection:
            found = (await connection.execute(query)).mappings()
            return tuple(map(rows.execution, found))

    async def partial(self, turn_id: TurnId) -> Reply:
        """What was kept of a turn's unfinished answer.

        Raises:
            NotFound: there is no such turn.
        """
        _require_id(turn_id, "turn")
        query = select(turns.c.partial).where(turns.c.id == turn_id)
        async with self._connections.read() as connection:
            row = _found((await connection.execute(query)).first(), "turn")
            return msgspec.convert(row.partial or {}, Reply)


async def _read_head(
    connection: AsyncConnection, conversation_id: ConversationId
) -> tuple[Conversation, list[Turn]]:
    """A conversation and its turns, in one query."""
    prefixed = [column.label(f"{_TURN_PREFIX}{column.key}") for column in rows.TURN]
    query = (
        select(*conversations.c, *prefixed)
        .join_from(conversations, turns, isouter=True)
        .where(conversations.c.id == conversation_id)
        .order_by(turns.c.created_seq)
    )
    found = _found((await connection.execute(query)).mappings().all() or None, "conversation")
    its_turns = [
        rows.turn({name: row[f"{_TURN_PREFIX}{name}"] for name in Turn.__struct_fields__})
        for row in found
        if row[f"{_TURN_PREFIX}id"] is not None
    ]
    return rows.conversation(found[0]), its_turns


async def _read_all(
    connection: AsyncConnection, query: Select[Any], conversation_id: ConversationId
) -> Sequence[rows.Row]:
    """Everything of a conversation in the order in which it came to be."""
    columns = query.selected_columns
    here = query.where(columns.conversation_id == conversation_id)
    return (await connection.execute(here.order_by(columns.created_seq))).mappings().all()


async def _read_seq(connection: AsyncConnection, conversation_id: ConversationId) -> int:
    query = select(conversations.c.seq).where(conversations.c.id == conversation_id)
    newest: int | None = (await connection.execute(query)).scalar_one_or_none()
    return _found(newest, "conversation")


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


def _require_id(text: str, what: str) -> None:
    """What does not look like an id names nothing."""
    if not is_id(text):
        raise _missing(what)


def _found(value: Value | None, what: str) -> Value:
    if value is None:
        raise _missing(what)
    return value


def _missing(what: str) -> NotFound:
    return NotFound(f"There is no such {what}.", hint="Check the id; it may have been deleted.")
