"""SQLite through the suite of the port `usage`; and sums over whatever happens."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.core.ids import ConversationId, TurnId
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.ports.usage import UsageEntry, UsageStore, UsageSums
from bestchat_server_ext.testing.clock import START, ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene
from bestchat_server_ext.testing.port_suites.usage import (
    ADA,
    EVER,
    GROUPINGS,
    MODELS,
    UsageSuite,
    added,
    day_of_work,
    entry,
    everything,
    grouped,
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "chat.db")
    yield opened
    await opened.close()


class TestSqlUsageStore(UsageSuite):
    @pytest.fixture
    def usage(self, database: Database) -> UsageStore:
        return database.usage


# Whatever happens.

_ids = ManualClock(origin=11)
CONVERSATIONS = [ConversationId(_ids.new_id()) for _ in range(4)]
COUNTS = st.integers(0, 2**53 - 1)


@st.composite
def attempts(draw: st.DrawFn) -> UsageEntry:
    return entry(
        turn_id=TurnId(_ids.new_id()),
        conversation_id=draw(st.sampled_from(CONVERSATIONS)),
        at=START + timedelta(seconds=draw(st.integers(-(10**6), 10**6))),
        model=draw(st.sampled_from(MODELS)),
        outcome=draw(st.sampled_from(["answered", "failed", "cancelled"])),
        usage=Usage(*(draw(COUNTS) for _ in range(5))),
        estimated=draw(st.booleans()),
        picodollars=draw(st.none() | st.integers(0, 2**63 - 1)),
    )


def together(sums: list[UsageSums]) -> UsageSums:
    """Sums of sums."""
    total: dict[str, Any] = msgspec.structs.asdict(UsageSums())
    for item in sums:
        for name, value in msgspec.structs.asdict(item).items():
            total[name] += value
    return UsageSums(**total)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("usage")


@settings(max_examples=25, deadline=None)
@given(entries=st.lists(attempts(), max_size=30), dice=st.randoms(use_true_random=False))
async def test_the_parts_make_the_whole_in_any_order(
    folder: Path, entries: list[UsageEntry], dice: random.Random
) -> None:
    """However they are grouped, in whatever order and in whatever batches they came."""
    database = await open_database(folder / f"{_ids.new_id()}.db")
    shuffled = dice.sample(entries, len(entries))
    cut = dice.randint(0, len(entries))
    for batch in (shuffled[:cut], shuffled[cut:], shuffled[:cut]):
        await database.usage.record(batch)
    for by in GROUPINGS:
        page = await everything(database.usage, by)
        assert page.total == added(entries)
        assert together([group.sums for group in page.groups]) == page.total
        assert page.groups == grouped(entries, by)
    await database.close()


# What the database is asked.


@pytest.fixture
def asked(database: Database) -> Iterator[list[tuple[str, Any]]]:
    queries: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            queries.append((statement, given))

    event.listen(Engine, "before_cursor_execute", note)
    yield queries
    event.remove(Engine, "before_cursor_execute", note)


async def test_a_summary_is_two_queries_on_an_index(
    database: Database, asked: list[tuple[str, Any]], tmp_path: Path
) -> None:
    await database.usage.record(day_of_work())
    for by in GROUPINGS:
        page = await database.usage.summary(ADA, *EVER, by, limit=1)
        await database.usage.summary(ADA, *EVER, by, limit=1, cursor=page.cursor)
    assert len(asked) == 2 * 2 * len(GROUPINGS)
    with closing(sqlite3.connect(tmp_path / "chat.db")) as file:
        for statement, given_ in asked:
            plan = [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {statement}", given_)]
            assert "ix_usage_logs_owner_at" in plan[0], (statement, plan)


async def test_what_was_spent_outlives_its_conversation_and_knows_no_words(
    database: Database, tmp_path: Path
) -> None:
    scene = Scene(ManualClock())
    await database.storage.append(scene.id, [scene.created("A title")], scene.clock.now())
    spent = entry(conversation_id=scene.id)
    await database.usage.record([spent])
    await database.storage.delete(scene.id, scene.clock.now())
    assert (await everything(database.usage, "conversation")).groups == grouped(
        [spent], "conversation"
    )
    with closing(sqlite3.connect(tmp_path / "chat.db")) as file:
        (row,) = file.execute("SELECT * FROM usage_logs").fetchall()
    assert "A title" not in row
