"""How long it takes to open a conversation of 2,000 messages, and to list and search 10,000.

Prints figures; asserts nothing. Run with `make bench`, on an idle machine; `--short` is for CI.
PostgreSQL is measured where one answers on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Self

from cells import on_postgres, on_sqlite, say
from sqlalchemy import Engine, event

from bestchat_server_ext import bootstrap
from bestchat_server_ext.api import conversations
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.events import ConversationCreated, MessageAdded
from bestchat_server_ext.core.ids import LOCAL_OWNER, ConversationId
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene

AT_ONCE = 20
"""Conversations that are begun at a time."""

EACH = 4
"""Messages in each of many conversations."""

SYLLABLES = [a + b for a in "bdfghklmnprstvw" for b in "aeiou"]
VOCABULARY = [
    "".join(random.Random(number).choices(SYLLABLES, k=2 + number % 3)) for number in range(20_000)
]
SEARCHES = {
    "a common word": VOCABULARY[1],
    "a rare word": VOCABULARY[4711],
    "two beginnings": f"{VOCABULARY[1][:2]} {VOCABULARY[2][:3]}",
}


async def long_one(application: Application, messages: int) -> ConversationId:
    """A conversation of so many messages."""
    storage, scene = application._services.storage, Scene(ManualClock())
    await storage.append(scene.id, [scene.created()], scene.clock.now())
    said = 0
    while said < messages:
        happened = list(chain.from_iterable(scene.play(scene.begin())))
        said += sum(type(item).__name__ == "MessageAdded" for item in happened)
        await storage.append(scene.id, happened, scene.clock.now())
    return scene.id


def said(scene: Scene, dice: random.Random) -> list[MessageAdded]:
    """Some messages of a few dozen words, a few of which are as common as words are."""
    texts = (
        " ".join(VOCABULARY[int(dice.paretovariate(0.6)) % len(VOCABULARY)] for _ in range(40))
        for _ in range(EACH)
    )
    return [MessageAdded(scene.begin(text).message) for text in texts]


async def many(application: Application, count: int) -> None:
    """So many conversations."""
    dice = random.Random(0)
    storage, clock = application._services.storage, application._services.stream.clock
    left = iter(range(count))

    async def begin() -> None:
        for number in left:
            created = ConversationCreated(LOCAL_OWNER, f"Conversation {number}")
            events = [created, *said(Scene(clock), dice)]
            await storage.append(ConversationId(clock.new_id()), events, clock.now())

    await asyncio.gather(*(begin() for _ in range(AT_ONCE)))


class Queries:
    """Counts what reaches the database."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        event.listen(Engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self._note)

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self.count += statement.lstrip().upper().startswith("SELECT")


async def times(work: Callable[[], Awaitable[object]], runs: int = 40) -> list[float]:
    """Milliseconds of some work, several times."""
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        await work()
        taken.append(1000 * (time.perf_counter() - began))
    return taken


async def measure(where: str, environ: dict[str, str], messages: int, count: int) -> None:
    """Open and list, on one database."""
    application = await bootstrap.open_application(environ)
    client, storage = InProcessClient(application), application._services.storage
    wanted = conversations.GetConversation(await long_one(application, messages))
    with Queries() as queries:
        state = await storage.load(wanted.conversation_id)
    held = len(state.messages)
    cold = await times(lambda: storage.load(wanted.conversation_id), 10)
    say(f"{held} messages loaded, {queries.count} queries, {where}", cold)
    say(
        f"conversations.get of them, {where}",
        await times(lambda: client.call(conversations.get, wanted)),
    )
    await many(application, count)
    page = conversations.ListConversations()
    say(
        f"conversations.list of {count}, {where}",
        await times(lambda: client.call(conversations.list_, page)),
    )
    await search(client, where)
    if url := environ.get("BESTCHAT_DATABASE_URL"):
        # What PostgreSQL does by itself within a minute.
        await asyncio.to_thread(subprocess.run, ["psql", "-qc", "ANALYZE", url], check=True)
        await search(client, f"{where} with statistics")
    await client.close()


async def search(client: InProcessClient, where: str) -> None:
    """Search for words of several kinds."""
    for kind, query in SEARCHES.items():
        wanted = conversations.SearchConversations(query)
        say(
            f"conversations.search for {kind}, {where}",
            await times(partial(client.call, conversations.search, wanted)),
        )


def main() -> None:
    """Measure on both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a quick look, for CI")
    sizes = (200, 500) if parser.parse_args().short else (2_000, 10_000)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure("SQLite", {**os.environ, **on_sqlite(Path(folder))}, *sizes))
    with tempfile.TemporaryDirectory() as folder, on_postgres(Path(folder)) as environ:
        if environ is None:
            print("PostgreSQL: there is none on this machine")
        else:
            asyncio.run(measure("PostgreSQL", {**os.environ, **environ}, *sizes))


if __name__ == "__main__":
    main()
