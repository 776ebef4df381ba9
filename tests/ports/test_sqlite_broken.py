"""Broken files are kept aside, and never anything that is only out of reach."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from bestchat_server_ext.adapters.storage_sql import file_asides, file_care, open_database
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.ids import LOCAL_OWNER

MakeFile = Callable[[Path], Awaitable[ConversationState]]
RunWriters = Callable[..., Awaitable[list[int]]]
StartChild = Callable[..., Any]

NOBODY = 65534
"""A user without rights; the superuser may write everywhere, whatever the mode."""

OPEN_AS_NOBODY = """
import asyncio, json, os, pathlib, sys, tempfile
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core.errors import Unavailable

async def open_and_close(path):
    await (await open_database(path)).close()

with tempfile.TemporaryDirectory() as folder:  # libraries load while they can be read
    asyncio.run(open_and_close(pathlib.Path(folder, "warm.db")))
if os.geteuid() == 0:
    os.setuid(int(sys.argv[2]))
try:
    asyncio.run(open_and_close(pathlib.Path(sys.argv[1])))
    print(json.dumps(None))
except Unavailable as error:
    print(json.dumps([error.info.text, error.info.hint]))
"""

HOLD = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("SELECT 1 FROM conversations").fetchone()
print("open", flush=True)
sys.stdin.readline()
print("null")
"""


