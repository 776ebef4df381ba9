"""SQLite through the suite of the port `uploads`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.ports.uploads import UploadStore
from bestchat_server_ext.testing.port_suites.uploads import UploadsSuite


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "chat.db")
    yield opened
    await opened.close()


class TestSqlUploadStore(UploadsSuite):
    @pytest.fixture
    def uploads(self, database: Database) -> UploadStore:
        return database.uploads

    @pytest.fixture
    def storage(self, database: Database) -> Storage:
        return database.storage
