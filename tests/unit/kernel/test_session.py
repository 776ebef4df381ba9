"""A session on the services themselves, in this process, with scripts for answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bestchat_kernel import session as session_module
from bestchat_kernel.result import ChatResult
from bestchat_kernel.session import (
    Asked,
    Began,
    ChatSession,
    Grew,
    Progress,
    Question,
    Stored,
    Told,
)
from bestchat_server_ext.api import conversations, system, turns
from bestchat_server_ext.api.frames import Snapshot
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import Conversation, ConversationState, Turn
from bestchat_server_ext.core.errors import (
    ChatError,
    NoModel,
    NotFound,
    RateLimited,
    TurnCancelled,
    TurnInterrupted,
    UnknownProcedure,
    UnknownProvider,
)
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    MessageId,
    OwnerId,
    RequestId,
    TurnId,
)
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.core.tools import ToolCall, ToolExecution

SCRIPT: dict[str, Any] = {
    "turns": [
        {"when": "^hang", "steps": [[{"do": "say", "text": "so"}, {"do": "wait", "seconds": 600}]]},
        {"when": "^count", "steps": [[{"do": "count"}]]},
        {
            "when": "^break",
            "steps": [[{"do": "say", "text": "ha"}, {"do": "fail", "code": "rate_limited"}]],
        },
        {
            "when": "^tool",
            "steps": [
                [{"do": "say", "text": "First."}, {"do": "call", "name": "none"}],
                [{"do": "say", "text": "Then."}],
            ],
        },
        {
            "when": "^usage",
            "steps": [[{"do": "say", "text": "x"}, {"do": "usage", "input": 3, "output": 4}]],
        },
        {"steps": [[{"do": "echo"}]]},
    ]
}


@dataclass
class Sink:
    """Hears what a cell is told."""

    told: list[Progress] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, progress: Progress) -> None:
        self.told.append(progress)
        if isinstance(progress, Grew):
            self.grown.set()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "test.json").write_text(json.dumps(SCRIPT))
    return {
        "BESTCHAT_DATA_DIR": str(tmp_path / "data"),
        "BESTCHAT_SCRIPTS_DIR": str(tmp_path),
        "BESTCHAT_DEFAULT_MODEL": "scripted/test",
        "JPY_SESSION_NAME": "work/analysis.ipynb",
    }


@pytest.fixture
async def session(environ: dict[str, str]) -> AsyncIterator[ChatSession]:
    session = ChatSession(environ)
    yield session
    await session.close()


async def ask(session: ChatSession, text: str, cell: str = "", **more: Any) -> ChatResult:
    return await session.ask(Question(text, cell or text, **more), Sink())


async def until_grown(sink: Sink, asking: asyncio.Task[ChatResult]) -> None:
    """Wait for the first piece of an answer; for an error if there will be none."""
    growing = asyncio.create_task(sink.grown.wait())
    await asyncio.wait({growing, asking}, return_when=asyncio.FIRST_COMPLETED)
    growing.cancel()
    if not sink.grown.is_set():
        asking.result()


async def state(session: ChatSession, conversation_id: str) -> ConversationState:
    client = (await session.connection()).client
    request = conversations.GetConversation(ConversationId(conversation_id))
    return await client.call(conversations.get, request)


async def test_an_answer_and_what_is_told_on_the_way(session: ChatSession) -> None:
    sink = Sink()
    result = await session.ask(Question("usage", "a"), sink)
    assert (result.text, result.model, result.usage) == ("x", "scripted/test", Usage(3, 4))
    assert sink.told == [Began("scripted/test", "script"), Grew("x"), Stored("x")]
    kept = await state(session, result.conversation_id)
    assert kept.turns[result.turn_id].state == "finished"
    assert not kept.turns[result.turn_id].attended
    assert kept.conversation.label == "work/analysis.ipynb"


async def test_several_steps_are_shown_together_and_counted_together(session: ChatSession) -> None:
    sink = Sink()
    result = await session.ask(Question("tool", "a"), sink)
    assert result.text == "Then."
    assert sink.told[-1] == Stored("First.\n\nThen.")
    kept = await state(session, result.conversation_id)
    assert result.usage == kept.turns[result.turn_id].usage


async def test_cells_go_on_with_one_conversation(session: ChatSession) -> None:
    first = await ask(session, "a")
    second = await ask(session, "count")
    assert second.conversation_id == first.conversation_id
    assert second.text == "3"


async def test_a_new_one_and_back_by_id_and_by_title(session: ChatSession) -> None:
    first = await ask(session, "the first one")
    second = await ask(session, "another", new=True)
    assert second.conversation_id != first.conversation_id
    assert (await ask(session, "count")).text == "3"
    back = await ask(session, "count", cell="x", conversation=first.conversation_id)
    assert back.conversation_id == first.conversation_id
    assert (await ask(session, "count", cell="y", conversation="another")).text == "5"
    # It stays the kernel's own until another is chosen.
    assert (await ask(session, "z")).conversation_id == second.conversation_id


async def test_a_title_that_none_has_or_two(session: ChatSession) -> None:
    with pytest.raises(NotFound, match="No conversation has the title 'nope'"):
        await ask(session, "a", conversation="nope")
    await ask(session, "twin")
    await ask(session, "twin", new=True)
    with pytest.raises(NotFound, match="2 conversations have the title 'twin'"):
        await ask(session, "a", conversation="twin")


async def test_a_cell_runs_again_where_it_stood(session: ChatSession) -> None:
    await ask(session, "one", cell="a")
    assert (await ask(session, "count", cell="b")).text == "3"
    assert (await ask(session, "count", cell="b")).text == "3"
    assert (await ask(session, "count", cell="a")).text == "1"
    result = await ask(session, "count", cell="b")
    assert result.text == "3"
    kept = await state(session, result.conversation_id)
    branch = kept.branch(kept.newest)
    assert [message.text for message in branch] == ["count", "1", "count", "3"]
    assert len(kept.messages) == 10


async def test_what_another_face_says_is_followed(session: ChatSession) -> None:
    first = await ask(session, "one", cell="a")
    client = (await session.connection()).client
    said = await client.call(
        turns.start,
        turns.StartTurn(
            conversation_id=ConversationId(first.conversation_id),
            request_id=RequestId("r"),
            text="from there",
        ),
    )
    async for frame in client.follow(ConversationId(first.conversation_id), said.seq - 1):
        if isinstance(frame, ev.Envelope) and isinstance(frame.event, ev.TurnFinished):
            break
    assert (await ask(session, "count", cell="b")).text == "5"
    assert (await ask(session, "count", cell="b")).text == "5"


async def test_failures_are_of_the_family_and_leave_the_session_usable(
    session: ChatSession,
) -> None:
    with pytest.raises(RateLimited):
        await ask(session, "break")
    with pytest.raises(UnknownProvider):
        await ask(session, "x", model="nobody/x")
    assert (await ask(session, "count", model="scripted/test")).text == "3"


async def test_without_a_default_model_it_names_three_ways(
    environ: dict[str, str],
) -> None:
    session = ChatSession(environ | {"BESTCHAT_DEFAULT_MODEL": ""})
    with pytest.raises(NoModel, match="OPENAI_API_KEY") as caught:
        await ask(session, "x")
    assert "OPENAI_BASE_URL" in str(caught.value)
    assert "bestchat models add smollm2-135m" in str(caught.value)
    assert ("model", str(caught.value)) in await session.status()
    await session.close()


# Stopping.


async def test_stopping_keeps_what_had_arrived(session: ChatSession) -> None:
    sink = Sink()
    asking = asyncio.create_task(session.ask(Question("hang", "a"), sink))
    await until_grown(sink, asking)
    await session.stop()
    with pytest.raises(TurnCancelled, match="kept"):
        await asking
    assert sink.told[-1] == Stored("so")
    assert (await ask(session, "count")).text == "3"


async def test_stopping_before_there_is_a_connection_stores_nothing(session: ChatSession) -> None:
    asking = asyncio.create_task(ask(session, "hang"))
    await asyncio.sleep(0)
    await session.stop()
    with pytest.raises(TurnCancelled):
        await asking
    assert dict(await session.status())["conversation"].startswith("none yet")


async def test_the_next_cell_waits_for_one_that_is_still_stopping(session: ChatSession) -> None:
    sink = Sink()
    stopped = asyncio.create_task(session.ask(Question("hang", "a"), sink))
    await until_grown(sink, stopped)
    following = asyncio.create_task(ask(session, "count", cell="b"))
    await asyncio.sleep(0)
    # Only what was asked before is stopped in a notebook; here both are.
    await session.stop()
    for task in (stopped, following):
        with pytest.raises(TurnCancelled):
            await task
    assert (await ask(session, "count", cell="b")).text == "3"


async def test_stopping_nothing_is_no_error(session: ChatSession) -> None:
    await session.stop()
    assert (await ask(session, "count")).text == "1"


async def test_a_conversation_that_is_deleted_while_it_answers(session: ChatSession) -> None:
    sink = Sink()
    asking = asyncio.create_task(session.ask(Question("hang", "a"), sink))
    await until_grown(sink, asking)
    client = (await session.connection()).client
    page = await client.call(conversations.list_, conversations.ListConversations())
    request = conversations.DeleteConversation(page.conversations[0].id, forever=True)
    await client.call(conversations.delete, request)
    with pytest.raises(NotFound, match="deleted while"):
        await asking
    assert "no such object" in dict(await session.status())["conversation"]
    with pytest.raises(NotFound, match="--new"):
        await ask(session, "count")
    assert (await ask(session, "count", new=True)).text == "1"


# Facts.


async def test_status(session: ChatSession) -> None:
    rows = dict(await session.status())
    facts = ["door", "place", "owner", "model", "conversation"]
    assert list(rows) == [*facts, "data_dir", "default_model", "scripts_dir"]
    assert (rows["door"], rows["owner"]) == ("in-process", "local")
    assert rows["default_model"] == "scripted/test  (from BESTCHAT_DEFAULT_MODEL)"
    assert rows["model"] == "scripted/test"
    result = await ask(session, "hello there")
    rows = dict(await session.status())
    assert rows["conversation"] == f"{result.conversation_id} (hello there)"


async def test_the_status_of_an_older_server(
    session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not know what is asked for; what it does tell is shown."""
    client = (await session.connection()).client
    call = client.call

    async def older(procedure: Any, request: Any) -> Any:
        if procedure is system.options:
            raise UnknownProcedure("There is no such procedure.")
        return await call(procedure, request)

    monkeypatch.setattr(client, "call", older)
    facts = ["door", "place", "owner", "model", "conversation"]
    assert list(dict(await session.status())) == facts


