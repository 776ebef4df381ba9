"""Databases on a real PostgreSQL; the server and `postgres_url` come from the folder above."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager

import asyncpg
import pytest

from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.adapters.storage_sql.tables import metadata
from bestchat_server_ext.testing.port_suites.scene import Scene


@pytest.fixture(scope="session")
def shared_postgres_url(
    make_database: Callable[..., AbstractContextManager[str]], postgres_template: str
) -> Iterator[str]:
    with make_database(postgres_template) as url:
        yield url


@pytest.fixture
async def clean_postgres_url(shared_postgres_url: str) -> str:
    """A database with the newest schema and nothing in it: the same for all, as making one takes
    longer than most tests. Who changes more than rows takes `postgres_url`."""
    connection = await asyncpg.connect(shared_postgres_url)
    for table in reversed(metadata.sorted_tables):
        await connection.execute(f"DELETE FROM {table.name}")
    await connection.close()
    return shared_postgres_url


@pytest.fixture
async def database(clean_postgres_url: str) -> AsyncIterator[Database]:
    opened = await open_database(clean_postgres_url, pool_size=4)
    yield opened
    await opened.close()


class Other:
    """Somebody else in the database, with a connection of their own."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.execute, self.fetch = connection.execute, connection.fetch
        self.fetchval = connection.fetchval

    async def lock(self, scene: Scene) -> None:
        """Hold a conversation's row, until a rollback."""
        await self.execute("BEGIN")
        await self.execute("UPDATE conversations SET seq = seq WHERE id = $1", scene.id)

    async def until_waiting(self, count: int = 1) -> None:
        """Come back when so many transactions in this database wait for a lock."""
        here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        query = (
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
            f" AND pid IN (SELECT pid FROM pg_locks WHERE database = {here})"
        )
        while await self.fetchval(query) < count:
            pass  # asking takes its time

    async def others(self, what: str = "pid") -> list[asyncpg.Record]:
        """The other connections to this database, as of now."""
        await self.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees an old one
        return await self.fetch(
            f"SELECT {what} FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    async def kill_others(self) -> int:
        """End all other connections to the database, as a restart of the server does."""
        return len(await self.others("pg_terminate_backend(pid)"))


@pytest.fixture
async def other(clean_postgres_url: str) -> AsyncIterator[Other]:
    connection = await asyncpg.connect(clean_postgres_url)
    yield Other(connection)
    await connection.close()
