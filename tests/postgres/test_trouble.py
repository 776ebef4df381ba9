"""What goes wrong between us and a PostgreSQL server: said clearly, and gone when it is over."""

from __future__ import annotations

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, text

from bestchat_server_ext.adapters.storage_sql import Database, open_database, postgres
from bestchat_server_ext.adapters.storage_sql.address import parse
from bestchat_server_ext.adapters.storage_sql.postgres import PostgresConnections
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import ChatError, InternalError, InvalidRequest, Unavailable
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene

RENAMED = ev.ConversationRenamed("renamed")


@pytest.fixture
async def connections(clean_postgres_url: str) -> AsyncIterator[PostgresConnections]:
    made = PostgresConnections(parse(clean_postgres_url), pool_size=2)
    yield made
    await made.close()


@pytest.fixture
async def scene(database: Database) -> Scene:
    scene = Scene(ManualClock(), OwnerId("ada"))
    await database.storage.append(scene.id, [scene.created("first")], scene.clock.now())
    return scene


# Connections that break.


async def test_a_restarted_server_is_not_noticed_by_callers(
    database: Database, other: Any, scene: Scene
) -> None:
    for _ in range(3):
        await asyncio.gather(*(database.storage.seq(scene.id) for _ in range(4)))
        assert await other.kill_others() >= 1
        assert await database.storage.seq(scene.id) == 1
    await other.kill_others()
    await database.storage.append(scene.id, [RENAMED], scene.clock.now())
    assert await database.storage.seq(scene.id) == 2


async def test_a_connection_that_breaks_in_mid_transaction_is_not_noticed_either(
    database: Database, other: Any, scene: Scene
) -> None:
    await other.lock(scene)
    writing = asyncio.create_task(database.storage.append(scene.id, [RENAMED], scene.clock.now()))
    await other.until_waiting()
    await other.kill_others()
    await other.until_waiting()  # again, by itself
    await other.execute("ROLLBACK")
    assert (await writing).envelopes[0].seq == 2
    assert await database.storage.seq(scene.id) == 2


