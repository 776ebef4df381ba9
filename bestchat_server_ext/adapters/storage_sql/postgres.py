"""PostgreSQL: transactions over a pool of connections, and opening a database.

A transaction is a task of its own, and its caller waits for it shielded: a caller that is
cancelled leaves it to end, as with SQLite, so no connection is ever left in the middle of
something. Callers queue for a place before their transaction begins; the pool never has to wait.

Reads see the database as of their first query (repeatable read). Writes are read committed: they
lock the rows that they are about, in one order everywhere (the conversation, then turns by id,
then calls by id), and look at them once they hold the lock. What falls victim to another
transaction all the same is done again, and so is what met a connection that had broken before
anything was committed: a server that was restarted is noticed that way, where asking before each
transaction would cost it more round trips than it has.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Any, Concatenate, TypeVar

from sqlalchemy import Connection, event, text
from sqlalchemy.dialects.postgresql import asyncpg as _dialect  # noqa: F401 (loaded in a thread)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bestchat_server_ext.adapters.storage_sql.address import (
    PATIENT,
    SESSION,
    Address,
    Session,
    dial,
    parse,
)
from bestchat_server_ext.adapters.storage_sql.clocks import (
    clock_difference,
    clock_notices,
    utc_now,
)
from bestchat_server_ext.adapters.storage_sql.database import Database
from bestchat_server_ext.adapters.storage_sql.engine import (
    Given,
    Result,
    core_errors,
    decode_json,
    encode_json,
)
from bestchat_server_ext.adapters.storage_sql.failures import (
    UPGRADE,
    is_gone,
    may_repeat,
    translated,
)
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.adapters.storage_sql.provider_configs import SqlProviderConfigs
from bestchat_server_ext.adapters.storage_sql.revision import (
    foreign,
    is_ours,
    require_known,
)
from bestchat_server_ext.adapters.storage_sql.store import SqlStorage
from bestchat_server_ext.adapters.storage_sql.tokens import SqlTokenStore
from bestchat_server_ext.adapters.storage_sql.uploads import SqlUploadStore
from bestchat_server_ext.adapters.storage_sql.usage import SqlUsageStore
from bestchat_server_ext.core.errors import Unavailable

POOL_SECONDS = 5
"""How long a caller waits for a connection that others use."""

RECYCLE_SECONDS = 1800
"""The age at which a connection is replaced, because firewalls forget the old and quiet."""

PAUSES = (0.005, 0.02, 0.08, 0.3)
"""Seconds before a transaction is done again, once for each time."""

CLOSE_SECONDS = 5
"""How long saying goodbye to the server may take."""

Value = TypeVar("Value")


class PostgresConnections:
    """Transactions on one PostgreSQL database, all of them in one event loop."""

    def __init__(self, address: Address, *, pool_size: int = 1, session: Session = SESSION) -> None:
        """Prepare; nothing is opened before the first transaction.

        Args:
            address: where it is.
            pool_size: how many connections may be open.
            session: how patient both sides are.
        """
        self._address = address
        self._size = pool_size
        self._seconds = session.seconds
        self._engine = _make_engine(address, pool_size, session)
        self._reading = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._looking = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._places = asyncio.Semaphore(pool_size)
        self._running: set[asyncio.Task[Any]] = set()
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
        return await self._run(self._reading, lambda it: work(it, *args, **kwargs))

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
        return await self._run(self._looking, lambda it: work(it, *args, **kwargs))

    async def write(
        self,
        work: Callable[Concatenate[Connection, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do work in a transaction that may write.

        Raises:
            ChatError: whatever went wrong in the database. Nothing was written then, unless the
                connection broke in the middle of the commit: nobody can know.
        """
        return await self._run(self._engine, lambda it: work(it, *args, **kwargs))

    async def close(self) -> None:
        """Let what runs end, then let go of all connections. May be called twice."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._engine.dispose()
        except TimeoutError:  # the server does not say goodbye, so neither do we
            await self._engine.dispose(close=False)

    async def _run(self, engine: AsyncEngine, work: Callable[[Connection], Value]) -> Value:
        await self._take_place()
        task = asyncio.create_task(self._insist(engine, work))
        self._running.add(task)
        task.add_done_callback(self._leave_place)
        return await asyncio.shield(task)

    async def _take_place(self) -> None:
        try:
            async with asyncio.timeout(POOL_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable(
                f"No connection to the database {self._address.label} became free: "
                f"{self._size} in use.",
                hint="Raise `database_pool_size`, or find out what keeps the database busy.",
            ) from None
        if self._closed:
            self._places.release()
            raise Unavailable(
                f"The database {self._address.label} was closed.", hint="Start BestChat again."
            )

    def _leave_place(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._places.release()

    async def _insist(self, engine: AsyncEngine, work: Callable[[Connection], Value]) -> Value:
        """Do a transaction, again if that is all that it takes."""
        with self._errors():
            for pause in PAUSES:
                try:
                    return await self._transact(engine, work)
                except (DBAPIError, OSError) as error:
                    if not may_repeat(error):
                        raise
                await asyncio.sleep(pause)
            return await self._transact(engine, work)

    async def _transact(self, engine: AsyncEngine, work: Callable[[Connection], Value]) -> Value:
        async with asyncio.timeout(self._seconds), engine.connect() as connection:
            transaction = await connection.begin()
            result = await connection.run_sync(work)
            try:
                await transaction.commit()
            except DBAPIError as error:
                if engine is not self._engine or not is_gone(error):
                    raise
                raise self._doubtful() from error
            return result

    def _doubtful(self) -> Unavailable:
        return Unavailable(
            f"The connection to the database {self._address.label} broke during a write.",
            hint="Look again at what is stored: it may have been written.",
        )

    def _errors(self) -> AbstractContextManager[None]:
        return core_errors(
            self._address.label, partial(translated, label=self._address.label), OSError
        )


def _make_engine(address: Address, pool_size: int, session: Session) -> AsyncEngine:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(dial, address, session),
        pool_size=pool_size,
        max_overflow=0,
        pool_recycle=RECYCLE_SECONDS,
        # Errors are logged with their cause, and parameters are what people wrote.
        hide_parameters=True,
        json_serializer=_json_without_nul,
        json_deserializer=decode_json,
    )
    event.listen(engine.sync_engine, "before_cursor_execute", _text_without_nul, retval=True)
    return engine


# PostgreSQL stores no U+0000, in text as in JSON; a replacement character takes its place.

_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def _json_without_nul(value: object) -> str:
    encoded = encode_json(value)
    if "\\u0000" not in encoded:
        return encoded
    return _ESCAPED_NUL.sub("\\1\ufffd", encoded)


def _text_without_nul(
    _connection: Connection,
    _cursor: object,
    statement: str,
    parameters: Sequence[Any],
    _context: object,
    executemany: bool,  # noqa: FBT001 (SQLAlchemy's signature)
) -> tuple[str, Sequence[Any]]:
    """Applied to all parameters, so that no column can be forgotten."""
    if executemany:
        return statement, [tuple(map(_clean, values)) for values in parameters]
    return statement, tuple(map(_clean, parameters))


def _clean(value: object) -> object:
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value


# Opening.


async def run_once(url: str, work: Callable[[Connection], Value]) -> Value:
    """Do work in one transaction that may write and may take its time, on a connection of its own.

    Raises:
        InvalidRequest: the URL is none of PostgreSQL.
        ChatError: whatever went wrong in the database; nothing was written then.
    """
    connections = PostgresConnections(parse(url), session=PATIENT)
    try:
        return await connections.write(work)
    finally:
        await connections.close()


async def open_postgres(
    url: str, pool_size: int, *, now: Callable[[], datetime] = utc_now
) -> Database:
    """Open a database whose schema is there and not older than what this version needs.

    Args:
        url: where it is.
        pool_size: how many connections may be open.
        now: what this machine takes for the present.

    Raises:
        InvalidRequest: the URL is none of PostgreSQL.
        Unavailable: the server cannot be reached, or the schema is missing, older, or too new.
    """
    address = parse(url)
    connections = PostgresConnections(address, pool_size=pool_size)
    try:
        _require_fit(await connections.read(revision_of, address.label), address.label)
        ahead = await connections.read(clock_difference, now)
        identity = await connections.read(identity_of, address.label)
    except BaseException:
        await connections.close()
        raise
    return Database(
        SqlStorage(connections, server_ahead=ahead),
        SqlTokenStore(connections),
        SqlProviderConfigs(connections),
        SqlUsageStore(connections),
        SqlUploadStore(connections),
        connections.close,
        address.label,
        identity,
        clock_notices(address.label, ahead),
    )


def identity_of(connection: Connection, label: str) -> str:
    """What tells this database from all others: cluster and number within it.

    Hosts go by several names, and databases by the same one. Where a provider does not let us see
    which cluster it is, the name has to do.
    """
    allowed = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"
    if not connection.execute(text(allowed)).scalar():
        return label
    query = (
        "SELECT system_identifier || ':' || oid FROM pg_control_system(), pg_database"
        " WHERE datname = current_database()"
    )
    return str(connection.execute(text(query)).scalar_one())


def revision_of(connection: Connection, label: str) -> str:
    """The revision of the schema; empty if there is none.

    Raises:
        Unavailable: there is one, and it is not ours.
    """
    if not connection.execute(text("SELECT to_regclass('alembic_version')")).scalar():
        return ""
    rows = connection.execute(text("SELECT version_num FROM alembic_version LIMIT 2"))
    found = [str(row[0]) for row in rows]
    ours = connection.execute(text("SELECT to_regclass('conversations')")).scalar()
    if not is_ours({"conversations"} if ours else (), found):
        raise foreign(
            f"The database {label}", "Let `database_url` name a database of BestChat's own."
        )
    return found[0]


def _require_fit(revision: str, label: str) -> None:
    if not revision:
        raise Unavailable(f"The database {label} has no tables of BestChat.", hint=UPGRADE)
    if revision < HEAD:
        raise Unavailable(
            f"The database {label} is of an older version (revision {revision}, not {HEAD}).",
            hint=UPGRADE,
        )
    require_known(revision, label)
