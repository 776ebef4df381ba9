"""An application that cannot be put together, or taken apart, leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from bestchat_server_ext.adapters import storage_sql
from bestchat_server_ext.adapters.storage_sql import Database
from bestchat_server_ext.bootstrap import Application, application, open_application
from bestchat_server_ext.core.errors import Unavailable


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Database]:
    """The databases that were opened."""
    databases: list[Database] = []
    really = storage_sql.open_database

    async def opening(*given: Any, **more: Any) -> Database:
        databases.append(await really(*given, **more))
        return databases[-1]

    monkeypatch.setattr(storage_sql, "open_database", opening)
    return databases


async def require_closed(database: Database) -> None:
    with pytest.raises(Unavailable, match="closed"):
        await database.storage.list_conversations("local", limit=1)  # type: ignore[arg-type]


async def test_a_part_that_is_broken_leaves_no_open_database(
    environ: dict[str, str], opened: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ImportError("half of a library")

    monkeypatch.setattr(application, "observers", broken)
    with pytest.raises(ImportError):
        await open_application(environ)
    await require_closed(*opened)


async def test_what_fails_to_close_keeps_nothing_else_open(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise RuntimeError("it does not stop")

    with monkeypatch.context() as patch:
        patch.setattr(application._services.turns, "close", broken)
        with pytest.raises(RuntimeError):
            await application.close()
    await require_closed(application._database)
    await application._services.turns.close()
