from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import (
    ConversationState,
    SeqGap,
    apply_execution,
    create,
    execution_of,
    reduce,
    turn_of,
)
from bestchat_server_ext.core.errors import ChatError, Conflict, TurnActive
from bestchat_server_ext.core.ids import (
    ExecutionId,
    MessageId,
    RequestId,
    TurnId,
    derived_id,
    uuid7,
)
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.core.tools import (
    SETTLED,
    Decision,
    ExecutionState,
    ToolCall,
    ToolExecution,
    ToolResult,
)
from bestchat_server_ext.testing.simulation import START, Rows

TURN = TurnId(uuid7(START, b"a second turn"))
KEY = ExecutionId(derived_id(TURN, "a call"))


def message(name: str, parent: MessageId | None, turn_id: TurnId, **more: Any) -> Message:
    return Message(
        id=MessageId(derived_id(turn_id, name)),
        parent_id=parent,
        role="assistant",
        parts=(TextPart(name),),
        created_at=START,
        turn_id=turn_id,
        **more,
    )


def execution(rows: Rows, state: ExecutionState = "proposed") -> ToolExecution:
    return ToolExecution(
        id=KEY,
        conversation_id=rows.state.conversation.id,
        turn_id=rows.turn_id,
        message_id=rows.turn.message_id,
        step=1,
        position=0,
        call=ToolCall("1", "rm", "{}"),
        state=state,
    )


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def story() -> list[ev.Envelope]:
    """A turn with an approval, from the first event to the last."""
    rows = Rows()
    turn_id = rows.turn_id
    answer = message("answer", rows.turn.message_id, turn_id, step=1, usage=Usage(3, 4))
    rows.append(
        [
            ev.StepStarted(turn_id, 1, answer.id, rows.turn.message_id),
            ev.MessageAdded(answer),
            ev.ToolProposed(execution(rows)),
            ev.ApprovalRequested(KEY),
            ev.TurnWaiting(turn_id),
            ev.ConversationRenamed("Removing things"),
            ev.ApprovalAnswered(KEY, Decision("approve")),
            ev.TurnResumed(turn_id),
            ev.ToolStarted(KEY),
            ev.CancelRequested(turn_id),
            ev.ToolFinished(KEY, "done", ToolResult("gone")),
            ev.MessageAdded(message("tools", answer.id, turn_id, step=1, usage=Usage(1))),
            ev.TurnCancelled(turn_id),
        ]
    )
    return rows.journal


def told(story: list[ev.Envelope]) -> ConversationState:
    state = create(story[0].conversation_id, story[0])
    for envelope in story[1:]:
        state = reduce(state, envelope)
    return state


# Order.


def test_a_story_comes_to_its_rows(story: list[ev.Envelope]) -> None:
    state = told(story)
    (turn,) = state.turns.values()
    assert state.conversation.seq == len(story)
    assert state.conversation.title == "Removing things"
    assert (turn.state, turn.step, turn.cancelling) == ("cancelled", 1, True)
    assert turn.usage == Usage(4, 4)
    assert turn.ended_at == START
    assert state.executions[KEY].state == "done"
    assert state.executions[KEY].result == ToolResult("gone")
    assert state.executions[KEY].decision == Decision("approve")
    assert [item.text for item in state.messages.values()] == ["Hello.", "answer", "tools"]
    assert state.active_turn is None


def test_an_event_that_is_contained_already_changes_nothing(story: list[ev.Envelope]) -> None:
    state = told(story)
    for envelope in story:
        assert reduce(state, envelope) is state


@given(st.data())
@settings(deadline=None)
def test_any_stuttering_comes_to_the_same(data: st.DataObject) -> None:
    """A client may be sent everything again from any earlier event, as often as it likes."""
    rows = Rows()
    rows.append([ev.ConversationRenamed(str(number)) for number in range(5)])
    state = create(rows.journal[0].conversation_id, rows.journal[0])
    while state.conversation.seq < len(rows.journal):
        start = data.draw(st.integers(0, state.conversation.seq))
        for envelope in rows.journal[start : state.conversation.seq + 1]:
            state = reduce(state, envelope)
    assert state == rows.state


def test_a_gap_is_noticed(story: list[ev.Envelope]) -> None:
    state = told(story[:3])
    with pytest.raises(SeqGap, match="have 3, got 5"):
        reduce(state, story[4])
    assert reduce(state, story[3]).conversation.seq == 4


def test_an_event_moves_the_time_of_the_conversation(rows: Rows) -> None:
    later = START + timedelta(hours=1)
    seq = rows.state.conversation.seq + 1
    envelope = ev.Envelope(rows.state.conversation.id, seq, later, ev.ConversationRenamed("New"))
    after = reduce(rows.state, envelope).conversation
    assert (after.updated_at, after.created_at) == (later, START)


