"""What lies beneath a path: a local disk, or a network file system, where SQLite needs care.

SQLite's write-ahead log lives in memory that all its processes share. Machines that see one file
over a network share none, and each would overwrite what the others have written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import msgspec


class Mount(msgspec.Struct, frozen=True):
    """A file system and where it is found."""

    folder: str
    """Where it is mounted; a drive on Windows."""
    kind: str
    """Its type, as the system names it, in lower case."""
    remote: bool = False
    """Whether the system itself says that it lies elsewhere (Windows does)."""


FindMount = Callable[[Path], Mount]
"""Says what a path lies on; an empty type where that is not known."""

_NETWORK = (
    *("nfs", "cifs", "smb", "afs", "ncp", "9p", "davfs", "webdav", "coda", "acfs"),
    *(
        "gluster",
        "ceph",
        "lustre",
        "gpfs",
        "beegfs",
        "panfs",
        "orangefs",
        "pvfs",
        "moosefs",
        "ocfs",
    ),
    *("s3fs", "gcsfuse", "sshfs", "rclone", "goofys", "blobfuse", "juicefs", "weka"),
    # A virtual machine's window to its host: the two share no memory either.
    *("vboxsf", "prl_fs", "vmhgfs", "virtiofs", "osxfs", "grpcfuse", "fakeowner", "drvfs"),
)
"""How the types of network file systems begin, after `fuse.`."""


class _Partition(Protocol):
    """What psutil says of a mount."""

    @property
    def mountpoint(self) -> str:
        """Where it is found."""
        ...

    @property
    def fstype(self) -> str:
        """Its type."""
        ...

    @property
    def opts(self) -> str:
        """How it is mounted, with commas between."""
        ...


def is_network(mount: Mount) -> bool:
    """Whether several machines may see what is stored there."""
    kind = mount.kind.removeprefix("fuse.").removeprefix("osxfuse_").removeprefix("macfuse_")
    return mount.remote or kind.startswith((*_NETWORK, "afpfs"))


def mounts(partitions: Iterable[_Partition]) -> list[Mount]:
    """What psutil found, in our words."""
    return [
        Mount(
            partition.mountpoint,
            partition.fstype.lower(),
            remote="remote" in partition.opts.split(","),
        )
        for partition in partitions
    ]


def mount_of(path: Path, table: Iterable[Mount]) -> Mount:
    r"""The mount that a path without symbolic links lies on: the longest; of equals, the last.

    A path of the form `\\server\share` is in no table.
    """
    if _is_share(str(path)):
        return Mount(path.anchor or str(path), "unc", remote=True)
    found = Mount("", "")
    for mount in table:
        if path.is_relative_to(mount.folder) and len(mount.folder) >= len(found.folder):
            found = mount
    return found


def _is_share(path: str) -> bool:
    given = path.replace("/", "\\").upper()
    if given.startswith(("\\\\?\\", "\\\\.\\")):
        return given.startswith("\\\\?\\UNC\\")
    return given.startswith("\\\\")


def find_mount(path: Path) -> Mount:
    """What a path lies on, here and now."""
    import psutil

    return mount_of(path.resolve(), mounts(psutil.disk_partitions(all=True)))
