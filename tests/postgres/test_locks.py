"""Decisions that wait for somebody else's transaction, and are made on what it leaves behind."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bestchat_server_ext.adapters.storage_sql import Database
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import LeaseLost, NotFound, TurnActive
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.ports.storage import Claim, Lease, PartialText, Storage
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Begun, Scene, reply

SEIZE = "UPDATE turns SET lease_holder = 'two', fence = fence + 1 WHERE id = $1"


@pytest.fixture
def storage(database: Database) -> Storage:
    return database.storage


@pytest.fixture
async def scene(storage: Storage) -> Scene:
    scene = Scene(ManualClock(), OwnerId("ada"))
    await storage.append(scene.id, [scene.created()], scene.clock.now())
    return scene


@pytest.fixture
def begun(scene: Scene) -> Begun:
    return scene.begin()


@pytest.fixture
async def lease(storage: Storage, scene: Scene, begun: Begun) -> Lease:
    """The lease of a running turn."""
    now = scene.clock.now()
    claim = Claim(begun.turn_id, "one", now + timedelta(seconds=5))
    lease = (await storage.append(scene.id, begun.events, now, claim=claim)).lease
    assert lease is not None
    return lease


async def test_a_lease_that_is_being_seized_is_not_renewed(
    storage: Storage, other: Any, scene: Scene, lease: Lease
) -> None:
    await other.execute("BEGIN")
    await other.execute(SEIZE, lease.turn_id)
    said = [PartialText(lease, reply("too late"))]
    renewing = asyncio.create_task(storage.renew(said, scene.clock.now()))
    await other.until_waiting()
    await other.execute("COMMIT")
    assert await renewing == (lease.turn_id,)
    assert (await storage.partial(lease.turn_id)).parts == ()


async def test_a_lease_that_is_being_seized_writes_nothing(
    storage: Storage, other: Any, scene: Scene, lease: Lease
) -> None:
    await other.execute("BEGIN")
    await other.execute(SEIZE, lease.turn_id)
    renamed = ev.ConversationRenamed("x")
    writing = asyncio.create_task(
        storage.append(scene.id, [renamed], scene.clock.now(), lease=lease)
    )
    await other.until_waiting()
    await other.execute("COMMIT")
    with pytest.raises(LeaseLost):
        await writing
    assert await storage.seq(scene.id) == 3


async def test_a_turn_that_is_being_written_to_is_not_seized(
    storage: Storage, other: Any, scene: Scene, lease: Lease
) -> None:
    late = scene.clock.now() + timedelta(minutes=1)
    await other.execute("BEGIN")
    await other.execute("SELECT 1 FROM turns WHERE id = $1 FOR UPDATE", lease.turn_id)
    # At once, without waiting; and next time it is free.
    assert await storage.seize_expired(late, "two", late) == []
    await other.execute("ROLLBACK")
    (seized,) = await storage.seize_expired(late, "two", late)
    assert seized == Lease(lease.turn_id, "two", lease.fence + 1)


async def test_a_lease_is_not_released_over_news_that_are_on_their_way(
    storage: Storage, other: Any, scene: Scene, lease: Lease
) -> None:
    await other.execute("BEGIN")
    await other.execute("UPDATE conversations SET seq = seq + 1 WHERE id = $1", scene.id)
    releasing = asyncio.create_task(storage.release(lease, 3))
    await other.until_waiting()
    await other.execute("COMMIT")
    assert not await releasing
    assert await storage.renew([PartialText(lease, None)], scene.clock.now()) == ()


async def test_an_append_meets_what_came_before_it(
    storage: Storage, other: Any, scene: Scene, begun: Begun
) -> None:
    await other.lock(scene)
    begin = asyncio.create_task(storage.append(scene.id, begun.events, scene.clock.now()))
    await other.until_waiting(1)
    second = asyncio.create_task(storage.append(scene.id, scene.begin().events, scene.clock.now()))
    await other.until_waiting(2)
    gone = asyncio.create_task(storage.delete(scene.id, scene.clock.now()))
    await other.until_waiting(3)
    late = asyncio.create_task(
        storage.append(scene.id, [ev.ConversationRenamed("x")], scene.clock.now())
    )
    await other.until_waiting(4)
    await other.execute("ROLLBACK")
    outcomes = await asyncio.gather(begin, second, gone, late, return_exceptions=True)
    # In this order as a rule; but the server promises none to those who wait.
    allowed = [(TurnActive, NotFound), (TurnActive, NotFound), (), (NotFound,)]
    for outcome, refusals in zip(outcomes, allowed, strict=True):
        assert not isinstance(outcome, BaseException) or isinstance(outcome, refusals)
    assert await storage.locate("conversation", scene.id) is None
