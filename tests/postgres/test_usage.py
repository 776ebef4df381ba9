"""PostgreSQL through the suite of the port `usage`, and the index that it goes by."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.adapters.storage_sql.postgres import run_once
from bestchat_server_ext.api.usage import SummarizeUsage
from bestchat_server_ext.ports.usage import UsageStore
from bestchat_server_ext.services.usage import UsageService
from bestchat_server_ext.testing import usage_day
from bestchat_server_ext.testing.clock import ManualClock
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
        if statement.startswith("SELECT") and "FROM usage_logs" in statement:
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


async def test_models_are_in_the_order_of_their_bytes(postgres_url: str) -> None:
    """Page by page, wherever the database sorts as people of some country do."""

    def localize(connection: Connection) -> None:
        for name in ("provider", "model"):
            connection.exec_driver_sql(
                f'ALTER TABLE usage_logs ALTER COLUMN {name} TYPE varchar COLLATE "und-x-icu"'
            )

    await run_once(postgres_url, localize)
    database, entries = await open_database(postgres_url), day_of_work()
    await database.usage.record(entries)
    seen, cursor = [], ""
    while True:
        page = await database.usage.summary(ADA, *EVER, "model", limit=2, cursor=cursor)
        seen += page.groups
        if not (cursor := page.cursor):
            break
    assert tuple(seen) == grouped(entries, "model")
    await database.close()


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


async def test_the_scripted_day_adds_up(database: Database) -> None:
    """As with SQLite, where it goes through the doors."""
    service = UsageService(database.usage, ManualClock())
    attempts = list(usage_day.attempts(ADA))
    for attempt in (*attempts, *reversed(attempts)):
        service.note(**attempt)
    found = {}
    for by in GROUPINGS:
        request = SummarizeUsage(by, since=usage_day.DAY, until=usage_day.NEXT_DAY)
        summary = await service.summary(ADA, request)
        assert summary.total == usage_day.TOTAL
        found[by] = [(row.key, row.spending) for row in summary.rows]
    assert found["model"] == [(str(model), sums) for model, sums in usage_day.BY_MODEL.items()]
    assert found["day"] == [(str(day), sums) for day, sums in usage_day.BY_DAY.items()]
    costs = [Decimal(sums.cost or "NaN") for _, sums in found["conversation"]]
    assert (len(costs), sum(costs)) == (3, Decimal(usage_day.TOTAL.cost or "NaN"))
    await service.close()
