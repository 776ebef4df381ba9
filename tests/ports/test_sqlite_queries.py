"""What the database is asked: few queries, and an index for each."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.ids import LOCAL_OWNER, RequestId
from bestchat_server_ext.ports.storage import Claim, PartialText
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene, reply

Query = tuple[str, Any]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "chat.db")
    yield opened
    await opened.close()


@pytest.fixture
def asked(database: Database) -> Iterator[list[Query]]:
    """Every statement that reaches the database, with its parameters."""
    queries: list[Query] = []

    def note(_connection: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        if statement.partition(" ")[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}:
            queries.append((statement, given[0] if isinstance(given, list) else given))

    event.listen(Engine, "before_cursor_execute", note)
    yield queries
    event.remove(Engine, "before_cursor_execute", note)


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


async def test_an_append_is_few_queries(database: Database, asked: list[Query]) -> None:
    scene = Scene(ManualClock())
    await database.storage.append(scene.id, [scene.created()], scene.clock.now())
    begun = scene.begin()
    asked.clear()
    await database.storage.append(scene.id, begun.events, scene.clock.now())
    assert len(asked) == 7
    asked.clear()
    ended = ev.TurnFinished(begun.turn_id)
    await database.storage.append(scene.id, [ended], scene.clock.now())
    assert len(asked) == 4


async def test_every_query_has_an_index(
    database: Database, asked: list[Query], tmp_path: Path
) -> None:
    await _ask_everything(database)
    assert len(asked) > 30
    with closing(sqlite3.connect(tmp_path / "chat.db")) as file:
        for statement, given in asked:
            plan = [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {statement}", given)]
            slow = [line for line in plan if line.startswith("SCAN") and "INDEX" not in line]
            assert not slow, (statement, plan)
            listing = "FROM conversations" in statement and "LIMIT" in statement
            sorts = [line for line in plan if "TEMP B-TREE" in line]
            assert not (listing and sorts), (statement, plan)


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
    await storage.release(lease, await storage.seq(scene.id))
    await storage.seize_expired(clock.now(), "two", until)
    await storage.load(scene.id)
    await storage.events_after(scene.id, 3, limit=3)
    other = Scene(clock)
    await storage.append(other.id, [other.created()], clock.now())
    page = await storage.list_conversations(owner, limit=1)
    await storage.list_conversations(owner, limit=1, cursor=page.cursor)
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
