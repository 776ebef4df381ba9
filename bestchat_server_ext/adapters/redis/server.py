"""Where Redis is, whether it answers, and what things are called there."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from redis import exceptions as failures
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection

from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.ports.clock import Clock

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

TROUBLE = (failures.RedisError, OSError, TimeoutError)
"""Whatever comes of a server that is not there, or does not do what it is told."""

CONNECTIONS = 10
"""Connections for commands, beside the one that listens."""

ANSWER_SECONDS = 2.0
"""How long a command may take, and a connection to be made."""

PATIENCE_SECONDS = 0.25
"""How long somebody waits for what storage has as well."""

PAUSE_SECONDS = (0.1, 0.3, 1.0, 3.0)
"""Pauses between attempts to reach it, the last one again and again; each is jittered."""

REST_SECONDS = 5.0
"""How long nobody asks it anything after it kept somebody waiting."""

_WHY: tuple[tuple[type[Exception], str], ...] = (
    (failures.AuthenticationError, "does not accept the user or the password in `redis_url`"),
    (failures.NoPermissionError, "does not allow this user what BestChat needs"),
    (failures.BusyLoadingError, "is still loading its data"),
    (failures.ReadOnlyError, "is a replica, which cannot be written to"),
    (failures.OutOfMemoryError, "has no memory left"),
    (failures.TimeoutError, "does not answer in time"),
    (TimeoutError, "does not answer in time"),
    (failures.ConnectionError, "cannot be reached"),
    (OSError, "cannot be reached"),
)


@dataclass(frozen=True)
class RedisReport:
    """What looking at a Redis has found.

    Attributes:
        label: what it is called in front of people.
        version: its version, if it answers.
        trouble: why it does not, in one sentence.
    """

    label: str
    version: str = ""
    trouble: str = ""


class RedisServer:
    """One Redis, as one installation sees it."""

    def __init__(self, url: str, installation: str, clock: Clock) -> None:
        """Know its address; nothing is opened yet.

        Args:
            url: redis://, rediss:// or unix://, with user and password if need be.
            installation: what tells our database from others: several may share one Redis.
            clock: tells when to try again.

        Raises:
            InvalidRequest: the address cannot be used.
        """
        try:
            self._pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=PATIENCE_SECONDS,
                protocol=2,
                socket_timeout=ANSWER_SECONDS,
                socket_connect_timeout=ANSWER_SECONDS,
                client_name="bestchat",
            )
            sample = self.connection()
        except (failures.RedisError, TypeError, ValueError):
            raise InvalidRequest(
                "`redis_url` cannot be read.",
                hint="Write it as redis://user:password@host:6379/0, with rediss:// for TLS.",
                field="redis_url",
            ) from None
        pieces = dict(sample.repr_pieces())
        self.label = str(pieces.get("path") or f"{pieces.get('host')}:{pieces.get('port')}")
        """What it is called in front of people."""
        self.client: Redis = Redis(connection_pool=self._pool)
        self._prefix = f"bestchat:{sha256(installation.encode()).hexdigest()[:16]}:"
        self._clock = clock
        self._why = "was not reached yet"
        self._refuses = ""
        self._noted = ""
        self._rests_until = 0.0
        self.up = False
        """Whether what others publish arrives."""

    def connection(self) -> AbstractConnection:
        """A connection of one's own, not open yet."""
        made: AbstractConnection = self._pool.make_connection()
        return made

    def key(self, name: str) -> str:
        """What something is called there."""
        return self._prefix + name

    def name(self, key: bytes) -> str:
        """What is called so there."""
        return key.decode().removeprefix(self._prefix)

    @property
    def state(self) -> str:
        """`ok`, or what is wrong, in one sentence."""
        if not self.up:
            return f"Redis at {self.label} {self._why}."
        if self._refuses:
            return f"Redis at {self.label} does not pass on what this server says: {self._refuses}."
        return "ok"

    def begin(self) -> None:
        """It answers from now on."""
        self.up, self._rests_until, self._refuses = True, 0.0, ""
        _log.info("BestChat: Redis at %s answers", self.label)

    def end(self, error: BaseException) -> None:
        """It is away. Said once, however long it stays away."""
        why = self._explain(error)
        if self.up or why != self._why:
            _log.warning("BestChat: Redis at %s %s", self.label, why)
        self.up, self._why = False, why

    def note(self, error: BaseException) -> None:
        """It did not do what it was told. Said once, until it does again."""
        why = self._explain(error)
        if why != self._noted:
            _log.warning("BestChat: Redis at %s %s", self.label, why)
        self._noted = why

    def refuse(self, error: BaseException) -> None:
        """It does not take what is published. Said once, however often that is tried."""
        if not self.up:
            return  # which says it all
        why = f"it {self._explain(error)}"
        if why != self._refuses:
            _log.warning(
                "BestChat: Redis at %s does not pass on what this server says: %s", self.label, why
            )
        self._refuses = why

    def accept(self) -> None:
        """It takes what is published."""
        if self._refuses:
            _log.info("BestChat: Redis at %s passes on what this server says again", self.label)
        self._refuses = ""

    def _explain(self, error: BaseException) -> str:
        """What is wrong, and for what names rights are missing: nobody else tells those names."""
        why = explain(error)
        return f"{why} on {self._prefix}*" if isinstance(error, failures.NoPermissionError) else why

    async def answer(self, ask: Callable[[Redis], Awaitable[Answer]]) -> Answer | None:
        """What it answers; none where it does not, which is not waited for again and again."""
        if not self.up or self._clock.monotonic() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await ask(self.client)
        except TROUBLE as error:
            self.note(error)
            self._rests_until = self._clock.monotonic() + jittered(REST_SECONDS)
            return None
        else:
            self._noted = ""
            return found

    async def pause(self, failures_in_a_row: int) -> None:
        """Wait a little before the next attempt, longer the more have failed."""
        index = min(failures_in_a_row, len(PAUSE_SECONDS)) - 1
        await self._clock.sleep(jittered(PAUSE_SECONDS[index]))

    async def inspect(self) -> RedisReport:
        """Whether it answers, once, and what it is; then let go of it."""
        try:
            found = await self.client.info("server")
        except TROUBLE as error:
            return RedisReport(self.label, trouble=f"It {explain(error)}.")
        else:
            return RedisReport(self.label, version=str(found.get("redis_version", "unknown")))
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of all connections."""
        await self.client.aclose()
        await self._pool.aclose()


def explain(error: BaseException) -> str:
    """What is wrong with it, as the end of a sentence. Nothing of what it says is repeated."""
    found = (why for kind, why in _WHY if isinstance(error, kind))
    ours = not isinstance(error, failures.RedisError)
    what = "has led to an error in BestChat" if ours else "refuses what it is asked"
    return next(found, f"{what}: {type(error).__name__}")


def jittered(seconds: float) -> float:
    """Half of it to all of it: many who wait for one thing do not come back all at once."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311  nobody gains by guessing it
