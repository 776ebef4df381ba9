"""Files of a database: found, made and looked at from outside.

    file_locks    who may prepare a file
    file_copies   copies, complete or not there at all
    file_asides   broken files, kept under another name

An existing database is never opened but through SQLite, not even to look: POSIX drops all locks
that a process has on a file as soon as it closes any descriptor of it.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql.sqlite import BUSY_SECONDS, unavailable
from bestchat_server_ext.core.errors import InvalidRequest, Unavailable

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


def open_to_others(path: Path) -> list[tuple[Path, int]]:
    """What lets other users get at a file, with its mode: the file itself, or its folder.

    In a folder that they may read, they see a name; in one that they may write to, they can put
    another file in its place, unless only owners may remove what is theirs.
    """
    if sys.platform == "win32":  # where modes say nothing of others
        return []
    file, folder = (stat.S_IMODE(name.stat().st_mode) for name in (path, path.parent))
    found = [(path, file)] if file & (stat.S_IRWXG | stat.S_IRWXO) else []
    if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
        found.append((path.parent, folder))
    return found


def dated(folder: Path, beginning: str, end: str = "") -> Path:
    """A name in a folder that says when it was made, and is not taken."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    number, path = 1, folder / f"{beginning}-{moment}{end}"
    while os.path.lexists(path):
        number += 1
        path = folder / f"{beginning}-{moment}-{number}{end}"
    return path


def require_free(target: Path) -> None:
    """Refuse to overwrite anything, links that lead nowhere included.

    Raises:
        InvalidRequest: there is something of that name.
    """
    if os.path.lexists(target):
        raise InvalidRequest(
            f"The file {target} is there already.", hint="Name another, or delete that one."
        )


_READ_VERSION = """
import sys
with open(sys.argv[1], "rb") as file:
    sys.exit(11 if file.read(20)[18:] == bytes((2, 2)) else 10)
"""
_MODES = {10: "delete", 11: "wal"}


def journal_mode(path: Path) -> str:
    """How a file says that it is written: `wal` or `delete`; empty if that cannot be seen.

    SQLite tells only when it opens the file in earnest, which makes the log.
    """
    try:
        return _MODES.get(in_another_process(_READ_VERSION, str(path)), "")
    except OSError:  # no process can be started: a report does without this
        return ""


def in_another_process(code: str, *given: str) -> int:
    """Run a little Python where opening a database does not harm this process's own locks.

    Its answers are exit codes from 10 on: Python itself ends with lower ones when it fails.

    Raises:
        OSError: no process can be started.
    """
    command = [sys.executable, "-I", "-S", "-c", code, *given]
    return subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603
