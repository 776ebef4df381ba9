"""Who may prepare a file: one process at a time, where the file system knows locks at all."""

from __future__ import annotations

import errno
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql.sqlite import unavailable
from bestchat_server_ext.core.errors import Unavailable

LOCK_SECONDS = 60.0
"""How long to wait for another process that prepares, upgrades or restores the same file."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only process that prepares a file; its users go on.

    Raises:
        Unavailable: another process takes too long, or there can be no lock.
    """
    from filelock import FileLock, Timeout

    # Not by the mere existence of a file, where there are no locks: a killed process would leave
    # it behind for ever.
    lock = FileLock(f"{path}.lock", timeout=LOCK_SECONDS, mode=0o600, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise Unavailable(
            f"Another process has been at work on the database {path} for more than "
            f"{LOCK_SECONDS:.0f} seconds.",
            hint="Wait for its upgrade or restore to end, or look for a process that hangs.",
        ) from error
    except OSError as error:
        raise unavailable(path, error) from error
    try:
        yield
    finally:
        lock.release()


def require_locks(path: Path, try_lock: Callable[[Path], None] | None = None) -> None:
    """Refuse a file system without locks, on which SQLite cannot keep writers apart.

    Raises:
        Unavailable: there are no locks, or nothing can be written.
    """
    try:
        (try_lock or _try_lock)(path.parent)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}:
            raise unavailable(path, error) from error
        raise no_locks(path) from error


def no_locks(path: Path) -> Unavailable:
    """What to say of a file system without locks."""
    return Unavailable(
        f"The file system of {path} does not lock files, so that writers would spoil it.",
        hint="Let `data_dir` name a folder on a local disk.",
    )


def is_about_locks(error: sqlite3.Error) -> bool:
    """Whether the system failed to lock, as opposed to another process having the lock."""
    name: str = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith("SQLITE_IOERR") and name.endswith("LOCK")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection has the lock."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF == sqlite3.SQLITE_BUSY


def _try_lock(folder: Path) -> None:
    """Lock a file the way SQLite does, by POSIX; elsewhere opening a file locks it."""
    if sys.platform == "win32":
        return
    import fcntl

    with tempfile.TemporaryFile(dir=folder) as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
