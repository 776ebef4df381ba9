from __future__ import annotations

import pytest

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.ports.bus import Bus
from bestchat_server_ext.testing.port_suites.bus import BusSuite


class TestMemoryBus(BusSuite):
    capacity = 10

    @pytest.fixture
    def bus(self) -> Bus:
        return MemoryBus(self.capacity)


async def test_a_topic_without_listeners_is_forgotten() -> None:
    bus = MemoryBus()
    one, two = await bus.subscribe("topic"), await bus.subscribe("topic")
    one.close()
    assert list(bus._topics) == ["topic"]
    two.close()
    assert bus._topics == {}
