"""Connections and transactions, and the one place where library errors become ours.

A transaction is a plain function that is given a connection. SQLite runs it in a worker thread,
from its beginning to its end: hopping to a thread and back for every statement, as an asynchronous
driver does, costs three times the processor time, and a task that is cancelled between two
statements would leave the write lock behind. A driver that is asynchronous by nature runs the
same functions through `AsyncConnection.run_sync`.

Reads begin plainly and see the database as of their first query. Writes begin `IMMEDIATE`: a
transaction that reads first and asks for the write lock later can be refused at once, whatever
the busy timeout says. Within this process writers queue for one thread, because SQLite lets
waiters poll, and the unlucky one waits long.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import msgspec
from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)

from bestchat_server_ext.core.errors import ChatError, Conflict, InternalError, Unavailable

BUSY_SECONDS = 5
"""How long a write waits for another process to finish its own."""

READERS = 4
"""Reads that run at the same time."""

Given = ParamSpec("Given")
Result = TypeVar("Result")

_WRITES = "bestchat_writes"
_OTHER_HINT = "Check that the file and its folder can be written, or choose another `data_dir`."


class Connections:
    """Transactions on one SQLite file.

    A transaction whose caller is cancelled goes on to its end, unless it has not begun yet.
    """

    def __init__(self, path: Path, *, foreign_keys: bool = True) -> None:
        """Prepare; nothing is opened before the first transaction.

        Args:
            path: the file.
            foreign_keys: whether they are enforced; not so while the schema changes, when
                replacing a table would otherwise delete what refers to it.
        """
        self._path = path
        self._engine = _make_engine(path, foreign_keys=foreign_keys)
        self._writing = self._engine.execution_options(**{_WRITES: True})
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
            with core_errors(self._path), self._engine.begin() as connection:
                return work(connection, *args, **kwargs)

        return await self._run(self._readers, transaction)

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
            with core_errors(self._path), self._writing.begin() as connection:
                return work(connection, *args, **kwargs)

        return await self._run(self._writer, transaction)

    async def close(self) -> None:
        """Let what runs end, then let go of all connections. May be called twice."""
        self._closed = True
        await asyncio.to_thread(self._shut_down)

    async def _run(self, threads: ThreadPoolExecutor, transaction: Callable[[], Result]) -> Result:
        if self._closed:
            raise Unavailable(f"The database {self._path} was closed.")
        return await asyncio.get_running_loop().run_in_executor(threads, transaction)

    def _shut_down(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


def _make_engine(path: Path, *, foreign_keys: bool) -> Engine:
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
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
    )

    def connected(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def core_errors(path: Path) -> Iterator[None]:
    """Turn whatever the database raises into errors of ours."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _translated(error, path) from error
    except msgspec.ValidationError as error:
        raise Unavailable(
            f"Something in the database {path} cannot be read by this version.",
            hint="If a newer version of BestChat wrote it, upgrade this one.",
        ) from error


def _translated(error: Exception, path: Path) -> ChatError:
    cause = error.orig if isinstance(error, StatementError) else error
    match error:
        case StatementError(orig=ChatError() as refused):
            return refused
        case IntegrityError():
            return Conflict(
                "Something of that name is stored already.",
                hint="Look at the conversation again: it has moved on.",
            )
        case OperationalError() | InterfaceError() | sqlite3.Error():
            return unavailable(path, cause)
        case DBAPIError(orig=sqlite3.DatabaseError() as broken) if _name_of(broken) in _BROKEN:
            return unavailable(path, broken)
    return InternalError()


_BROKEN = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}


def _name_of(error: BaseException | None) -> str:
    name: str = getattr(error, "sqlite_errorname", None) or ""
    return "_".join(name.split("_")[:2])


def unavailable(path: Path, error: BaseException | None) -> Unavailable:
    """Say why a file is of no use, and what to do about it."""
    match _name_of(error):
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return Unavailable(
                f"The database {path} is locked by another process.",
                hint="Try again in a moment; if it stays so, look for a process that hangs.",
            )
        case "SQLITE_FULL":
            return Unavailable(f"The disk of {path} is full.", hint="Free some space on it.")
        case name if name in _BROKEN:
            return Unavailable(
                f"The file {path} is not a readable database.",
                hint="Move it away, or put a backup in its place.",
            )
    return Unavailable(f"The database {path} cannot be used: {error}.", hint=_OTHER_HINT)
