"""The way to the newest schema. Only this module and the migrations load Alembic."""

from __future__ import annotations

from threading import Lock

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

_ONE_AT_A_TIME = Lock()
"""Alembic keeps what it is working on in a module's globals."""

_SCRIPTS = "bestchat_server_ext.adapters.storage_sql:migrations"


def script_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; there is no file of it."""
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    config.attributes["connection"] = connection
    return config


def upgrade_schema(connection: Connection) -> None:
    """Bring a database up to date, within the transaction that the connection is in.

    Whoever comes second, after waiting for the write lock, finds nothing to do.
    """
    with _ONE_AT_A_TIME:
        command.upgrade(script_config(connection), "head")
