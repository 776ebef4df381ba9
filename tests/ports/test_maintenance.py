"""Backup, restore, upgrade and inspection of an SQLite database."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bestchat_server_ext.adapters.storage_sql import (
    backup_database,
    file_care,
    file_copies,
    inspect_database,
    open_database,
    restore_database,
    upgrade_database,
)
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import InvalidRequest, NotFound, Unavailable
from bestchat_server_ext.core.events import ConversationRenamed
from bestchat_server_ext.core.ids import OwnerId, TokenId
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import assert_same

MakeFile = Callable[[Path], Awaitable[ConversationState]]
StartChild = Callable[..., Any]


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for statement in statements:
            file.execute(statement)


CUT_OFF = """
import os, sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("PRAGMA journal_mode=DELETE")
file.execute("PRAGMA cache_size=2")  # so that pages are written before the transaction ends
file.execute("BEGIN IMMEDIATE")
file.execute("UPDATE conversations SET title = 'Half'")
file.execute("CREATE TABLE half (page BLOB)")
for _ in range(50):
    file.execute("INSERT INTO half VALUES (randomblob(4000))")
os.kill(os.getpid(), 9)
"""


def cut_off(path: Path, start_child: StartChild) -> None:
    """End a process in the middle of a transaction, as a failing machine does."""
    start_child(CUT_OFF, path).process.wait()
    assert path.with_name(f"{path.name}-journal").stat().st_size


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(entry): (entry.read_bytes(), entry.stat().st_mtime_ns)
        for entry in folder.rglob("*")
        if entry.is_file() and entry.suffix != ".lock"  # taken, and left as empty as it was
    }


async def require_same(path: Path, state: ConversationState) -> None:
    database = await open_database(path)
    assert_same(await database.storage.load(state.conversation.id), state)
    await database.close()


# Backup.


async def test_what_was_backed_up_comes_back(tmp_path: Path, make_file: MakeFile) -> None:
    path, copy = tmp_path / "data" / "chat.db", tmp_path / "copies" / "copy.sqlite3"
    state = await make_file(path)
    assert backup_database(path, copy) == copy
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    for entry in path.parent.iterdir():
        entry.unlink()
    assert restore_database(path, copy) is None
    await require_same(path, state)
    assert sorted(entry.name for entry in copy.parent.iterdir()) == [copy.name]


async def test_a_backup_of_what_is_open_holds_what_only_the_log_holds(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path = tmp_path / "chat.db"
    state = await make_file(path)
    key = state.conversation.id
    database = await open_database(path)
    await database.storage.append(key, [ConversationRenamed("Fresh")], ManualClock().now())
    copy = backup_database(path)
    assert copy.parent == tmp_path / "backups"
    assert copy.name.startswith("bestchat-20")
    assert copy.suffix == ".sqlite3"
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    fresh = await database.storage.load(key)
    await database.close()
    await require_same(copy, fresh)
    assert fresh.conversation.title == "Fresh"


async def test_a_backup_overwrites_nothing(tmp_path: Path, make_file: MakeFile) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copy"
    await make_file(path)
    copy.write_text("mine")
    with pytest.raises(InvalidRequest, match="there already"):
        backup_database(path, copy)
    assert copy.read_text() == "mine"
    first, second = backup_database(path), backup_database(path)
    assert first != second


async def test_backups_of_nothing_or_of_ruins_are_refused(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copy"
    with pytest.raises(NotFound, match="no database"):
        backup_database(path, copy)
    await make_file(path)
    with closing(sqlite3.connect(path)) as file:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'messages'"
        (page,) = file.execute(query).fetchone()
    with path.open("rb+") as raw:
        raw.seek((page - 1) * 4096)
        raw.write(os.urandom(4096))
    with pytest.raises(Unavailable, match="damaged"):
        backup_database(path, copy)
    assert not copy.exists()
    assert snapshot(tmp_path).keys() == {str(path)}


async def test_a_backup_that_is_killed_leaves_no_target(
    tmp_path: Path, make_file: MakeFile, start_child: StartChild
) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copy"
    state = await make_file(path)
    child = start_child(
        "import sys, pathlib\n"
        "from bestchat_server_ext.adapters.storage_sql import backup_database, file_copies\n"
        "def stop(path):\n    print('here', flush=True)\n    sys.stdin.read()\n"
        "file_copies._sync = stop\n"
        "backup_database(*map(pathlib.Path, sys.argv[1:]))",
        path,
        copy,
    )
    child.expect("here")
    child.kill()
    assert not copy.exists()
    assert backup_database(path, copy) == copy
    await require_same(path, state)


def test_what_killed_copies_left_is_swept_up(tmp_path: Path) -> None:
    path, folder = tmp_path / "chat.db", tmp_path / "backups"
    upgrade_database(path)
    folder.mkdir()
    names = ("bestchat-2.sqlite3.abc_1234.part", "bestchat-2.sqlite3.abc_1234.part-journal")
    young = folder / "bestchat-2.sqlite3.fresh123.part"
    others = [folder / "mine.part", folder / "bestchat-2.sqlite3", folder / "x.abc_1234.part"]
    for left in (*(folder / name for name in names), *others):
        left.touch()
        os.utime(left, (1, 1))
    young.touch()
    copy = backup_database(path)
    assert set(folder.iterdir()) == {young, copy, *others}
    mine, part = tmp_path / "mine", tmp_path / "mine.abc_1234.part"
    part.touch()
    os.utime(part, (1, 1))
    backup_database(path, mine)
    assert not part.exists()


def test_a_copy_that_fails_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    upgrade_database(path)

    def fail(part: Path) -> None:
        part.with_name(f"{part.name}-journal").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_copies, "_sync", fail)
    with pytest.raises(Unavailable, match="is full"):
        backup_database(path)
    assert list((tmp_path / "backups").iterdir()) == []


# Restore.


async def test_open_processes_see_what_was_restored(
    tmp_path: Path, make_file: MakeFile, start_child: StartChild
) -> None:
    path = tmp_path / "chat.db"
    state = await make_file(path)
    key = state.conversation.id
    copy = backup_database(path)
    running = await open_database(path)
    await running.storage.append(key, [ConversationRenamed("Later")], ManualClock().now())
    later = await running.storage.load(key)
    child = start_child(
        "import json, sqlite3, sys\n"
        "file = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "def title(): return file.execute('SELECT title FROM conversations').fetchone()[0]\n"
        "print(title(), flush=True)\nsys.stdin.readline()\nprint(json.dumps(title()))",
        path,
    )
    child.expect("Later")
    kept = restore_database(path, copy)
    assert child.answer() == "Kept"
    assert_same(await running.storage.load(key), state)
    await running.storage.append(key, [ConversationRenamed("Again")], ManualClock().now())
    await running.close()
    assert kept is not None
    assert kept.name.startswith("bestchat-before-restore-20")
    await require_same(kept, later)
    assert restore_database(path, kept) is not None
    await require_same(path, later)


async def test_an_older_backup_is_upgraded_and_stays_as_it_is(
    tmp_path: Path, make_file: MakeFile, make_old_file: MakeFile
) -> None:
    path, old = tmp_path / "chat.db", tmp_path / "old" / "old.db"
    state = await make_old_file(old)
    (old.parent / "old.db.lock").unlink()
    before = snapshot(old.parent)
    await make_file(path)
    restore_database(path, old)
    assert snapshot(old.parent) == before
    assert inspect_database(path).revision == HEAD
    # It was upgraded before it took its place: no process ever saw the old schema.
    assert not any(".before-" in name for name in snapshot(tmp_path))
    await require_same(path, state)


async def test_a_backup_in_which_a_transaction_was_cut_off_is_restored_without_it(
    tmp_path: Path, make_file: MakeFile, start_child: StartChild
) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copies" / "copy"
    state = await make_file(copy)
    (copy.parent / "copy.lock").unlink()
    cut_off(copy, start_child)
    before = snapshot(copy.parent)
    restore_database(path, copy)
    assert snapshot(copy.parent) == before
    assert not any(".part" in name for name in snapshot(tmp_path))
    await require_same(path, state)


async def test_a_broken_database_is_kept_aside_for_the_backup(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copy"
    state = await make_file(path)
    backup_database(path, copy)
    path.write_text("Dear diary")
    kept = restore_database(path, copy)
    assert kept is not None
    assert kept.read_text() == "Dear diary"
    await require_same(path, state)


async def test_a_database_of_a_newer_version_is_replaced_and_kept(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copy"
    state = await make_file(path)
    backup_database(path, copy)
    execute(path, "UPDATE alembic_version SET version_num = '0100'")
    kept = restore_database(path, copy)
    assert kept is not None
    assert inspect_database(kept).revision == "0100"
    await require_same(path, state)


async def add_tokens(path: Path, *names: str) -> None:
    """Keep tokens; those that are called after kernels are theirs."""
    database = await open_database(path)
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


async def good_tokens(path: Path) -> set[str]:
    database = await open_database(path)
    page = await database.tokens.page(OwnerId("ada"), limit=10)
    await database.close()
    return {item.name for item in page.items if item.good(datetime.now(UTC))}


async def test_a_restore_brings_no_token_back_to_life(tmp_path: Path) -> None:
    path, copy, other = tmp_path / "chat.db", tmp_path / "copy", tmp_path / "other.db"
    await add_tokens(path, "kept", "lost", "revoked", "kernel")
    revoke = "UPDATE api_tokens SET revoked_at = '2026-01-31 12:00:00.000000' WHERE name = "
    execute(path, f"{revoke}'revoked'")
    backup_database(path, copy)
    execute(path, f"{revoke}'lost'")
    await add_tokens(path, "later")
    restore_database(path, copy)
    assert await good_tokens(path) == {"kept"}
    database = await open_database(path)
    page = await database.tokens.page(OwnerId("ada"), limit=10)
    await database.close()
    (before,) = (item.revoked_at for item in page.items if item.name == "revoked")
    assert before == datetime(2026, 1, 31, 12, tzinfo=UTC)
    restore_database(other, copy)
    assert await good_tokens(other) == set(), "nobody knows what was revoked since"
    assert await good_tokens(copy) == {"kept", "lost", "kernel"}, "the backup stays as it is"


async def test_over_what_was_broken_no_token_counts(tmp_path: Path) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copy"
    await add_tokens(path, "kept")
    backup_database(path, copy)
    path.write_text("Dear diary")
    restore_database(path, copy)
    assert await good_tokens(path) == set()
    execute(path, "DROP TABLE api_tokens", "UPDATE alembic_version SET version_num = '0100'")
    restore_database(path, copy)
    assert await good_tokens(path) == set()


@pytest.mark.parametrize("name", ['a" x', "a' x", "a]; x", ""])
async def test_tables_may_have_any_name(tmp_path: Path, make_file: MakeFile, name: str) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copy"
    state = await make_file(copy)
    quoted = name.replace('"', '""')
    execute(copy, f'CREATE TABLE "{quoted}" (x INT)')
    restore_database(path, copy)
    await require_same(path, state)


async def test_a_backup_that_could_not_be_opened_changes_nothing(
    tmp_path: Path, make_file: MakeFile
) -> None:
    """SQLite's own check does not miss a module that a table needs; opening does."""
    path, copy = tmp_path / "data" / "chat.db", tmp_path / "copy"
    state = await make_file(path)
    await make_file(copy)
    spoil = "UPDATE sqlite_master SET sql = 'CREATE VIRTUAL TABLE mood USING theirs(x)'"
    execute(
        copy,
        "CREATE TABLE mood (x)",
        "PRAGMA writable_schema=ON",
        f"{spoil} WHERE name = 'mood'",
    )
    with pytest.raises(Unavailable):
        restore_database(path, copy)
    await require_same(path, state)


