"""Opening: a path becomes a database that is private, safe to write to and up to date.

The revision is read before anything is changed. Then most openings find a file that is as it
should be. Where something is to be done, one process does it, under a lock: the others wait and
find it done.

What a file may be: missing or empty (it is begun), older (upgraded, after a copy), broken (kept
aside, and a new one begun), on a network file system (written without a write-ahead log). What is
only locked, out of reach or on a full disk is left as it is.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from bestchat_server_ext.adapters.storage_sql import file_asides as asides
from bestchat_server_ext.adapters.storage_sql import file_care as care
from bestchat_server_ext.adapters.storage_sql import file_copies as copies
from bestchat_server_ext.adapters.storage_sql import file_locks as locks
from bestchat_server_ext.adapters.storage_sql.database import Database
from bestchat_server_ext.adapters.storage_sql.file_system import FindMount, find_mount, is_network
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.adapters.storage_sql.provider_configs import SqlProviderConfigs
from bestchat_server_ext.adapters.storage_sql.revision import peek, read_revision, require_known
from bestchat_server_ext.adapters.storage_sql.sqlite import (
    BUSY_SECONDS,
    SqliteConnections,
    unavailable,
)
from bestchat_server_ext.adapters.storage_sql.store import SqlStorage
from bestchat_server_ext.adapters.storage_sql.tokens import SqlTokenStore
from bestchat_server_ext.adapters.storage_sql.uploads import SqlUploadStore
from bestchat_server_ext.adapters.storage_sql.usage import SqlUsageStore
from bestchat_server_ext.core.errors import Unavailable

_log = logging.getLogger(__name__)


class Look(msgspec.Struct, frozen=True):
    """What a file is like."""

    revision: str
    """Of its schema; empty if there is nothing in it."""
    journal: str
    """SQLite's name for how it is written: `wal`, `delete`."""


class Prepared(msgspec.Struct, frozen=True):
    """A file that can be used."""

    revision: str
    """Of its schema."""
    durable: bool
    """Whether every transaction has to wait for the disk."""
    notices: tuple[str, ...]
    """What a person should know about it."""


async def open_sqlite(path: Path, *, find: FindMount = find_mount) -> Database:
    """Open a file, making and upgrading it if need be.

    Raises:
        Unavailable: the file cannot be opened or written, or is not one of ours.
    """
    prepared = await asyncio.to_thread(prepare, path, find=find)
    connections = SqliteConnections(path, durable=prepared.durable)
    return Database(
        SqlStorage(connections),
        SqlTokenStore(connections),
        SqlProviderConfigs(connections),
        SqlUsageStore(connections),
        SqlUploadStore(connections),
        connections.close,
        label=str(path),
        identity=f"{platform.node()}:{resolved(path)}",
        notices=prepared.notices,
    )


def prepare(path: Path, *, find: FindMount = find_mount) -> Prepared:
    """Make of a path a file that can be used.

    Raises:
        Unavailable: that cannot be done; a file that is there stays as it is.
    """
    path, kind = resolved(path), network_kind(path, find)
    peek(path)
    care.make(path)
    try:
        look = None if kind else _settled(path)
        if look is None:
            with locks.locked(path):
                look = settle(path, kind)
        found = notices(path, kind, look.journal)
    except sqlite3.Error as error:
        if kind and locks.is_about_locks(error):
            raise locks.no_locks(path) from error
        raise unavailable(path, error) from error
    except OSError as error:
        raise unavailable(path, error) from error
    return Prepared(look.revision, look.journal != "wal", found)


