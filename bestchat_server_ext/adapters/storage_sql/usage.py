"""SqlUsageStore: the port `usage` on SQL.

Sums must be exact, however large. PostgreSQL's are decimal numbers of any size; SQLite gives up
where a sum does not fit into 64 bits. So each number is summed in two halves, which do fit, and
the halves are put together here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Date,
    Label,
    Select,
    String,
    cast,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from bestchat_server_ext.adapters.storage_sql import rows
from bestchat_server_ext.adapters.storage_sql.engine import Connections
from bestchat_server_ext.adapters.storage_sql.tables import usage_logs
from bestchat_server_ext.core.cost import Grouping
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.ids import ConversationId, OwnerId, is_id
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.ports.usage import UsageEntry, UsageGroup, UsagePage, UsageSums

_LOG = usage_logs.c
_HALF = 10**9
_ESTIMATED = _LOG.estimated.is_(True)


class SqlUsageStore:
    """What was spent, in the database of the conversations."""

    def __init__(self, connections: Connections) -> None:
        """Work on these connections; who made them closes them."""
        self._connections = connections

    async def record(self, entries: Sequence[UsageEntry]) -> None:
        """Keep entries; see the port."""
        if entries:
            await self._connections.write(_record, entries)

    async def spent(self, conversation_id: ConversationId) -> UsageSums:
        """Sums over all entries of a conversation."""
        return await self._connections.read(_spent, conversation_id)

    async def summary(
        self,
        owner: OwnerId,
        since: datetime,
        until: datetime,
        by: Grouping,
        *,
        limit: int,
        cursor: str = "",
    ) -> UsagePage:
        """An owner's sums; see the port.

        Raises:
            InvalidRequest: the cursor is not one of such a list.
        """
        period = _LOG.owner == owner, _LOG.at >= since, _LOG.at < until
        return await self._connections.read(_summary, period, by, limit, cursor)


def _spent(connection: Connection, conversation_id: ConversationId) -> UsageSums:
    here = _LOG.conversation_id == conversation_id
    return _sums(connection.execute(select(*_COUNTED, *_every_sum()).where(here)).mappings().one())


def _record(connection: Connection, entries: Sequence[UsageEntry]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    query = dialect.insert(usage_logs).on_conflict_do_nothing(index_elements=["id"])
    connection.execute(query, [rows.usage_values(entry) for entry in entries])


def _summary(
    connection: Connection,
    period: tuple[ColumnElement[bool], ...],
    by: Grouping,
    limit: int,
    cursor: str,
) -> UsagePage:
    columns = [*_COUNTED, *_every_sum()]
    total = connection.execute(select(*columns).where(*period)).mappings().one()
    binary = connection.dialect.name == "postgresql"
    query = _grouped(select(*columns).where(*period), by, cursor, postgres=binary)
    found = connection.execute(query.limit(limit + 1)).mappings().all()
    groups = tuple(UsageGroup(_key(row, by), _sums(row)) for row in found[:limit])
    return UsagePage(groups, _sums(total), groups[-1].key if len(found) > limit else "")


# Sums.


def _sum(value: ColumnElement[Any], where: ColumnElement[bool] | None) -> ColumnElement[Any]:
    total = func.sum(value)
    return total if where is None else total.filter(where)


def _every_sum() -> list[Label[Any]]:
    return [column for name, value, where in _SUMMED for column in _halves(name, value, where)]


def _halves(
    name: str, value: ColumnElement[Any], where: ColumnElement[bool] | None
) -> list[Label[Any]]:
    half: ColumnElement[int] = literal_column(str(_HALF), BigInteger)
    return [
        _sum(value // half, where).label(f"{name}_high"),
        _sum(value % half, where).label(f"{name}_low"),
    ]


_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)

_SUMMED: list[tuple[str, ColumnElement[Any], ColumnElement[bool] | None]] = [
    *((name, _LOG[name], None) for name in _TOKENS),
    ("picodollars", _LOG.picodollars, None),
    ("estimated_tokens", _LOG.input_tokens + _LOG.output_tokens, _ESTIMATED),
    ("estimated_picodollars", _LOG.picodollars, _ESTIMATED),
]

_COUNTED: list[Label[int]] = [
    func.count().label("attempts"),
    func.count().filter(_LOG.outcome == "failed").label("failed"),
    func.count().filter(_LOG.outcome == "cancelled").label("cancelled"),
    func.count().filter(_LOG.picodollars.is_(None)).label("unknown"),
    func.count().filter(_ESTIMATED).label("estimated"),
]


def _sums(row: rows.Row) -> UsageSums:
    counts = {column.name: int(row[column.name]) for column in _COUNTED}
    sums = {
        name: int(row[f"{name}_high"] or 0) * _HALF + int(row[f"{name}_low"] or 0)
        for name, _, _ in _SUMMED
    }
    return rows.usage_sums(counts | sums)


# Groups.


def _grouped(query: Select[Any], by: Grouping, cursor: str, *, postgres: bool) -> Select[Any]:
    """The query for each group, in order, from behind the cursor on."""
    match by:
        case "day":
            if cursor:
                query = query.where(_LOG.at < _day(cursor))
            day = _day_of(_LOG.at, postgres=postgres)
            return query.add_columns(day.label("day")).group_by(day).order_by(day.desc())
        case "model":
            # Without a collation of PostgreSQL's, the order is that of the bytes everywhere.
            place = [
                column.collate("C") if postgres else column
                for column in (_LOG.provider, _LOG.model)
            ]
            if cursor:
                ref = _reference(cursor)
                after = tuple_(literal(ref.provider, String), literal(ref.model, String))
                query = query.where(tuple_(*place) > after)
            key = _LOG.provider, _LOG.model
            return query.add_columns(*key).group_by(*key).order_by(*place)
        case "conversation":
            conversation = _LOG.conversation_id
            if cursor:
                query = query.where(conversation < _conversation(cursor))
            query = query.add_columns(conversation).group_by(conversation)
            return query.order_by(conversation.desc())


def _day_of(at: Column[datetime], *, postgres: bool) -> ColumnElement[Any]:
    """The day of a moment, in UTC. No parameters: a server would not know two of them for one."""
    if postgres:
        return cast(func.timezone(literal_column("'UTC'"), at), Date)
    return func.date(at, type_=String())


def _key(row: rows.Row, by: Grouping) -> str:
    match by:
        case "day":
            return str(row["day"])
        case "model":
            return str(ModelRef(row["provider"], row["model"]))
        case "conversation":
            return str(row["conversation_id"])


# Cursors: the key of the last group.


def _day(cursor: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(cursor), time(), UTC)
    except ValueError:
        raise _bad_cursor() from None


def _reference(cursor: str) -> ModelRef:
    try:
        return ModelRef.parse(cursor)
    except InvalidRequest:
        raise _bad_cursor() from None


def _conversation(cursor: str) -> str:
    if not is_id(cursor):
        raise _bad_cursor()
    return cursor


def _bad_cursor() -> InvalidRequest:
    return InvalidRequest(
        "This cursor was not given out here.",
        hint="Begin again with the first page.",
        field="cursor",
    )
