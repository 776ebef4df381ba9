"""An SQLite file of an older version: upgraded once, after a copy, or left as it was."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import op

from bestchat_server_ext.adapters.storage_sql import file_locks, open_database
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.ids import LOCAL_OWNER
from bestchat_server_ext.testing.port_suites.scene import assert_same

MakeFile = Callable[[Path], Awaitable[ConversationState]]
RunWriters = Callable[..., Awaitable[list[int]]]
StartChild = Callable[..., Any]

BEFORE = f".before-{HEAD}.bak"

OPEN = """
import asyncio, pathlib, sys
from sqlalchemy import Engine, event
from bestchat_server_ext.adapters.storage_sql import open_database

def stop():
    print("here", flush=True)
    sys.stdin.read()

%s

async def main():
    await (await open_database(pathlib.Path(sys.argv[1]))).close()

asyncio.run(main())
"""
"""A process that opens a database, and stops somewhere on the way."""

IN_THE_UPGRADE = """
def watch(connection, cursor, statement, *_):
    if statement.startswith("UPDATE alembic_version"):
        stop()

event.listen(Engine, "before_cursor_execute", watch)
"""

IN_THE_BACKUP = """
from bestchat_server_ext.adapters.storage_sql import file_copies
file_copies._sync = lambda path: stop()
"""


def revision_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as file:
        (found,) = file.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found)


def names(folder: Path, pattern: str = "*") -> set[str]:
    return {entry.name for entry in folder.glob(pattern)}


async def require_kept(path: Path, state: ConversationState) -> None:
    """Open it, and compare what is in it."""
    database = await open_database(path)
    assert_same(await database.storage.load(state.conversation.id), state)
    owner = state.conversation.owner
    for words in (("kept",), ("wor",)):  # what was said before there was a search is found too
        hits = await database.storage.search(owner, words, limit=1)
        assert [hit.conversation_id for hit in hits] == [state.conversation.id]
    await database.close()
    assert revision_of(path) == HEAD


async def test_an_old_file_is_upgraded_after_a_copy(
    tmp_path: Path, make_old_file: MakeFile
) -> None:
    path, copy = tmp_path / "chat.db", tmp_path / f"chat.db{BEFORE}"
    state = await make_old_file(path)
    await require_kept(path, state)
    assert revision_of(copy) == "0001"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert file.execute("SELECT title FROM conversations").fetchall() == [("Kept",)]
    assert names(tmp_path) == {path.name, copy.name, "chat.db.lock"}
    copy.replace(path)  # the way back
    await require_kept(path, state)


async def test_the_copy_holds_what_only_the_log_held(
    tmp_path: Path, make_old_file: MakeFile, start_child: StartChild
) -> None:
    path = tmp_path / "chat.db"
    await make_old_file(path)
    child = start_child(
        "import os, sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "file.execute(\"UPDATE conversations SET title = 'New'\"); os.kill(os.getpid(), 9)",
        path,
    )
    child.process.wait()
    await (await open_database(path)).close()
    with closing(sqlite3.connect(f"{path}{BEFORE}")) as file:
        assert file.execute("SELECT title FROM conversations").fetchall() == [("New",)]


async def test_a_new_file_has_nothing_to_copy(tmp_path: Path) -> None:
    await (await open_database(tmp_path / "chat.db")).close()
    assert names(tmp_path) == {"chat.db", "chat.db.lock"}


async def test_the_newest_two_copies_stay(tmp_path: Path, make_old_file: MakeFile) -> None:
    path = tmp_path / "chat.db"
    await make_old_file(path)
    for age, name in enumerate(("before-0001.bak", "before-0000.bak", "before-0099.bak")):
        older = tmp_path / f"chat.db.{name}"
        older.write_bytes(b"")
        os.utime(older, (1000 - age, 1000 - age))
    (tmp_path / f"chat.db{BEFORE}.killed.part").write_bytes(b"half")
    (tmp_path / "other.db.before-0001.bak").write_bytes(b"")
    await (await open_database(path)).close()
    kept = {name for name in names(tmp_path) if ".before-" in name}
    assert kept == {f"chat.db{BEFORE}", "chat.db.before-0001.bak", "other.db.before-0001.bak"}


async def test_twenty_processes_upgrade_once(
    tmp_path: Path, make_old_file: MakeFile, run_writers: RunWriters
) -> None:
    path = tmp_path / "chat.db"
    state = await make_old_file(path)
    assert await run_writers(path, "-", writers=20, each=1) == [2] * 20
    await require_kept(path, state)
    assert names(tmp_path, "*.before-*") == {f"chat.db{BEFORE}"}
    # Nobody copied what another had upgraded, or written, already.
    assert revision_of(tmp_path / f"chat.db{BEFORE}") == "0001"
    database = await open_database(path)
    page = await database.storage.list_conversations(LOCAL_OWNER, limit=50)
    assert len(page.items) == 21
    await database.close()


async def test_a_failed_upgrade_leaves_the_file_and_names_the_copy(
    tmp_path: Path, make_old_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    state = await make_old_file(path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    with monkeypatch.context() as broken:
        broken.setattr(op, "create_index", fail)
        with pytest.raises(Unavailable, match="could not be upgraded from revision 0001") as caught:
            await open_database(path)
    assert f"{path}{BEFORE}" in caught.value.info.hint
    assert "secret" not in str(caught.value)
    assert path.read_bytes() == before
    assert revision_of(tmp_path / f"chat.db{BEFORE}") == "0001"
    await require_kept(path, state)


@pytest.mark.parametrize("place", [IN_THE_UPGRADE, IN_THE_BACKUP])
async def test_a_process_that_is_killed_on_the_way_leaves_it_to_the_next(
    tmp_path: Path, make_old_file: MakeFile, start_child: StartChild, place: str
) -> None:
    path = tmp_path / "chat.db"
    state = await make_old_file(path)
    child = start_child(OPEN % place, path)
    child.expect("here")
    child.kill()
    assert revision_of(path) == "0001"
    await require_kept(path, state)
    assert names(tmp_path, "*.before-*") == {f"chat.db{BEFORE}"}


async def test_waiting_for_an_upgrade_has_an_end(
    tmp_path: Path,
    make_old_file: MakeFile,
    start_child: StartChild,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "chat.db"
    await make_old_file(path)
    child = start_child(OPEN % IN_THE_BACKUP, path)
    child.expect("here")
    monkeypatch.setattr(file_locks, "LOCK_SECONDS", 0.1)
    with pytest.raises(Unavailable, match="Another process has been at work") as caught:
        await open_database(path)
    assert "hangs" in caught.value.info.hint
    assert stat.S_IMODE((tmp_path / "chat.db.lock").stat().st_mode) == 0o600
