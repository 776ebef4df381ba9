"""PostgreSQL through the suite of the port `usage`, and the index that it goes by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.adapters.storage_sql.postgres import run_once
from bestchat_server_ext.ports.usage import UsageStore
from bestchat_server_ext.testing.port_suites.usage import (
    ADA,
    EVER,
    GROUPINGS,
    UsageSuite,
    day_of_work,
    everything,
    grouped,
)


class TestPostgresUsage(UsageSuite):
    @pytest.fixture
    def usage(self, database: Database) -> UsageStore:
        return database.usage


@pytest.fixture
def asked(database: Database) -> Iterator[dict[str, Any]]:
    queries: dict[str, Any] = {}

    def note(_connection: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        if "FROM usage_logs" in statement:
            queries[statement] = given

    event.listen(Engine, "before_cursor_execute", note)
    yield queries
    event.remove(Engine, "before_cursor_execute", note)


async def test_a_summary_goes_by_the_index(
    database: Database, asked: dict[str, Any], clean_postgres_url: str
) -> None:
    await database.usage.record(day_of_work())
    for by in GROUPINGS:
        page = await database.usage.summary(ADA, *EVER, by, limit=1)
        await database.usage.summary(ADA, *EVER, by, limit=1, cursor=page.cursor)

    def explain(connection: Connection) -> dict[str, str]:
        # Tables this small are read from end to end, unless that is made to look expensive.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return {
            statement: "\n".join(
                connection.exec_driver_sql(f"EXPLAIN {statement}", given).scalars()
            )
            for statement, given in asked.items()
        }

    plans = await run_once(clean_postgres_url, explain)
    assert len(plans) == 2 * len(GROUPINGS) + 1  # the query for the total is always the same
    for statement, plan in plans.items():
        assert "ix_usage_logs" in plan, (statement, plan)
        assert "Seq Scan" not in plan, (statement, plan)


async def test_days_do_not_depend_on_the_servers_time_zone(
    database: Database, clean_postgres_url: str
) -> None:
    """A session that the administrator has set to another zone counts the same days."""
    entries = day_of_work()
    await database.usage.record(entries)
    name = clean_postgres_url.rpartition("/")[2].partition("?")[0]

    def move(zone: str) -> Any:
        def work(connection: Connection) -> None:
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET timezone = {zone}')

        return work

    await run_once(clean_postgres_url, move("'Pacific/Kiritimati'"))
    try:
        elsewhere = await open_database(clean_postgres_url)
        assert (await everything(elsewhere.usage, "day")).groups == grouped(entries, "day")
        await elsewhere.close()
    finally:
        await run_once(clean_postgres_url, move("DEFAULT"))