def test_a_conversation_begins_with_its_creation(story: list[ev.Envelope]) -> None:
    with pytest.raises(Conflict):
        create(story[1].conversation_id, story[1])


def test_old_states_stay_as_they_were(story: list[ev.Envelope]) -> None:
    before = told(story[:5])
    encoded = msgspec.json.encode(before)
    for envelope in story[5:]:
        reduce(told(story[: envelope.seq - 1]), envelope)
    state = before
    for envelope in story[5:]:
        state = reduce(state, envelope)
    assert msgspec.json.encode(before) == encoded


def test_parts_that_an_event_is_not_about_are_untouched(story: list[ev.Envelope]) -> None:
    for before, envelope in ((told(story[:seq]), story[seq]) for seq in range(1, len(story))):
        after = reduce(before, envelope)
        added = isinstance(envelope.event, ev.MessageAdded)
        assert (after.messages is before.messages) == (not added)
        about_call = isinstance(envelope.event, ev.ToolProposed) or execution_of(envelope.event)
        assert (after.executions is before.executions) == (not about_call)


def test_a_snapshot_survives_the_wire_and_goes_on(story: list[ev.Envelope]) -> None:
    for seq in range(1, len(story)):
        snapshot = msgspec.json.encode(told(story[:seq]))
        state = msgspec.json.decode(snapshot, type=ConversationState)
        for envelope in story[seq:]:
            state = reduce(state, envelope)
        assert state == told(story)


# Branches.


def test_branches(rows: Rows) -> None:
    root = rows.turn.message_id
    left, right = (message(name, root, rows.turn_id) for name in ("left", "right"))
    leaf = message("leaf", left.id, rows.turn_id)
    other_root = message("another beginning", None, rows.turn_id)
    rows.append([ev.MessageAdded(item) for item in (left, right, leaf, other_root)])
    state = rows.state

    def path(end: MessageId | None) -> list[str]:
        return [item.text for item in state.branch(end)]

    assert path(leaf.id) == ["Hello.", "left", "leaf"]
    assert path(right.id) == ["Hello.", "right"]
    assert path(other_root.id) == ["another beginning"]
    assert path(None) == []
    assert state.newest == other_root.id


def test_an_empty_conversation_has_no_newest_message(rows: Rows) -> None:
    empty = create(rows.journal[0].conversation_id, rows.journal[0])
    assert empty.newest is None
    assert empty.active_turn is None


# What does not fit.


def refuses(rows: Rows, event: ev.Event, error: type[ChatError] = Conflict) -> None:
    before = rows.state
    with pytest.raises(error):
        rows.append([event])
    assert rows.state is before


def test_one_turn_at_a_time(rows: Rows) -> None:
    question = message("and another thing", None, TURN)
    rows.append([ev.MessageAdded(question)])
    started = ev.TurnStarted(TURN, RequestId("another"), question.id, "scripted/model")
    refuses(rows, started, TurnActive)
    rows.append([ev.TurnWaiting(rows.turn_id)])
    refuses(rows, started, TurnActive)
    rows.append([ev.TurnFinished(rows.turn_id), started])
    assert rows.state.active_turn == rows.state.turns[TURN]
    assert rows.state.turns[TURN].attended


@pytest.mark.parametrize("end", get_args(ev.TurnEnded), ids=lambda end: end.__name__)
def test_a_turn_ends_once(rows: Rows, end: type) -> None:
    more = (Conflict("It failed.").info,) if end is ev.TurnFailed else ()
    ended = end(rows.turn_id, *more)
    rows.append([ended])
    assert not rows.turn.active
    assert rows.turn.ended_at == START
    assert rows.turn.error == (more[0] if more else None)
    refuses(rows, ended)
    refuses(rows, ev.CancelRequested(rows.turn_id))
    refuses(rows, ev.TurnResumed(rows.turn_id))
    refuses(rows, ev.MessageAdded(message("late", rows.turn.message_id, rows.turn_id)))


def test_nothing_comes_twice_under_one_id(rows: Rows) -> None:
    rows.append([ev.ToolProposed(execution(rows))])
    refuses(rows, ev.ToolProposed(execution(rows)))
    refuses(rows, ev.MessageAdded(rows.state.messages[rows.turn.message_id]))
    rows.append([ev.TurnFinished(rows.turn_id)])
    again = ev.TurnStarted(rows.turn_id, RequestId("r"), rows.turn.message_id, "scripted/model")
    refuses(rows, again)


def test_a_call_that_was_never_proposed_does_not_fit(rows: Rows) -> None:
    refuses(rows, ev.ToolStarted(KEY))
    refuses(rows, ev.ApprovalAnswered(KEY, Decision("approve")))


