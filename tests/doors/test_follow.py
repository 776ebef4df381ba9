"""Following a conversation: everything once and in order, however often the line breaks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.api import conversations
from bestchat_server_ext.api.frames import CaughtUp, DraftPosition, ServerFrame, Snapshot
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import NotAuthenticated, NotFound, Unavailable
from bestchat_server_ext.core.messages import ReasoningPart, TextPart
from bestchat_server_ext.services import stream, turns
from bestchat_server_ext.services.draft import BATCH_SECONDS
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.reader import StrictReader as Reader
from bestchat_server_ext.testing.script import Action, Call, Say, Think, Wait
from bestchat_server_ext.web import socket as web_socket

Write = Callable[..., str]
Open = Callable[..., Awaitable[Application]]
Build = Callable[..., Awaitable[Any]]
Begin = Callable[[Client], Awaitable[Any]]
Door = Callable[[Application], Awaitable[Client]]

FOREVER = Wait(3600)
SPOKEN = (TextPart, ReasoningPart)
ENDED = (ev.TurnFinished, ev.TurnFailed, ev.TurnCancelled, ev.TurnInterrupted)

# Marks that combine, letters outside the basic plane, families joined by invisible joiners, and
# both directions of writing: where a text may be cut depends on none of it.
TEXT = "e\u0301a\u0308 👩‍👩‍👧‍👦🏳️‍🌈 naïve 🇳🇴 שָׁלוֹם नमस्ते \U0001d518\U0001d52b ﷽ \r\n\t| " * 12


def stream_of(text: str, seed: int) -> list[Action]:
    """The text in pieces of odd sizes, each with a little time after it."""
    actions: list[Action] = []
    dice, at = random.Random(seed), 0
    while at < len(text):
        size = dice.randint(1, 9)
        kind = Say if dice.random() < 0.8 else Think
        actions += [kind(text[at : at + size], size), Wait(dice.choice([0.01, 0.03, 0.1]))]
        at += size
    return actions


async def let_go_by(house: Any, until: asyncio.Future[Any]) -> None:
    """Let time go by in the house until something is done: so slowly that its storage keeps up.

    On a busy machine storage does not keep up, and a reader that comes back finds more stored and
    less streaming. So what such a reader hears live is not to be asserted.
    """
    while not until.done():
        house.clock.advance(BATCH_SECONDS / 2)
        await asyncio.sleep(0.001)


async def exhaust(frames: AsyncGenerator[ServerFrame, None]) -> None:
    """Read until there is nothing any more."""
    async for _ in frames:
        pass


class TestOnceAndInOrder:
    async def test_two_readers_read_the_same(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        application = await open_here(add)
        model = script("two", (Say("One. "), Call("add", {"a": 1, "b": 1})), (Say(TEXT, 7),))
        talk = await begin(await door(application))
        one, other = Reader(talk.id), Reader(talk.id)
        clients = [await door(application), await door(application)]
        for reader, client in zip((one, other), clients, strict=True):
            await reader.read(client, frames=2)  # snapshot and caught up
        following = [
            asyncio.create_task(reader.read(client))
            for reader, client in zip((one, other), clients, strict=True)
        ]
        await talk.ask(model, attended=False)
        await asyncio.gather(*following)
        assert one.events == other.events
        assert one.state == other.state == await talk.state()
        assert [heard for heard, _ in one.answers] == [["One. "], [TEXT]]
        assert all(heard == stored for heard, stored in one.answers + other.answers)

    @pytest.mark.parametrize("seed", range(6))
    async def test_a_line_that_breaks_at_random(
        self, build: Build, door: Door, begin: Begin, script: Write, seed: int
    ) -> None:
        house = await build(add)
        steps = (
            (*stream_of(TEXT, seed), Call("add", {"a": 1, "b": 1})),
            tuple(stream_of(TEXT[::-1], seed + 100)),
        )
        talk = await begin(await door(house.application))
        reader, dice = Reader(talk.id), random.Random(seed)

        async def read_with_breaks() -> None:
            client = await door(house.application)
            while not reader.ended:
                await reader.read(client, frames=dice.randint(1, 12))

        await talk.ask(script("odd", *steps), attended=False)
        reading = asyncio.create_task(read_with_breaks())
        await let_go_by(house, reading)
        await reading
        assert reader.state == await talk.state()
        spoken = [item for item in (await talk.state()).messages.values() if item.step]
        texts = ["".join(getattr(part, "text", "") for part in item.parts) for item in spoken]
        assert [texts[0], texts[2]] == [TEXT, TEXT[::-1]]

    async def test_resuming_in_the_middle_of_an_answer_gives_exactly_the_rest(
        self, build: Build, door: Door, begin: Begin, script: Write
    ) -> None:
        house = await build()
        talk = await begin(await door(house.application))
        await talk.ask(script("parts", (Say("A"), Wait(1), Say("B"), Wait(1), Say("C"), FOREVER)))
        for text in ("A", "AB", "ABC"):
            await talk.until_text(text)
            if text != "ABC":
                await house.clock.until_sleeping()  # the model
                house.clock.advance(1)
        state = await talk.state()
        (turn,) = state.turns.values()
        all_of_it = Reader(talk.id)
        await all_of_it.read(await door(house.application), frames=2)
        assert all_of_it.position is not None
        message_id = all_of_it.position.message_id
        for n, rest in enumerate(["ABC", "BC", "C"]):
            position = DraftPosition(message_id, 0, n)
            frames = talk.client.follow(talk.id, state.conversation.seq, position)
            async with aclosing(frames):
                delta = await anext(frames)
                assert isinstance(delta, ev.Delta)
                assert (delta.first, delta.n, delta.text) == (n + 1, 3, rest)
                assert isinstance(await anext(frames), CaughtUp)
        nothing = talk.client.follow(
            talk.id, state.conversation.seq, DraftPosition(message_id, 0, 3)
        )
        async with aclosing(nothing):
            assert isinstance(await anext(nothing), CaughtUp)
        await talk.cancel(turn.id)

    async def test_a_finished_step_is_not_streamed_again_to_who_has_it(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        application = await open_here(add)
        talk = await begin(await door(application))
        await talk.ask(script("step", (Say("Said."), Call("add", {"a": 1, "b": 1})), (FOREVER,)))
        await talk.until(ev.TurnWaiting)
        seq = (await talk.state()).conversation.seq
        frames = (await door(application)).follow(talk.id, seq)
        async with aclosing(frames):
            assert isinstance(await anext(frames), CaughtUp)

    async def test_a_finished_step_is_not_streamed_again_while_its_tool_runs(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        began, end = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            began.set()
            await end.wait()

        talk = await begin(InProcessClient(await open_here(slow)))
        await talk.ask(script("tool", (Say("Said."), Call("slow")), (Say("Thanks."),)))
        await talk.until(ev.TurnWaiting)
        await talk.answer((await talk.pending())[0], "approve")
        await began.wait()
        seq = (await talk.state()).conversation.seq
        frames = talk.client.follow(talk.id, seq)
        async with aclosing(frames):
            assert isinstance(await anext(frames), CaughtUp)
        end.set()
        await talk.until(ev.TurnFinished)


class TestSnapshots:
    async def test_who_knows_nothing_gets_a_snapshot_and_what_is_streaming(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        application = await open_here()
        talk = await begin(await door(application))
        ticket = await talk.ask(script("long", (Say("So far "), FOREVER)))
        await talk.until_text("So far ")
        frames = (await door(application)).follow(talk.id)
        async with aclosing(frames):
            snapshot, delta, caught_up = [await anext(frames) for _ in range(3)]
            assert isinstance(snapshot, Snapshot)
            assert snapshot.state == await talk.state()
            assert isinstance(delta, ev.Delta)
            assert (delta.first, delta.text) == (1, "So far ")
            assert caught_up == CaughtUp(talk.id, snapshot.state.conversation.seq)
            await talk.cancel(ticket.turn_id)
            live = await anext(frames)
            assert isinstance(live, ev.Envelope)
            assert live.event == ev.CancelRequested(ticket.turn_id)

    async def test_who_is_far_behind_gets_a_snapshot_and_the_whole_draft(
        self,
        open_here: Open,
        door: Door,
        begin: Begin,
        script: Write,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(stream, "REPLAY_LIMIT", 2)
        application = await open_here()
        talk = await begin(await door(application))
        await talk.ask(script("long", (Say("So far "), FOREVER)))
        await talk.until_text("So far ")
        reader = Reader(talk.id)
        await reader.read(await door(application), frames=2)
        assert reader.position is not None
        frames = (await door(application)).follow(talk.id, 1, reader.position)
        async with aclosing(frames):
            again = Reader(talk.id)
            for _ in range(3):
                again.take(await anext(frames))
        assert again.text(reader.position.message_id) == ["So far "]

    async def test_who_claims_to_be_ahead_gets_a_snapshot(
        self, open_here: Open, door: Door, begin: Begin
    ) -> None:
        talk = await begin(await door(await open_here()))
        frames = talk.client.follow(talk.id, 1000)
        async with aclosing(frames):
            assert isinstance(await anext(frames), Snapshot)

    async def test_events_are_replayed_page_by_page(
        self, open_here: Open, door: Door, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stream, "REPLAY_LIMIT", 3)
        talk = await begin(await door(await open_here()))
        for title in ("B", "C", "D"):
            rename = conversations.RenameConversation(talk.id, title)
            await talk.client.call(conversations.rename, rename)
        frames = talk.client.follow(talk.id, 1)
        async with aclosing(frames):
            came = [await anext(frames) for _ in range(4)]
        events = [item.event for item in came if isinstance(item, ev.Envelope)]
        assert events == [ev.ConversationRenamed(title) for title in "BCD"]
        assert came[-1] == CaughtUp(talk.id, 4)

    async def test_a_late_reader_needs_no_snapshot_to_get_everything(
        self, open_here: Open, door: Door, begin: Begin
    ) -> None:
        talk = await begin(await door(await open_here()))
        await talk.ask("scripted/echo", "Hello.")
        await talk.until(ev.TurnFinished)
        reader = Reader(talk.id)
        frames = talk.client.follow(talk.id, 0)
        async with aclosing(frames):
            async for frame in frames:
                reader.take(frame)
                if isinstance(frame, CaughtUp):
                    break
        assert reader.state == await talk.state()
        assert reader.pieces == {}


class TestSlowReaders:
    async def test_one_that_lags_is_brought_back(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build(capacity=4)
        talk = await begin(InProcessClient(house.application))
        reader = Reader(talk.id)
        following = talk.client.follow(talk.id)
        async with aclosing(following):
            reader.take(await anext(following))
            reader.take(await anext(following))
            await talk.ask(script("flood", tuple(stream_of(TEXT, 7))))
            quick = asyncio.create_task(talk.until(ev.TurnFinished))
            await let_go_by(house, quick)  # meanwhile this reader reads nothing
            while not reader.ended:
                reader.take(await anext(following))
        assert reader.state == await talk.state()

    async def test_lagging_in_the_middle_of_an_answer(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build(capacity=4)
        talk = await begin(InProcessClient(house.application))
        reader = Reader(talk.id)
        following = talk.client.follow(talk.id)
        async with aclosing(following):
            reader.take(await anext(following))
            reader.take(await anext(following))
            await talk.ask(script("flood", tuple(stream_of(TEXT, 8))))
            finishing = asyncio.create_task(talk.until(ev.TurnFinished))
            while not reader.ended:
                # Time enough for more pieces than its queue holds, for each that it reads.
                for _ in range(20):
                    house.clock.advance(BATCH_SECONDS / 2)
                    await asyncio.sleep(0)
                reader.take(await anext(following))
            await finishing
        assert reader.state == await talk.state()


class TestOtherProcesses:
    """Two houses on one file; with one bus where it reaches both, else with one each."""

    @pytest.mark.parametrize("seed", range(4))
    async def test_an_answer_of_another_process_is_read_without_a_hole(
        self, build: Build, begin: Begin, script: Write, seed: int
    ) -> None:
        clock, bus = ManualClock(), MemoryBus()
        there = await build(add, clock=clock, bus=bus, origin=1)
        here = await build(clock=clock, bus=bus, origin=2)
        steps = (
            (*stream_of(TEXT, seed), Call("add", {"a": 1, "b": 1})),
            tuple(stream_of(TEXT[::-1], seed + 100)),
        )
        talk = await begin(InProcessClient(there.application))
        client = InProcessClient(here.application)
        steady, reader, dice = Reader(talk.id), Reader(talk.id), random.Random(seed)

        async def read_with_breaks() -> None:
            while not reader.ended:
                await reader.read(client, frames=dice.randint(3, 12))

        async def read_on(following: AsyncGenerator[ServerFrame, None]) -> None:
            while not steady.ended:
                steady.take(await anext(following))

        async with aclosing(client.follow(talk.id)) as following:
            steady.take(await anext(following))
            steady.take(await anext(following))
            await talk.ask(script("odd", *steps), attended=False)
            reading = asyncio.gather(read_on(following), read_with_breaks())
            await let_go_by(there, reading)
            await reading
        assert reader.state == steady.state == await talk.state()
        # Who was there all the time has heard all of it in parts, however fast it came.
        assert all(heard == stored for heard, stored in steady.answers)
        assert len(steady.answers[0][1]) > 1

    async def test_a_late_reader_does_not_wait_for_the_next_piece(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        bus = MemoryBus()
        there, here = await build(bus=bus, origin=1), await build(bus=bus, origin=2)
        talk = await begin(InProcessClient(there.application))
        ticket = await talk.ask(script("slow", (Say("So far."), FOREVER)))
        await talk.until_text("So far.")
        await talk.seen_by(InProcessClient(here.application)).until_text("So far.")
        await talk.cancel(ticket.turn_id)

    async def test_what_another_process_wrote_is_seen_without_a_bus(
        self, open_here: Open, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(turns, "LOOK_SECONDS", 0.02)
        talk = await begin(InProcessClient(await open_here()))
        reader = InProcessClient(await open_here()).follow(talk.id)
        async with aclosing(reader):
            assert isinstance(await anext(reader), Snapshot)
            assert isinstance(await anext(reader), CaughtUp)
            rename = conversations.RenameConversation(talk.id, "Elsewhere")
            await talk.client.call(conversations.rename, rename)
            renamed = await anext(reader)
            assert isinstance(renamed, ev.Envelope)
            assert renamed.event == ev.ConversationRenamed("Elsewhere")
            assert isinstance(await anext(reader), CaughtUp)
            await talk.client.call(
                conversations.delete, conversations.DeleteConversation(talk.id, forever=True)
            )
            with pytest.raises(NotFound):
                await anext(reader)


class TestEnds:
    async def test_deletion_ends_following(self, open_here: Open, door: Door, begin: Begin) -> None:
        talk = await begin(await door(await open_here()))
        frames = talk.client.follow(talk.id)
        assert isinstance(await anext(frames), Snapshot)
        assert isinstance(await anext(frames), CaughtUp)
        await talk.client.call(
            conversations.delete, conversations.DeleteConversation(talk.id, forever=True)
        )
        last = await anext(frames)
        assert isinstance(last, ev.Envelope)
        assert (last.seq, last.event) == (2, ev.ConversationDeleted())
        with pytest.raises(StopAsyncIteration):
            await anext(frames)

    async def test_what_does_not_exist_cannot_be_followed(
        self, open_here: Open, door: Door, begin: Begin
    ) -> None:
        talk = await begin(await door(await open_here()))
        await talk.client.call(
            conversations.delete, conversations.DeleteConversation(talk.id, forever=True)
        )
        with pytest.raises(NotFound):
            await anext(talk.client.follow(talk.id))


class TestTheLine:
    async def test_a_server_that_restarts(
        self, open_here: Open, begin: Begin, script: Write, serve: Any, connect: Any
    ) -> None:
        application = await open_here()
        client = await connect(application)
        talk = await begin(InProcessClient(application))
        reader = Reader(talk.id)
        following = client.follow(talk.id)
        async with aclosing(following):
            reader.take(await anext(following))
            reader.take(await anext(following))
            ticket = await talk.ask(script("long", (Say("So far "), FOREVER)))
            while reader.position is None:
                reader.take(await anext(following))
            serve.break_lines()
            reader.take(await anext(following))  # caught up, with nothing twice
            await talk.cancel(ticket.turn_id)
            while not reader.ended:
                reader.take(await anext(following))
        assert reader.state == await talk.state()

    async def test_a_server_that_stays_away(
        self, open_here: Open, begin: Begin, serve: Any, connect: Any
    ) -> None:
        application = await open_here()
        client = await connect(application)
        client._away_seconds = 0.0
        talk = await begin(InProcessClient(application))
        following = client.follow(talk.id)
        await anext(following)
        await serve.stop()
        with pytest.raises(Unavailable, match="cannot be reached"):
            await exhaust(following)

    async def test_a_token_that_is_not_known(
        self, open_here: Open, begin: Begin, connect: Any
    ) -> None:
        application = await open_here()
        client = await connect(application)
        client._token = "bc_" + "A" * 43
        talk = await begin(InProcessClient(application))
        with pytest.raises(NotAuthenticated):
            await anext(client.follow(talk.id))

    async def test_a_proxy_is_not_asked_for_the_way_to_this_machine(
        self, open_here: Open, connect: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "WS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9/")
            monkeypatch.setenv(name.lower(), "http://127.0.0.1:9/")
        client = await connect(await open_here())
        made = await client.call(conversations.create, conversations.CreateConversation())
        following = client.follow(made.id)
        async with aclosing(following):
            assert isinstance(await anext(following), Snapshot)

    async def test_what_another_process_wrote_comes_with_the_next_heartbeat(
        self, open_here: Open, begin: Begin, connect: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(web_socket, "HEARTBEAT_SECONDS", 0.02)
        here, elsewhere = await open_here(), await open_here()
        client = await connect(here)
        talk = await begin(InProcessClient(elsewhere))
        following = client.follow(talk.id)
        async with aclosing(following):
            assert isinstance(await anext(following), Snapshot)
            assert isinstance(await anext(following), CaughtUp)
            rename = conversations.RenameConversation(talk.id, "Elsewhere")
            await talk.client.call(conversations.rename, rename)
            renamed = await anext(following)
            assert isinstance(renamed, ev.Envelope)
            assert renamed.event == ev.ConversationRenamed("Elsewhere")

    async def test_a_token_that_was_revoked_closes_the_line(
        self, open_here: Open, begin: Begin, connect: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(web_socket, "HEARTBEAT_SECONDS", 0.02)
        application = await open_here()
        client = await connect(application)
        talk = await begin(InProcessClient(application))
        following = client.follow(talk.id)
        await anext(following)
        await anext(following)
        caller = await application.authenticate(client._token)
        clock = application.tokens._clock
        await application.tokens._store.revoke(clock.now(), token_id=caller.token_id)
        with pytest.raises(NotAuthenticated):
            await anext(following)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b
