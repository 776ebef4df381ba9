"""What every storage has to do with leases and with the texts of running turns."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import answer_id
from bestchat_server_ext.core.errors import LeaseLost, NotFound
from bestchat_server_ext.core.ids import TurnId
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.ports.storage import Claim, Lease, PartialText, Storage
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Begun, Scene, reply
from bestchat_server_ext.testing.port_suites.storage_conversations import stored
from bestchat_server_ext.testing.port_suites.storage_turns import until_asked

_SECONDS = 10


def _until(clock: ManualClock) -> datetime:
    return clock.now() + timedelta(seconds=_SECONDS)


def _claim(turn_id: TurnId, clock: ManualClock, holder: str = "one") -> Claim:
    return Claim(turn_id, holder, _until(clock))


async def _run(storage: Storage, clock: ManualClock) -> tuple[Scene, Begun, Lease]:
    """A turn that has begun, with the lease that came with it."""
    scene = await stored(storage, clock)
    begun = scene.begin()
    claim = _claim(begun.turn_id, clock)
    appended = await storage.append(scene.id, begun.events, clock.now(), claim=claim)
    assert appended.lease is not None
    return scene, begun, appended.lease


def _step(begun: Begun, step: int = 1) -> ev.StepStarted:
    answer = answer_id(begun.turn_id, step)
    return ev.StepStarted(begun.turn_id, step, answer, begun.message.id)


class LeaseSuite:
    """Leases: claimed, checked, renewed, released, seized."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Moments and names."""
        return ManualClock()

    async def test_a_new_turn_is_claimed(self, storage: Storage, clock: ManualClock) -> None:
        """Once: who comes later gets no lease, and what they append is stored all the same."""
        scene, begun, lease = await _run(storage, clock)
        assert lease == Lease(begun.turn_id, "one", 1)
        renamed = ev.ConversationRenamed("x")
        for holder in ("one", "two"):
            claim = _claim(begun.turn_id, clock, holder)
            late = await storage.append(scene.id, [renamed], clock.now(), claim=claim)
            assert late.lease is None
            assert len(late.envelopes) == 1

    async def test_a_turn_that_nobody_holds_is_claimed(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """With an event, as an approval is; or without, to take it up."""
        scene = await stored(storage, clock)
        begun = await until_asked(storage, scene)
        claim = _claim(begun.turn_id, clock)
        assert (await storage.append(scene.id, [], clock.now(), claim=claim)).lease is not None

    async def test_a_turn_that_ends_or_is_elsewhere_is_not_claimed(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """There would be nothing to hold."""
        scene, other = await stored(storage, clock), await stored(storage, clock)
        begun, elsewhere = scene.begin(), other.begin()
        await storage.append(other.id, elsewhere.events, clock.now())
        events = [*begun.events, ev.TurnCancelled(begun.turn_id)]
        for turn_id in (begun.turn_id, elsewhere.turn_id, TurnId(clock.new_id())):
            claim = _claim(turn_id, clock)
            assert (await storage.append(scene.id, events, clock.now(), claim=claim)).lease is None
            events = []

    async def test_a_lease_lets_write(self, storage: Storage, clock: ManualClock) -> None:
        """Also when it is late: only being taken over ends it."""
        scene, begun, lease = await _run(storage, clock)
        clock.advance(_SECONDS * 10)
        await storage.append(scene.id, [_step(begun)], clock.now(), lease=lease)
        assert (await storage.turn(begun.turn_id)).step == 1

    async def test_a_lease_that_does_not_hold_writes_nothing(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Neither somebody else's, nor an older, nor one of another conversation's turn."""
        scene, begun, lease = await _run(storage, clock)
        _, _, elsewhere = await _run(storage, clock)
        for wrong in (
            msgspec.structs.replace(lease, holder="two"),
            msgspec.structs.replace(lease, fence=0),
            msgspec.structs.replace(lease, turn_id=TurnId(clock.new_id())),
            elsewhere,
        ):
            with pytest.raises(LeaseLost):
                await storage.append(scene.id, [_step(begun)], clock.now(), lease=wrong)
        assert await storage.seq(scene.id) == 3

    async def test_a_lease_ends_with_its_turn(self, storage: Storage, clock: ManualClock) -> None:
        """Nothing is left to renew or to seize."""
        scene, begun, lease = await _run(storage, clock)
        await storage.renew([PartialText(lease, reply("Half"))], _until(clock))
        ended = ev.TurnFinished(begun.turn_id)
        await storage.append(scene.id, [ended], clock.now(), lease=lease)
        with pytest.raises(LeaseLost):
            await storage.append(scene.id, [ev.ConversationRenamed("x")], clock.now(), lease=lease)
        assert await storage.renew([PartialText(lease, None)], _until(clock)) == (begun.turn_id,)
        clock.advance(_SECONDS * 10)
        assert await storage.seize_expired(clock.now(), "two", _until(clock)) == []
        assert await storage.partial(begun.turn_id) == Reply()

    async def test_what_has_run_out_is_seized(self, storage: Storage, clock: ManualClock) -> None:
        """Once, and its former holder can do nothing more."""
        scene, begun, old = await _run(storage, clock)
        clock.advance(_SECONDS + 1)
        _, _, fresh = await _run(storage, clock)
        (lease,) = await storage.seize_expired(clock.now(), "two", _until(clock))
        assert lease == Lease(begun.turn_id, "two", 2)
        assert await storage.seize_expired(clock.now(), "three", _until(clock)) == []
        with pytest.raises(LeaseLost):
            await storage.append(scene.id, [_step(begun)], clock.now(), lease=old)
        texts = [PartialText(old, reply("late")), PartialText(fresh, None)]
        assert await storage.renew(texts, _until(clock)) == (begun.turn_id,)
        assert await storage.partial(begun.turn_id) == Reply()
        assert not await storage.release(old, 3)
        ended = ev.TurnInterrupted(begun.turn_id)
        await storage.append(scene.id, [ended], clock.now(), lease=lease)

    async def test_a_renewed_lease_is_not_seized(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Until it runs out in its turn."""
        _, begun, lease = await _run(storage, clock)
        clock.advance(_SECONDS - 1)
        assert await storage.renew([PartialText(lease, None)], _until(clock)) == ()
        clock.advance(_SECONDS - 1)
        assert await storage.seize_expired(clock.now(), "two", _until(clock)) == []
        clock.advance(2)
        seized = await storage.seize_expired(clock.now(), "two", _until(clock))
        assert [item.turn_id for item in seized] == [begun.turn_id]

    async def test_a_released_turn_is_never_seized(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """It waits as long as it takes, and whoever claims it next has a greater number."""
        scene, begun, lease = await _run(storage, clock)
        waiting = ev.TurnWaiting(begun.turn_id)
        await storage.append(scene.id, [waiting], clock.now(), lease=lease)
        assert await storage.release(lease, 4)
        assert not await storage.release(lease, 4)
        clock.advance(_SECONDS * 10)
        assert await storage.seize_expired(clock.now(), "two", _until(clock)) == []
        claim = _claim(begun.turn_id, clock, "two")
        taken = await storage.append(scene.id, [], clock.now(), claim=claim)
        assert taken.lease == Lease(begun.turn_id, "two", 2)

    async def test_a_turn_is_not_released_over_news(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """An answer that came in between is still the holder's to act upon."""
        scene, _, lease = await _run(storage, clock)
        await storage.append(scene.id, [ev.ConversationRenamed("x")], clock.now())
        assert not await storage.release(lease, 3)
        await storage.append(scene.id, [ev.ConversationRenamed("y")], clock.now(), lease=lease)

    async def test_partial_texts_are_kept(self, storage: Storage, clock: ManualClock) -> None:
        """Of several turns together; no news leaves what is there; none at all is empty."""
        _, one, first = await _run(storage, clock)
        _, two, second = await _run(storage, clock)
        assert await storage.partial(one.turn_id) == Reply()
        said = [PartialText(first, reply("Half an")), PartialText(second, reply("Other"))]
        assert await storage.renew(said, _until(clock)) == ()
        news = [PartialText(first, None), PartialText(second, reply("Other text"))]
        assert await storage.renew(news, _until(clock)) == ()
        assert await storage.partial(one.turn_id) == reply("Half an")
        assert await storage.partial(two.turn_id) == reply("Other text")
        assert await storage.renew([], _until(clock)) == ()

    async def test_a_partial_text_ends_with_its_step(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """After a crash, nobody must take it for the beginning of the next answer."""
        scene, begun, lease = await _run(storage, clock)
        await storage.renew([PartialText(lease, reply("First"))], _until(clock))
        renamed = ev.ConversationRenamed("x")
        await storage.append(scene.id, [renamed], clock.now(), lease=lease)
        assert await storage.partial(begun.turn_id) == reply("First")
        await storage.append(scene.id, [_step(begun, 2)], clock.now(), lease=lease)
        assert await storage.partial(begun.turn_id) == Reply()
        late = PartialText(lease, reply("First, and more"), step=1)
        assert await storage.renew([late], _until(clock)) == ()
        assert await storage.partial(begun.turn_id) == Reply()

    async def test_a_deleted_conversation_takes_its_leases_along(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Who still writes to it learns that it is gone."""
        scene, begun, lease = await _run(storage, clock)
        await storage.delete(scene.id, clock.now())
        with pytest.raises(NotFound):
            await storage.append(scene.id, [_step(begun)], clock.now(), lease=lease)
        assert await storage.renew([PartialText(lease, None)], _until(clock)) == (begun.turn_id,)
        assert not await storage.release(lease, 3)
        clock.advance(_SECONDS * 10)
        assert await storage.seize_expired(clock.now(), "two", _until(clock)) == []
