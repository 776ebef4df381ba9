"""What every storage has to do with turns and the tool calls in them."""

from __future__ import annotations

import asyncio

import pytest

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import Conflict, TurnActive
from bestchat_server_ext.core.ids import OwnerId, RequestId
from bestchat_server_ext.core.tools import Decision
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Begun, Scene
from bestchat_server_ext.testing.port_suites.storage_conversations import play, stored


async def until_asked(storage: Storage, scene: Scene) -> Begun:
    """A turn, stored up to where it waits for a decision."""
    begun = scene.begin()
    for events in scene.play(begun):
        if isinstance(events[0], ev.ApprovalAnswered):
            break
        await storage.append(scene.id, events, scene.clock.now())
    return begun


class TurnSuite:
    """Turns: one at a time, found again, with calls that wait."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Moments and names."""
        return ManualClock()

    async def test_one_turn_is_active_at_a_time(self, storage: Storage, clock: ManualClock) -> None:
        """The next one may begin when it has ended, in the same append if need be."""
        scene, other = await stored(storage, clock), await stored(storage, clock)
        one, two = scene.begin(), scene.begin()
        await storage.append(scene.id, one.events, clock.now())
        with pytest.raises(TurnActive):
            await storage.append(scene.id, two.events, clock.now())
        await storage.append(other.id, other.begin().events, clock.now())
        ended = ev.TurnCancelled(one.turn_id)
        await storage.append(scene.id, [ended, *two.events], clock.now())
        states = [turn.state for turn in (await storage.load(scene.id)).turns.values()]
        assert states == ["cancelled", "running"]

    async def test_of_many_who_begin_at_once_one_does(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """The others are told why not."""
        scene = await stored(storage, clock)
        begun = [scene.begin() for _ in range(10)]
        outcomes = await asyncio.gather(
            *(storage.append(scene.id, one.events, clock.now()) for one in begun),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, TurnActive) for outcome in outcomes) == 9
        assert len((await storage.load(scene.id)).turns) == 1
        assert await storage.seq(scene.id) == 3

    async def test_a_request_acts_once(self, storage: Storage, clock: ManualClock) -> None:
        """In all conversations of an owner; it is not mistaken for a second turn."""
        scene, other = await stored(storage, clock), await stored(storage, clock)
        foreign = await stored(storage, clock, owner="bob")
        await storage.append(scene.id, scene.begin(request_id="r").events, clock.now())
        for place in (scene, other):
            with pytest.raises(Conflict) as caught:
                await storage.append(place.id, place.begin(request_id="r").events, clock.now())
            assert caught.value.code == "conflict"
        await storage.append(foreign.id, foreign.begin(request_id="r").events, clock.now())

    async def test_turns_are_found_again(self, storage: Storage, clock: ManualClock) -> None:
        """By id, by request, and as the owner's last."""
        one, two = await stored(storage, clock), await stored(storage, clock)
        early, late = one.begin(request_id="a", attended=False), two.begin(request_id="b")
        await storage.append(one.id, early.events, clock.now())
        clock.advance(1)
        await storage.append(two.id, late.events, clock.now())
        turns = (await storage.load(one.id)).turns | (await storage.load(two.id)).turns
        ada = OwnerId("ada")
        assert await storage.turn(early.turn_id) == turns[early.turn_id]
        assert await storage.find_turn(ada, RequestId("a")) == turns[early.turn_id]
        assert await storage.last_turn(ada) == turns[late.turn_id]
        assert await storage.find_turn(ada, RequestId("c")) is None
        assert await storage.find_turn(OwnerId("bob"), RequestId("a")) is None
        assert await storage.last_turn(OwnerId("bob")) is None
        assert await storage.last_turn(ada, finished=True) is None
        await storage.append(one.id, [ev.TurnFinished(early.turn_id)], clock.now())
        answered = await storage.last_turn(ada, finished=True)
        assert answered is not None
        assert answered.id == early.turn_id

    async def test_calls_that_wait_are_listed(self, storage: Storage, clock: ManualClock) -> None:
        """Of one conversation or of all; the oldest first; only while they wait."""
        one, two = await stored(storage, clock), await stored(storage, clock)
        foreign = await stored(storage, clock, owner="bob")
        begun = [await until_asked(storage, scene) for scene in (one, two, foreign)]
        ada = OwnerId("ada")
        everything = await storage.pending(ada, None)
        assert [item.turn_id for item in everything] == [item.turn_id for item in begun[:2]]
        loaded = (await storage.load(one.id)).executions
        assert everything[0] == loaded[everything[0].id]
        assert everything[0].state == "waiting"
        assert await storage.pending(ada, two.id) == everything[1:]
        assert await storage.pending(ada, foreign.id) == ()
        rejected = ev.ApprovalAnswered(everything[0].id, Decision("reject"))
        await storage.append(one.id, [rejected], clock.now())
        assert await storage.pending(ada, None) == everything[1:]

    async def test_a_call_is_decided_once(self, storage: Storage, clock: ManualClock) -> None:
        """Of two who answer at once, one was faster, and the other learns it."""
        scene = await stored(storage, clock)
        await until_asked(storage, scene)
        (waiting,) = await storage.pending(scene.owner, scene.id)
        answers = [
            ev.ApprovalAnswered(waiting.id, Decision("reject", reason=str(n))) for n in range(2)
        ]
        outcomes = await asyncio.gather(
            *(storage.append(scene.id, [answer], clock.now()) for answer in answers),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1

    async def test_a_call_is_proposed_once(self, storage: Storage, clock: ManualClock) -> None:
        """And only in a turn of its own conversation."""
        scene, other = await stored(storage, clock), await stored(storage, clock)
        await until_asked(storage, scene)
        await until_asked(storage, other)
        (waiting,) = await storage.pending(scene.owner, scene.id)
        for place in (scene, other):
            with pytest.raises(Conflict):
                await storage.append(place.id, [ev.ToolProposed(waiting)], clock.now())

    async def test_a_turn_ends_once(self, storage: Storage, clock: ManualClock) -> None:
        """Nothing is added to it afterwards."""
        scene = await stored(storage, clock)
        turn_id = await play(storage, scene)
        seq = await storage.seq(scene.id)
        late: list[ev.Event] = [ev.TurnCancelled(turn_id), ev.CancelRequested(turn_id)]
        for event in late:
            with pytest.raises(Conflict):
                await storage.append(scene.id, [event], clock.now())
        assert (await storage.turn(turn_id)).state == "finished"
        assert await storage.seq(scene.id) == seq
