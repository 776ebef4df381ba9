"""What every bus has to do, as tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bestchat_server_ext.core.events import Delta
from bestchat_server_ext.core.ids import ConversationId, MessageId, TurnId
from bestchat_server_ext.ports.bus import Bus, DraftWanted, Frame, Lagged, Subscription

_SECONDS = 5.0
"""How long a frame may take; far beyond what any bus needs."""


def _frames(*texts: str, topic: str = "topic") -> list[Frame]:
    key = "01980000-0000-7000-8000-000000000000"
    names = ConversationId(topic), TurnId(key), MessageId(key)
    return [Frame(Delta(*names, 0, "text", n, n, text)) for n, text in enumerate(texts, 1)]


def _texts(frames: Sequence[Frame]) -> list[str]:
    return [frame.item.text for frame in frames if isinstance(frame.item, Delta)]


async def _hear(subscription: Subscription, count: int) -> list[str]:
    """Take frames until there are so many."""
    heard: list[str] = []
    while len(heard) < count:
        frames = await asyncio.wait_for(subscription.get(), _SECONDS)
        assert frames, "a listener is woken for nothing"
        heard += _texts(frames)
    return heard


class BusSuite:
    """The tests. Define the fixture `bus`: one that lets `capacity` frames wait per listener."""

    capacity = 1000

    async def test_frames_arrive_in_order(self, bus: Bus) -> None:
        """What was published first is heard first, across calls."""
        subscription = await bus.subscribe("topic")
        await bus.publish("topic", _frames("a", "b"))
        await bus.publish("topic", _frames("c"))
        assert await _hear(subscription, 3) == ["a", "b", "c"]

    async def test_a_frame_arrives_as_it_was(self, bus: Bus) -> None:
        """Item and JSON: nothing is changed on the way, nothing is left out."""
        key = "01980000-0000-7000-8000-000000000000"
        sent = [
            *_frames("e\u0301 👩‍👩‍👧 \x00"),
            Frame(DraftWanted(ConversationId("topic"), MessageId(key), 1, 2, 3)),
        ]
        subscription = await bus.subscribe("topic")
        await bus.publish("topic", sent)
        heard: list[Frame] = []
        while len(heard) < len(sent):
            heard += await asyncio.wait_for(subscription.get(), _SECONDS)
        assert [(frame.item, frame.json) for frame in heard] == [
            (frame.item, frame.json) for frame in sent
        ]

    async def test_everybody_hears_everything_of_a_topic(self, bus: Bus) -> None:
        """Listeners do not take frames away from each other."""
        listeners = [await bus.subscribe("topic") for _ in range(3)]
        await bus.publish("topic", _frames("a"))
        assert [await _hear(listener, 1) for listener in listeners] == [["a"]] * 3

    async def test_topics_are_apart(self, bus: Bus) -> None:
        """Nobody hears what another topic is told."""
        subscription = await bus.subscribe("topic")
        await bus.publish("other", _frames("not this", topic="other"))
        await bus.publish("topic", _frames("this"))
        assert await _hear(subscription, 1) == ["this"]

    async def test_the_past_is_not_heard(self, bus: Bus) -> None:
        """A subscription begins when it is made."""
        await bus.publish("topic", _frames("before"))
        subscription = await bus.subscribe("topic")
        await bus.publish("topic", _frames("after"))
        assert await _hear(subscription, 1) == ["after"]

    async def test_a_listener_waits_until_there_is_something(self, bus: Bus) -> None:
        """`get` returns with the first frame and not before."""
        subscription = await bus.subscribe("topic")
        waiting = asyncio.create_task(_hear(subscription, 1))
        await asyncio.sleep(0)
        assert not waiting.done()
        await bus.publish("topic", _frames("now"))
        assert await waiting == ["now"]

    async def test_a_cancelled_wait_loses_nothing(self, bus: Bus) -> None:
        """Giving up waiting is not giving up listening."""
        subscription = await bus.subscribe("topic")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(subscription.get(), 0)
        await bus.publish("topic", _frames("later"))
        assert await _hear(subscription, 1) == ["later"]

    async def test_a_slow_listener_is_told_so_and_dropped(self, bus: Bus) -> None:
        """Publishing never waits; who has too much unread starts again from storage."""
        slow, quick = await bus.subscribe("topic"), await bus.subscribe("topic")
        for _ in range(self.capacity):
            await asyncio.wait_for(bus.publish("topic", _frames("x")), _SECONDS)
            await _hear(quick, 1)
        await bus.publish("topic", _frames("one too many"))
        assert await _hear(quick, 1) == ["one too many"]
        with pytest.raises(Lagged):
            await self._exhaust(slow)
        with pytest.raises(Lagged):
            await asyncio.wait_for(slow.get(), _SECONDS)

    async def _exhaust(self, subscription: Subscription) -> None:
        """Read until there is nothing more to read. A network may deliver some before it fails."""
        while True:
            await asyncio.wait_for(subscription.get(), _SECONDS)

    async def test_as_much_as_fits_is_kept(self, bus: Bus) -> None:
        """A listener is dropped for what it has unread, not for what it has read."""
        subscription = await bus.subscribe("topic")
        for _ in range(2):
            await bus.publish("topic", _frames(*"x" * self.capacity))
            assert len(await _hear(subscription, self.capacity)) == self.capacity

    async def test_a_closed_subscription_hears_nothing(self, bus: Bus) -> None:
        """Closing twice is no mistake, and others go on listening."""
        closed, other = await bus.subscribe("topic"), await bus.subscribe("topic")
        closed.close()
        closed.close()
        await bus.publish("topic", _frames("a"))
        assert await _hear(other, 1) == ["a"]
        with pytest.raises(Lagged):
            await asyncio.wait_for(closed.get(), _SECONDS)

    async def test_closing_wakes_who_waits(self, bus: Bus) -> None:
        """Nobody waits for a subscription that has ended."""
        subscription = await bus.subscribe("topic")
        waiting = asyncio.create_task(subscription.get())
        await asyncio.sleep(0)
        subscription.close()
        with pytest.raises(Lagged):
            await asyncio.wait_for(waiting, _SECONDS)
