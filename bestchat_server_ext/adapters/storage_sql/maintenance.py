"""What is done to a whole database: upgrade, back up, restore, inspect.

A place is an SQLite file (a path) or a PostgreSQL database (a URL). All functions block, and those
for PostgreSQL run an event loop of their own: they are for commands, or for a thread.

What they need is loaded when they are called.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql.report import DatabaseReport
from bestchat_server_ext.core.errors import NotInstalled
from bestchat_server_ext.ports.provider_configs import ProviderConfig

__all__ = [
    "DatabaseReport",
    "backup_database",
    "inspect_database",
    "inspect_provider_configs",
    "restore_database",
    "upgrade_database",
]


def upgrade_database(place: Path | str) -> str:
    """Bring a database up to date, making a file if need be; give the revision that it has now.

    Several processes may do so at the same time.

    Raises:
        InvalidRequest: the URL is none of PostgreSQL.
        NotInstalled: PostgreSQL's driver is not.
        Unavailable: it cannot be done; the database is as it was.
    """
    if isinstance(place, Path):
        from bestchat_server_ext.adapters.storage_sql.opening import prepare

        return prepare(place).revision
    with postgres_libraries():
        from bestchat_server_ext.adapters.storage_sql import maintenance_postgres

    return maintenance_postgres.upgrade(place)


def backup_database(place: Path | str, target: Path | None = None) -> Path:
    """Copy a database that may be in use into one file, as of one moment; give the file.

    Args:
        place: the database.
        target: the file to make. If none is named, an SQLite database gets a dated one in the
            folder `backups` beside it, PostgreSQL one in the current folder.

    Raises:
        InvalidRequest: the target is there already, or the URL is none of PostgreSQL.
        NotFound: there is no such file to copy.
        NotInstalled: pg_dump is not.
        Unavailable: it cannot be done; no target is left behind.
    """
    if isinstance(place, Path):
        from bestchat_server_ext.adapters.storage_sql.maintenance_sqlite import backup

        return backup(place, target)
    with postgres_libraries():
        from bestchat_server_ext.adapters.storage_sql import maintenance_postgres

    return maintenance_postgres.backup(place, target)


def restore_database(place: Path | str, source: Path) -> Path | None:
    """Put a backup in the place of a database, all of it or nothing, and upgrade it.

    An SQLite backup is upgraded before it takes its place; one of PostgreSQL afterwards. Processes
    that have an SQLite database open go on with what was restored. No token comes back to life:
    those that were not good in what was there are revoked, and all of kernels.

    Returns:
        Where what was there before is kept: of SQLite, a copy in the folder `backups` beside it,
        or the broken file; of PostgreSQL, a copy in the current folder. None if there was nothing.

    Raises:
        InvalidRequest: the URL is none of PostgreSQL.
        NotFound: there is no such backup.
        NotInstalled: one of PostgreSQL's programs is not.
        Unavailable: it is no backup that this version can read, or it cannot be put in place; or,
            in PostgreSQL, it is in its place and could not be upgraded, which is said then.
    """
    if isinstance(place, Path):
        from bestchat_server_ext.adapters.storage_sql.maintenance_sqlite import restore

        return restore(place, source)
    with postgres_libraries():
        from bestchat_server_ext.adapters.storage_sql import maintenance_postgres

    return maintenance_postgres.restore(place, source)


def inspect_database(place: Path | str) -> DatabaseReport:
    """Look at a database, without making or changing anything. An SQLite file is read as a whole.

    Raises:
        InvalidRequest: the URL is none of PostgreSQL.
        NotInstalled: PostgreSQL's driver is not.
    """
    if isinstance(place, Path):
        from bestchat_server_ext.adapters.storage_sql.maintenance_sqlite import inspect

        return inspect(place)
    with postgres_libraries():
        from bestchat_server_ext.adapters.storage_sql import maintenance_postgres

    return maintenance_postgres.inspect(place)


def inspect_provider_configs(place: Path | str) -> tuple[ProviderConfig, ...]:
    """What is stored for providers, of all owners, without making or changing anything.

    Raises:
        InvalidRequest: the URL is none of PostgreSQL.
        NotInstalled: PostgreSQL's driver is not.
        Unavailable: it cannot be read.
    """
    if isinstance(place, Path):
        from bestchat_server_ext.adapters.storage_sql.maintenance_sqlite import provider_configs

        return provider_configs(place)
    with postgres_libraries():
        from bestchat_server_ext.adapters.storage_sql import maintenance_postgres

    return maintenance_postgres.provider_configs(place)


@contextmanager
def postgres_libraries() -> Iterator[None]:
    """Say that PostgreSQL's driver is missing, and how to get it.

    Raises:
        NotInstalled: it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise NotInstalled(
            "PostgreSQL needs asyncpg, which is not installed here.",
            hint='Run: pip install "bestchat[team]"',
        ) from error
