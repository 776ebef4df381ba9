"""Redis servers: one that all tests share, and others that a test starts, stops and kills."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from bestchat_server_ext.adapters.clock_system import SystemClock
from bestchat_server_ext.adapters.redis import RedisServer

REDIS = os.environ.get("BESTCHAT_TEST_REDIS_URL", "")
"""The server to use; what tests leave there has names of its own, and an end."""

REDIS_ADDRESS = "redis://127.0.0.1:6379"
"""Where else one is looked for."""

PROGRAMS = ("redis-server", "valkey-server")


class OwnRedis:
    """A Redis of a test's own, which forgets everything when it ends."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}"
        self._port, self._folder = port, folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it, and wait until it answers."""
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        assert program is not None, "There is no redis-server: run scripts/ensure redis"
        self._process = subprocess.Popen(
            [
                *(program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""),
                *("--appendonly", "no", "--dir", str(self._folder), *options),
            ],
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 10
        while not answers(self.url):
            assert self._process.poll() is None, "it ended at once"
            assert time.monotonic() < until

    def kill(self) -> None:
        """End it without a word."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Have it answer nobody, with all connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)


def answers(url: str) -> bool:
    with suppress(RedisError, OSError), Redis.from_url(url, socket_timeout=1) as client:
        try:
            return bool(client.ping())
        except AuthenticationError:
            return True
    return False


StartRedis = Callable[..., OwnRedis]


@pytest.fixture
def start_redis(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[StartRedis]:
    """Start servers of this test's own."""
    with ExitStack() as stack:

        def start(*options: str) -> OwnRedis:
            made = OwnRedis(tmp_path, free_port())
            stack.callback(made.kill)
            made.start(*options)
            return made

        yield start


@pytest.fixture(scope="session")
def redis_url(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[str]:
    """A server: the one that is named, one that runs here, or one of our own."""
    if url := REDIS or (REDIS_ADDRESS if answers(REDIS_ADDRESS) else ""):
        yield url
        return
    made = OwnRedis(tmp_path_factory.mktemp("redis"), free_port())
    made.start()
    yield made.url
    made.kill()


Reach = Callable[..., RedisServer]


@pytest.fixture
async def reach(redis_url: str, tmp_path: Path) -> AsyncIterator[Reach]:
    """One more process that uses Redis for this test's installation, or for another."""
    made: list[RedisServer] = []

    def reach_server(url: str = redis_url, installation: str = "") -> RedisServer:
        made.append(RedisServer(url, installation or str(tmp_path), SystemClock()))
        return made[-1]

    yield reach_server
    for server in made:
        await server.close()


async def _until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; what it depends on happens elsewhere."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  another process does not set our events
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], bool]], object]:
    return _until


@pytest.fixture
def redis_contents() -> Callable[[str], dict[str, tuple[bytes, int]]]:
    """Everything that a Redis holds, with the milliseconds that each key has left."""

    def read(url: str) -> dict[str, tuple[bytes, int]]:
        with Redis.from_url(url) as client:
            return {
                key.decode(): (b" ".join(client.hgetall(key).values()), int(client.pttl(key)))
                for key in client.scan_iter()
            }

    return read
