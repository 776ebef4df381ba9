"""Several writers on one PostgreSQL database: processes that compete, and processes that die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import Conflict, LeaseLost, NotFound, TurnActive
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.ports.storage import Claim, Lease, PartialText
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Begun, Scene, assert_same, reduced, reply

RunWriters = Callable[..., Awaitable[list[int]]]
ADA = OwnerId("ada")
HOLDER = Path(__file__).with_name("holder_process.py")


@pytest.fixture
async def second(clean_postgres_url: str) -> AsyncIterator[Database]:
    """The same database as another process sees it."""
    opened = await open_database(clean_postgres_url, pool_size=4)
    yield opened
    await opened.close()


async def stored(database: Database, clock: ManualClock) -> Scene:
    scene = Scene(clock, ADA)
    await database.storage.append(scene.id, [scene.created()], clock.now())
    return scene


async def run_turn(database: Database, scene: Scene, holder: str) -> tuple[Begun, Lease]:
    begun, now = scene.begin(), scene.clock.now()
    claim = Claim(begun.turn_id, holder, now + timedelta(seconds=5))
    lease = (await database.storage.append(scene.id, begun.events, now, claim=claim)).lease
    assert lease is not None
    return begun, lease


async def test_numbers_have_no_gaps_over_two_processes(
    database: Database, clean_postgres_url: str, run_writers: RunWriters
) -> None:
    scene = await stored(database, ManualClock())
    numbers = await run_writers(clean_postgres_url, scene.id, writers=2, each=200)
    assert sorted(numbers) == list(range(2, 402))
    assert await database.storage.seq(scene.id) == 401
    envelopes = await database.storage.events_after(scene.id, 0, limit=1000)
    assert_same(await database.storage.load(scene.id), reduced(envelopes or ()))


async def test_one_turn_begins_over_two_pools(database: Database, second: Database) -> None:
    scene = await stored(database, ManualClock())
    outcomes = await asyncio.gather(
        *(
            one.storage.append(scene.id, scene.begin().events, scene.clock.now())
            for one in [database, second] * 6
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, TurnActive) for outcome in outcomes) == 11
    assert len((await database.storage.load(scene.id)).turns) == 1


async def test_a_request_acts_once_whoever_receives_it(
    database: Database, second: Database
) -> None:
    clock = ManualClock()
    for attempt in range(10):
        scenes = [await stored(database, clock) for _ in range(4)]
        outcomes = await asyncio.gather(
            *(
                one.storage.append(
                    scene.id, scene.begin(request_id=f"{attempt}").events, clock.now()
                )
                for one, scene in zip([database, second] * 2, scenes, strict=True)
            ),
            return_exceptions=True,
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert len(refused) == 3
        for refusal in refused:
            assert type(refusal) is Conflict
            assert "before" in str(refusal)


async def test_leases_are_renewed_and_seized_at_once(database: Database, second: Database) -> None:
    clock = ManualClock()
    scenes = [await stored(database, clock) for _ in range(6)]
    leases = [(await run_turn(database, scene, "one"))[1] for scene in scenes]
    clock.advance(10)
    now, until = clock.now(), clock.now() + timedelta(seconds=5)
    seized: list[Lease] = []

    async def renew(texts: list[Lease]) -> None:
        for _ in range(20):
            await database.storage.renew([PartialText(it, reply("x")) for it in texts], until)

    async def seize(holder: str) -> None:
        for _ in range(20):
            seized.extend(await second.storage.seize_expired(now, holder, until))

    async def write(scene: Scene, lease: Lease) -> None:
        for _ in range(10):
            renamed = ev.ConversationRenamed("x")
            try:
                await database.storage.append(scene.id, [renamed], now, lease=lease)
            except LeaseLost:
                return

    backwards = leases[::-1]
    writing = (write(scene, lease) for scene, lease in zip(scenes, leases, strict=True))
    await asyncio.gather(renew(leases), renew(backwards), seize("two"), seize("three"), *writing)
    # Whoever got a lease got it alone, and the others keep theirs.
    assert len({lease.turn_id for lease in seized}) == len(seized)
    gone = await database.storage.renew([PartialText(lease, None) for lease in leases], until)
    assert set(gone) == {lease.turn_id for lease in seized}


async def test_a_conversation_is_deleted_while_others_write(
    database: Database, second: Database
) -> None:
    clock = ManualClock()
    for _ in range(10):
        scene = await stored(database, clock)
        _, lease = await run_turn(database, scene, "one")
        renamed = ev.ConversationRenamed("x")
        outcomes = await asyncio.gather(
            second.storage.append(scene.id, [renamed], clock.now(), lease=lease),
            database.storage.renew([PartialText(lease, reply("x"))], clock.now()),
            second.storage.delete(scene.id, clock.now()),
            database.storage.append(scene.id, [renamed], clock.now()),
            database.storage.release(lease, 3),
            return_exceptions=True,
        )
        assert isinstance(outcomes[2], ev.Envelope)
        refused = {type(it) for it in outcomes if isinstance(it, BaseException)}
        assert refused <= {NotFound, LeaseLost}
        assert await database.storage.locate("conversation", scene.id) is None


async def start_holder(url: str, what: str, scene: Scene) -> Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HOLDER), url, what, scene.id),
        stdin=PIPE,
        stdout=PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"holding\n"
    return process


async def test_what_a_killed_process_was_running_is_closed_by_another(
    database: Database, clean_postgres_url: str
) -> None:
    scene = await stored(database, ManualClock())
    process = await start_holder(clean_postgres_url, "turn", scene)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    turn = await database.storage.last_turn(ADA)
    assert turn is not None
    assert turn.state == "running"
    now = turn.started_at + timedelta(minutes=1)
    (lease,) = await database.storage.seize_expired(now, "two", now + timedelta(seconds=5))
    assert await database.storage.partial(turn.id) == reply("Half an")
    lost = ev.TurnInterrupted(turn.id)
    await database.storage.append(scene.id, [lost], now, lease=lease)
    assert (await database.storage.turn(turn.id)).state == "interrupted"


async def test_a_killed_process_leaves_no_lock(database: Database, clean_postgres_url: str) -> None:
    scene = await stored(database, ManualClock())
    process = await start_holder(clean_postgres_url, "lock", scene)
    renamed = ev.ConversationRenamed("x")
    waiting = asyncio.create_task(database.storage.append(scene.id, [renamed], scene.clock.now()))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert (await waiting).envelopes[0].seq == 2
