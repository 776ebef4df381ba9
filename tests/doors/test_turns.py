"""The wheel, turned whole: model, tools, approvals, Stop, through both doors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bestchat_server_ext.api import conversations
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import (
    ChatError,
    Conflict,
    InvalidRequest,
    MissingKey,
    ModelNotFound,
    NotFound,
    TurnActive,
    UnknownProvider,
)
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.testing.script import Call, Count, Fail, Say, Think, Wait

Door = Callable[[Application], Awaitable[Client]]
Write = Callable[..., str]
Open = Callable[..., Awaitable[Application]]
Begin = Callable[[Client], Awaitable[Any]]
Idle = Callable[[Application], Awaitable[None]]

FOREVER = Wait(3600)
DO_NOT_INSIST = "Do not try it again unless the user asks for it."


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


@pytest.fixture
def two_calls(script: Write) -> str:
    return script(
        "two",
        (Say("Let me see. "), Call("add", {"a": 1, "b": 2}), Call("shout", {"text": "hey"})),
        (Count("Messages sent: "),),
    )


class TestTools:
    async def test_one_is_approved_and_one_rejected_by_a_second_client(
        self, open_here: Open, door: Door, begin: Begin, two_calls: str
    ) -> None:
        application = await open_here(add, shout)
        first = await begin(await door(application))
        second = first.seen_by(await door(application))
        ticket = await first.ask(two_calls)
        await second.until(ev.TurnWaiting)
        assert [item.call.name for item in await second.pending()] == ["add", "shout"]
        one, other = await second.pending()
        await second.answer(one, "approve")
        refused = await second.answer(other, "reject", reason="Too loud.")
        assert refused.state == "denied"
        seen = await first.until(ev.TurnFinished)
        assert await first.results() == [
            ("call_0", "3"),
            (
                "call_1",
                f"The user rejected this call. Too loud. {DO_NOT_INSIST}",
            ),
        ]
        # The question, the answer with its calls, and their results went back to the model.
        assert await first.answers() == ["Let me see. ", "Messages sent: 3"]
        assert [type(event) for event in seen if isinstance(event, ev.StepStarted)] == [
            ev.StepStarted,
            ev.StepStarted,
        ]
        turn = await second.turn(ticket.turn_id)
        assert (turn.state, turn.step) == ("finished", 2)
        assert await second.pending() == ()

    async def test_edited_arguments_run_and_the_transcript_keeps_the_models(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        model = script("edit", (Call("add", {"a": 1, "b": 2}),), (Say("Fine."),))
        talk = await begin(await door(await open_here(add)))
        await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        (waiting,) = await talk.pending()
        with pytest.raises(InvalidRequest) as caught:
            await talk.answer(waiting, "approve", arguments="[1, 2]")
        assert caught.value.info.field == "arguments"
        assert await talk.pending() == (waiting,)
        await talk.answer(waiting, "approve", arguments='{"a": 40, "b": 2}')
        await talk.until(ev.TurnFinished)
        assert await talk.results() == [("call_0", "42")]
        (execution,) = await talk.executions()
        assert execution.call.arguments == '{"a":1,"b":2}'
        assert execution.effective.arguments == '{"a": 40, "b": 2}'

    async def test_the_first_answer_wins(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        model = script("race", (Call("add", {"a": 1, "b": 2}),), (Say("Fine."),))
        application = await open_here(add)
        talk = await begin(await door(application))
        rival = talk.seen_by(await door(application))
        await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        (waiting,) = await talk.pending()
        came = await asyncio.gather(
            talk.answer(waiting, "approve"),
            rival.answer(waiting, "reject"),
            return_exceptions=True,
        )
        (winner,) = [item for item in came if isinstance(item, ToolExecution)]
        (loser,) = [item for item in came if isinstance(item, ChatError)]
        assert type(loser) is Conflict
        await talk.until(ev.TurnFinished)
        (execution,) = await talk.executions()
        assert winner.decision is not None
        assert execution.state == {"approve": "done", "reject": "denied"}[winner.decision.verdict]
        with pytest.raises(Conflict):
            await rival.answer(waiting, "approve")

    async def test_nobody_there_means_denied(
        self, open_here: Open, door: Door, begin: Begin, two_calls: str
    ) -> None:
        ran: list[str] = []

        def add(a: int, b: int) -> None:
            ran.append(f"{a} {b}")

        talk = await begin(await door(await open_here(add)))
        await talk.ask(two_calls, attended=False)
        await talk.until(ev.TurnFinished)
        assert ran == []
        first = (await talk.executions())[0]
        assert first.state == "denied"
        assert first.decision is not None
        assert first.decision.by == "policy"
        assert "nobody was there to approve" in dict(await talk.results())["call_0"]

    async def test_what_a_tool_does_wrong_is_its_result(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        def fail() -> str:
            raise ValueError("no such thing")

        def leave() -> str:
            raise SystemExit(3)

        def odd_names() -> str:
            return "file\udcff"

        model = script(
            "wrong",
            (
                Call("fail"),
                Call("leave"),
                Call("odd_names"),
                Call("missing"),
                Call("add", "not JSON"),
                Call("add", {"a": "one", "b": 2}),
            ),
            (Say("I see."),),
        )
        talk = await begin(await door(await open_here(add, fail, leave, odd_names)))
        ticket = await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        for execution in await talk.pending():
            await talk.answer(execution, "approve")
        await talk.until(ev.TurnFinished)
        states = [item.state for item in await talk.executions()]
        assert states == ["failed", "failed", "done", "failed", "failed", "failed"]
        told = [text for _, text in await talk.results()]
        assert told[0] == "ValueError: no such thing"
        assert told[2] == "file?"
        assert told[3] == "There is no tool named 'missing'."
        assert (await talk.turn(ticket.turn_id)).state == "finished"


class TestStop:
    async def test_while_it_waits(
        self, open_here: Open, door: Door, begin: Begin, two_calls: str
    ) -> None:
        talk = await begin(await door(await open_here(add, shout)))
        ticket = await talk.ask(two_calls)
        await talk.until(ev.TurnWaiting)
        assert (await talk.cancel(ticket.turn_id)).cancelling
        await talk.until(ev.TurnCancelled)
        assert {item.state for item in await talk.executions()} == {"denied"}
        assert len(await talk.results()) == 2
        assert (await talk.turn(ticket.turn_id)).state == "cancelled"
        assert await talk.pending() == ()
        # It has ended: another Stop changes nothing.
        assert (await talk.cancel(ticket.turn_id)).state == "cancelled"

    async def test_while_a_tool_runs(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        began, stopped = asyncio.Event(), asyncio.Event()

        async def hang() -> str:
            began.set()
            try:
                return await asyncio.Future()
            except asyncio.CancelledError:
                stopped.set()
                raise

        model = script("hang", (Call("hang"),), (Say("Never said."),))
        talk = await begin(await door(await open_here(hang)))
        ticket = await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        await talk.answer((await talk.pending())[0], "approve")
        await began.wait()
        await talk.cancel(ticket.turn_id)
        await talk.until(ev.TurnCancelled)
        assert stopped.is_set()
        (execution,) = await talk.executions()
        assert execution.state == "unknown"
        assert await talk.answers() == [""]

    async def test_a_tool_that_ends_well_when_told_to_stop_is_believed(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        began = asyncio.Event()

        async def tidy() -> str:
            began.set()
            try:
                return await asyncio.Future()
            except asyncio.CancelledError:
                await asyncio.sleep(0)  # tidying up takes a moment
                return "tidied up"

        model = script("tidy", (Call("tidy"),), (Say("Never said."),))
        talk = await begin(await door(await open_here(tidy)))
        ticket = await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        await talk.answer((await talk.pending())[0], "approve")
        await began.wait()
        await talk.cancel(ticket.turn_id)
        await talk.until(ev.TurnCancelled)
        assert await talk.results() == [("call_0", "tidied up")]
        assert [item.state for item in await talk.executions()] == ["done"]

    async def test_while_it_streams(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        model = script("long", (Think("Hm."), Say("So far "), FOREVER, Say("so good.")))
        talk = await begin(await door(await open_here()))
        ticket = await talk.ask(model)
        await talk.until_text("Hm.So far ")
        await talk.cancel(ticket.turn_id)
        await talk.until(ev.TurnCancelled)
        state = await talk.state()
        answer = list(state.messages.values())[-1]
        assert (answer.role, answer.text, answer.partial) == ("assistant", "So far ", True)
        # The conversation goes on from there.
        await talk.ask("scripted/echo", "And now?")
        await talk.until(ev.TurnFinished)
        assert await talk.answers() == ["So far ", "And now?"]

    async def test_before_anything_was_said(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        talk = await begin(await door(await open_here()))
        ticket = await talk.ask(script("silent", (FOREVER, Say("Too late."))))
        await talk.cancel(ticket.turn_id)
        await talk.until(ev.TurnCancelled)
        assert await talk.answers() == []


class TestStart:
    async def test_a_request_sent_again_starts_nothing(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        talk = await begin(await door(await open_here()))
        model = script("slow", (FOREVER,))
        one, two = await asyncio.gather(talk.ask(model), talk.ask(model))
        assert one.turn_id == two.turn_id
        again = await talk.ask(model)
        assert (again.turn_id, again.message_id, again.seq) == (one.turn_id, one.message_id, 0)
        await talk.cancel(one.turn_id)
        await talk.until(ev.TurnCancelled)
        after_its_end = await talk.ask(model)
        assert after_its_end.turn_id == one.turn_id
        assert len((await talk.state()).turns) == 1
        assert len((await talk.state()).messages) == 1

    async def test_a_long_text_arrives_whole(
        self, open_here: Open, door: Door, begin: Begin
    ) -> None:
        talk = await begin(await door(await open_here()))
        text = "long \u00e9 \U0001f469 " * 100_000
        await talk.ask("scripted/echo", text, request_id="long")
        await talk.until(ev.TurnFinished)
        assert await talk.answers() == [text]

    async def test_one_turn_at_a_time(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        talk = await begin(await door(await open_here()))
        ticket = await talk.ask(script("slow", (FOREVER,)))
        with pytest.raises(TurnActive):
            await talk.ask("scripted/echo", "Me too!")
        await talk.cancel(ticket.turn_id)
        assert len((await talk.state()).messages) == 1

    @pytest.mark.parametrize(
        ("model", "error"),
        [
            ("nobody/knows", UnknownProvider),
            ("no reference", InvalidRequest),
            ("openai/gpt-5-mini", MissingKey),
        ],
    )
    async def test_without_a_model_nothing_is_stored(
        self, open_here: Open, door: Door, begin: Begin, model: str, error: type[ChatError]
    ) -> None:
        talk = await begin(await door(await open_here()))
        with pytest.raises(error) as caught:
            await talk.ask(model)
        assert type(caught.value) is error
        assert caught.value.info.field == "model"
        assert (await talk.state()).conversation.seq == 1

    async def test_a_parent_elsewhere_is_not_found(
        self, open_here: Open, door: Door, begin: Begin
    ) -> None:
        client = await door(await open_here())
        talk, other = await begin(client), await begin(client)
        ticket = await other.ask("scripted/echo", "Elsewhere.")
        await other.until(ev.TurnFinished)
        with pytest.raises(NotFound) as caught:
            await talk.ask("scripted/echo", "Here.", parent_id=ticket.message_id)
        assert caught.value.info.field == "parent_id"

    async def test_what_fails_upstream_fails_the_turn(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        model = script("fails", (Say("I was about to"), Fail("rate_limited", "Slowly.", 61)))
        talk = await begin(await door(await open_here()))
        ticket = await talk.ask(model)
        seen = await talk.until(ev.TurnFailed)
        failed = seen[-1]
        assert isinstance(failed, ev.TurnFailed)
        assert (failed.error.code, failed.error.retry_after) == ("rate_limited", 61)
        assert await talk.answers() == ["I was about to"]
        assert (await talk.turn(ticket.turn_id)).error == failed.error
        await talk.ask("scripted/none", "Is anybody there?")
        failed = (await talk.until(ev.TurnFailed, count=2))[-1]
        assert isinstance(failed, ev.TurnFailed)
        assert failed.error.code == ModelNotFound.code

    async def test_the_number_of_steps_is_limited(
        self, open_here: Open, door: Door, begin: Begin, script: Write
    ) -> None:
        talk = await begin(await door(await open_here(add, step_limit=3)))
        model = script("again", (Call("add", {"a": 1, "b": 1}),))
        ticket = await talk.ask(model, attended=False)
        failed = (await talk.until(ev.TurnFailed))[-1]
        assert isinstance(failed, ev.TurnFailed)
        assert failed.error.code == "limit_reached"
        assert (await talk.turn(ticket.turn_id)).step == 3

    async def test_deleting_the_conversation_stops_its_turn(
        self, open_here: Open, door: Door, begin: Begin, idle: Idle, script: Write
    ) -> None:
        application = await open_here()
        talk = await begin(await door(application))
        ticket = await talk.ask(script("long", (Say("So far "), FOREVER)))
        await talk.until_text("So far ")
        following = asyncio.create_task(talk.until(ev.ConversationDeleted))
        await talk.client.call(
            conversations.delete, conversations.DeleteConversation(talk.id, forever=True)
        )
        await idle(application)
        with pytest.raises(NotFound):
            await talk.turn(ticket.turn_id)
        # Who followed already saw it go; who comes too late learns that there is nothing.
        try:
            seen = await following
        except NotFound:
            seen = [ev.ConversationDeleted()]
        assert seen[-1] == ev.ConversationDeleted()


class TestInOneProcess:
    async def test_stop_at_the_start_of_a_step_does_not_repeat_the_one_before(
        self, open_here: Open, begin: Begin, script: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        application = await open_here(add)
        stream = application._services.stream
        state = stream.state

        async def state_for_all_but_the_second_request(*asked: Any) -> Any:
            found = await state(*asked)
            task = asyncio.current_task()
            if task is not None and task.get_name() == "bestchat-ask" and found.executions:
                await asyncio.Future()
            return found

        monkeypatch.setattr(stream, "state", state_for_all_but_the_second_request)
        model = script("steps", (Say("Step one."), Call("add", {"a": 1, "b": 2})), (Say("Two."),))
        talk = await begin(InProcessClient(application))
        ticket = await talk.ask(model, attended=False)
        await talk.until(ev.StepStarted, count=2)
        await talk.cancel(ticket.turn_id)
        await talk.until(ev.TurnCancelled)
        assert await talk.answers() == ["Step one."]

    async def test_stop_is_heard_even_before_the_turn_listens(
        self, open_here: Open, begin: Begin, script: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        application = await open_here()
        bus, service = application._services.stream.bus, application._services.turns
        subscribe = bus.subscribe

        async def subscribe_late(topic: str) -> Any:
            if topic.endswith(":control"):
                (running,) = service._runs
                await service.cancel(running)
            return await subscribe(topic)

        monkeypatch.setattr(bus, "subscribe", subscribe_late)
        talk = await begin(InProcessClient(application))
        ticket = await talk.ask(script("slow", (FOREVER,)))
        await talk.until(ev.TurnCancelled)
        assert (await talk.turn(ticket.turn_id)).state == "cancelled"

    async def test_a_rename_in_the_middle_does_not_disturb(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        application = await open_here(add)
        talk = await begin(InProcessClient(application))
        model = script("middle", (Call("add", {"a": 1, "b": 2}),), (Say("Done."),))
        await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        rename = conversations.RenameConversation(talk.id, "Another title")
        await talk.client.call(conversations.rename, rename)
        await talk.answer((await talk.pending())[0], "approve")
        await talk.until(ev.TurnFinished)
        assert (await talk.state()).conversation.title == "Another title"
        assert await talk.answers() == ["", "Done."]


async def test_a_request_id_of_another_conversation_is_refused(
    application: Application, door: Door, begin: Begin
) -> None:
    client = await door(application)
    first, other = await begin(client), await begin(client)
    ticket = await first.ask("scripted/echo", "one", request_id="once")
    again = await first.ask("scripted/echo", "one", request_id="once")
    assert again.turn_id == ticket.turn_id
    with pytest.raises(Conflict, match="another conversation") as caught:
        await other.ask("scripted/echo", "two", request_id="once")
    assert caught.value.info.field == "request_id"
    assert (await other.state()).messages == {}
