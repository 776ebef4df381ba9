"""Opening: a path becomes a database that is private, in write-ahead mode and up to date."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection

from bestchat_server_ext.adapters.storage_sql.database import Database
from bestchat_server_ext.adapters.storage_sql.engine import BUSY_SECONDS, Connections, unavailable
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.adapters.storage_sql.store import SqlStorage
from bestchat_server_ext.adapters.storage_sql.tokens import SqlTokenStore
from bestchat_server_ext.core.errors import Unavailable


async def open_sqlite(path: Path) -> Database:
    """Open a file, making and upgrading it if need be.

    Raises:
        Unavailable: the file cannot be opened or written, or is not one of ours.
    """
    revision = await asyncio.to_thread(_prepare, path)
    if _behind(revision, path):
        await _upgrade(path)
    connections = Connections(path)
    return Database(SqlStorage(connections), SqlTokenStore(connections), connections.close)


def _prepare(path: Path) -> str:
    """Make the file if it is not there; give the revision of its schema, empty if it has none."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise unavailable(path, error) from error
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as file:
            _write_ahead(file, path)
            return _revision(file)
    except sqlite3.Error as error:
        raise unavailable(path, error) from error


def _write_ahead(file: sqlite3.Connection, path: Path) -> None:
    """Switch to the write-ahead log, once in a file's life.

    SQLite does not wait for other connections here, whatever the busy timeout, and a fresh file
    that several processes open at once has some.
    """
    until = time.monotonic() + BUSY_SECONDS
    mode = ""
    while not mode:
        try:
            mode = file.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise Unavailable(
            f"The file system of {path} does not support several writers.",
            hint="Let `data_dir` name a folder on a local disk.",
        )


def _revision(file: sqlite3.Connection) -> str:
    table = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if file.execute(table).fetchone() is None:
        return ""
    row = file.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def _behind(revision: str, path: Path) -> bool:
    """Whether there is something to upgrade.

    Revisions are numbers. A greater one is a newer version's doing: what that added is not in
    our way, so the file is opened as it is.
    """
    if revision and not revision.isdecimal():
        raise Unavailable(
            f"The file {path} belongs to another application.",
            hint="Let `data_dir` name another folder.",
        )
    return revision < HEAD


async def _upgrade(path: Path) -> None:
    upgrade = await asyncio.to_thread(_load_upgrade)
    connections = Connections(path, foreign_keys=False)
    try:
        await connections.write(upgrade)
    finally:
        await connections.close()


def _load_upgrade() -> Callable[[Connection], None]:
    from bestchat_server_ext.adapters.storage_sql.upgrade import upgrade_schema

    return upgrade_schema
