"""Storage and tokens in an SQL database, through SQLAlchemy Core.

    database      what `open_database` gives
    opening       a file becomes a database: folder, mode, write-ahead log, newest schema
    revision      which revision a file has, and whether this version may open it
    file_care     files found, made and looked at from outside
    file_locks    who may prepare a file
    file_copies   copies of a file, complete or not there at all
    file_asides   broken files, kept under another name
    file_system   whether a path lies on a network file system
    maintenance   upgrade, backup, restore, inspection; beside it a module for each database,
                  and one for what a restore does to tokens
    report        what inspecting gives
    upgrade       the schema, step by step; loads Alembic, so only when there is something to do
    migrations    those steps, one module each
    engine        what transactions are; what SQLite and PostgreSQL have in common
    sqlite        transactions on a file, in threads
    postgres      transactions on a server, over a pool; opening such a database
    address       a PostgreSQL URL: read, and dialled
    clocks        how far a server's clock is from this machine's
    failures      PostgreSQL's errors turned into ours
    tables        what is stored, and under which index it is found again
    rows          rows to values and back
    append        one append: events, and what they change
    search        what is found by its words
    leases        who may write to a running turn
    queries       what is read
    store         SqlStorage: the port `storage`
    tokens        SqlTokenStore: the port `tokens`
    usage         SqlUsageStore: the port `usage`
    uploads       SqlUploadStore: the port `uploads`
    provider_configs  SqlProviderConfigs: the port `provider_configs`

Importing this package loads no SQLAlchemy; `open_database` does, away from the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql.database import Database
from bestchat_server_ext.adapters.storage_sql.maintenance import (
    backup_database,
    inspect_database,
    postgres_libraries,
    restore_database,
    upgrade_database,
)
from bestchat_server_ext.adapters.storage_sql.report import DatabaseReport

__all__ = [
    "Database",
    "DatabaseReport",
    "backup_database",
    "inspect_database",
    "open_database",
    "restore_database",
    "upgrade_database",
]


async def open_database(place: Path | str, *, pool_size: int = 10) -> Database:
    """Open an SQLite file (a path) or a PostgreSQL database (a URL).

    A file gets the newest schema, and is made if need be; several processes may do so at the same
    time. PostgreSQL is opened as it is, with at most `pool_size` connections.

    Raises:
        InvalidRequest: the URL is none of PostgreSQL.
        NotInstalled: PostgreSQL's driver is not.
        Unavailable: the file cannot be opened or written, or is not one of ours; the server cannot
            be reached, or its schema is not one that this version can work with.
    """
    if isinstance(place, str):
        return await (await asyncio.to_thread(_load_postgres))(place, pool_size)
    return await (await asyncio.to_thread(_load_sqlite))(place)


def _load_sqlite() -> Callable[[Path], Awaitable[Database]]:
    from bestchat_server_ext.adapters.storage_sql.opening import open_sqlite

    return open_sqlite


def _load_postgres() -> Callable[[str, int], Awaitable[Database]]:
    with postgres_libraries():
        from bestchat_server_ext.adapters.storage_sql.postgres import open_postgres

    return open_postgres
