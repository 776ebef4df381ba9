"""An SQLite file: made, opened, upgraded, refused."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from bestchat_server_ext.adapters.storage_sql import open_database, sqlite
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.adapters.storage_sql.tables import is_described, metadata
from bestchat_server_ext.adapters.storage_sql.upgrade import script_config, upgrade_schema
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene, assert_same

LIGHT = """
import sys
import bestchat_server_ext.adapters.storage_sql
heavy = {"sqlalchemy", "alembic", "aiosqlite"} & sys.modules.keys()
assert not heavy, heavy
import asyncio, pathlib
from bestchat_server_ext.adapters.storage_sql import open_database
async def main():
    await (await open_database(pathlib.Path(sys.argv[1]))).close()
asyncio.run(main())
print("alembic" in sys.modules)
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def make(path: Path) -> Scene:
    """A database with one conversation, closed again."""
    database = await open_database(path)
    scene = Scene(ManualClock())
    await database.storage.append(scene.id, [scene.created("Kept")], scene.clock.now())
    await database.close()
    return scene


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute(statement)


def execute_and_die(path: Path, statement: str) -> None:
    """Leave a change in the log alone, as a process does that is killed."""
    code = (
        "import os, sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "file.execute(sys.argv[2]); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), statement], check=False)


async def test_folder_and_file_are_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "chat.db"
    database = await open_database(path)
    scene = Scene(ManualClock())
    await database.storage.append(scene.id, [scene.created()], scene.clock.now())
    assert mode_of(path.parent) == 0o700
    modes = {entry.name: mode_of(entry) for entry in path.parent.iterdir()}
    names = ("chat.db", "chat.db-wal", "chat.db-shm", "chat.db.lock")
    assert modes == dict.fromkeys(names, 0o600)
    await database.close()


async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "100% ü?#.db"
    scene = await make(path)
    database = await open_database(path)
    assert (await database.storage.load(scene.id)).conversation.title == "Kept"
    await database.close()
    await database.close()
    with pytest.raises(Unavailable):
        await database.storage.seq(scene.id)
    with pytest.raises(Unavailable):
        await database.storage.delete(scene.id, scene.clock.now())


