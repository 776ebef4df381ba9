"""The bus within one process and one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bestchat_server_ext.ports.bus import Frame, Lagged, Subscription

CAPACITY = 1000
"""Frames that wait for one listener before it is given up."""


class MemoryBus:
    """Hands frames to listeners in the same event loop."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Let at most `capacity` frames wait for each listener."""
        self._capacity = capacity
        self._topics: dict[str, list[_MemorySubscription]] = {}

    @property
    def everywhere(self) -> bool:
        """No: nothing of other processes arrives."""
        return False

    @property
    def waiting(self) -> int:
        """Frames that wait for all listeners together."""
        return sum(
            listener.waiting
            for listeners in tuple(self._topics.values())
            for listener in tuple(listeners)
        )

    async def publish(self, topic: str, frames: Sequence[Frame]) -> None:
        """Hand frames to everyone who listens to a topic; never waits."""
        listeners = self._topics.get(topic)
        if listeners is None or not frames:
            return
        for listener in tuple(listeners):  # one that lags leaves the list
            listener.put(frames)

    async def subscribe(self, topic: str) -> Subscription:
        """Listen from this moment on."""
        subscription = _MemorySubscription(self, topic, self._capacity)
        self._topics.setdefault(topic, []).append(subscription)
        return subscription

    def leave(self, topic: str, subscription: _MemorySubscription) -> None:
        """Forget a listener, and the topic with the last one."""
        listeners = self._topics.get(topic, [])
        if subscription in listeners:
            listeners.remove(subscription)
            if not listeners:
                del self._topics[topic]


class _MemorySubscription:
    def __init__(self, bus: MemoryBus, topic: str, capacity: int) -> None:
        self._bus = bus
        self._topic = topic
        self._capacity = capacity
        self._frames: list[Frame] = []
        self._news = asyncio.Event()
        self._open = True

    @property
    def waiting(self) -> int:
        return len(self._frames)

    def put(self, frames: Sequence[Frame]) -> None:
        if len(self._frames) + len(frames) > self._capacity:
            self.close()
            return
        self._frames.extend(frames)
        self._news.set()

    async def get(self) -> Sequence[Frame]:
        await self._news.wait()
        if not self._open:
            raise Lagged(f"nothing is kept for a closed subscription to {self._topic}")
        frames, self._frames = self._frames, []
        self._news.clear()
        return frames

    def close(self) -> None:
        self._bus.leave(self._topic, self)
        self._open = False
        self._frames = []
        self._news.set()  # whoever waits learns of it
