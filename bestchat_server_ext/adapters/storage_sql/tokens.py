"""SqlTokenStore: the port `tokens` on SQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from bestchat_server_ext.adapters.storage_sql import rows
from bestchat_server_ext.adapters.storage_sql.engine import Connections
from bestchat_server_ext.adapters.storage_sql.tables import api_tokens
from bestchat_server_ext.core.errors import (
    InvalidRequest,
    LimitReached,
    NotAuthenticated,
    NotFound,
)
from bestchat_server_ext.core.ids import OwnerId, TokenId, is_id
from bestchat_server_ext.ports.tokens import TokenPage, TokenRecord


class SqlTokenStore:
    """Token records, in the database of the conversations."""

    def __init__(self, connections: Connections) -> None:
        """Work on these connections; who made them closes them."""
        self._connections = connections

    async def add(
        self,
        record: TokenRecord,
        *,
        limit: int | None = None,
        made_with: TokenId | None = None,
    ) -> None:
        """Keep a new one, on conditions; see the port.

        Raises:
            Conflict: its id is taken, or its digest is that of a token of another owner, kind or
                kernel.
            LimitReached: its owner has as many as there may be.
            NotAuthenticated: the token that it was made with is not good any more.
        """
        await self._connections.write(_add, record, limit, made_with)

    async def get(self, token_id: TokenId) -> TokenRecord | None:
        """The record of that id, revoked and expired ones included."""
        if not is_id(token_id):
            return None
        return await self._connections.look(_find, api_tokens.c.id == token_id)

    async def page(self, owner: OwnerId, *, limit: int, cursor: str = "") -> TokenPage:
        """An owner's tokens, the newest first.

        Raises:
            InvalidRequest: the cursor was not given out to this owner.
        """
        return await self._connections.read(_page, owner, limit, cursor)

    async def find(self, digest: bytes) -> TokenRecord | None:
        """The record of the token with that hash, revoked and expired ones included."""
        return await self._connections.look(_find_by_digest, digest)

    async def bind_kernel(self, token_id: TokenId, kernel_id: str) -> None:
        """Say for which kernel a token was made.

        Raises:
            NotFound: there is no such token.
        """
        query = update(api_tokens).where(api_tokens.c.id == token_id).values(kernel_id=kernel_id)
        if not is_id(token_id) or await self._connections.write(_change, query) == 0:
            raise NotFound("There is no such token.")

    async def renew(self, kernel_ids: Collection[str], until: datetime) -> None:
        """Let the tokens of kernels count until then, expired ones too, but no revoked ones."""
        query = update(api_tokens).where(
            api_tokens.c.kind == "kernel",
            api_tokens.c.kernel_id.in_(kernel_ids),
            api_tokens.c.revoked_at.is_(None),
            api_tokens.c.expires_at < until,
        )
        if kernel_ids:
            await self._connections.write(_change, query.values(expires_at=until))

    async def revoke(
        self, at: datetime, *, token_id: TokenId | None = None, kernel_id: str | None = None
    ) -> tuple[TokenId, ...]:
        """Revoke one token, or all of a kernel; give those that were still good.

        Raises:
            InvalidRequest: neither was named.
        """
        if token_id is None and kernel_id is None:
            raise InvalidRequest(
                "No token is named.", hint="Name the token to revoke, or its kernel."
            )
        if token_id is not None and not is_id(token_id):
            return ()
        kernels = and_(api_tokens.c.kind == "kernel", api_tokens.c.revoked_at.is_(None))
        query = update(api_tokens).where(or_(_good(at), kernels))
        if token_id is not None:
            query = query.where(api_tokens.c.id == token_id)
        if kernel_id is not None:
            query = query.where(api_tokens.c.kernel_id == kernel_id)
        return await self._connections.write(_revoke, query.values(revoked_at=at), at)


def _good(at: datetime) -> ColumnElement[bool]:
    """Which tokens count at a moment: `TokenRecord.good`, in SQL."""
    lasting = or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > at)
    return and_(api_tokens.c.revoked_at.is_(None), lasting)


def _add(
    connection: Connection, record: TokenRecord, limit: int | None, made_with: TokenId | None
) -> None:
    if connection.dialect.name == "postgresql" and limit is not None:
        # Two transactions there could count at once; SQLite's writers queue anyway.
        key = func.hashtextextended(record.owner, 0)
        connection.execute(select(func.pg_advisory_xact_lock(key)))
    if _is_kept(connection, record):
        return
    if made_with is not None:
        _require_good(connection, made_with, record.created_at)
    if limit is not None:
        _require_room(connection, record, limit)
    connection.execute(insert(api_tokens), [rows.token_values(record)])


def _is_kept(connection: Connection, record: TokenRecord) -> bool:
    """Whether it was added before: a commit whose answer was lost may have been one all the same.

    A digest that is there for anybody else is left to the insertion to refuse.
    """
    found = _find(connection, api_tokens.c.digest == record.digest)
    return found is not None and _whose(found) == _whose(record)


def _whose(record: TokenRecord) -> tuple[str | None, ...]:
    return record.owner, record.kind, record.kernel_id


def _require_good(connection: Connection, token_id: TokenId, at: datetime) -> None:
    # Locked where the database knows locks on rows, so that it is not revoked meanwhile.
    query = select(api_tokens.c.id).where(api_tokens.c.id == token_id, _good(at))
    if connection.execute(query.with_for_update()).first() is None:
        raise NotAuthenticated(
            "The token that was to make another has been revoked, or has expired.",
            hint="Use a token that is valid.",
        )


def _require_room(connection: Connection, record: TokenRecord, limit: int) -> None:
    mine = api_tokens.c.owner == record.owner, api_tokens.c.kind == record.kind
    query = select(func.count()).select_from(api_tokens).where(*mine, _good(record.created_at))
    if connection.execute(query).scalar_one() >= limit:
        raise LimitReached(
            f"There are {limit} valid tokens already, which is as many as there may be.",
            hint="Revoke one that is not needed any more.",
        )


_BY_DIGEST = select(api_tokens).where(api_tokens.c.digest == bindparam("wanted"))
"""Made once: every request with a token asks it."""


def _find_by_digest(connection: Connection, digest: bytes) -> TokenRecord | None:
    row = connection.execute(_BY_DIGEST, {"wanted": digest}).mappings().one_or_none()
    return None if row is None else rows.token(row)


def _find(connection: Connection, condition: ColumnElement[bool]) -> TokenRecord | None:
    row = connection.execute(select(api_tokens).where(condition)).mappings().one_or_none()
    return None if row is None else rows.token(row)


def _page(connection: Connection, owner: OwnerId, limit: int, cursor: str) -> TokenPage:
    query = select(api_tokens).where(api_tokens.c.owner == owner)
    if cursor:
        query = query.where(_after(connection, owner, cursor))
    newest = api_tokens.c.created_at.desc(), api_tokens.c.id.desc()
    found = connection.execute(query.order_by(*newest).limit(limit + 1)).mappings().all()
    items = tuple(map(rows.token, found[:limit]))
    return TokenPage(items, items[-1].id if len(found) > limit else "")


def _after(connection: Connection, owner: OwnerId, cursor: str) -> ColumnElement[bool]:
    """What follows a cursor: the last id of the page before, which must be the owner's own."""
    mine = api_tokens.c.owner == owner
    query = select(api_tokens.c.created_at).where(api_tokens.c.id == cursor, mine)
    created_at = connection.execute(query).scalar_one_or_none() if is_id(cursor) else None
    if created_at is None:
        raise InvalidRequest(
            "This cursor was not given out here.",
            hint="Begin again with the first page.",
            field="cursor",
        )
    columns = api_tokens.c.created_at, api_tokens.c.id
    place = literal(created_at, columns[0].type), literal(cursor, columns[1].type)
    return tuple_(*columns) < tuple_(*place)


def _revoke(connection: Connection, query: Update, at: datetime) -> tuple[TokenId, ...]:
    revoked = connection.execute(query.returning(api_tokens.c.id, api_tokens.c.expires_at))
    return tuple(
        token_id for token_id, expires_at in revoked if expires_at is None or at < expires_at
    )


def _change(connection: Connection, query: Update) -> int:
    return connection.execute(query).rowcount
