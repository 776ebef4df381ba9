"""Jupyter's life cycle: when a server counts as used, and what is left when it is stopped."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bestchat_server_ext.api import conversations
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.core.messages import TextPart
from bestchat_server_ext.testing.script import Say, Script, ScriptTurn, Wait, write

IMPATIENT = """
from tornado import ioloop
from bestchat_server_ext.web import activity

class Hurried(ioloop.PeriodicCallback):
    def __init__(self, callback, callback_time, *more):
        # Jupyter looks once a minute whether anybody is still there.
        super().__init__(callback, 50 if callback_time == 60000 else callback_time, *more)

ioloop.PeriodicCallback = Hurried
activity.LOOK_SECONDS = 0.05
"""


def script(server: Any, name: str, *actions: Any) -> str:
    """Write a script for a server; gives its model reference."""
    path = server.folder / "scripts" / f"{name}.json"
    write(Script((ScriptTurn((actions,)),), chunk=4), path)
    return f"scripted/{name}"


async def begin_turn(site: Any, model: str) -> tuple[str, Any]:
    """Ask something; gives the conversation and a line that follows it."""
    mine = await site.begin()
    line = await site.connect()
    await line.greet()
    await line.say(type="subscribe", conversation_id=mine, after=0)
    body = {"conversation_id": mine, "request_id": mine, "text": "Go.", "model": model}
    assert (await site.call("turns.start", body)).status == 200
    return mine, line


async def until(line: Any, wanted: Callable[[Any], bool]) -> Any:
    """The first frame of a kind."""
    async with asyncio.timeout(60):
        while not wanted(frame := await line.hear()):
            assert isinstance(frame, dict), frame
        return frame


def is_event(kind: str) -> Callable[[Any], bool]:
    return lambda frame: frame.get("event", {}).get("type") == kind


class TestActivity:
    """What JupyterHub reads from `api/status`, and decides by."""

    @pytest.fixture(scope="module")
    @classmethod
    def server(cls, start_jupyter: Any) -> Any:
        return start_jupyter("/", prelude=IMPATIENT)

    @pytest.fixture
    def site(self, server: Any, session: aiohttp.ClientSession, site_of: Any) -> Any:
        return site_of(server, session)

    @staticmethod
    async def last(site: Any) -> datetime:
        status = (await site.ask("GET", "api/status")).json
        return datetime.fromisoformat(status["last_activity"]).astimezone(UTC)

    @pytest.mark.parametrize("kind", ["user", "kernel"])
    async def test_a_call_counts(self, site: Any, kind: str) -> None:
        await site.begin()
        headers = site.headers if kind == "user" else await site.kernel_token()
        before = await self.last(site)
        assert (await site.call("conversations.list", {}, headers)).status == 200
        assert before < await self.last(site)

    async def test_what_nobody_means_does_not(self, site: Any) -> None:
        """Health, documents, looks at the line, and strangers."""
        mine = await site.begin()
        before = await self.last(site)
        for name in ("system.health", "system.whoami", "events.replay"):
            body = {"conversation_id": mine} if name == "events.replay" else {}
            assert (await site.call(name, body)).status == 200
        for path in ("health", "openapi.json"):
            assert (await site.ask("GET", f"bestchat/api/{path}")).status == 200
        for stranger in ({}, {"Authorization": "token bc_" + "A" * 43}):
            assert (await site.call("conversations.list", {}, stranger)).status == 401
        assert await self.last(site) == before

    async def test_an_open_line_does_not(self, site: Any) -> None:
        mine = await site.begin()
        before = await self.last(site)
        line = await site.connect()
        await line.greet()
        await line.say(type="subscribe", conversation_id=mine)
        for _ in range(3):
            await line.heartbeat()
        assert await self.last(site) == before

    async def test_a_running_turn_does_again_and_again(self, site: Any, server: Any) -> None:
        model = script(server, "long", Say("So "), Wait(600.0), Say("long."))
        _, line = await begin_turn(site, model)
        await until(line, lambda frame: frame["type"] == "delta")
        seen = {await self.last(site)}
        async with asyncio.timeout(30):
            while len(seen) < 4:
                seen.add(await self.last(site))


async def test_a_server_that_works_is_left_alone_and_an_idle_one_ends(
    start_jupyter: Any, session: aiohttp.ClientSession, site_of: Any
) -> None:
    """Although a WebSocket is open, and its heart beats."""
    # Long enough for a busy machine to ask before the server has gone.
    timeout = "--ServerApp.shutdown_no_activity_timeout=5"
    server = start_jupyter("/", timeout, prelude=IMPATIENT.replace("= 0.05", "= 3600.0"))
    site = site_of(server, session)
    model = script(server, "patient", Wait(8.0), Say("Still here."))
    began = datetime.now(UTC)
    _, line = await begin_turn(site, model)
    assert (await until(line, is_event("turn_finished")))["type"] == "event"
    assert (datetime.now(UTC) - began).total_seconds() > 7.9
    assert isinstance(await until(line, lambda frame: not isinstance(frame, dict)), int)
    assert await asyncio.to_thread(server._process.wait, 60) == 0
    assert any("shutting down" in entry for entry in server.log)
    assert server.alarms == []


def interrupt(server: Any) -> None:
    """End a server as JupyterHub ends one on its own machine; there is no terminal."""
    server._process.send_signal(signal.SIGINT)
    server._process.wait(30)


@pytest.mark.parametrize("interrupted", [False, True], ids=["asked", "interrupted"])
async def test_a_server_that_is_stopped_stores_what_was_said(
    start_jupyter: Any,
    session: aiohttp.ClientSession,
    site_of: Any,
    open_here: Any,
    *,
    interrupted: bool,
) -> None:
    server = start_jupyter()
    site = site_of(server, session)
    model = script(server, "cut", Say("Half of "), Wait(600.0), Say("an answer."))
    mine, line = await begin_turn(site, model)
    said = ""
    while said != "Half of ":
        frame = await until(line, lambda frame: frame["type"] == "delta")
        said += frame["text"]
    if interrupted:
        await asyncio.to_thread(interrupt, server)
    await asyncio.to_thread(server.stop)
    assert server.alarms == []
    client = InProcessClient(await open_here(data_dir=server.data_dir))
    state = await client.call(
        conversations.get, conversations.GetConversation(ConversationId(mine))
    )
    (turn,) = state.turns.values()
    assert turn.state == "interrupted"
    answer = list(state.messages.values())[-1]
    assert [part.text for part in answer.parts if isinstance(part, TextPart)] == ["Half of "]


INSIDE = """
import asyncio, signal, sys
from jupyter_server.serverapp import ServerApp

class Embedded(ServerApp):
    def init_signal(self):
        "Signals are the business of whoever embeds it, as in pytest-jupyter."

async def main():
    before = signal.getsignal(signal.SIGINT)
    server = {"embedded": Embedded, "alone": ServerApp}[sys.argv[1]]()
    server.jpserver_extensions = {"bestchat_server_ext": True}
    server.initialize(["--port=0", "--no-browser"], find_extensions=False)
    during = signal.getsignal(signal.SIGINT)
    await server.cleanup_extensions()
    print(during is before, signal.getsignal(signal.SIGINT) is before)

signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.new_event_loop().run_until_complete(main())  # `asyncio.run` heeds it itself
"""


@pytest.mark.parametrize(("server", "untouched"), [("embedded", True), ("alone", False)])
def test_signals_of_another_program_are_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, server: str, untouched: bool
) -> None:
    """They are, and what a server did with its own is undone when it is stopped."""
    for name in ("BESTCHAT_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    ran = subprocess.run(
        [sys.executable, "-c", INSIDE, server],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert "bestchat_server_ext | extension was successfully loaded" in ran.stderr
    assert ran.stdout.split() == [str(untouched), "True"], ran.stderr
