"""PostgreSQL through the suite of the port `uploads`."""

from __future__ import annotations

import pytest

from bestchat_server_ext.adapters.storage_sql import Database
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.ports.uploads import UploadStore
from bestchat_server_ext.testing.port_suites.uploads import UploadsSuite


class TestPostgresUploads(UploadsSuite):
    @pytest.fixture
    def uploads(self, database: Database) -> UploadStore:
        return database.uploads

    @pytest.fixture
    def storage(self, database: Database) -> Storage:
        return database.storage
