"""Copies of a database: complete, or not there at all."""

from __future__ import annotations

import glob
import os
import re
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql.file_care import (
    SIDE_FILES,
    connect,
    in_another_process,
)
from bestchat_server_ext.adapters.storage_sql.sqlite import BUSY_SECONDS
from bestchat_server_ext.core.errors import Unavailable

LEFT_OVER_SECONDS = 86400.0
"""After that, nobody is at work on a part any more."""

_PART = re.compile(r"\.[a-z0-9_]{8}\.part(-wal|-shm|-journal)?$")
"""How the names of parts end: see `make_part`."""


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
        drop_part(part)


def make_part(target: Path) -> Path:
    """An empty private file beside another, to become that one when it is complete."""
    number, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    os.close(number)
    return Path(name)


def drop_part(part: Path) -> None:
    """Delete such a file, if it did not become the other one, and what SQLite kept beside it."""
    for end in ("", *SIDE_FILES):
        part.with_name(part.name + end).unlink(missing_ok=True)


def sweep_parts(target: Path, family: str, *, seconds: float = LEFT_OVER_SECONDS) -> None:
    """Delete what copies that were killed have left in the folder of a file.

    Args:
        target: a file that is to be made there.
        family: how the names of such files begin.
        seconds: how long nobody has written to a part that is left over: another process may be
            at work on a younger one.
    """
    for part in target.parent.glob(f"{glob.escape(family)}*.part*"):
        if not _PART.search(part.name):
            continue
        # Somebody else sweeps, too; or it is somebody else's.
        with suppress(FileNotFoundError, PermissionError):
            if part.stat().st_mtime <= time.time() - seconds:
                part.unlink()


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


_COPY_WITH_JOURNAL = """
import os, shutil, sys
os.umask(0o077)
for end in ("-journal", ""):
    shutil.copyfile(sys.argv[1] + end, sys.argv[2] + end)
sys.exit(10)
"""
_DONE = 10


def copy_with_journal(source: Path, target: Path) -> None:
    """Copy a file in which a transaction was cut off, and what undoes it when the copy is opened.

    Raises:
        OSError: no process can be started.
        Unavailable: it cannot be copied.
    """
    if in_another_process(_COPY_WITH_JOURNAL, str(source), str(target)) != _DONE:
        raise Unavailable(
            f"The file {source} could not be copied.",
            hint=f"Look whether the disk of {target.parent} is full.",
        )


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
