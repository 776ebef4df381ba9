"""The one connection on which the others are heard, whatever this process listens to.

Redis says when a topic is joined. Whoever began to listen before that, because Redis was away or
slow, may have missed something; the bus sees to them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from math import inf

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import TimeoutError as TooLate

from bestchat_server_ext.adapters.redis.server import RedisServer

PING_SECONDS = 5.0
"""How often Redis has to show that it is there; it is given up when it has missed two."""

AGAIN_SECONDS = 0.1
"""How long a task may take to end, before it is told again."""

Hear = Callable[[str, bytes], Awaitable[None]]
"""Takes a topic and what was published on it."""


class Listener:
    """Hears what is published on the topics that it has joined."""

    def __init__(
        self,
        server: RedisServer,
        hear: Hear,
        joined: Callable[[str], None],
        lost: Callable[[], None],
    ) -> None:
        """Pass on what is heard, which topics Redis has let it join, and that it was cut off."""
        self._server = server
        self._hear, self._joined, self._lost = hear, joined, lost
        self._topics: set[str] = set()
        self._commands: list[tuple[str, ...]] = []
        self._wanted = asyncio.Event()
        self._unconfirmed: Counter[str] = Counter()
        self._heard_at = 0.0

    def join(self, topic: str) -> None:
        """Hear a topic, as soon as there is a connection."""
        self._topics.add(topic)
        if self._server.up:
            self._unconfirmed[topic] += 1
            self._command("SUBSCRIBE", topic)

    def leave(self, topic: str) -> None:
        """Hear a topic no longer."""
        self._topics.discard(topic)
        if self._server.up:
            self._command("UNSUBSCRIBE", topic)

    def _command(self, command: str, topic: str) -> None:
        self._commands.append((command, self._server.key(topic)))
        self._wanted.set()

    async def run(self) -> None:
        """Listen until cancelled; come back after each loss."""
        failed = 0
        while True:
            connection = self._server.connection()
            try:
                await connection.connect()
                failed = 0
                await self._listen(connection)
            except Exception as error:  # noqa: BLE001  whatever came, the others are to be heard again
                failed += 1
                self._server.end(error)
                self._lost()
            finally:
                await connection.disconnect(nowait=True)
            await self._server.pause(failed)

    async def _listen(self, connection: AbstractConnection) -> None:
        """Be there until something goes wrong, and raise that."""
        self._server.begin()
        self._commands, self._unconfirmed = [], Counter(self._topics)
        for topic in self._topics:
            self._command("SUBSCRIBE", topic)
        self._heard_at = asyncio.get_running_loop().time()
        speaking = asyncio.create_task(self._speak(connection), name="bestchat-redis-speak")
        hearing = asyncio.create_task(self._listen_on(connection), name="bestchat-redis-hear")
        both = {speaking, hearing}
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await end(both)

    async def _speak(self, connection: AbstractConnection) -> None:
        """Say what is to be heard; ask now and then whether anybody is there."""
        now = asyncio.get_running_loop().time
        ask_at = now() + PING_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(ask_at):
                    await self._wanted.wait()
            if now() >= ask_at:  # however much there was to say meanwhile
                if now() - self._heard_at > 2 * PING_SECONDS:
                    raise TooLate
                self._commands.append(("PING",))
                ask_at = now() + PING_SECONDS
            commands, self._commands = self._commands, []
            self._wanted.clear()
            packed = connection.pack_commands(commands)
            await connection.send_packed_command(packed, check_health=False)

    async def _listen_on(self, connection: AbstractConnection) -> None:
        while True:
            said = await connection.read_response(disable_decoding=True, timeout=inf)
            self._heard_at = asyncio.get_running_loop().time()
            match said:
                case [b"message", bytes(key), bytes(payload)]:
                    await self._hear(self._server.name(key), payload)
                case [b"subscribe", bytes(key), _]:
                    self._confirm(self._server.name(key))
                case _:
                    pass  # what was left, and that somebody is there

    def _confirm(self, topic: str) -> None:
        """A topic is heard from now on, unless it was left and joined again meanwhile."""
        self._unconfirmed[topic] -= 1
        if self._unconfirmed[topic] <= 0:
            del self._unconfirmed[topic]
            if topic in self._topics:
                self._joined(topic)


async def end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended, whatever with.

    Once is not always enough: `asyncio.wait_for`, in which redis sends, may swallow it before
    Python 3.12.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
