"""SqlTokenStore: the port `tokens` on SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Update, insert, or_, select, update

from bestchat_server_ext.adapters.storage_sql import rows
from bestchat_server_ext.adapters.storage_sql.engine import Connections
from bestchat_server_ext.adapters.storage_sql.tables import api_tokens
from bestchat_server_ext.core.errors import InvalidRequest, NotFound
from bestchat_server_ext.core.ids import TokenId, is_id
from bestchat_server_ext.ports.tokens import TokenRecord


class SqlTokenStore:
    """Token records, in the database of the conversations."""

    def __init__(self, connections: Connections) -> None:
        """Work on these connections; who made them closes them."""
        self._connections = connections

    async def add(self, record: TokenRecord) -> None:
        """Keep a new one.

        Raises:
            Conflict: there is one of that id or digest already.
        """
        await self._connections.write(_add, record)

    async def find(self, digest: bytes) -> TokenRecord | None:
        """The record of the token with that hash, revoked and expired ones included."""
        return await self._connections.read(_find, digest)

    async def bind_kernel(self, token_id: TokenId, kernel_id: str) -> None:
        """Say for which kernel a token was made.

        Raises:
            NotFound: there is no such token.
        """
        query = update(api_tokens).where(api_tokens.c.id == token_id).values(kernel_id=kernel_id)
        if not is_id(token_id) or await self._connections.write(_change, query) == 0:
            raise NotFound("There is no such token.")

    async def revoke(
        self, at: datetime, *, token_id: TokenId | None = None, kernel_id: str | None = None
    ) -> int:
        """Revoke one token, or all of a kernel; say how many were still good.

        Raises:
            InvalidRequest: neither was named.
        """
        if token_id is None and kernel_id is None:
            raise InvalidRequest("Name the token to revoke, or the kernel.")
        if token_id is not None and not is_id(token_id):
            return 0
        good = or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > at)
        query = update(api_tokens).where(api_tokens.c.revoked_at.is_(None), good)
        if token_id is not None:
            query = query.where(api_tokens.c.id == token_id)
        if kernel_id is not None:
            query = query.where(api_tokens.c.kernel_id == kernel_id)
        return await self._connections.write(_change, query.values(revoked_at=at))


def _add(connection: Connection, record: TokenRecord) -> None:
    connection.execute(insert(api_tokens), [rows.token_values(record)])


def _find(connection: Connection, digest: bytes) -> TokenRecord | None:
    query = select(api_tokens).where(api_tokens.c.digest == digest)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else rows.token(row)


def _change(connection: Connection, query: Update) -> int:
    return connection.execute(query).rowcount
