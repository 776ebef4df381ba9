"""The way to the newest schema. Only this module and the migrations load Alembic."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine

from bestchat_server_ext.adapters.storage_sql.file_care import connect

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


def upgrade_file(path: Path) -> None:
    """Bring an SQLite file up to date, all of it or none.

    Foreign keys are not enforced meanwhile: replacing a table would otherwise delete what refers
    to it.

    Raises:
        SQLAlchemyError: it failed.
    """
    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        upgrade_schema(connection)
        connection.commit()
