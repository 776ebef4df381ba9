"""Opening a PostgreSQL database: which URLs, which schemas, and what is said if it cannot be."""

from __future__ import annotations

import asyncio
import logging
import struct
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection

from bestchat_server_ext.adapters.storage_sql import (
    inspect_database,
    maintenance_postgres,
    open_database,
)
from bestchat_server_ext.adapters.storage_sql.address import HASTY, parse
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.adapters.storage_sql.postgres import open_postgres, run_once
from bestchat_server_ext.core.errors import ChatError, InvalidRequest, Unavailable
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId
from bestchat_server_ext.ports.storage import Claim, PartialText
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene

CANARY = "canary-9f3b"
Doorman = Callable[[str, str], Awaitable[str]]


async def refusal(url: str) -> ChatError:
    with pytest.raises(ChatError) as caught:
        await open_database(url)
    return caught.value


async def test_a_url_is_accepted_in_every_form(postgres_url: str) -> None:
    rest = postgres_url.partition("://")[2]
    for scheme in ("postgresql", "postgres", "postgresql+asyncpg"):
        database = await open_database(f" {scheme}://{rest}")
        page = await database.storage.list_conversations(LOCAL_OWNER, limit=1)
        assert page.items == ()
        await database.close()


async def test_a_url_of_several_hosts_finds_the_one_that_answers(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    if parts.hostname is None:
        url = f"{postgres_url},127.0.0.1"
    else:
        hosts = f"{parts.username}@127.0.0.1:1,{parts.hostname}:{parts.port or 5432}"
        url = parts._replace(netloc=hosts, query="target_session_attrs=any").geturl()
    database = await open_database(url)
    await database.close()


async def test_a_service_file_says_where(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(postgres_url)
    host = parts.hostname or parts.query.partition("host=")[2]
    lines = ["[chat]", f"host={host}", f"user={parts.username}", f"dbname={parts.path[1:]}"]
    (tmp_path / "services").write_text("\n".join([*lines, f"port={parts.port or 5432}"]))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    database = await open_database("postgresql://?service=chat")
    assert database.label == "PostgreSQL service chat"
    await database.close()


@pytest.mark.parametrize(
    "url",
    [
        *("", "sqlite:///x.db", "mysql://u:{0}@h/d", "{0}", "//u:{0}@h/d", "postgres:u:{0}@h/d"),
        *("postgresql://u:{0}/x@h/d", "postgresql://u:1/{0}@h/d", "postgresql://u:{0}#x@h/d"),
        *("postgresql://u:1#{0}@h/d", "postgresql://u:x?{0}@h/d", "postgresql://u:x@{0}@h/d"),
        *("postgresql://u:x[{0}@h/d", "postgresql://u:{0}@h:port/d", "postgresql://u@h/d?{0}"),
        *("postgresql://u:{0}@h/d?connect_timeout=x", "postgresql://u:{0}@h/d?sslmode=loud"),
    ],
)
async def test_what_is_no_url_of_postgresql_is_refused_without_quoting_it(url: str) -> None:
    error = await refusal(url.format(CANARY))
    assert isinstance(error, InvalidRequest)
    assert error.info.field == "database_url"
    assert "postgresql://" in error.info.hint
    chain: BaseException | None = error
    while chain is not None:
        assert CANARY not in f"{chain!r} {chain}"
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ada:{CANARY}?x=y@db/chat",
        f"postgresql://ada:5432?x={CANARY}@db/chat",
        f"postgresql://ada@corp:{CANARY}?x=y@db/chat",
    ],
)
def test_half_a_password_is_taken_for_no_host(url: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read") as caught:
        parse(url)
    assert "percent-encoded" in caught.value.info.hint


def test_an_address_is_called_by_its_host_and_database() -> None:
    for url, label in {
        f"postgresql://ada:{CANARY}@db.example:6432/chat?password={CANARY}": "db.example:6432/chat",
        f"postgres://ada:{CANARY}@one:1,two:2/chat": "one:1,two:2/chat",
        "postgresql:///chat": "localhost/chat",
        "postgresql://ada@/chat?host=/run/postgresql": "/run/postgresql/chat",
        "postgresql://?host=db&dbname=chat": "db/chat",
        "postgresql://ada%40corp@db/chat?application_name=chat@home": "db/chat",
    }.items():
        address = parse(url)
        assert address.label == label
        assert CANARY not in repr(address)


async def test_a_missing_schema_is_not_made(empty_postgres_url: str) -> None:
    error = await refusal(empty_postgres_url)
    assert isinstance(error, Unavailable)
    assert "has no tables" in error.info.text
    assert "bestchat db upgrade" in error.info.hint


async def set_revision(url: str, revision: str) -> None:
    statement = f"UPDATE alembic_version SET version_num = '{revision}'"
    await run_once(url, lambda connection: connection.exec_driver_sql(statement).close())


@pytest.mark.parametrize(
    ("revision", "complaint", "advice"),
    [
        ("0001", "older version", "bestchat db upgrade"),
        ("9901", "newer version", "Upgrade BestChat"),
        ("ae1027a6acf1", "another application", "database_url"),
    ],
)
async def test_a_schema_of_another_time_is_refused(
    postgres_url: str, revision: str, complaint: str, advice: str
) -> None:
    await set_revision(postgres_url, revision)
    error = await refusal(postgres_url)
    assert isinstance(error, Unavailable)
    assert complaint in error.info.text
    assert advice in error.info.hint


async def test_a_newer_schema_of_the_same_major_version_is_opened(postgres_url: str) -> None:
    await set_revision(postgres_url, f"{HEAD[:2]}99")
    database = await open_database(postgres_url)
    assert await database.storage.last_turn(LOCAL_OWNER) is None
    await database.close()


async def test_another_applications_revisions_are_not_taken_for_ours(
    empty_postgres_url: str,
) -> None:
    def make(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0012')")

    await run_once(empty_postgres_url, make)
    error = await refusal(empty_postgres_url)
    assert "another application" in error.info.text
    assert "database_url" in error.info.hint


# Clocks.


def shifted(seconds: float) -> Callable[[], datetime]:
    """A machine's clock that is wrong."""
    return lambda: datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize("wrong", [300, -300])
async def test_leases_are_kept_by_the_servers_clock(postgres_url: str, wrong: float) -> None:
    theirs = shifted(wrong)
    right, other = (
        await open_postgres(postgres_url, 2),
        await open_postgres(postgres_url, 2, now=theirs),
    )
    assert right.notices == ()
    (notice,) = other.notices
    assert f"300 seconds {'ahead of' if wrong > 0 else 'behind'} that of" in notice
    lease, clock = timedelta(seconds=60), ManualClock()
    for mine, here, yours, there in (
        (right.storage, shifted(0), other.storage, theirs),
        (other.storage, theirs, right.storage, shifted(0)),
    ):
        scene = Scene(clock, OwnerId("ada"))
        await mine.append(scene.id, [scene.created()], here())
        begun = scene.begin()
        claim = Claim(begun.turn_id, "one", here() + lease)
        held = (await mine.append(scene.id, begun.events, here(), claim=claim)).lease
        assert held is not None
        assert await yours.seize_expired(there(), "two", there() + lease) == []
        assert await mine.renew([PartialText(held, None)], here() + 2 * lease) == ()
        assert await yours.seize_expired(there() + lease, "two", there() + lease) == []
        (seized,) = await yours.seize_expired(there() + 2 * lease, "two", there() + 3 * lease)
        # It holds by the clock of the one that lost it, too.
        assert await mine.seize_expired(here() + 2 * lease, "one", here() + 3 * lease) == []
        assert seized.turn_id == begun.turn_id
    await right.close()
    await other.close()


async def test_a_report_says_that_clocks_differ(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance_postgres, "utc_now", shifted(-30))
    (notice,) = (await asyncio.to_thread(inspect_database, postgres_url)).notices
    assert "30 seconds behind" in notice


# Nobody there, or nobody who lets us in.


@pytest.fixture
async def doorman() -> AsyncIterator[Doorman]:
    """Servers that take nobody: they answer with an error, or with nothing at all."""
    async with AsyncExitStack() as stack:

        async def open_door(code: str, message: str) -> str:
            async def answer(reader: StreamReader, writer: StreamWriter) -> None:
                if code:
                    await reader.readexactly(8)  # a wish for TLS
                    writer.write(b"N")
                    size = struct.unpack("!i", await reader.readexactly(4))[0]
                    await reader.readexactly(size - 4)
                    fields = f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode()
                    writer.write(b"E" + struct.pack("!i", len(fields) + 4) + fields)
                await reader.read()
                writer.close()

            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            await stack.enter_async_context(server)
            port = server.sockets[0].getsockname()[1]
            return f"postgresql://ada:{CANARY}@127.0.0.1:{port}/chat"

        yield open_door


@pytest.mark.parametrize(
    ("code", "message", "complaint", "advice"),
    [
        ("28P01", 'password authentication failed for user "ada"', "password", "database_url"),
        ("28000", "no pg_hba.conf entry", "let this user in", "database_url"),
        ("3D000", 'database "chat" does not exist', "no database of that name", "database_url"),
        ("42501", "permission denied", "not allow this user", "database_url"),
        ("53300", "sorry, too many clients already", "no more connections", "database_pool_size"),
        ("57P03", "the database system is starting up", "is starting up", "Try again"),
        ("42704", 'unrecognized configuration parameter "x"', "parameter", "database_url"),
    ],
)
async def test_who_is_not_let_in_is_told_why(
    doorman: Doorman,
    caplog: pytest.LogCaptureFixture,
    code: str,
    message: str,
    complaint: str,
    advice: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = await doorman(code, message)
    error = await refusal(url)
    report = await asyncio.to_thread(inspect_database, url)
    assert (report.exists, report.integrity) == (True, error.info.text)
    assert report.advice == error.info.hint
    assert isinstance(error, Unavailable)
    assert complaint in error.info.text
    assert "127.0.0.1" in error.info.text
    assert advice in error.info.hint
    assert CANARY not in f"{error!r} {error} {error.__cause__!r} {caplog.text}"


async def test_a_server_that_does_not_answer_is_not_waited_for(doorman: Doorman) -> None:
    error = await refusal(f"{await doorman('', '')}?connect_timeout=0.1")
    assert isinstance(error, Unavailable)
    assert "no answer in time" in error.info.text


async def test_nor_is_it_by_whoever_only_looks(
    doorman: Doorman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance_postgres, "HASTY", replace(HASTY, seconds=0.1))
    url = f"{await doorman('', '')}?connect_timeout=600"
    report = await asyncio.to_thread(inspect_database, url)
    assert not report.exists
    assert "did not answer in time" in report.integrity


@pytest.mark.parametrize("place", ["127.0.0.1:1", "nowhere.invalid"])
async def test_a_server_that_is_not_there_is_unavailable(place: str) -> None:
    error = await refusal(f"postgresql://ada:{CANARY}@{place}/chat")
    assert isinstance(error, Unavailable)
    assert place in error.info.text
    assert "database_url" in error.info.hint
    assert CANARY not in f"{error!r} {error} {error.__cause__!r}"


async def test_an_unknown_user_is_unavailable(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    host = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=f"nobody_at_all:{CANARY}@{host}").geturl()
    error = await refusal(url)
    assert isinstance(error, Unavailable)
    assert "database_url" in error.info.hint
    assert CANARY not in f"{error!r} {error} {error.__cause__!r}"


# What is loaded.

OPEN = """
import asyncio, sys, threading
from pathlib import Path
{prelude}
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core.errors import ChatError

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("asyncpg", "sqlalchemy"):
            print(name, threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Watch())

async def main():
    try:
        await open_database({place})
    except ChatError as error:
        print(error.code, error)

asyncio.run(main())
"""


def opened(place: str, prelude: str = "") -> list[str]:
    code = OPEN.format(place=place, prelude=prelude)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_the_driver_is_loaded_off_the_event_loop_and_only_for_postgresql() -> None:
    lines = opened("'postgresql://127.0.0.1:1/chat'")
    assert lines[:2] == ["sqlalchemy False", "asyncpg False"]
    assert lines[2].startswith("unavailable ")
    lines = opened("Path('/proc/nothing/chat.db')")
    assert lines[0] == "sqlalchemy False"
    assert not any("asyncpg" in line for line in lines)


def test_a_driver_that_is_not_installed_is_named() -> None:
    (line,) = [
        line
        for line in opened("'postgresql://127.0.0.1:1/chat'", "sys.modules['asyncpg'] = None")
        if line.startswith("not_installed")
    ]
    assert "asyncpg" in line
    assert 'pip install "bestchat[team]"' in line