async def test_two_at_once_open_one_connection(session: ChatSession) -> None:
    first, second = await asyncio.gather(session.connection(), session.connection())
    assert first is second


# Frames, one by one.

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONVERSATION = ConversationId("01a20621-8ff7-77e9-a1d4-40b3ebf44da7")
TURN = TurnId("01a20621-9696-73e6-b96e-c3e0d414b32f")


def answer(text: str, number: int = 1) -> Message:
    return Message(
        id=MessageId(f"m{number}"),
        parent_id=None,
        role="assistant",
        parts=(TextPart(text),),
        created_at=NOW,
        turn_id=TURN,
        usage=Usage(1, 2),
    )


def snapshot(turn_state: Any, *answers: Message) -> Snapshot:
    turn = Turn(TURN, CONVERSATION, RequestId("r"), MessageId("q"), "a/b", NOW, state=turn_state)
    call = ToolExecution(
        ExecutionId("e"), CONVERSATION, TURN, MessageId("m1"), 1, 0, ToolCall("c", "t", "{}")
    )
    kept = ConversationState(
        Conversation(CONVERSATION, OwnerId("local"), 9, NOW, NOW),
        {message.id: message for message in answers},
        {TURN: turn},
        {call.id: call},
    )
    return Snapshot(CONVERSATION, kept)


