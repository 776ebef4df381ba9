"""Broken files, kept under a name of their own."""

from __future__ import annotations

import glob
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql import file_care as care
from bestchat_server_ext.adapters.storage_sql.sqlite import BUSY_SECONDS, is_broken, unavailable
from bestchat_server_ext.core.errors import Unavailable


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
    aside = care.dated(path.parent, f"{path.name}.corrupt")
    try:
        _require_closed(path)
        for end in (*care.SIDE_FILES, ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    except OSError as error:
        raise unavailable(path, error) from error
    return aside


def set_asides(path: Path) -> list[Path]:
    """The files that were kept aside and still lie there, oldest first."""
    names = path.parent.glob(f"{glob.escape(path.name)}.corrupt-*")
    return sorted(name for name in names if not name.name.endswith(care.SIDE_FILES))


_TRY_LOCK = """
import fcntl, sys, time
until = time.monotonic() + float(sys.argv[2])
with open(sys.argv[1], "rb+") as file:
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
            sys.exit(10)
        except (BlockingIOError, PermissionError):
            if time.monotonic() > until:
                sys.exit(11)
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
    match care.in_another_process(_TRY_LOCK, str(path), str(BUSY_SECONDS)):
        case 10:
            return
        case 11:
            state = "other processes have it open"
            hint = "Stop them and start again: it will be kept aside"
        case _:
            state = "whether other processes have it open cannot be found out"
            hint = "Stop BestChat everywhere, move the file away and start again"
    raise Unavailable(
        f"The file {path} is not a readable database, and {state}.",
        hint=f"{hint}; `bestchat db restore` brings a backup back.",
    )
