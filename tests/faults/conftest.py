"""How much is broken, and by which dice: a random tenth, or with BESTCHAT_FAULTS=all everything.

BESTCHAT_FAULTS_SEED repeats a run. The seed is printed in any case.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bestchat_server_ext.core.tokens import new_token

ALL = os.environ.get("BESTCHAT_FAULTS") == "all"
SEED = int(os.environ.get("BESTCHAT_FAULTS_SEED") or secrets.randbelow(10**9))

NURSERY = Path(__file__).with_name("nursery.py")

TOOLS = '''
import os, time

def count_run(label: str, seconds: float) -> str:
    """Leave a trace of having begun, take a while, and leave one of having ended."""
    leave(label, "began")
    time.sleep(seconds)
    leave(label, "ended")
    return f"ran {label}"

def leave(label, what):
    with open(os.path.join(os.environ["COUNTED_RUNS"], label), "a") as file:
        file.write(what + "\\n")
'''


def pytest_terminal_summary(terminalreporter: Any) -> None:
    share = "all" if ALL else "a tenth"
    terminalreporter.write_line(f"faults: {share}, BESTCHAT_FAULTS_SEED={SEED}")


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Each test's own, all from one seed."""
    print(f"BESTCHAT_FAULTS_SEED={SEED}")  # shown where it fails
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def share() -> Any:
    """How much of something is done: all of it, or a tenth."""
    return lambda whole: whole if ALL else whole // 10


class House:
    """A server on one database that is killed and started again, at one address."""

    def __init__(self, nursery: Process, environ: dict[str, str]) -> None:
        self._nursery = nursery
        self.environ = environ
        self.token = new_token(secrets.token_bytes(32))
        self.headers = {"Authorization": f"token {self.token}"}
        self.pid = self.port = 0
        self.lives = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        wanted = {
            "environ": self.environ,
            "token": self.token,
            "first": not self.lives,
            "port": self.port,
            "lease_seconds": 0.5,
            "keep_seconds": 0.1,
        }
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps(wanted).encode() + b"\n")
        async with asyncio.timeout(60):
            told = json.loads(await self._nursery.stdout.readline())
        self.pid, self.port = told["pid"], told["port"]
        self.lives += 1

    def kill(self) -> None:
        """As a machine that fails: no word, no cleaning up."""
        pid, self.pid = self.pid, 0
        if pid:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def house(
    environ: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[House]:
    """One that has a tool, as an installed package brings it."""
    plugin, runs = tmp_path / "plugin", tmp_path / "runs"
    (plugin / "counted-1.0.dist-info").mkdir(parents=True)
    runs.mkdir()
    (plugin / "counted.py").write_text(TOOLS)
    (plugin / "counted-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: counted\nVersion: 1.0\n"
    )
    (plugin / "counted-1.0.dist-info" / "entry_points.txt").write_text(
        "[bestchat.tools]\ncount_run = counted:count_run\n"
    )
    if getattr(request, "param", "sqlite") == "postgres":
        environ["BESTCHAT_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    path = os.pathsep.join([str(plugin), *sys.path])
    nursery = await asyncio.create_subprocess_exec(
        *(sys.executable, str(NURSERY)),
        stdin=PIPE,
        stdout=PIPE,
        env={**os.environ, "PYTHONPATH": path, "COUNTED_RUNS": str(runs)},
    )
    found = House(nursery, environ)
    yield found
    found.kill()
    assert nursery.stdin is not None
    nursery.stdin.close()
    with suppress(ProcessLookupError):
        await nursery.wait()


@pytest.fixture
def runs(tmp_path: Path) -> Any:
    """What a tool has left behind under a label."""

    def left(label: str) -> list[str]:
        file = tmp_path / "runs" / label
        return file.read_text().split() if file.exists() else []

    return left


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    # No connection is kept: one to a server that was killed would fail the next request.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as opened:
        yield opened