def test_libraries_load_late_and_alembic_only_to_upgrade(tmp_path: Path) -> None:
    def alembic_loaded() -> str:
        arguments = [sys.executable, "-c", LIGHT, str(tmp_path / "chat.db")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert alembic_loaded() == "True"
    assert alembic_loaded() == "False"


async def test_migrations_lead_to_the_tables_that_are_used(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    await make(path)
    sync_engine = create_engine(f"sqlite:///{path}")
    with sync_engine.connect() as connection:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_name": is_described,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
    sync_engine.dispose()


def test_the_newest_migration_is_the_one_that_is_known(tmp_path: Path) -> None:
    scripts = ScriptDirectory.from_config(script_config())
    assert scripts.get_heads() == [HEAD]
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert all(len(revision) == 4 and revision.isdecimal() for revision in revisions)
    assert revisions == sorted(revisions, reverse=True)


def test_an_interrupted_upgrade_leaves_nothing(tmp_path: Path) -> None:
    sync_engine = create_engine(f"sqlite:///{tmp_path / 'chat.db'}")
    with sync_engine.connect() as connection:
        connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        upgrade_schema(connection)
        connection.exec_driver_sql("ROLLBACK")
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master").all()
    sync_engine.dispose()
    assert tables == []


async def test_a_newer_minor_version_is_opened_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    scene = await make(path)
    execute(path, "UPDATE alembic_version SET version_num = '0099'")
    execute(path, "ALTER TABLE conversations ADD COLUMN mood TEXT")
    database = await open_database(path)
    assert (await database.storage.load(scene.id)).conversation.title == "Kept"
    await database.close()


async def test_an_event_of_a_newer_version_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    scene = await make(path)
    execute(path, """UPDATE events SET body = '{"type": "conversation_dreamt"}'""")
    database = await open_database(path)
    with pytest.raises(Unavailable, match="upgrade"):
        await database.storage.events_after(scene.id, 0, limit=1)
    await database.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file beneath a folder, byte for byte."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("killed", [False, True])
async def test_a_newer_major_version_is_refused_untouched(tmp_path: Path, *, killed: bool) -> None:
    path = tmp_path / "chat.db"
    await make(path)
    change = "UPDATE alembic_version SET version_num = '0100'"
    if killed:  # what it wrote last is in the log only
        execute_and_die(path, change)
        assert path.with_name("chat.db-wal").stat().st_size
    else:
        execute(path, change)
    before = contents(tmp_path)
    with pytest.raises(Unavailable, match=r"newer version of BestChat \(revision 0100") as caught:
        await open_database(path)
    assert "Upgrade BestChat" in caught.value.info.hint
    after = contents(tmp_path)
    if killed:  # SQLite's index of the log may be made again; it is none of the data
        after.pop(f"{path}-shm")
        before.pop(f"{path}-shm")
    assert after == before


@pytest.mark.parametrize(
    "statements",
    [
        (
            "CREATE TABLE alembic_version (version_num TEXT)",
            "INSERT INTO alembic_version VALUES ('ae1027a6acf1')",
        ),
        ("CREATE TABLE diary (page TEXT)", "INSERT INTO diary VALUES ('Dear diary')"),
        ("CREATE TABLE alembic_version (version_num TEXT)", "CREATE TABLE diary (page TEXT)"),
    ],
)
async def test_a_database_of_another_application_is_refused_untouched(
    tmp_path: Path, statements: tuple[str, ...]
) -> None:
    path = tmp_path / "chat.db"
    for statement in statements:
        execute(path, statement)
    before = contents(tmp_path)
    with pytest.raises(Unavailable, match="another application"):
        await open_database(path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("place", ["folder", "file.txt/chat.db"])
async def test_a_path_that_cannot_be_opened_is_refused_with_a_hint(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").write_text("in the way")
    with pytest.raises(Unavailable) as caught:
        await open_database(tmp_path / place)
    assert str(tmp_path) in caught.value.info.text
    assert "data_dir" in caught.value.info.hint


async def test_a_write_holds_the_lock_from_its_beginning(tmp_path: Path) -> None:
    """Else what it has read may be of yesterday when it writes, and SQLite refuses it at once."""
    path = tmp_path / "chat.db"
    await (await open_database(path)).close()
    connections = sqlite.SqliteConnections(path)

    def work(connection: Connection) -> None:
        connection.execute(text("SELECT count(*) FROM conversations"))
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

    await connections.write(work)
    await connections.close()


async def test_a_locked_database_is_unavailable_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    scene = await make(path)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0)
    database = await open_database(path)
    before = await database.storage.load(scene.id)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked by another process"):
            await database.storage.append(scene.id, [], scene.clock.now())
        assert_same(await database.storage.load(scene.id), before)
        other.execute("ROLLBACK")
    await database.storage.append(scene.id, [], scene.clock.now())
    await database.close()


async def test_a_database_that_breaks_while_open_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    scene = await make(path)
    database = await open_database(path)
    execute(path, "DROP TABLE conversations")
    with pytest.raises(Unavailable):
        await database.storage.load(scene.id)
    await database.close()


async def test_trimmed_events_are_said_to_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    scene = await make(path)
    database = await open_database(path)
    storage = database.storage
    await storage.append(scene.id, scene.begin().events, scene.clock.now())
    execute(path, "DELETE FROM events WHERE seq <= 2")
    assert await storage.events_after(scene.id, 0, limit=10) is None
    assert await storage.events_after(scene.id, 1, limit=10) is None
    assert len(await storage.events_after(scene.id, 2, limit=10) or ()) == 1
    execute(path, "DELETE FROM events")
    assert await storage.events_after(scene.id, 2, limit=10) is None
    assert await storage.events_after(scene.id, 3, limit=10) == ()
    await database.close()


async def test_a_cancelled_call_leaves_the_database_usable(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    scene = await make(path)
    database = await open_database(path)
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
    # What was cancelled while it waited for its turn was not written; the rest was, whole.
    assert 1 < await storage.seq(scene.id) <= 40
    await database.close()
