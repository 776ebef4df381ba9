"""RedisBus: listeners of this process are told at once, those of others through Redis.

Listeners never wait for Redis, nor does it tell them what they were told already. When it was
away, and whenever something was lost on the way, listeners are told that they lag: then they look
into storage, and listen again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from bestchat_server_ext.adapters.redis.listener import Listener, end
from bestchat_server_ext.adapters.redis.outbox import CAPACITY, Outbox
from bestchat_server_ext.adapters.redis.payload import MARK_BYTES, unpack
from bestchat_server_ext.adapters.redis.server import RedisServer
from bestchat_server_ext.ports.bus import Bus, Frame, Lagged, Subscription

JOIN_SECONDS = 0.5
"""How long a listener waits for Redis to let it join. Afterwards it begins all the same, and again
when Redis has."""

CLOSE_SECONDS = 1.0
"""How long what still waits may take to go out when all ends."""


class LocalBus(Bus, Protocol):
    """The bus within this process."""

    @property
    def waiting(self) -> int:
        """Frames that wait for all listeners together."""
        ...


class _Topic:
    """What this process listens to."""

    def __init__(self) -> None:
        self.subscriptions: set[_Subscription] = set()
        self.joined = False
        self.settled = asyncio.Event()
        """Redis has let us join, or is away."""


class RedisBus:
    """Carries frames to listeners of this process, and of all that share its database."""

    def __init__(self, server: RedisServer, local: LocalBus, capacity: int = CAPACITY) -> None:
        """Tell the others through a server, with at most `capacity` publications waiting."""
        self._server = server
        self._local = local
        self._mark = secrets.token_hex(MARK_BYTES // 2).encode()
        self._outbox = Outbox(server, self._mark, capacity)
        self._listener = Listener(server, self._hear, self._joined, self._lost)
        self._topics: dict[str, _Topic] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Begin to speak and to listen."""
        self._tasks = [
            asyncio.create_task(self._listener.run(), name="bestchat-redis-listener"),
            asyncio.create_task(self._outbox.run(), name="bestchat-redis-outbox"),
        ]

    async def close(self) -> None:
        """Tell the others what is still to be told, if they can be reached, and let go."""
        if self._server.up:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._outbox.sent()
        await end(self._tasks)
        await self._server.close()

    @property
    def everywhere(self) -> bool:
        """Whether what others publish arrives."""
        return self._server.up

    @property
    def waiting(self) -> int:
        """Frames that wait for all listeners together, and publications for Redis."""
        return self._local.waiting + len(self._outbox)

    async def publish(self, topic: str, frames: Sequence[Frame]) -> None:
        """Hand frames to everyone who listens to a topic; never waits."""
        if frames:
            await self._local.publish(topic, frames)
            self._outbox.put(topic, frames)

    async def subscribe(self, topic: str) -> Subscription:
        """Listen from this moment on."""
        subscription = _Subscription(self, topic, await self._local.subscribe(topic))
        known = self._topics.get(topic)
        if known is None:
            known = self._topics[topic] = _Topic()
            self._listener.join(topic)
        known.subscriptions.add(subscription)
        if self._server.up and not known.joined:
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(JOIN_SECONDS):
                        await known.settled.wait()
            except BaseException:
                subscription.close()
                raise
        subscription.listening = True
        return subscription

    def leave(self, topic: str, subscription: _Subscription) -> None:
        """Forget a listener, and the topic with the last one."""
        known = self._topics.get(topic)
        if known is None or subscription not in known.subscriptions:
            return
        known.subscriptions.remove(subscription)
        if not known.subscriptions:
            del self._topics[topic]
            self._listener.leave(topic)

    async def _hear(self, topic: str, payload: bytes) -> None:
        if payload.startswith(self._mark):
            return
        if frames := unpack(topic, payload):
            await self._local.publish(topic, frames)
        else:
            self._lag(topic)

    def _joined(self, topic: str) -> None:
        known = self._topics[topic]
        known.joined = True
        self._lag(topic)
        known.settled.set()

    def _lost(self) -> None:
        for known in self._topics.values():
            known.joined = False
            known.settled.set()  # nobody waits for what is away
            known.settled = asyncio.Event()

    def _lag(self, topic: str) -> None:
        """Have those begin again who may have missed something."""
        known = self._topics.get(topic)
        for subscription in tuple(known.subscriptions) if known else ():
            if subscription.listening:
                subscription.lag()


class _Subscription:
    def __init__(self, bus: RedisBus, topic: str, heard: Subscription) -> None:
        self._bus = bus
        self._topic = topic
        self._heard = heard
        self.listening = False
        """Whether its listener has got it, and counts on hearing everything."""

    async def get(self) -> Sequence[Frame]:
        try:
            return await self._heard.get()
        except Lagged:
            self.close()
            raise

    def lag(self) -> None:
        self._heard.close()

    def close(self) -> None:
        self._heard.close()
        self._bus.leave(self._topic, self)
