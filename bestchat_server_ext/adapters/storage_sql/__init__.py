"""Storage and tokens in an SQL database, through SQLAlchemy Core.

    database      what `open_database` gives
    opening       a file becomes a database: folder, mode, write-ahead log, newest schema
    upgrade       the schema, step by step; loads Alembic, so only when there is something to do
    migrations    those steps, one module each
    engine        connections, transactions, and library errors turned into ours
    tables        what is stored, and under which index it is found again
    rows          rows to values and back
    append        one append: events, and what they change
    leases        who may write to a running turn
    queries       what is read
    store         SqlStorage: the port `storage`
    tokens        SqlTokenStore: the port `tokens`

Importing this package loads no SQLAlchemy; `open_database` does, away from the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql.database import Database

__all__ = ["Database", "open_database"]


async def open_database(path: Path) -> Database:
    """Open an SQLite file with the newest schema, making both if need be.

    Several processes may do so at the same time.

    Raises:
        Unavailable: the file cannot be opened or written, or is not one of ours.
    """
    opener = await asyncio.to_thread(_load)
    return await opener(path)


def _load() -> Callable[[Path], Awaitable[Database]]:
    from bestchat_server_ext.adapters.storage_sql.opening import open_sqlite

    return open_sqlite
