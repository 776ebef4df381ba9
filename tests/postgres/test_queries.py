"""What PostgreSQL is asked: few queries, an index for each, and no plan but the migrations'."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event

from bestchat_server_ext.adapters.storage_sql import Database
from bestchat_server_ext.adapters.storage_sql.postgres import run_once
from bestchat_server_ext.adapters.storage_sql.tables import is_described, metadata
from bestchat_server_ext.core.ids import LOCAL_OWNER, RequestId
from bestchat_server_ext.ports.storage import Claim, ListFilter, PartialText
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene, reply

Query = tuple[str, Any]
WithPostgres = Callable[..., Any]


@pytest.fixture
def asked(database: Database) -> Iterator[list[Query]]:
    """Every statement that reaches the database, with its parameters."""
    queries: list[Query] = []

    def note(_connection: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        queries.append((statement, given[0] if isinstance(given, list) else given))

    event.listen(Engine, "before_cursor_execute", note)
    yield queries
    event.remove(Engine, "before_cursor_execute", note)


async def test_the_tables_are_what_the_migrations_make(clean_postgres_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": is_described}
        )
        return list(compare_metadata(context, metadata))

    assert await run_once(clean_postgres_url, differences) == []


async def test_a_conversation_is_loaded_in_three_queries(
    database: Database, asked: list[Query]
) -> None:
    scene = Scene(ManualClock())
    await database.storage.append(scene.id, [scene.created()], scene.clock.now())
    for events in scene.play(scene.begin()):
        await database.storage.append(scene.id, events, scene.clock.now())
    asked.clear()
    await database.storage.load(scene.id)
    assert len(asked) == 3


async def test_words_are_not_looked_for_once_in_every_conversation(
    database: Database, asked: list[Query], clean_postgres_url: str
) -> None:
    """As a join would have it that is planned without statistics, as after an import."""
    await database.storage.search(LOCAL_OWNER, ["word"], limit=10)
    ((statement, given),) = [query for query in asked if "@@" in query[0]]

    def explain(connection: Connection) -> str:
        return "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", given).scalars())

    plan = await run_once(clean_postgres_url, explain)
    assert "search_texts" in plan
    assert "Nested Loop" not in plan
    assert "Join" not in plan


async def test_every_query_has_an_index(
    database: Database, asked: list[Query], clean_postgres_url: str
) -> None:
    await _ask_everything(database)
    statements = {statement: given for statement, given in asked if " " in statement.strip()}
    assert len(statements) > 25

    def explain(connection: Connection) -> dict[str, str]:
        # Tables this small are read from end to end, unless that is made to look expensive.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_sort = off")
        plans = {}
        for statement, given in statements.items():
            if statement.startswith(("INSERT", "SELECT pg_", "SET ")):
                continue
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", given).scalars()
            plans[statement] = "\n".join(plan)
        return plans

    for statement, plan in (await run_once(clean_postgres_url, explain)).items():
        assert "Seq Scan" not in plan, (statement, plan)
        if "FROM conversations" in statement and "LIMIT" in statement and "JOIN" not in statement:
            assert "Sort" not in plan, (statement, plan)


async def _ask_everything(database: Database) -> None:
    storage, scene = database.storage, Scene(ManualClock())
    clock, owner = scene.clock, LOCAL_OWNER
    await storage.append(scene.id, [scene.created()], clock.now())
    for events in scene.play(scene.begin()):
        await storage.append(scene.id, events, clock.now())
    begun, until = scene.begin(request_id="r"), clock.now() + timedelta(seconds=5)
    claim = Claim(begun.turn_id, "one", until)
    lease = (await storage.append(scene.id, begun.events, clock.now(), claim=claim)).lease
    assert lease is not None
    await storage.renew([PartialText(lease, None)], until)
    await storage.renew([PartialText(lease, reply("x"))], until)
    await storage.seize_expired(until + timedelta(seconds=1), "two", until)
    await storage.release(lease, await storage.seq(scene.id))
    await storage.seqs([scene.id], owner)
    await storage.load(scene.id)
    await storage.events_after(scene.id, 3, limit=3)
    other = Scene(clock)
    await storage.append(other.id, [other.created()], clock.now())
    page = await storage.list_conversations(owner, limit=1)
    await storage.list_conversations(owner, limit=1, cursor=page.cursor)
    for only in (ListFilter(starred=True), ListFilter(deleted=True), ListFilter(label="x")):
        await storage.list_conversations(owner, limit=1, only=only)
    await storage.search(owner, ("anna", "b"), limit=3)
    await storage.deleted_before(clock.now(), limit=3)
    await storage.queues_at_rest(limit=3)
    await storage.locate("turn", begun.turn_id)
    await storage.turn(begun.turn_id)
    await storage.find_turn(owner, RequestId("r"))
    await storage.last_turn(owner)
    await storage.pending(owner, None)
    await storage.pending(owner, scene.id)
    await storage.partial(begun.turn_id)
    await database.tokens.find(b"digest")
    await database.tokens.revoke(clock.now(), kernel_id="kernel")
    await storage.delete(scene.id, clock.now())