class Wire:
    """A wire to the server that can be cut, and can lose what goes over it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = parts.query.partition("host=")[2]
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 5432
        self.cut_at = b""
        self.lost = asyncio.Event()
        self.losing = self.refusing = False
        self._writers: list[StreamWriter] = []

    async def carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self.refusing:
            writer.close()
            return
        if self.socket:
            there = await asyncio.open_unix_connection(f"{self.socket}/.s.PGSQL.{self.port}")
        else:
            there = await asyncio.open_connection(self.host, self.port)
        self._writers += [writer, there[1]]
        await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))

    async def _pump(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.cut_at and self.cut_at in data:
                self.cut()
            if self.losing:
                self.lost.set()
            else:
                writer.write(data)
        writer.close()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@pytest.fixture
def wire(clean_postgres_url: str) -> Wire:
    return Wire(clean_postgres_url)


@pytest.fixture
async def far(
    clean_postgres_url: str, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """The database at the end of the wire."""
    monkeypatch.setattr(postgres, "CLOSE_SECONDS", 0.1)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    parts = urlsplit(clean_postgres_url)
    user = parts.netloc.rpartition("@")[0]
    netloc, query = f"{user}@127.0.0.1:{port}", "sslmode=disable"
    database = await open_database(parts._replace(netloc=netloc, query=query).geturl(), pool_size=1)
    yield database
    await database.close()
    wire.cut()
    server.close()
    await server.wait_closed()


async def test_a_server_that_is_away_is_unavailable_and_comes_back(
    far: Database, wire: Wire, scene: Scene
) -> None:
    assert await far.storage.seq(scene.id) == 1
    wire.refusing = True
    wire.cut()
    for _ in range(2):
        with pytest.raises(Unavailable, match="cannot be reached"):
            await far.storage.seq(scene.id)
    wire.refusing = False
    assert await far.storage.seq(scene.id) == 1


async def test_a_wire_that_breaks_during_the_commit_leaves_doubt_and_says_so(
    far: Database, wire: Wire, scene: Scene
) -> None:
    wire.cut_at = b"COMMIT"
    with pytest.raises(Unavailable, match="may have been written"):
        await far.storage.append(scene.id, [RENAMED], scene.clock.now())
    wire.cut_at = b""
    assert await far.storage.seq(scene.id) == 1


async def test_answers_that_get_lost_are_not_waited_for_forever(
    far: Database, wire: Wire, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far.storage._connections, "_seconds", 0.2)
    wire.losing = True
    with pytest.raises(Unavailable, match="did not answer in time"):
        await far.storage.append(scene.id, [RENAMED], scene.clock.now())
    assert wire.lost.is_set()
    wire.losing = False
    monkeypatch.setattr(far.storage._connections, "_seconds", 20)
    assert await far.storage.seq(scene.id) == 1


# A pool that is too small, a server that is too slow.


async def test_a_pool_that_is_used_up_says_what_to_raise(
    clean_postgres_url: str, other: Any, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "POOL_SECONDS", 0.05)
    small = await open_database(clean_postgres_url, pool_size=1)
    await other.lock(scene)
    writing = asyncio.create_task(small.storage.append(scene.id, [RENAMED], scene.clock.now()))
    await other.until_waiting()
    with pytest.raises(Unavailable, match="became free: 1 in use") as caught:
        await small.storage.seq(scene.id)
    assert "database_pool_size" in caught.value.info.hint
    await other.execute("ROLLBACK")
    await writing
    assert await small.storage.seq(scene.id) == 2
    await small.close()


async def test_there_are_never_more_connections_than_allowed(
    clean_postgres_url: str, other: Any, scene: Scene
) -> None:
    before = len(await other.others())
    pooled = await open_database(clean_postgres_url, pool_size=3)
    await other.lock(scene)
    appends = [
        asyncio.create_task(pooled.storage.append(scene.id, [RENAMED], scene.clock.now()))
        for _ in range(12)
    ]
    await other.until_waiting(3)
    assert len(await other.others()) == before + 3
    await other.execute("ROLLBACK")
    numbers = [appended.envelopes[0].seq for appended in await asyncio.gather(*appends)]
    assert sorted(numbers) == list(range(2, 14))
    await pooled.close()
    while len(await other.others()) != before:
        pass  # they go one by one


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [("statement_timeout", "took too long"), ("lock_timeout", "somebody else's transaction")],
)
async def test_a_server_that_takes_too_long_is_unavailable(
    clean_postgres_url: str, other: Any, scene: Scene, setting: str, complaint: str
) -> None:
    sign = "&" if "?" in clean_postgres_url else "?"
    database = await open_database(f"{clean_postgres_url}{sign}{setting}=50", pool_size=1)
    await other.lock(scene)
    with pytest.raises(Unavailable, match=complaint) as caught:
        await database.storage.append(scene.id, [RENAMED], scene.clock.now())
    assert caught.value.info.hint
    await other.execute("ROLLBACK")
    await database.storage.append(scene.id, [RENAMED], scene.clock.now())
    await database.close()


async def test_sessions_have_limits(connections: PostgresConnections) -> None:
    def ask(connection: Connection) -> dict[str, str]:
        names = (
            *("application_name", "statement_timeout", "lock_timeout", "jit"),
            *("idle_in_transaction_session_timeout", "transaction_isolation"),
        )
        return {name: connection.scalar(text(f"SHOW {name}")) for name in names}

    expected = {
        "application_name": "bestchat",
        "statement_timeout": "15s",
        "lock_timeout": "5s",
        "jit": "off",
        "idle_in_transaction_session_timeout": "30s",
        "transaction_isolation": "read committed",
    }
    assert await connections.write(ask) == expected
    assert await connections.read(ask) == expected | {"transaction_isolation": "repeatable read"}
    assert await connections.write(ask) == expected


# Callers that go away.


async def test_a_cancelled_caller_leaves_a_whole_transaction_and_a_healthy_pool(
    clean_postgres_url: str, other: Any, scene: Scene
) -> None:
    database = await open_database(clean_postgres_url, pool_size=1)
    storage = database.storage
    await other.lock(scene)
    running = asyncio.create_task(storage.append(scene.id, [RENAMED], scene.clock.now()))
    await other.until_waiting()
    queued = asyncio.create_task(storage.append(scene.id, [RENAMED] * 5, scene.clock.now()))
    await asyncio.sleep(0)
    for task in (running, queued):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await other.execute("ROLLBACK")
    # What had begun was written; what had not begun was not.
    assert await storage.seq(scene.id) == 2
    assert len(await storage.events_after(scene.id, 0, limit=10) or ()) == 2
    await database.close()


async def test_callers_that_are_cancelled_anywhere_leak_nothing(
    clean_postgres_url: str, other: Any, scene: Scene
) -> None:
    database = await open_database(clean_postgres_url, pool_size=2)
    storage = database.storage
    for rounds in range(40):
        question = scene.begin().events[:1]
        calls = (storage.append(scene.id, question, scene.clock.now()), storage.load(scene.id))
        tasks = [asyncio.ensure_future(call) for call in calls]
        for _ in range(rounds):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        state = await storage.load(scene.id)
        assert state.conversation.seq == 1 + len(state.messages)
    await database.close()
    assert not [row for row in await other.others("state") if "in transaction" in row[0]]


async def test_closing_lets_what_runs_end(
    clean_postgres_url: str, other: Any, scene: Scene
) -> None:
    database = await open_database(clean_postgres_url, pool_size=1)
    await other.lock(scene)
    writing = asyncio.create_task(database.storage.append(scene.id, [RENAMED], scene.clock.now()))
    await other.until_waiting()
    waiting = asyncio.create_task(database.storage.seq(scene.id))
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    await other.execute("ROLLBACK")
    assert (await writing).envelopes[0].seq == 2
    await closing
    await database.close()
    for late in (waiting, database.storage.seq(scene.id)):
        with pytest.raises(Unavailable, match="was closed"):
            await late


# Transactions that get in each other's way, and everything else that has a code.


def raising(code: str, times: int = 99) -> tuple[Callable[[Connection], int], list[int]]:
    """Work that the database refuses with a code, so many times."""
    done: list[int] = []

    def work(connection: Connection) -> int:
        done.append(1)
        if len(done) <= times:
            connection.exec_driver_sql(
                f"DO $$ BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = '{code}'; END $$"
            )
        return len(done)

    return work, done


@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_a_victim_of_others_tries_again(connections: PostgresConnections, code: str) -> None:
    work, _ = raising(code, times=3)
    assert await connections.write(work) == 4
    work, done = raising(code)
    with pytest.raises(Unavailable, match="very busy"):
        await connections.write(work)
    assert len(done) == 1 + len(postgres.PAUSES)


@pytest.mark.parametrize("code", ["57P01", "25P03", "08006"])
async def test_a_server_that_ends_the_connection_is_asked_again(
    connections: PostgresConnections, code: str
) -> None:
    work, _ = raising(code, times=1)
    assert await connections.write(work) == 2
    work, _ = raising(code)
    with pytest.raises(Unavailable, match="broke"):
        await connections.write(work)


async def test_a_real_deadlock_is_not_noticed(clean_postgres_url: str, scene: Scene) -> None:
    sign = "&" if "?" in clean_postgres_url else "?"
    pool = PostgresConnections(parse(f"{clean_postgres_url}{sign}deadlock_timeout=20"), pool_size=2)
    locked: dict[int, int] = {}

    def cross(connection: Connection, mine: int) -> int:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({mine})"))
        locked[mine] = locked.get(mine, 0) + 1
        while len(locked) < 2:
            connection.execute(text("SELECT 1"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({3 - mine})"))
        return mine

    assert await asyncio.gather(pool.write(cross, 1), pool.write(cross, 2)) == [1, 2]
    assert sum(locked.values()) >= 3
    await pool.close()


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [
        ("53100", Unavailable, "disk space"),
        ("53200", Unavailable, "cannot be used"),
        ("25006", Unavailable, "takes no writes"),
        ("42501", Unavailable, "allow"),
        ("42P01", Unavailable, "bestchat db upgrade"),
        ("58030", Unavailable, "cannot be used"),
        ("XX001", Unavailable, "cannot be used"),
        ("57014", Unavailable, "too long"),
        ("22P05", InvalidRequest, "cannot be stored"),
        ("54000", InvalidRequest, "longer"),
        ("42601", InternalError, "bug"),
        ("23514", InternalError, "bug"),
    ],
)
async def test_a_code_becomes_an_error_of_ours(
    connections: PostgresConnections, code: str, kind: type[ChatError], word: str
) -> None:
    work, done = raising(code)
    with pytest.raises(kind, match=word):
        await connections.write(work)
    assert len(done) == 1
    assert await connections.write(lambda connection: connection.scalar(text("SELECT 1"))) == 1


async def test_what_people_wrote_is_not_in_an_error_of_the_database(
    connections: PostgresConnections, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    query = text("UPDATE conversations SET title = :title, owner = NULL")
    words = "secret " * 3  # a traceback shows this line as well

    def work(connection: Connection) -> None:
        connection.execute(query, {"title": words})

    with pytest.raises(InternalError) as caught:
        await connections.write(work)
    logging.getLogger("x").error("It failed.", exc_info=caught.value)
    assert words not in caplog.text
    assert "owner" in caplog.text  # but what is wrong is


async def test_readers_see_one_view_and_write_nothing(
    connections: PostgresConnections, other: Any, scene: Scene
) -> None:
    def look_twice(connection: Connection, go_on: Callable[[], Awaitable[None]]) -> list[str]:
        from sqlalchemy.util import await_only

        query = text("SELECT title FROM conversations")
        first = connection.scalar(query)
        await_only(go_on())
        return [first, connection.scalar(query)]

    async def rename() -> None:
        await other.execute("UPDATE conversations SET title = 'second'")

    assert await connections.read(look_twice, rename) == ["first", "first"]
    update = text("UPDATE conversations SET title = 'x'")
    with pytest.raises(Unavailable, match="takes no writes"):
        await connections.read(lambda connection: connection.execute(update))
