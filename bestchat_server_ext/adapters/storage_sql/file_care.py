"""What is done to a database file from outside: lock, copy, keep aside.

An existing database is never opened but through SQLite, not even to look: POSIX drops all locks
that a process has on a file as soon as it closes any descriptor of it.
"""

from __future__ import annotations

import errno
import glob
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql.sqlite import BUSY_SECONDS, is_broken, unavailable
from bestchat_server_ext.core.errors import Unavailable

LOCK_SECONDS = 60.0
"""How long to wait for another process that prepares, upgrades or restores the same file."""

SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, by the ends of their names."""


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing file, in autocommit mode; it is not made if it is missing."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def make(path: Path) -> None:
    """Make a file and its folder, for nobody else to read, unless they are there; check rights.

    Raises:
        Unavailable: they cannot be made, or are not to be written.
    """
    make_folder(path)
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise unavailable(path, error) from error
    # SQLite would open a file without these rights for reading, and find out much later.
    for wanted in (path, path.parent):
        if not os.access(wanted, os.R_OK | os.W_OK):
            raise Unavailable(
                f"The database {path} cannot be used: {wanted} cannot be written.",
                hint="Check who owns it and what its mode is, or choose another `data_dir`.",
            )


def make_folder(path: Path) -> None:
    """Make the folder of a file, for nobody else to read, unless it is there.

    Raises:
        Unavailable: it cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unavailable(path, error) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only process that prepares a file; its users go on.

    Raises:
        Unavailable: another process takes too long, or there can be no lock.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(f"{path}.lock", timeout=LOCK_SECONDS, mode=0o600)
    try:
        lock.acquire()
    except Timeout as error:
        raise Unavailable(
            f"Another process has been at work on the database {path} for more than "
            f"{LOCK_SECONDS:.0f} seconds.",
            hint="Wait for its upgrade or restore to end, or look for a process that hangs.",
        ) from error
    except (OSError, NotImplementedError) as error:
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


# Copies.


def copy_pages(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy a whole database as of one moment into another; writers of both go on.

    Raises:
        sqlite3.OperationalError: one of them stayed locked for too long.
    """
    until = time.monotonic() + BUSY_SECONDS

    def progress(status: int, _remaining: int, _total: int) -> None:
        # Python would try for ever.
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} and time.monotonic() > until:
            raise Unavailable(
                "The database stayed locked by another process.",
                hint="Try again in a moment; if it stays so, look for a process that hangs.",
            )

    source.backup(target, progress=progress, sleep=0.02)


def copy_file(source: sqlite3.Connection, target: Path, *, check_as: Path | None = None) -> None:
    """Copy a database into a private file of its own, complete or not there at all.

    Args:
        source: the database.
        target: the file; what was there under that name is replaced.
        check_as: what to call the source, should it turn out damaged; if none is given, it is
            copied as it is.

    Raises:
        OSError: the file cannot be made.
        sqlite3.Error: reading or writing failed.
        Unavailable: the source stayed locked, or the copy is not sound.
    """
    part = make_part(target)
    try:
        with closing(connect(part)) as copy:
            copy_pages(source, copy)
            # One file, that can be read from where nothing can be written.
            copy.execute("PRAGMA journal_mode=DELETE")
            if check_as is not None:
                require_sound(copy, check_as)
        _sync(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def make_part(target: Path) -> Path:
    """An empty private file beside another, to become that one when it is complete."""
    number, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    os.close(number)
    return Path(name)


def require_sound(file: sqlite3.Connection, path: Path) -> None:
    """Check all pages of a database; takes as long as reading it.

    Raises:
        Unavailable: something is wrong with it.
    """
    found = quick_check(file)
    if found != "ok":
        raise Unavailable(
            f"The database {path} is damaged: {found}.",
            hint="`bestchat db restore` puts a backup in its place.",
        )


def quick_check(file: sqlite3.Connection) -> str:
    """`ok`, or the first thing that is wrong."""
    return str(file.execute("PRAGMA quick_check(1)").fetchone()[0])


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


# Broken files.


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether an error says that a file is no database, or one that is spoilt.

    A schema that this SQLite cannot parse may be one of a newer SQLite.
    """
    return is_broken(error) and "malformed database schema" not in str(error)


def set_aside(path: Path) -> Path:
    """Give a broken file a name of its own, with what is beside it. Only under the lock.

    The log goes first: without its file, SQLite would delete it.

    Raises:
        Unavailable: another process has the file open, or it cannot be renamed.
    """
    aside = dated(path.parent, f"{path.name}.corrupt")
    try:
        _require_closed(path)
        for end in (*SIDE_FILES, ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    except OSError as error:
        raise unavailable(path, error) from error
    return aside


def set_asides(path: Path) -> list[Path]:
    """The files that were kept aside and still lie there, oldest first."""
    names = path.parent.glob(f"{glob.escape(path.name)}.corrupt-*")
    return sorted(name for name in names if not name.name.endswith(SIDE_FILES))


_TRY_LOCK = """
import fcntl, sys, time
until = time.monotonic() + float(sys.argv[2])
with open(sys.argv[1], "rb+") as file:
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
            break
        except OSError:
            if time.monotonic() > until:
                sys.exit(1)
            time.sleep(0.02)
"""
"""Takes the lock that excludes all users of a database, who hold a shared one on these bytes."""


def _require_closed(path: Path) -> None:
    """Refuse to move a file beneath its users: they would go on writing to it, unseen.

    Tried in another process, as this one may have the file open itself. Windows does not rename
    an open file anyway.
    """
    if sys.platform == "win32":
        return
    if _in_another_process(_TRY_LOCK, str(path), str(BUSY_SECONDS)):
        raise Unavailable(
            f"The file {path} is not a readable database, and other processes have it open.",
            hint="Stop them and start again: it will be kept aside; `bestchat db restore` brings "
            "a backup back.",
        )


def dated(folder: Path, beginning: str, end: str = "") -> Path:
    """A name in a folder that says when it was made, and is not taken."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    number, path = 1, folder / f"{beginning}-{moment}{end}"
    while os.path.lexists(path):
        number += 1
        path = folder / f"{beginning}-{moment}-{number}{end}"
    return path


_READ_VERSION = """
import sys
with open(sys.argv[1], "rb") as file:
    sys.exit(file.read(20)[18:] == bytes((2, 2)))
"""


def has_write_ahead_log(path: Path) -> bool:
    """Whether a file says that it is written through such a log.

    SQLite tells only when it opens the file in earnest, which makes the log.
    """
    return _in_another_process(_READ_VERSION, str(path)) == 1


def _in_another_process(code: str, *given: str) -> int:
    """Run a little Python where opening a database does not harm this process's own locks."""
    command = [sys.executable, "-I", "-S", "-c", code, *given]
    return subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603


# Copies from before upgrades.

KEPT_COPIES = 2
"""How many of them stay."""


def copy_before(path: Path, revision: str) -> Path:
    """Copy a file before it is upgraded to a revision; see `copy_file`. Only under the lock."""
    for left_over in path.parent.glob(f"{glob.escape(path.name)}.before-*.part*"):
        left_over.unlink(missing_ok=True)
    target = path.with_name(f"{path.name}.before-{revision}.bak")
    with closing(connect(path)) as file:
        copy_file(file, target)
    return target


def prune_copies(path: Path) -> None:
    """Delete such copies, but for the newest."""
    copies = list(path.parent.glob(f"{glob.escape(path.name)}.before-*.bak"))
    copies.sort(key=lambda copy: (copy.stat().st_mtime, copy.name))
    for copy in copies[:-KEPT_COPIES]:
        copy.unlink(missing_ok=True)