def envelope(event: ev.Event) -> ev.Envelope:
    return ev.Envelope(CONVERSATION, 1, NOW, event)


def delta(text: str, number: int = 1, kind: Any = "text") -> ev.Delta:
    return ev.Delta(CONVERSATION, TURN, MessageId(f"m{number}"), 0, kind, 1, 1, text)


def test_what_grows_is_what_is_stored_in_the_end() -> None:
    turn, sink = session_module._Turn(TURN, "a/b"), Sink()
    frames = [
        *(delta("One"), delta("."), envelope(ev.MessageAdded(answer("One.")))),
        *(delta("Two", 2), delta(".", 2), envelope(ev.MessageAdded(answer("Two.", 2)))),
    ]
    for frame in frames:
        session_module._take(turn, frame, sink)
    grown = "".join(item.text for item in sink.told if isinstance(item, Grew))
    assert sink.told[-1] == Stored(grown) == Stored("One.\n\nTwo.")


def test_a_snapshot_takes_the_place_of_what_was_there() -> None:
    turn, sink = session_module._Turn(TURN, "a/b"), Sink()
    session_module._take(turn, envelope(ev.MessageAdded(answer("One."))), sink)
    session_module._take(turn, snapshot("running", answer("One."), answer("Two.", 2)), sink)
    assert (turn.text, turn.usage, turn.ended) == ("One.\n\nTwo.", Usage(2, 4), None)
    assert sink.told[-1] == Stored("One.\n\nTwo.")
    session_module._take(turn, envelope(ev.ApprovalRequested(ExecutionId("e"))), sink)
    assert isinstance(sink.told[-1], Asked)


