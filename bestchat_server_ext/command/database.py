"""`bestchat db`: upgrade, backup, restore."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bestchat_server_ext.command.terminal import Topics, complain, confirmed, patiently, say
from bestchat_server_ext.core.errors import InvalidRequest

if TYPE_CHECKING:
    from bestchat_server_ext.settings import Settings


def add_parser(topics: Topics) -> None:
    """Declare the topic."""
    verbs = topics.add_parser(
        "db",
        help="upgrade, back up or restore the database",
        description="Upgrade, back up or restore the database that the options name: "
        "`database_url`, else the SQLite file in `data_dir`. bestchat doctor shows which it is.",
    ).add_subparsers(required=True, metavar="verb", title="verbs")
    upgrade = verbs.add_parser(
        "upgrade",
        help="bring the database to this version's schema",
        description="Bring the database to this version's schema. An SQLite file upgrades itself "
        "when it is opened; PostgreSQL waits for this command.",
    )
    upgrade.set_defaults(run=_upgrade)
    backup = verbs.add_parser(
        "backup",
        help="write a copy of the database into a file",
        description="Write a copy of the database into a file, while it is in use.",
    )
    backup.add_argument(
        "file", nargs="?", type=Path, help="the copy; if not named, a dated one beside the database"
    )
    backup.set_defaults(run=_backup)
    restore = verbs.add_parser(
        "restore",
        help="put a backup in the place of the database",
        description="Put a backup in the place of the database. Stop Jupyter first.",
    )
    restore.add_argument("file", type=Path, help="the backup")
    restore.add_argument("--yes", action="store_true", help="do not ask before it is replaced")
    restore.set_defaults(run=_restore)


def _settings() -> Settings:
    from bestchat_server_ext import settings

    return settings.load(os.environ)


def _label(settings: Settings) -> str:
    """What the database is called in front of people."""
    from bestchat_server_ext.bootstrap import administration
    from bestchat_server_ext.settings import masked

    return masked(str(administration.database_place(settings)))


def _upgrade(_: argparse.Namespace) -> int:
    from bestchat_server_ext.bootstrap import administration

    settings = _settings()
    revision = patiently(
        "Upgrading the database", lambda: administration.upgrade_database(settings)
    )
    say(f"{_label(settings)} has the schema {revision}.")
    return 0


def _backup(options: argparse.Namespace) -> int:
    from bestchat_server_ext.bootstrap import administration

    settings = _settings()
    path = patiently(
        "Copying the database", lambda: administration.backup_database(settings, options.file)
    )
    say(f"{_label(settings)} was copied to {path}.")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from bestchat_server_ext.bootstrap import administration

    settings = _settings()
    label = _label(settings)
    if not options.yes and not _allowed(f"Replace {label} by {options.file}?"):
        complain("bestchat: nothing was changed.")
        return 1
    kept = patiently(
        "Restoring the database", lambda: administration.restore_database(settings, options.file)
    )
    say(f"{label} was restored from {options.file}.")
    if kept is not None:
        say(f"What was there before is kept as {kept}.")
    return 0


def _allowed(question: str) -> bool:
    """Ask whoever sits there.

    Raises:
        InvalidRequest: nobody does.
    """
    if not sys.stdin.isatty():
        raise InvalidRequest(
            "There is nobody to ask whether the database may be replaced.",
            hint="Say so with --yes.",
        )
    return confirmed(question)
