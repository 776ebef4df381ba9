"""Several processes on one database: who may write to a turn, and what becomes of a lost one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.policy import Rule
from bestchat_server_ext.services import turns
from bestchat_server_ext.testing.script import Call, Say, Wait

Write = Callable[..., str]
Open = Callable[..., Awaitable[Application]]
Build = Callable[..., Awaitable[Any]]
Begin = Callable[[Client], Awaitable[Any]]
Idle = Callable[[Application], Awaitable[None]]

OWNER = Path(__file__).with_name("owner_process.py")
FOREVER = Wait(3600)
LEASE_SECONDS = turns.LEASE.total_seconds()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
def long(script: Write) -> str:
    return script("long", (Say("kept "), FOREVER, Say("never said")))


class TestTakingUp:
    async def test_a_waiting_turn_goes_on_in_another_process(
        self, open_here: Open, begin: Begin, idle: Idle, script: Write
    ) -> None:
        ran: list[str] = []

        def of(name: str) -> Callable[..., str]:
            def where() -> str:
                ran.append(name)
                return name

            return where

        one, other = await open_here(of("one")), await open_here(of("other"))
        model = script("where", (Call("where"),), (Say("Thanks."),))
        talk = await begin(InProcessClient(one))
        ticket = await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        await idle(one)  # it has let go
        elsewhere = talk.seen_by(InProcessClient(other))
        await elsewhere.answer((await elsewhere.pending())[0], "approve")
        await elsewhere.until(ev.TurnFinished)
        assert ran == ["other"]
        assert await talk.results() == [("call_0", "other")]
        assert (await talk.turn(ticket.turn_id)).state == "finished"
        assert (one.running_turns, other.running_turns) == (0, 0)

    async def test_an_approval_from_elsewhere_reaches_whoever_still_runs_the_turn(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        began, end = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            began.set()
            await end.wait()
            return "slow"

        one, other = await open_here(slow, add), await open_here(slow, add)
        model = script("both", (Call("slow"), Call("add", {"a": 1, "b": 2})), (Say("Thanks."),))
        talk = await begin(InProcessClient(one))
        await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        slow_call, add_call = await talk.pending()
        await talk.answer(slow_call, "approve")
        await began.wait()
        await talk.seen_by(InProcessClient(other)).answer(add_call, "approve")
        end.set()
        await talk.until(ev.TurnFinished)
        assert await talk.results() == [("call_0", "slow"), ("call_1", "3")]
        assert other.running_turns == 0

    async def test_stop_from_elsewhere_is_heard_before_the_next_step(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        began, end = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            began.set()
            await end.wait()
            return "slow"

        one, other = await open_here(slow), await open_here(slow)
        model = script("stopped", (Call("slow"),), (FOREVER, Say("Never said.")))
        talk = await begin(InProcessClient(one))
        ticket = await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        await talk.answer((await talk.pending())[0], "approve")
        await began.wait()
        await talk.seen_by(InProcessClient(other)).cancel(ticket.turn_id)
        end.set()
        await talk.until(ev.TurnCancelled)
        assert await talk.answers() == [""]

    async def test_a_lease_that_was_let_go_meanwhile_does_not_stop_who_took_it_up(
        self,
        build: Build,
        begin: Begin,
        idle: Idle,
        script: Write,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        began, end = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            began.set()
            await end.wait()
            return "slow"

        house = await build(slow)
        storage = house.turns._wheel.storage
        renew, renewing, go_on = storage.renew, asyncio.Event(), asyncio.Event()

        async def renew_late(*args: Any) -> Any:
            renewing.set()
            await go_on.wait()
            return await renew(*args)

        monkeypatch.setattr(storage, "renew", renew_late)
        talk = await begin(InProcessClient(house.application))
        await talk.ask(script("slow", (Wait(0.5), Call("slow")), (Say("Thanks."),)))
        await house.clock.until_sleeping()  # the model
        keeping = asyncio.create_task(house.turns._renew())
        await renewing.wait()
        house.clock.advance(0.5)
        await talk.until(ev.TurnWaiting)
        await idle(house.application)
        await talk.answer((await talk.pending())[0], "approve")
        await began.wait()
        go_on.set()  # with the lease of the run before
        await keeping
        end.set()
        await talk.until(ev.TurnFinished)
        assert await talk.results() == [("call_0", "slow")]


class TestLostOwners:
    @pytest.mark.usefixtures("long")
    async def test_a_killed_process(
        self,
        open_here: Open,
        begin: Begin,
        data_dir: Path,
        scripts_dir: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(turns, "REAP_SECONDS", 0.05)
        application = await open_here()
        talk = await begin(InProcessClient(application))
        path = os.pathsep.join(sys.path)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(OWNER), str(data_dir), str(scripts_dir), talk.id),
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"kept\n"
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await talk.until(ev.TurnInterrupted)
        (turn,) = (await talk.state()).turns.values()
        assert turn.state == "interrupted"
        (answer,) = [item for item in (await talk.state()).messages.values() if item.step]
        assert (answer.text, answer.partial) == ("kept ", True)
        # And it can be asked again.
        await talk.ask("scripted/echo", "Again.")
        await talk.until(ev.TurnFinished)

    async def test_a_lease_counts_until_it_runs_out(
        self, build: Build, begin: Begin, long: str
    ) -> None:
        one, other = await build(origin=1), await build(origin=2)
        talk = await begin(InProcessClient(one.application))
        ticket = await talk.ask(long)
        await talk.until_text("kept ")
        await one.turns._renew()  # a second has gone by
        other.clock.advance(LEASE_SECONDS - 0.1)
        other.turns.open()
        await other.clock.until_sleeping(3)  # it has looked once
        assert (await talk.turn(ticket.turn_id)).state == "running"
        other.clock.advance(turns.REAP_SECONDS)
        elsewhere = talk.seen_by(InProcessClient(other.application))
        await elsewhere.until(ev.TurnInterrupted)
        assert await talk.answers() == ["kept "]

    async def test_who_was_asleep_cannot_write_into_a_turn_that_others_closed(
        self, build: Build, begin: Begin, idle: Idle, script: Write
    ) -> None:
        one, other = await build(origin=1), await build(origin=2)
        talk = await begin(InProcessClient(one.application))
        await talk.ask(script("slow", (Say("kept "), Wait(1), Say("too late"))))
        await talk.until_text("kept ")
        await one.turns._renew()
        other.clock.advance(LEASE_SECONDS + 1)
        other.turns.open()
        elsewhere = talk.seen_by(InProcessClient(other.application))
        await elsewhere.until(ev.TurnInterrupted)
        stored = (await elsewhere.state()).conversation.seq
        one.clock.advance(1)  # it wakes up and has an answer
        await idle(one.application)
        assert (await elsewhere.state()).conversation.seq == stored
        assert await elsewhere.answers() == ["kept "]

    async def test_who_was_asleep_alone_goes_on(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build()
        talk = await begin(InProcessClient(house.application))
        await talk.ask(script("slow", (Say("kept "), FOREVER, Say("and the rest"))))
        await talk.until_text("kept ")
        house.turns.open()
        await house.clock.until_sleeping(4)  # the model, and the keepers
        for _ in range(7):
            house.clock.advance(0.7)
            await house.clock.until_sleeping(4)
        # It is reaping that wakes up first now.
        house.clock.advance(3600)
        seen = await talk.until(ev.TurnFinished, ev.TurnInterrupted)
        assert isinstance(seen[-1], ev.TurnFinished)
        assert await talk.answers() == ["kept and the rest"]

    @pytest.mark.parametrize("error", [Unavailable("The disk is busy."), RuntimeError("a bug")])
    async def test_texts_that_could_not_be_stored_are_stored_later(
        self,
        build: Build,
        begin: Begin,
        long: str,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
    ) -> None:
        house = await build()
        talk = await begin(InProcessClient(house.application))
        ticket = await talk.ask(long)
        await talk.until_text("kept ")
        storage = house.turns._wheel.storage

        async def fail(*_: Any) -> Any:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(storage, "renew", fail)
            with pytest.raises(type(error)):
                await house.turns._renew()
        await house.turns._renew()
        (part,) = (await storage.partial(ticket.turn_id)).parts
        assert part.text == "kept "

    async def test_texts_that_are_too_much_at_once_take_turns(
        self, build: Build, begin: Begin, script: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(turns, "TEXTS_AT_ONCE", 1)
        house = await build()
        model = script("growing", (Say("a"), Wait(1), Say("b"), Wait(1), Say("c"), FOREVER))
        talks, asked = [], []
        for text in ("One.", "Two.", "Three."):
            talks.append(await begin(InProcessClient(house.application)))
            asked.append((await talks[-1].ask(model, text)).turn_id)
        storage = house.turns._wheel.storage
        for kept, heard in enumerate(("a", "ab", "abc"), 1):
            for talk in talks:
                await talk.until_text(heard)
            await house.turns._renew()
            texts = [await storage.partial(turn_id) for turn_id in asked]
            assert sum(text.characters > 0 for text in texts) == kept
            house.clock.advance(1)

    async def test_a_fresh_lease_is_not_renewed(
        self, build: Build, begin: Begin, long: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = await build()
        talk = await begin(InProcessClient(house.application))
        await talk.ask(long)
        await talk.until_text("kept ")
        storage, renewed = house.turns._wheel.storage, []
        renew = storage.renew

        async def note(texts: Any, until: Any) -> Any:
            renewed.append(len(texts))
            return await renew(texts, until)

        monkeypatch.setattr(storage, "renew", note)
        await house.turns._renew()  # the text
        await house.turns._renew()
        house.clock.advance((1 - turns.FRESH) * LEASE_SECONDS)
        await house.turns._renew()
        assert renewed == [1, 1]


class TestClosing:
    async def test_what_was_heard_is_stored_at_once(
        self, open_here: Open, begin: Begin, long: str
    ) -> None:
        application = await open_here()
        talk = await begin(InProcessClient(application))
        ticket = await talk.ask(long)
        await talk.until_text("kept ")
        await application.close()
        again = talk.seen_by(InProcessClient(await open_here()))
        assert (await again.turn(ticket.turn_id)).state == "interrupted"
        assert await again.answers() == ["kept "]

    async def test_a_tool_that_was_running_is_unknown(
        self, build: Build, open_here: Open, begin: Begin, script: Write
    ) -> None:
        began = asyncio.Event()

        async def hang() -> None:
            began.set()
            await asyncio.Future()

        house = await build(hang, rules=[Rule("hang", "approve")])
        talk = await begin(InProcessClient(house.application))
        await talk.ask(script("hang", (Call("hang"), Call("other")), (Say("Never said."),)))
        await began.wait()
        await house.application.close()
        again = talk.seen_by(InProcessClient(await open_here()))
        assert [item.state for item in await again.executions()] == ["unknown", "failed"]
        assert len(await again.results()) == 2
        (turn,) = (await again.state()).turns.values()
        assert turn.state == "interrupted"

    async def test_a_turn_that_waits_goes_on_waiting(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        application = await open_here(add)
        talk = await begin(InProcessClient(application))
        await talk.ask(script("wait", (Call("add", {"a": 1, "b": 2}),), (Say("Thanks."),)))
        await talk.until(ev.TurnWaiting)
        await application.close()
        again = talk.seen_by(InProcessClient(await open_here(add)))
        await again.answer((await again.pending())[0], "approve")
        await again.until(ev.TurnFinished)
        assert await again.results() == [("call_0", "3")]
