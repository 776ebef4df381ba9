"""SQLite on a network file system: without a write-ahead log, or not at all."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bestchat_server_ext.adapters.storage_sql import file_care, file_locks, opening
from bestchat_server_ext.adapters.storage_sql.file_system import (
    Mount,
    find_mount,
    is_network,
    mount_of,
    mounts,
)
from bestchat_server_ext.adapters.storage_sql.opening import open_sqlite
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene, assert_same

MakeFile = Callable[[Path], Awaitable[ConversationState]]
StartChild = Callable[..., Any]


class Partition(NamedTuple):
    """As psutil describes one."""

    mountpoint: str
    fstype: str
    opts: str = "rw,relatime"


LINUX = mounts(
    [
        Partition("/", "ext4"),
        Partition("/proc", "proc"),
        Partition("/home", "nfs4", "rw,vers=4.2,addr=10.0.0.1"),
        Partition("/home/ada/local", "xfs"),
        Partition("/home/ada/remote", "fuse.sshfs"),
        Partition("/mnt/both", "nfs"),
        Partition("/mnt/both", "tmpfs"),
        Partition("/homework", "btrfs"),
        Partition("/mnt/c", "9p"),
        Partition("/mnt/ntfs", "fuseblk"),
        Partition("/mnt/cloud", "fuse.gcsfuse"),
        Partition("/mnt/secret", "fuse.gocryptfs"),
        Partition("/run/user/1000/doc", "fuse.portal"),
    ]
)


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/var/lib/chat.db", "ext4", False),
        ("/home", "nfs4", True),
        ("/home/ada/.local/share", "nfs4", True),
        ("/home/ada/local/data", "xfs", False),
        ("/home/ada/remote/data", "fuse.sshfs", True),
        ("/homework/data", "btrfs", False),
        ("/mnt/both/data", "tmpfs", False),
        ("/mnt/c/Users/ada", "9p", True),
        ("/mnt/ntfs/data", "fuseblk", False),
        ("/mnt/cloud/data", "fuse.gcsfuse", True),
        ("/mnt/secret/data", "fuse.gocryptfs", False),
    ],
)
def test_the_longest_mount_counts_and_of_equals_the_last(
    path: str, kind: str, *, network: bool
) -> None:
    found = mount_of(Path(path), LINUX)
    assert found.kind == kind
    assert is_network(found) is network


@pytest.mark.parametrize(
    "kind",
    [
        "nfs",
        "nfs3",
        "nfs4",
        "cifs",
        "smb2",
        "smb3",
        "smbfs",
        "afpfs",
        "webdav",
        "9p",
        "fuse.s3fs",
        "fuse.glusterfs",
        "ceph",
        "fuse.ceph-fuse",
        "lustre",
        "gpfs",
        "beegfs",
        "afs",
        "davfs",
        "fuse.davfs2",
        "vboxsf",
        "prl_fs",
        "fuse.vmhgfs-fuse",
        "osxfuse_sshfs",
        "macfuse_sshfs",
        "fuse.rclone",
        "virtiofs",
    ],
)
def test_network_file_systems_are_known_by_their_types(kind: str) -> None:
    assert is_network(Mount("/mnt", kind))


@pytest.mark.parametrize(
    "kind",
    [
        "ext4",
        "xfs",
        "btrfs",
        "zfs",
        "tmpfs",
        "overlay",
        "apfs",
        "hfs",
        "ntfs",
        "exfat",
        "vfat",
        "f2fs",
        "fuseblk",
    ],
)
def test_local_file_systems_are(kind: str) -> None:
    assert not is_network(Mount("/mnt", kind))


def test_windows_says_so_itself_or_the_path_does() -> None:
    (drive,) = mounts([Partition("Z:\\", "NTFS", "rw,remote")])
    assert is_network(drive)
    for path in (r"\\server\share\data", "//server/share/data", r"\\?\UNC\server\share\data"):
        assert is_network(mount_of(Path(path), []))
    for path in (r"\\?\C:\Users\ada", r"C:\Users\ada"):
        assert not is_network(mount_of(Path(path), []))


def test_the_mounts_of_this_machine_are_read(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/proc/self")
    assert find_mount(link).kind == "proc"
    assert find_mount(tmp_path / "not there").kind


def on_nfs(path: Path) -> Mount:
    return Mount(path.anchor, "nfs4")


def journal_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as file:
        return str(file.execute("PRAGMA journal_mode").fetchone()[0])


async def test_a_network_file_has_no_log_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pragmas = tmp_path / "chat.db", []
    database = await open_sqlite(path, find=on_nfs)
    (notice,) = database.notices
    assert "nfs4" in notice
    assert "`data_dir`" in notice
    scene = Scene(ManualClock())
    await database.storage.append(scene.id, [scene.created()], scene.clock.now())
    connections = database.storage._connections  # type: ignore[attr-defined]
    for pragma in ("synchronous", "journal_mode"):
        query = f"PRAGMA {pragma}"
        pragmas.append(await connections.read(lambda it, q=query: it.exec_driver_sql(q).scalar()))
    assert pragmas == [2, "delete"]
    other = await open_sqlite(path, find=on_nfs)  # while the first has it open
    await other.storage.append(scene.id, scene.begin().events, scene.clock.now())
    assert await database.storage.seq(scene.id) == 3
    await other.close()
    await database.close()
    assert not path.with_name("chat.db-wal").exists()


async def test_a_file_with_a_log_is_switched_back(tmp_path: Path, make_file: MakeFile) -> None:
    path = tmp_path / "chat.db"
    state = await make_file(path)
    assert journal_of(path) == "wal"
    in_the_way = path.with_name("chat.db-shm")  # so that shared memory cannot be had
    in_the_way.symlink_to("/nowhere/at/all")
    database = await open_sqlite(path, find=on_nfs)
    assert_same(await database.storage.load(state.conversation.id), state)
    await database.close()
    in_the_way.unlink()
    assert journal_of(path) == "delete"
    database = await open_sqlite(path)  # moved to a local disk
    await database.close()
    assert database.notices == ()
    assert journal_of(path) == "wal"


async def test_a_file_with_a_log_that_is_open_elsewhere_is_refused(
    tmp_path: Path, make_file: MakeFile, start_child: StartChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    await make_file(path)
    child = start_child(
        "import sqlite3, sys; file = sqlite3.connect(sys.argv[1]); "
        "file.execute('SELECT 1 FROM conversations').fetchone(); print('open', flush=True); "
        "sys.stdin.read()",
        path,
    )
    child.expect("open")
    monkeypatch.setattr(file_care, "BUSY_SECONDS", 0.1)
    with pytest.raises(Unavailable, match="open in write-ahead mode") as caught:
        await open_sqlite(path, find=on_nfs)
    assert "data_dir" in caught.value.info.hint
    child.kill()
    await (await open_sqlite(path, find=on_nfs)).close()
    assert journal_of(path) == "delete"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO, errno.EOPNOTSUPP])
async def test_without_locks_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(_folder: Path) -> None:
        raise OSError(number, "No locks available")

    monkeypatch.setattr(file_locks, "_try_lock", fail)
    with pytest.raises(Unavailable, match="does not lock files") as caught:
        await open_sqlite(tmp_path / "chat.db", find=on_nfs)
    assert "data_dir" in caught.value.info.hint


def test_a_full_disk_is_not_taken_for_missing_locks(tmp_path: Path) -> None:
    def fail(_folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Unavailable, match=r"disk of .* is full"):
        file_locks.require_locks(tmp_path / "chat.db", fail)


async def test_where_a_log_cannot_be_had_it_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    monkeypatch.setattr(file_care, "connect", lambda path: Unshared(file_care_connect(path)))
    database = await open_sqlite(path)
    assert "no write-ahead log" in database.notices[0]
    scene = Scene(ManualClock())
    await database.storage.append(scene.id, [scene.created()], scene.clock.now())
    await database.close()
    assert journal_of(path) == "delete"


file_care_connect = file_care.connect


class Unshared:
    """A connection to a file on which there is no shared memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str) -> Any:
        if statement == "PRAGMA journal_mode=wal":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMMAP
            error.sqlite_errorname = "SQLITE_IOERR_SHMMAP"
            raise error
        return self._connection.execute(statement)


def test_opening_looks_at_the_folder(tmp_path: Path) -> None:
    asked: list[Path] = []

    def find(path: Path) -> Mount:
        asked.append(path)
        return Mount("/", "ext4")

    assert opening.network_kind(tmp_path / "chat.db", find) == ""
    assert asked == [tmp_path]
