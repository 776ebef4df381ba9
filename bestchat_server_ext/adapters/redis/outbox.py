"""What this process tells the others: published soon, in order, and waited for by nobody.

The queue has an end. Where it is full, or Redis is away, everything in it is given up, and the
topics it was about are told so as soon as Redis takes something again: their readers look into
storage then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from bestchat_server_ext.adapters.redis.payload import pack
from bestchat_server_ext.adapters.redis.server import RedisServer
from bestchat_server_ext.ports.bus import Frame

CAPACITY = 10_000
"""Publications that wait, before all are given up."""

TOGETHER = 200
"""Publications that go out in one go."""


_PUBLISH = """
for i = 1, #ARGV, 2 do
  redis.call('PUBLISH', ARGV[i], ARGV[i + 1])
end
"""
# One command and one answer for many publications: most of what each would cost us otherwise.


class Outbox:
    """The publications of one process on their way."""

    def __init__(self, server: RedisServer, mark: bytes, capacity: int = CAPACITY) -> None:
        """Publish on a server as somebody, with at most `capacity` publications waiting."""
        self._server = server
        self._together = server.client.register_script(_PUBLISH)
        self._mark = mark
        self._capacity = capacity
        self._queue: deque[tuple[str, Sequence[Frame]]] = deque()
        self._lost: set[str] = set()
        self._broken = False
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        """How many publications wait."""
        return len(self._queue)

    def put(self, topic: str, frames: Sequence[Frame]) -> None:
        """Have frames published."""
        if self._broken or len(self._queue) >= self._capacity:
            self._give_up([topic])
        else:
            self._queue.append((topic, frames))
        self._empty.clear()
        self._news.set()

    def _give_up(self, topics: Sequence[str]) -> None:
        """What follows a loss must not come before the word of it, so that all of it is lost."""
        self._lost.update(topics, (topic for topic, _ in self._queue))
        self._queue.clear()

    async def run(self) -> None:
        """Publish until cancelled."""
        failed = 0
        while True:
            await self._news.wait()
            lost, self._lost = self._lost, set()
            taken = [self._queue.popleft() for _ in range(min(TOGETHER, len(self._queue)))]
            try:
                await self._publish([*((topic, ()) for topic in lost), *taken])
            except Exception as error:  # noqa: BLE001  what cannot be sent must not hold up the rest
                failed, self._broken = failed + 1, True
                self._give_up([*lost, *(topic for topic, _ in taken)])
                self._server.refuse(error)
                await self._server.pause(failed)
            else:
                self._server.accept()
                failed, self._broken = 0, False
                if not self._queue and not self._lost:
                    self._news.clear()
                    self._empty.set()

    async def _publish(self, publications: Sequence[tuple[str, Sequence[Frame]]]) -> None:
        arguments: list[str | bytes] = []
        for topic, frames in publications:
            arguments += self._server.key(topic), pack(self._mark, frames)
        await self._together(args=arguments)

    async def sent(self) -> None:
        """Wait until nothing waits any more."""
        await self._empty.wait()
