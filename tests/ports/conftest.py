"""Other processes, a host on this machine, and SQLite files as older versions have left them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.http_host import Host
from bestchat_server_ext.testing.port_suites.scene import Scene


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """A host whose answers a test lays out."""
    started = Host()
    await started.start()
    yield started
    await started.stop()


class Child:
    """A Python process that a test speaks with, line by line."""

    def __init__(self, code: str, *given: object) -> None:
        """Start it; `given` are its arguments."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, given)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def expect(self, line: str) -> None:
        """Wait until it says just that."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline().rstrip("\n")
        assert said == line, (said, *self.process.communicate())

    def kill(self) -> None:
        """End it at once, whatever it does, as `kill -9` does."""
        self.process.kill()
        self.process.communicate()

    def answer(self, given: str = "") -> Any:
        """Let it go on and end well; give the last line of what it printed, decoded."""
        output, complaints = self.process.communicate(given + "\n")
        assert self.process.returncode == 0, complaints
        return json.loads(output.splitlines()[-1])


StartChild = Callable[..., Child]


@pytest.fixture
def start_child() -> Iterator[StartChild]:
    """Start processes; those that are left are killed."""
    children: list[Child] = []

    def start(code: str, *given: object) -> Child:
        children.append(Child(code, *given))
        return children[-1]

    yield start
    for child in children:
        child.kill()


MakeFile = Callable[[Path], Awaitable[ConversationState]]


TO_0003 = (
    "DROP TABLE search_words",
    "DROP TABLE search_texts",
    *(f"DROP INDEX ix_conversations_{name}" for name in ("starred", "deleted_at", "queue")),
    "DROP INDEX ix_turns_active_owner",
    *(
        f"ALTER TABLE conversations DROP COLUMN {name}"
        for name in (
            *("version", "settings", "starred", "archived", "deleted_at", "forked_from", "queue"),
        )
    ),
    *(
        f"ALTER TABLE turns DROP COLUMN {name}"
        for name in ("parent_id", "options", "first_message_id")
    ),
    "ALTER TABLE messages DROP COLUMN pinned",
    "DROP TABLE file_uploads",
)
"""The way back to the third schema."""


@pytest.fixture
def make_file() -> MakeFile:
    """Make a database with one conversation and a whole turn, closed again; give what is in it."""

    async def make(path: Path) -> ConversationState:
        database = await open_database(path)
        scene = Scene(ManualClock())
        await database.storage.append(scene.id, [scene.created("Kept")], scene.clock.now())
        for events in scene.play(scene.begin()):
            await database.storage.append(scene.id, events, scene.clock.now())
        state = await database.storage.load(scene.id)
        await database.close()
        return state

    return make


@pytest.fixture
def make_old_file(make_file: MakeFile) -> MakeFile:
    """Likewise, as revision 0001 has left it."""

    async def make(path: Path) -> ConversationState:
        state = await make_file(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            for statement in TO_0003:
                file.execute(statement)
            file.execute("DROP TABLE usage_logs")
            file.execute("DROP TABLE provider_configs")
            file.execute("ALTER TABLE turns DROP COLUMN fallback")
            file.execute("DROP INDEX ix_api_tokens_owner_created_at_id")
            file.execute("ALTER TABLE api_tokens DROP COLUMN name")
            file.execute("UPDATE alembic_version SET version_num = '0001'")
            file.execute("VACUUM")
        return state

    return make
