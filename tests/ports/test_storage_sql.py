"""SQLite through the suites of its ports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.ports.provider_configs import ProviderConfigs
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.ports.tokens import TokenStore
from bestchat_server_ext.testing.port_suites.provider_configs import ProviderConfigsSuite
from bestchat_server_ext.testing.port_suites.storage import StorageSuite
from bestchat_server_ext.testing.port_suites.tokens import TokensSuite


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "chat.db")
    yield opened
    await opened.close()


class TestSqlStorage(StorageSuite):
    @pytest.fixture
    def storage(self, database: Database) -> Storage:
        return database.storage


class TestSqlTokenStore(TokensSuite):
    @pytest.fixture
    def tokens(self, database: Database) -> TokenStore:
        return database.tokens


class TestSqlProviderConfigs(ProviderConfigsSuite):
    @pytest.fixture
    def configs(self, database: Database) -> ProviderConfigs:
        return database.provider_configs
