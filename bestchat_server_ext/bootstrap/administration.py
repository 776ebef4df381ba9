"""What the `bestchat` command does to models and to the database. All of it blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bestchat_server_ext.core.errors import NotInstalled

if TYPE_CHECKING:
    from bestchat_server_ext.adapters.storage_sql.maintenance import (
        DatabaseReport as DatabaseReport,  # noqa: PLC0414  for the command, which shows it
    )
    from bestchat_server_ext.settings import Settings

DATABASE_NAME = "bestchat.sqlite3"


def database_place(settings: Settings) -> Path | str:
    """Where the database is: a file, or PostgreSQL's address, which may hold a password."""
    return settings.database_url.get_secret_value() or settings.data_dir / DATABASE_NAME


def install_model(settings: Settings, name: str, progress: Callable[[int, int], None]) -> str:
    """Bring the weights of an embedded model into `data_dir`; give the path.

    Raises:
        ChatError: there is no such model, or it could not be brought.
    """
    from bestchat_server_ext.adapters.local_model import weights

    return str(weights.install(settings.data_dir, progress, name))


def installed_models(settings: Settings) -> tuple[str, ...]:
    """The embedded models whose weights are on this machine."""
    from bestchat_server_ext.adapters.local_model import weights

    return () if weights.find(settings.data_dir) is None else (weights.NAME,)


def upgrade_database(settings: Settings) -> str:
    """Bring the database up to date; give the revision of its schema.

    Raises:
        ChatError: it cannot be done; the database is as it was.
    """
    from bestchat_server_ext.adapters.storage_sql import maintenance

    with database_libraries():
        return maintenance.upgrade_database(database_place(settings))


def backup_database(settings: Settings, target: Path | None) -> Path:
    """Copy the database into a file; give the file.

    Raises:
        ChatError: it cannot be done; nothing is left behind.
    """
    from bestchat_server_ext.adapters.storage_sql import maintenance

    with database_libraries():
        return maintenance.backup_database(database_place(settings), target)


def restore_database(settings: Settings, source: Path) -> Path | None:
    """Put a backup in the place of the database; give what is kept of the former one.

    Raises:
        ChatError: it cannot be done; the database is as it was.
    """
    from bestchat_server_ext.adapters.storage_sql import maintenance

    with database_libraries():
        return maintenance.restore_database(database_place(settings), source)


def inspect_database(settings: Settings) -> DatabaseReport:
    """Look at the database, and change nothing.

    Raises:
        ChatError: it cannot be looked at.
    """
    from bestchat_server_ext.adapters.storage_sql import maintenance

    with database_libraries():
        return maintenance.inspect_database(database_place(settings))


@contextmanager
def database_libraries() -> Iterator[None]:
    """Say which library is missing, and how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"The database needs {error.name}, which is not installed here.",
            hint="Run: pip install 'bestchat[lab]'",
        ) from error