def test_all_or_nothing(rows: Rows) -> None:
    before = (rows.state, list(rows.journal))
    with pytest.raises(Conflict):
        rows.append([ev.ConversationRenamed("New"), ev.ToolStarted(KEY)])
    assert (rows.state, rows.journal) == before


# Approvals.


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
def test_the_first_answer_to_an_approval_wins(rows: Rows, first: Any, second: Any) -> None:
    rows.append([ev.ToolProposed(execution(rows)), ev.ApprovalRequested(KEY)])
    rows.append([ev.ApprovalAnswered(KEY, Decision(first, reason="first"))])
    late = ev.ApprovalAnswered(KEY, Decision(second, reason="second"))
    refuses(rows, late)
    assert rows.state.executions[KEY].decision == Decision(first, reason="first")


def test_stop_takes_back_an_approval_that_has_not_begun(rows: Rows) -> None:
    stop = ev.ApprovalAnswered(KEY, Decision("reject", reason="Stopped.", by="system"))
    rows.append([ev.ToolProposed(execution(rows)), ev.ApprovalRequested(KEY)])
    rows.append([ev.ApprovalAnswered(KEY, Decision("approve")), stop])
    assert rows.state.executions[KEY].state == "denied"
    refuses(rows, stop)


@pytest.mark.parametrize(
    ("by", "begins"),
    [
        ("user", "The user rejected this call. Too risky."),
        ("policy", "The policy does not allow this call. Too risky."),
        ("system", "This call did not run. Too risky."),
    ],
)
def test_a_refusal_tells_the_model_why(rows: Rows, by: str, begins: str) -> None:
    asked = execution(rows, "waiting")
    decision = Decision("reject", reason="Too risky.", by=by)
    refused = apply_execution(asked, ev.ApprovalAnswered(KEY, decision))
    assert refused.state == "denied"
    assert refused.result is not None
    assert refused.result.is_error
    assert refused.result.content.startswith(begins)


ACTS: list[ev.Event] = [
    ev.ApprovalRequested(KEY),
    ev.ApprovalAnswered(KEY, Decision("approve")),
    ev.ApprovalAnswered(KEY, Decision("reject")),
    ev.ToolStarted(KEY),
    ev.ToolFinished(KEY, "done", ToolResult("1")),
    ev.ToolFinished(KEY, "failed", ToolResult("2", is_error=True)),
    ev.ToolFinished(KEY, "unknown", ToolResult("3", is_error=True)),
]

ORDER: dict[ExecutionState, int] = {
    "proposed": 0,
    "waiting": 1,
    "approved": 2,
    "running": 3,
    "denied": 4,
    "done": 4,
    "failed": 4,
    "unknown": 4,
}


@given(st.lists(st.sampled_from(ACTS), max_size=12))
def test_an_execution_only_goes_forward(acts: list[ev.Event]) -> None:
    item, states = execution(Rows()), list[ExecutionState]()
    for act in acts:
        before = item
        try:
            item = apply_execution(item, act)
        except Conflict:
            assert item is before
            continue
        states.append(item.state)
        assert before.state not in SETTLED
        assert (item.result is not None) == (item.state in SETTLED)
    ranks = [ORDER[state] for state in states]
    assert all(earlier < later for earlier, later in pairwise(ranks))
    if "running" in states:
        assert "approved" in states
    if states and states[-1] in {"done", "unknown"}:
        assert "running" in states


# Routing.


def test_every_event_is_about_a_turn_or_a_call_or_the_conversation(
    story: list[ev.Envelope],
) -> None:
    for event in (envelope.event for envelope in story):
        assert turn_of(event) is None or execution_of(event) is None
        if hasattr(event, "turn_id") and not isinstance(event, ev.TurnStarted):
            assert turn_of(event) == event.turn_id
        if hasattr(event, "execution_id"):
            assert execution_of(event) == event.execution_id


def test_every_kind_of_event_finds_its_row() -> None:
    """A new event that names a turn or a call must be listed in `turn_of` or `execution_of`."""
    for kind in get_args(ev.Event):
        fields = dict.fromkeys(kind.__struct_fields__, "x")
        event = kind(
            **{**fields, "message": message("m", None, TURN)} if "message" in fields else fields
        )
        if "execution_id" in fields:
            assert execution_of(event) == "x"
        elif "turn_id" in fields and kind not in {ev.TurnStarted, ev.MessageUnqueued}:
            assert turn_of(event) == "x"
        elif kind is ev.MessageAdded:
            assert turn_of(event) == TURN
        else:
            assert turn_of(event) is execution_of(event) is None