@pytest.mark.parametrize(
    ("turn_state", "error"),
    [
        ("finished", None),
        ("failed", ChatError),
        ("cancelled", TurnCancelled),
        ("interrupted", TurnInterrupted),
    ],
)
def test_a_turn_may_have_ended_meanwhile(
    environ: dict[str, str], turn_state: str, error: type[ChatError] | None
) -> None:
    turn = session_module._Turn(TURN, "a/b")
    session_module._take(turn, snapshot(turn_state, answer("One.")), Sink())
    session = ChatSession(environ)
    if error is None:
        assert session._conclude(turn, CONVERSATION).text == "One."
    else:
        with pytest.raises(error):
            session._conclude(turn, CONVERSATION)


def test_other_turns_of_the_conversation_change_nothing() -> None:
    other = TurnId("01a20621-9696-73e6-b96e-000000000000")
    turn, sink = session_module._Turn(other, "a/b"), Sink()
    frames = [delta("x"), envelope(ev.MessageAdded(answer("x"))), envelope(ev.TurnFinished(TURN))]
    for frame in frames:
        session_module._take(turn, frame, sink)
    assert sink.told == []
    assert turn.ended is None


def test_thoughts_are_not_the_answer() -> None:
    turn, sink = session_module._Turn(TURN, "a/b"), Sink()
    session_module._take(turn, delta("hm", kind="reasoning"), sink)
    assert sink.told == []


async def test_a_key_in_the_environment_is_announced_with_model_and_price(
    environ: dict[str, str], session: ChatSession
) -> None:
    assert await session.announcement() == "", "no key is needed, so that nobody pays"
    # Another process, in whose shell a key was set, perhaps for something else.
    other = ChatSession(environ | {"BESTCHAT_DEFAULT_MODEL": "", "OPENAI_API_KEY": "sk-canary"})
    said = await other.announcement()
    await other.close()
    assert said.startswith("OPENAI_API_KEY is set, so openai/gpt-5-mini answers ($0.25 in, $2 out")
    assert "sk-canary" not in said


async def test_it_is_announced_once_and_before_anything_is_sent(
    session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def announcement() -> str:
        return "a key is set"

    monkeypatch.setattr(session, "announcement", announcement)
    first, second = Sink(), Sink()
    await session.ask(Question("count", "a"), first)
    await session.ask(Question("count", "b"), second)
    assert first.told[0] == Told("a key is set")
    assert Told("a key is set") not in second.told


async def test_nothing_is_announced_where_a_model_is_named(session: ChatSession) -> None:
    sink = Sink()
    await session.ask(Question("count", "a", model="scripted/test"), sink)
    assert isinstance(sink.told[0], Began)


def test_what_was_left_out_of_a_request_is_told() -> None:
    turn, sink = session_module._Turn(TURN, "a/b"), Sink()
    for turn_id in (TURN, TurnId("another")):
        event = ev.RequestReduced(turn_id, 1, MessageId("m"), 12, 9000, 4000, 10_000)
        session_module._take(turn, envelope(event), sink)
    (told,) = sink.told
    assert isinstance(told, session_module.Told)
    assert "10,000 tokens: the 12 oldest messages" in told.text