async def test_pages_of_another_size_fit(tmp_path: Path, make_file: MakeFile) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copy"
    state = await make_file(path)
    backup_database(path, copy)
    execute(copy, "PRAGMA page_size=8192", "VACUUM")
    running = await open_database(path)
    await running.storage.load(state.conversation.id)
    restore_database(path, copy)
    assert_same(await running.storage.load(state.conversation.id), state)
    await running.close()


async def test_what_is_no_backup_of_ours_changes_nothing(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path, other = tmp_path / "data" / "chat.db", tmp_path / "other"
    await make_file(path)
    before = snapshot(path.parent)
    with pytest.raises(NotFound, match="no backup"):
        restore_database(path, other)
    other.write_text("Dear diary")
    with pytest.raises(Unavailable, match="not a readable database"):
        restore_database(path, other)
    other.unlink()
    execute(other, "CREATE TABLE diary (page TEXT)")
    with pytest.raises(Unavailable, match="another application"):
        restore_database(path, other)
    other.write_bytes(b"")
    with pytest.raises(Unavailable, match="is empty"):
        restore_database(path, other)
    other.unlink()
    await make_file(other)
    execute(other, "UPDATE alembic_version SET version_num = '0100'")
    with pytest.raises(Unavailable, match="newer version"):
        restore_database(path, other)
    assert snapshot(path.parent) == before


async def test_a_restore_waits_for_no_hanging_writer_for_ever(
    tmp_path: Path, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / "copy"
    state = await make_file(path)
    backup_database(path, copy)
    monkeypatch.setattr(file_copies, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked by another process"):
            restore_database(path, copy)
        writer.execute("ROLLBACK")
    await require_same(path, state)
    assert restore_database(path, copy) is not None


# Upgrade, inspection.


async def test_upgrading_makes_and_upgrades(tmp_path: Path, make_old_file: MakeFile) -> None:
    path, old = tmp_path / "chat.db", tmp_path / "old.db"
    assert upgrade_database(path) == HEAD
    state = await make_old_file(old)
    assert upgrade_database(old) == HEAD
    assert (tmp_path / f"old.db.before-{HEAD}.bak").exists()
    await require_same(old, state)


async def test_a_report_says_what_there_is_and_changes_nothing(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path = tmp_path / "chat.db"
    await make_file(path)
    before = snapshot(tmp_path)
    report = inspect_database(path)
    assert snapshot(tmp_path) == before
    assert (report.label, report.kind, report.exists) == (str(path), "sqlite", True)
    assert (report.revision, report.newest, report.conversations) == (HEAD, HEAD, 1)
    assert (report.journal_mode, report.integrity, report.writable) == ("wal", "ok", True)
    assert report.size_bytes == path.stat().st_size
    assert report.file_system
    assert report.notices == ()


async def test_a_file_that_others_may_read_is_said_to_be_one(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path = tmp_path / "data" / "chat.db"
    await make_file(path)
    for file, folder, said in (
        (0o600, 0o755, ()),
        (0o600, 0o1777, ()),
        (0o640, 0o700, (f"{path} has the mode 0640",)),
        (0o666, 0o777, (f"{path} has the mode 0666", f"{path.parent} has the mode 0777")),
    ):
        path.chmod(file)
        path.parent.chmod(folder)
        database = await open_database(path)
        await database.close()
        assert inspect_database(path).notices == database.notices
        assert len(database.notices) == len(said)
        assert all(part in notice for part, notice in zip(said, database.notices, strict=True))


async def test_a_report_of_what_is_open_counts_what_the_log_holds(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path = tmp_path / "chat.db"
    state = await make_file(path)
    database = await open_database(path)
    await database.storage.delete(state.conversation.id, ManualClock().now())
    before = snapshot(tmp_path)
    assert inspect_database(path).conversations == 0
    after = snapshot(tmp_path)
    assert after.keys() == before.keys()
    assert {name: after[name] for name in after if "-shm" not in name} == {
        name: before[name] for name in before if "-shm" not in name
    }
    await database.close()


async def test_reports_of_what_is_not_in_order(
    tmp_path: Path, make_file: MakeFile, make_old_file: MakeFile
) -> None:
    missing = inspect_database(tmp_path / "no" / "chat.db")
    assert (missing.exists, missing.writable, missing.integrity) == (False, True, "")
    assert snapshot(tmp_path) == {}
    assert not (tmp_path / "no").exists()
    path = tmp_path / "chat.db"
    path.write_text("Dear diary")
    broken = inspect_database(path)
    assert "not a readable database" in broken.integrity
    assert path.read_text() == "Dear diary"
    path.unlink()
    execute(path, "CREATE TABLE diary (page TEXT)")
    assert "another application" in inspect_database(path).integrity
    path.unlink()
    await make_old_file(path)
    assert inspect_database(path).revision == "0001"
    execute(path, "UPDATE alembic_version SET version_num = '0100'")
    (notice,) = inspect_database(path).notices
    assert "newer version" in notice


async def test_a_report_of_what_was_cut_off_says_that_it_mends_itself(
    tmp_path: Path, make_file: MakeFile, start_child: StartChild
) -> None:
    path = tmp_path / "chat.db"
    state = await make_file(path)
    cut_off(path, start_child)
    before = snapshot(tmp_path)
    report = inspect_database(path)
    assert snapshot(tmp_path) == before
    assert (report.exists, report.integrity) == (True, "")
    (notice,) = report.notices
    assert "cut off" in notice
    assert "next opening undoes it" in notice
    await require_same(path, state)
    assert inspect_database(path).notices == ()


async def test_a_report_of_what_is_only_in_the_way_advises_no_restore(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path = tmp_path / "chat.db"
    await make_file(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("PRAGMA cache_size=2")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE half AS SELECT randomblob(90000) AS page")
        report = inspect_database(path)
        other.execute("ROLLBACK")
    assert "locked by another process" in report.integrity
    assert "Try again" in report.advice
    path.write_text("Dear diary")
    assert inspect_database(path).advice == ""


async def test_a_report_goes_without_what_cannot_be_looked_at(
    tmp_path: Path, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    await make_file(path)
    monkeypatch.setattr(file_care, "_READ_VERSION", "raise SystemError")
    report = inspect_database(path)
    assert (report.journal_mode, report.integrity, report.notices) == ("", "ok", ())


def test_libraries_load_late() -> None:
    code = (
        "import sys; from bestchat_server_ext.adapters.storage_sql import inspect_database; "
        "heavy = {'sqlalchemy', 'alembic', 'psutil', 'filelock', 'asyncpg'} & sys.modules.keys(); "
        "assert not heavy, heavy"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
