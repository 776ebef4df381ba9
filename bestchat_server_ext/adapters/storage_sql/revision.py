"""Which revision a file has, and whether this version may open it; read before all else."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.core.errors import Unavailable


def is_ours(tables: Collection[str], found: Sequence[str]) -> bool:
    """Whether a schema is one of BestChat's: Alembic has served many applications.

    Args:
        tables: the names of its tables.
        found: the rows of Alembic's own.
    """
    return (
        "conversations" in tables
        and len(found) == 1
        and len(found[0]) == len(HEAD)
        and found[0].isdecimal()
    )


def foreign(place: str, hint: str) -> Unavailable:
    """What to say of a database that is not ours."""
    return Unavailable(f"{place} belongs to another application.", hint=hint)


def read_revision(file: sqlite3.Connection, path: Path) -> str:
    """The revision of a file's schema, empty if there is nothing in it at all.

    Raises:
        Unavailable: what is in it is not ours.
    """
    tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return ""
    found = []
    if "alembic_version" in tables:
        found = [str(row[0]) for row in file.execute("SELECT * FROM alembic_version")]
    if not is_ours(tables, found):
        raise foreign(f"The file {path}", "Let `data_dir` name another folder.")
    return found[0]


def require_known(revision: str, place: object) -> None:
    """Refuse a major version that is newer than this one.

    A newer minor version is fine: what it added is not in our way.

    Raises:
        Unavailable: this version is too old for that database.
    """
    if revision[:2] > HEAD[:2]:
        raise Unavailable(
            f"The database {place} was made by a newer version of BestChat (revision {revision}; "
            f"this one knows {HEAD}).",
            hint="Upgrade BestChat: pip install --upgrade 'bestchat[lab]'. Nothing was changed.",
        )


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file only to read it, and leave no trace beside it.

    With a write-ahead log beside it, its newest rows are there, and reading takes the part that
    all processes share. Without one, opening the file the usual way would make one. With a journal
    beside it, it is in the middle of a transaction: SQLite knows whether somebody is at work on it.

    Raises:
        sqlite3.Error: at the first query, it cannot be read. See `is_cut_off`.
    """
    logs = (path.with_name(path.name + end) for end in ("-wal", "-journal"))
    still = not any(log.exists() and log.stat().st_size for log in logs)
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if still else ''}"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as file:
        yield file


def is_cut_off(error: sqlite3.Error) -> bool:
    """Whether a file cannot be read before a transaction that was cut off has been undone."""
    return getattr(error, "sqlite_errorname", None) == "SQLITE_READONLY_ROLLBACK"


def peek(path: Path) -> str:
    """The revision of a file that may not be there, as far as reading alone can tell; else empty.

    Raises:
        Unavailable: what is in it is not ours, or it is not for this version.
    """
    if not (path.is_file() and path.stat().st_size):
        return ""
    try:
        with reading(path) as file:
            revision = read_revision(file, path)
    except (OSError, sqlite3.Error):
        # A journal to roll back, a writer just now, a broken file: opening it properly will tell.
        return ""
    require_known(revision, path)
    return revision