def asides(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.corrupt-*"))


def spoil(path: Path, beginning: int, length: int) -> None:
    with path.open("rb+") as file:
        file.seek(beginning)
        file.write(os.urandom(length))


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def no_database(path: Path, make_file: MakeFile) -> None:
    await make_file(path)
    write(path, b"Dear diary, " * 1000)


async def cut_short(path: Path, make_file: MakeFile) -> None:
    await make_file(path)
    os.truncate(path, 5000)


async def zeros(path: Path, make_file: MakeFile) -> None:
    await make_file(path)
    write(path, bytes(8192))


async def bad_schema_page(path: Path, make_file: MakeFile) -> None:
    await make_file(path)
    spoil(path, 100, 3996)


async def bad_table(path: Path, make_file: MakeFile) -> None:
    await make_file(path)
    with closing(sqlite3.connect(path)) as file:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'messages'"
        (page,) = file.execute(query).fetchone()
    spoil(path, (page - 1) * 4096, 4096)


@pytest.mark.parametrize("make", [no_database, cut_short, zeros, bad_schema_page, bad_table])
async def test_a_broken_file_is_kept_aside_and_another_begun(
    tmp_path: Path,
    make_file: MakeFile,
    make: Callable[[Path, MakeFile], Awaitable[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "chat.db"
    await make(path, make_file)
    before = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        database = await open_database(path)
    assert (await database.storage.list_conversations(LOCAL_OWNER, limit=9)).items == ()
    await database.close()
    (aside,) = asides(tmp_path)
    assert aside.read_bytes() == before
    (notice,) = database.notices
    assert str(aside) in notice
    assert "bestchat db restore" in notice
    assert [record.getMessage() for record in caplog.records] == [notice]


async def test_the_notice_stays_until_the_file_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.write_text("Dear diary")
    for _ in range(2):
        database = await open_database(path)
        await database.close()
        assert len(database.notices) == 1
    asides(tmp_path)[0].unlink()
    database = await open_database(path)
    await database.close()
    assert database.notices == ()


async def test_nothing_that_was_kept_aside_is_overwritten(tmp_path: Path) -> None:
    path, now = tmp_path / "chat.db", datetime.now(UTC)
    for seconds in range(1000):  # however long it takes, the name with the time in it is taken
        moment = now + timedelta(seconds=seconds)
        (tmp_path / f"chat.db.corrupt-{moment:%Y%m%dT%H%M%SZ}").write_text("kept before")
    for number in range(2):
        path.write_text(f"no database {number}")
        await (await open_database(path)).close()
    contents = sorted(aside.read_text() for aside in asides(tmp_path))
    assert contents == ["kept before"] * 1000 + ["no database 0", "no database 1"]


LOG = ("-shm", "-wal")

KILLED_WRITER = """
import os, sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("UPDATE conversations SET title = 'In the log'")
os.kill(os.getpid(), 9)
"""
"""Leaves what it wrote in the log."""


async def test_what_only_the_log_held_is_kept_with_the_broken_file(
    tmp_path: Path, make_file: MakeFile, start_child: StartChild
) -> None:
    path = tmp_path / "chat.db"
    await make_file(path)
    start_child(KILLED_WRITER, path).process.wait()
    spoil(path, 0, 4096)
    await (await open_database(path)).close()
    assert any(b"In the log" in aside.read_bytes() for aside in asides(tmp_path))
    assert not any(path.with_name(path.name + end).exists() for end in LOG)


async def test_a_log_that_could_not_be_emptied_goes_along(
    tmp_path: Path, make_file: MakeFile, start_child: StartChild
) -> None:
    """SQLite empties it into the broken file when it can: not on a full disk."""
    path = tmp_path / "chat.db"
    await make_file(path)
    start_child(KILLED_WRITER, path).process.wait()
    aside = file_asides.set_aside(path)
    assert asides(tmp_path) == [aside, *(aside.with_name(aside.name + end) for end in LOG)]
    assert not any(path.with_name(path.name + end).exists() for end in ("", *LOG))
    with closing(sqlite3.connect(aside)) as file:
        titles = file.execute("SELECT title FROM conversations").fetchall()
    assert titles == [("In the log",)]


async def test_twenty_processes_begin_one_new_file(tmp_path: Path, run_writers: RunWriters) -> None:
    path = tmp_path / "chat.db"
    path.write_text("Dear diary, " * 1000)
    assert await run_writers(path, "-", writers=20, each=2) == [2, 3] * 20
    (aside,) = asides(tmp_path)
    assert aside.read_text().startswith("Dear diary")
    database = await open_database(path)
    page = await database.storage.list_conversations(LOCAL_OWNER, limit=50)
    assert [item.seq for item in page.items] == [3] * 20
    await database.close()


async def test_a_broken_file_is_not_taken_away_from_those_who_use_it(
    tmp_path: Path,
    make_file: MakeFile,
    start_child: StartChild,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "chat.db"
    await make_file(path)
    child = start_child(HOLD, path)
    child.expect("open")
    spoil(path, 100, 3996)
    monkeypatch.setattr(file_asides, "BUSY_SECONDS", 0.1)
    with pytest.raises(Unavailable, match="other processes have it open"):
        await open_database(path)
    assert asides(tmp_path) == []
    child.kill()
    await (await open_database(path)).close()
    assert len(asides(tmp_path)) >= 1


async def test_nor_from_this_process_itself(
    tmp_path: Path, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    state = await make_file(path)
    running = await open_database(path)
    await running.storage.load(state.conversation.id)
    # Opening it once more must not let go of the locks that this process has on it.
    await (await open_database(path)).close()
    spoil_elsewhere = (
        "import os, sys; f = open(sys.argv[1], 'rb+'); f.seek(100); f.write(bytes(3996))"
    )
    monkeypatch.setattr(file_asides, "BUSY_SECONDS", 0.1)
    assert subprocess_ok(spoil_elsewhere, path)
    with pytest.raises(Unavailable, match="other processes have it open"):
        await open_database(path)
    assert asides(tmp_path) == []
    await running.close()


async def test_nor_where_nobody_can_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "chat.db"
    path.write_text("Dear diary")
    monkeypatch.setattr(file_asides, "_TRY_LOCK", "raise SystemError")
    with pytest.raises(Unavailable, match="cannot be found out") as caught:
        await open_database(path)
    assert "other processes have it open," not in str(caught.value)
    assert "move the file away" in caught.value.info.hint
    assert asides(tmp_path) == []


def subprocess_ok(code: str, path: Path) -> bool:
    return subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 0


async def test_what_breaks_later_is_unavailable_and_says_what_to_do(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path = tmp_path / "chat.db"
    state = await make_file(path)
    database = await open_database(path)
    await bad_table(path, lambda _: make_file(tmp_path / "other.db"))
    with pytest.raises(Unavailable, match="not a readable database") as caught:
        await database.storage.load(state.conversation.id)
    assert "Restart" in caught.value.info.hint
    assert "bestchat db restore" in caught.value.info.hint
    await database.close()


# What is not broken.


async def test_a_locked_file_is_not_broken(
    tmp_path: Path, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    await make_file(path)
    monkeypatch.setattr(file_care, "BUSY_SECONDS", 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE conversations SET title = 'Mine'")
        with pytest.raises(Unavailable, match="locked by another process"):
            await open_database(path)
    assert asides(tmp_path) == []


async def test_a_schema_of_a_newer_sqlite_is_not_broken(
    tmp_path: Path, make_file: MakeFile
) -> None:
    path = tmp_path / "chat.db"
    await make_file(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA writable_schema=ON")
        future = "INSERT INTO sqlite_master VALUES ('table', 'new', 'new', 0, 'CREATE NOVELTY new')"
        file.execute(future)
    with pytest.raises(Unavailable):
        await open_database(path)
    assert asides(tmp_path) == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder in a place that every user can reach."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def snapshot(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


@pytest.mark.parametrize(
    ("folder_mode", "file_mode"), [(0o555, 0o644), (0o755, 0o444), (0o755, 0o000), (0o555, None)]
)
async def test_what_may_not_be_written_is_refused_and_left(
    open_folder: Path,
    make_file: MakeFile,
    start_child: StartChild,
    folder_mode: int,
    file_mode: int | None,
) -> None:
    path = open_folder / "data" / "chat.db"
    path.parent.mkdir()
    if file_mode is not None:
        await make_file(path)
        (path.parent / "chat.db.lock").unlink()
    before = snapshot(path.parent)
    if os.geteuid() == 0:
        for entry in (path.parent, *path.parent.iterdir()):
            os.chown(entry, NOBODY, NOBODY)
    if file_mode is not None:
        path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    told = start_child(OPEN_AS_NOBODY, path, NOBODY).answer()
    path.parent.chmod(0o755)
    if file_mode is not None:
        path.chmod(0o644)
    assert snapshot(path.parent) == before
    text, hint = told
    assert str(path) in text
    assert "data_dir" in hint


async def test_a_transaction_that_was_cut_off_does_not_make_a_file_somebody_elses(
    tmp_path: Path, make_file: MakeFile, start_child: StartChild
) -> None:
    """The schema that is half written counts for nothing before it is opened in earnest."""
    path = tmp_path / "chat.db"
    state = await make_file(path)
    child = start_child(
        "import os, sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "file.execute('PRAGMA journal_mode=DELETE'); file.execute('PRAGMA cache_size=2'); "
        "file.execute('BEGIN'); file.execute('DELETE FROM alembic_version'); "
        "file.execute('CREATE TABLE half AS SELECT randomblob(90000) AS page'); "
        "os.kill(os.getpid(), 9)",
        path,
    )
    child.process.wait()
    assert (tmp_path / "chat.db-journal").stat().st_size
    database = await open_database(path)
    assert await database.storage.load(state.conversation.id) == state
    await database.close()
    assert asides(tmp_path) == []