def resolved(path: Path) -> Path:
    """The file that a path leads to: what lies beside it counts, not beside a link to it.

    Raises:
        Unavailable: it leads nowhere.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise unavailable(path, error) from error


def network_kind(path: Path, find: FindMount = find_mount) -> str:
    """The type of the network file system that a file lies on; empty if it is none."""
    mount = find(path.parent)
    return mount.kind if is_network(mount) else ""


def notices(path: Path, kind: str, journal: str) -> tuple[str, ...]:
    """What a person should know about a file."""
    found = []
    if kind:
        found.append(
            f"The database {path} lies on a network file system ({kind}): it is written without "
            "a write-ahead log, slowly, and only as safely as that file system locks files. Let "
            "`data_dir` name a folder on a local disk."
        )
    elif journal not in {"wal", ""}:
        found.append(
            f"The file system of {path} allows no write-ahead log, so that writing is slow. Let "
            "`data_dir` name a folder on a local disk."
        )
    found += [_open_notice(wanted, mode) for wanted, mode in care.open_to_others(path)]
    found += [_aside_notice(path, aside) for aside in asides.set_asides(path)]
    return tuple(found)


def _open_notice(path: Path, mode: int) -> str:
    return (
        f"Other users of this machine may get at the conversations and tokens of BestChat: "
        f"{path} has the mode {mode:04o}. Take their rights away, from a file also those to what "
        "lies beside it: chmod go-rwx."
    )


def _aside_notice(path: Path, aside: Path) -> str:
    return (
        f"The database {path} could not be read and was kept aside as {aside}; a new one was "
        "begun. `bestchat db restore` brings a backup back; delete the file if it is of no use."
    )


def look_at(path: Path, *, alone: bool = False) -> Look:
    """Read the revision, then a little of everything: a broken file shows.

    Args:
        path: an existing file.
        alone: whether to share no memory with other processes, as none can be shared over a
            network; a file in write-ahead mode is refused then while others have it open.

    Raises:
        Unavailable: what is in it is not ours, or it is not for this version.
        sqlite3.Error: it cannot be read.
    """
    with closing(care.connect(path)) as file:
        if alone:
            file.execute("PRAGMA locking_mode=EXCLUSIVE")
        revision = read_revision(file, path)
        require_known(revision, path)
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
        for (name,) in file.execute(tables).fetchall():
            # The table itself, where a smaller index would do to answer.
            quoted = name.replace('"', '""')
            file.execute(f'SELECT 1 FROM "{quoted}" NOT INDEXED LIMIT 1').fetchone()  # noqa: S608
        return Look(revision, file.execute("PRAGMA journal_mode").fetchone()[0])


def _settled(path: Path) -> Look | None:
    """What a file is like, if there is nothing to do about it."""
    try:
        look = look_at(path)
    except sqlite3.Error as error:
        if not asides.is_corrupt(error):
            raise
        return None
    return look if look.revision >= HEAD and look.journal == "wal" else None


def settle(path: Path, kind: str) -> Look:
    """Do whatever is to be done about a file. Only under the lock.

    Raises:
        Unavailable: that cannot be done.
        OSError, sqlite3.Error: likewise.
    """
    if kind:
        locks.require_locks(path)
    try:
        look = look_at(path, alone=bool(kind))
    except sqlite3.Error as error:
        if not asides.is_corrupt(error):
            raise _in_use(path, kind, error) from error
        begin_anew(path)
        look = look_at(path)
    journal = _set_journal(path, kind, look.journal)
    if look.revision < HEAD:
        _upgrade(path, look.revision)
    return Look(max(look.revision, HEAD), journal)


def begin_anew(path: Path) -> Path:
    """Keep a broken file aside and put an empty one in its place; say where it lies."""
    aside = asides.set_aside(path)
    _log.warning("%s", _aside_notice(path, aside))
    care.make(path)
    return aside


def _in_use(path: Path, kind: str, error: sqlite3.Error) -> Exception:
    """What it means that a file on a network cannot be had alone."""
    if kind and locks.is_busy(error):
        return Unavailable(
            f"The database {path} lies on a network file system ({kind}), and another process "
            "has it open in write-ahead mode.",
            hint="Stop whatever uses it and start again; better, let `data_dir` name a folder on "
            "a local disk.",
        )
    return error


def _set_journal(path: Path, kind: str, journal: str) -> str:
    """Switch to the write-ahead log where that is safe, else away from it; give what it is now.

    SQLite does not wait for other connections here, whatever the busy timeout, and a fresh file
    that several processes open at once has some.
    """
    wanted = "delete" if kind else "wal"
    until = time.monotonic() + BUSY_SECONDS
    with closing(care.connect(path)) as file:
        if kind:
            file.execute("PRAGMA locking_mode=EXCLUSIVE")
        while journal != wanted:
            try:
                return str(file.execute(f"PRAGMA journal_mode={wanted}").fetchone()[0])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname in _NO_SHARED_MEMORY:
                    return journal
                if not locks.is_busy(error) or time.monotonic() > until:
                    raise _in_use(path, kind, error) from error
                time.sleep(0.01)
    return journal


_NO_SHARED_MEMORY = {"SQLITE_IOERR_SHMMAP", "SQLITE_IOERR_SHMOPEN", "SQLITE_IOERR_SHMLOCK"}


def _upgrade(path: Path, revision: str) -> None:
    """Bring a file up to date, after a copy if there is anything to lose."""
    from bestchat_server_ext.adapters.storage_sql.upgrade import upgrade_file

    kept = copies.copy_before(path, HEAD) if revision else None
    with upgrade_errors(path, revision, kept):
        upgrade_file(path)
    copies.prune_copies(path)


@contextmanager
def upgrade_errors(path: Path, revision: str, kept: Path | None) -> Iterator[None]:
    """Say what an upgrade that failed has left, whatever went wrong, without the statement."""
    try:
        yield
    except Exception as error:
        cause = getattr(error, "orig", None) or error
        is_database = isinstance(cause, sqlite3.Error)
        why = unavailable(path, cause).info.text if is_database else f"{type(cause).__name__}."
        said = f" A copy of it is in {kept}." if kept else ""
        raise Unavailable(
            f"The database {path} could not be upgraded from revision {revision or 'none'} to "
            f"{HEAD}: {why}",
            hint=f"It is as it was.{said} The log has the details.",
        ) from error
