"""Full disks and killed writers: refused or gone, but never half written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.events import ConversationRenamed
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene, assert_same, reduced

MakeFile = Callable[[Path], Awaitable[ConversationState]]
StartChild = Callable[..., Any]


class PageLimit:
    """A disk that SQLite itself takes to be full: no transaction gets a new page."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pages = 1_000_000

    def begin(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={self._pages}")

    def fill(self) -> None:
        self._pages = 1  # which is to say, as many as there are

    def free(self) -> None:
        self._pages = 1_000_000


class SmallDisk:
    """A disk of its own, of little room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(512))
            except OSError:
                pass

    def free(self) -> None:
        (self.folder / "ballast").unlink()


def may_mount() -> bool:
    """Whether this user may mount file systems here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def page_limit(tmp_path: Path) -> Iterator[PageLimit]:
    limit = PageLimit(tmp_path)
    event.listen(Engine, "begin", limit.begin)
    yield limit
    event.remove(Engine, "begin", limit.begin)


Disk = SmallDisk | PageLimit
DISKS = ("page_limit", "small_disk") if may_mount() else ("page_limit",)


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest) -> Disk:
    found: Disk = request.getfixturevalue(request.param)
    return found


async def test_a_full_disk_refuses_whole_writes_until_there_is_room(disk: Disk) -> None:
    path, clock = disk.folder / "chat.db", ManualClock()
    database = await open_database(path)
    storage, scene = database.storage, Scene(clock)
    await storage.append(scene.id, [scene.created()], clock.now())
    before = await storage.load(scene.id)
    disk.fill()
    long = scene.begin("long " * 20_000).events
    for _ in range(2):
        with pytest.raises(Unavailable, match=f"The disk of {path} is full") as caught:
            await storage.append(scene.id, long, clock.now())
        assert "Free some space" in caught.value.info.hint
        assert_same(await storage.load(scene.id), before)
    disk.free()
    await storage.append(scene.id, long, clock.now())
    envelopes = await storage.events_after(scene.id, 0, limit=9)
    assert [envelope.seq for envelope in envelopes or ()] == [1, 2, 3]
    assert_same(await storage.load(scene.id), reduced(envelopes or ()))
    await database.close()


async def test_opening_on_a_full_disk_says_so(disk: Disk) -> None:
    path = disk.folder / "chat.db"
    disk.fill()
    with pytest.raises(Unavailable, match=r"disk of .* is full"):
        await open_database(path)
    disk.free()
    database = await open_database(path)
    await database.close()
    assert database.notices == ()


async def test_upgrading_on_a_full_disk_leaves_the_file(
    disk: Disk, tmp_path: Path, make_old_file: MakeFile
) -> None:
    path = disk.folder / "chat.db"
    state = await make_old_file(path)
    disk.fill()
    with pytest.raises(Unavailable, match=r"disk of .* is full"):
        await open_database(path)
    disk.free()
    database = await open_database(path)
    assert_same(await database.storage.load(state.conversation.id), state)
    assert database.notices == ()
    await database.close()
    assert [entry.name for entry in disk.folder.glob("*.part*")] == []


OPEN_WITH_LIMIT = """
import asyncio, json, pathlib, resource, signal, sys, tempfile
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core.errors import Unavailable

async def open_and_close(path):
    await (await open_database(path)).close()

with tempfile.TemporaryDirectory() as folder:
    asyncio.run(open_and_close(pathlib.Path(folder, "warm.db")))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    asyncio.run(open_and_close(pathlib.Path(sys.argv[1])))
    print(json.dumps(None))
except Unavailable as error:
    print(json.dumps([error.info.text, error.info.hint]))
"""


async def test_a_limit_on_sizes_is_told_as_trouble_with_the_disk(
    tmp_path: Path, start_child: StartChild
) -> None:
    path = tmp_path / "chat.db"
    text, hint = start_child(OPEN_WITH_LIMIT, path).answer()
    assert f"The disk of {path} could not be read or written" in text
    assert "quota" in hint


DIE_WRITING = """
import asyncio, pathlib, sys
from sqlalchemy import Engine, event
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core.events import ConversationRenamed
from bestchat_server_ext.testing.clock import ManualClock

def stop(*_):
    print("writing", flush=True)
    sys.stdin.read()

async def main():
    database = await open_database(pathlib.Path(sys.argv[1]))
    event.listen(Engine, "commit", stop)
    renamed = [ConversationRenamed("x" * 100_000)]
    await database.storage.append(sys.argv[2], renamed, ManualClock().now())

asyncio.run(main())
"""


async def test_a_writer_that_is_killed_leaves_nothing_and_lets_the_others_on(
    tmp_path: Path, make_file: MakeFile, start_child: StartChild
) -> None:
    path, clock = tmp_path / "chat.db", ManualClock()
    state = await make_file(path)
    database, key = await open_database(path), state.conversation.id
    child = start_child(DIE_WRITING, path, key)
    child.expect("writing")
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as probe:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            probe.execute("BEGIN IMMEDIATE")
        assert_same(await database.storage.load(key), state)
        child.kill()
        probe.execute("BEGIN IMMEDIATE")
        probe.execute("ROLLBACK")
    assert_same(await database.storage.load(key), state)
    await database.storage.append(key, [ConversationRenamed("Next")], clock.now())
    assert await database.storage.seq(key) == state.conversation.seq + 1
    await database.close()
