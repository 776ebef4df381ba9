"""Several writers on one SQLite file: processes, and connections that know nothing of another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core.errors import TurnActive
from bestchat_server_ext.core.events import ConversationRenamed
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene, assert_same, reduced

RunWriters = Callable[..., Awaitable[list[int]]]


async def test_numbers_have_no_gaps_over_two_processes(
    tmp_path: Path, run_writers: RunWriters
) -> None:
    path, clock = tmp_path / "chat.db", ManualClock()
    database = await open_database(path)
    scene = Scene(clock)
    await database.storage.append(scene.id, [scene.created()], clock.now())
    numbers = await run_writers(path, scene.id, writers=2, each=200)
    assert sorted(numbers) == list(range(2, 402))
    assert await database.storage.seq(scene.id) == 401
    envelopes = await database.storage.events_after(scene.id, 0, limit=1000)
    assert_same(await database.storage.load(scene.id), reduced(envelopes or ()))
    await database.close()


async def test_processes_open_a_fresh_file_at_once(tmp_path: Path, run_writers: RunWriters) -> None:
    path = tmp_path / "data" / "chat.db"
    numbers = await run_writers(path, "-", writers=4, each=1)
    assert numbers == [2] * 4
    database = await open_database(path)
    page = await database.storage.list_conversations(LOCAL_OWNER, limit=10)
    assert [item.seq for item in page.items] == [2] * 4
    await database.close()


async def test_one_turn_begins_over_several_connections(tmp_path: Path) -> None:
    clock = ManualClock()
    databases = [await open_database(tmp_path / "chat.db") for _ in range(3)]
    scene = Scene(clock, OwnerId("ada"))
    await databases[0].storage.append(scene.id, [scene.created()], clock.now())
    outcomes = await asyncio.gather(
        *(
            database.storage.append(scene.id, scene.begin().events, clock.now())
            for database in databases * 3
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, TurnActive) for outcome in outcomes) == 8
    assert len((await databases[1].storage.load(scene.id)).turns) == 1
    for database in databases:
        await database.close()


async def test_twenty_processes_write_beside_a_server(
    tmp_path: Path, run_writers: RunWriters
) -> None:
    path, clock, each = tmp_path / "chat.db", ManualClock(), 25
    server = await open_database(path)
    scene = Scene(clock)
    await server.storage.append(scene.id, [scene.created()], clock.now())
    begun = time.perf_counter()
    others = asyncio.ensure_future(run_writers(path, scene.id, writers=20, each=each))
    own: list[int] = []
    while not others.done():
        renamed = ConversationRenamed(f"{len(own)}")
        appended = await server.storage.append(scene.id, [renamed], clock.now())
        own += [envelope.seq for envelope in appended.envelopes]
        await server.storage.load(scene.id)
    print(f"{20 * each} + {len(own)} appends: {time.perf_counter() - begun:.1f} s")
    numbers = sorted([*own, *others.result()])
    assert numbers == list(range(2, 2 + len(numbers)))
    assert await server.storage.seq(scene.id) == 1 + len(numbers)
    await server.close()
