"""SQLite: transactions in worker threads, and its errors as ours.

A transaction runs in a worker thread, from its beginning to its end: hopping to a thread and back
for every statement, as an asynchronous driver does, costs three times the processor time, and a
task that is cancelled between two statements would leave the write lock behind.

Reads begin plainly and see the database as of their first query. Writes begin `IMMEDIATE`: a
transaction that reads first and asks for the write lock later can be refused at once, whatever
the busy timeout says. Within this process writers queue for one thread, because SQLite lets
waiters poll, and the unlucky one waits long.
"""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Concatenate

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StatementError,
)

from bestchat_server_ext.adapters.storage_sql.engine import (
    Given,
    Result,
    core_errors,
    decode_json,
    encode_json,
    taken,
)
from bestchat_server_ext.core.errors import ChatError, InternalError, Unavailable

BUSY_SECONDS = 5
"""How long a write waits for another process to finish its own."""

READERS = 4
"""Reads that run at the same time."""

_BEGINNING = "bestchat_beginning"
"""The option that says how a transaction begins; where that is empty, there is none."""
_OTHER_HINT = "Check that the file and its folder can be written, or choose another `data_dir`."


class SqliteConnections:
    """Transactions on one SQLite file.

    A transaction whose caller is cancelled goes on to its end, unless it has not begun yet.
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        """Prepare; nothing is opened before the first transaction.

        Args:
            path: the file.
            durable: whether every transaction waits for the disk; without a write-ahead log,
                the file could otherwise be spoilt by a failing machine.
        """
        self._path = path
        self._engine = _make_engine(path, durable=durable)
        self._looking = self._engine.execution_options(**{_BEGINNING: ""})
        self._writing = self._engine.execution_options(**{_BEGINNING: "BEGIN IMMEDIATE"})
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="bestchat-reader")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="bestchat-writer")
        self._closed = False

    async def read(
        self,
        work: Callable[Concatenate[Connection, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do work in a transaction that only reads, consistent as of its first query.

        Raises:
            ChatError: whatever went wrong in the database.
        """

        def transaction() -> Result:
            with self._errors(), self._engine.begin() as connection:
                return work(connection, *args, **kwargs)

        return await self._run(self._readers, transaction)

    async def look(
        self,
        work: Callable[Concatenate[Connection, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do work that is one query and only reads.

        Raises:
            ChatError: whatever went wrong in the database.
        """

        def query() -> Result:
            with self._errors(), self._looking.connect() as connection:
                return work(connection, *args, **kwargs)

        return await self._run(self._readers, query)

    async def write(
        self,
        work: Callable[Concatenate[Connection, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do work in a transaction that holds the write lock from its beginning.

        Raises:
            ChatError: whatever went wrong in the database; nothing was written then.
        """

        def transaction() -> Result:
            with self._errors(), self._writing.begin() as connection:
                return work(connection, *args, **kwargs)

        return await self._run(self._writer, transaction)

    async def close(self) -> None:
        """Let what runs end, then let go of all connections. May be called twice."""
        self._closed = True
        await asyncio.to_thread(self._shut_down)

    def _errors(self) -> AbstractContextManager[None]:
        return core_errors(self._path, lambda error: _translated(error, self._path), sqlite3.Error)

    async def _run(self, threads: ThreadPoolExecutor, transaction: Callable[[], Result]) -> Result:
        if self._closed:
            raise Unavailable(
                f"The database {self._path} was closed.", hint="Start BestChat again."
            )
        return await asyncio.get_running_loop().run_in_executor(threads, transaction)

    def _shut_down(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


def _make_engine(path: Path, *, durable: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=READERS + 1,
        # A connection only comes back when its transaction has ended.
        pool_reset_on_return=None,
        # Autocommit as far as the driver is concerned: it would begin transactions by itself.
        connect_args={
            "timeout": BUSY_SECONDS,
            "isolation_level": None,
            "check_same_thread": False,
        },
        # Errors are logged with their cause, and parameters are what people wrote.
        hide_parameters=True,
        json_serializer=encode_json,
        json_deserializer=decode_json,
    )

    def connected(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    beginning = connection.get_execution_options().get(_BEGINNING, "BEGIN")
    # Past SQLAlchemy, which would take longer over this one word than a short query does.
    driver: sqlite3.Connection | None = connection.connection.driver_connection
    if driver is not None and beginning:
        driver.execute(beginning)


def _translated(error: Exception, path: Path) -> ChatError:
    cause = error.orig if isinstance(error, StatementError) else error
    match error:
        case IntegrityError():
            return taken()
        case OperationalError() | InterfaceError() | sqlite3.Error():
            return unavailable(path, cause)
        case DBAPIError(orig=sqlite3.DatabaseError() as broken) if is_broken(broken):
            return unavailable(path, broken)
    return InternalError()


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _name_of(error: BaseException | None) -> str:
    name: str = getattr(error, "sqlite_errorname", None) or ""
    return "_".join(name.split("_")[:2])


def is_broken(error: BaseException | None) -> bool:
    """Whether an error says that the file itself is no database, or one that is spoilt."""
    return _name_of(error) in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}


def unavailable(path: Path, error: BaseException | None) -> Unavailable:
    """Say why a file is of no use, and what to do about it."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return _full(path)
    if is_broken(error):
        return Unavailable(
            f"The file {path} is not a readable database.",
            hint="Restart: a broken file is kept aside then, and a new one begun. "
            "`bestchat db restore` brings a backup back.",
        )
    match _name_of(error):
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return Unavailable(
                f"The database {path} is locked by another process.",
                hint="Try again in a moment; if it stays so, look for a process that hangs.",
            )
        case "SQLITE_FULL":
            return _full(path)
        case "SQLITE_IOERR":
            return Unavailable(
                f"The disk of {path} could not be read or written: {error}.",
                hint="Look whether it is full, over a quota, out of reach or broken.",
            )
    return Unavailable(f"The database {path} cannot be used: {error}.", hint=_OTHER_HINT)


def _full(path: Path) -> Unavailable:
    return Unavailable(f"The disk of {path} is full.", hint="Free some space on it.")
