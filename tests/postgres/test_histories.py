"""Whatever happens in a conversation: what is loaded is what its events come to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import given, settings

from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.histories import Choice, check_history, histories
from bestchat_server_ext.testing.port_suites.scene import Scene


def test_rows_equal_what_events_come_to(clean_postgres_url: str) -> None:
    clock = ManualClock()
    with asyncio.Runner() as runner:
        database = runner.run(open_database(clean_postgres_url))

        @settings(max_examples=30, deadline=None)
        @given(histories)
        def any_conversation(happened: list[Choice]) -> None:
            runner.run(check_history(database.storage, Scene(clock), happened))

        run: Callable[[], None] = any_conversation
        run()

        async def close() -> None:
            await database.close()

        runner.run(close())
