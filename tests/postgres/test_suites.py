"""PostgreSQL through the suites of the ports that it stands behind."""

from __future__ import annotations

import pytest

from bestchat_server_ext.adapters.storage_sql import Database
from bestchat_server_ext.ports.provider_configs import ProviderConfigs
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.ports.tokens import TokenStore
from bestchat_server_ext.testing.port_suites.provider_configs import ProviderConfigsSuite
from bestchat_server_ext.testing.port_suites.storage import StorageSuite
from bestchat_server_ext.testing.port_suites.tokens import TokensSuite


class TestPostgresStorage(StorageSuite):
    @pytest.fixture
    def storage(self, database: Database) -> Storage:
        return database.storage


class TestPostgresTokens(TokensSuite):
    @pytest.fixture
    def tokens(self, database: Database) -> TokenStore:
        return database.tokens


class TestPostgresProviderConfigs(ProviderConfigsSuite):
    @pytest.fixture
    def configs(self, database: Database) -> ProviderConfigs:
        return database.provider_configs
