"""What every storage has to do, as tests.

::

    class TestMyStorage(StorageSuite):
        @pytest.fixture
        async def storage(self):
            database = await open_my_database(...)
            yield database.storage
            await database.close()
"""

from __future__ import annotations

from bestchat_server_ext.testing.port_suites.storage_arranging import ArrangingSuite
from bestchat_server_ext.testing.port_suites.storage_conversations import ConversationSuite
from bestchat_server_ext.testing.port_suites.storage_leases import LeaseSuite
from bestchat_server_ext.testing.port_suites.storage_turns import TurnSuite


class StorageSuite(ConversationSuite, ArrangingSuite, TurnSuite, LeaseSuite):
    """All tests. Define the fixture `storage`: an empty one."""
