"""The turn machine, as scripts. Every script is played three times: with one machine from
beginning to end, and with a machine that is made anew from the rows before each input."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bestchat_server_ext.core.conversation import execution_id
from bestchat_server_ext.core.errors import ErrorInfo, ProviderError, RateLimited
from bestchat_server_ext.core.events import (
    ApprovalRequested,
    CancelRequested,
    MessageAdded,
    StepStarted,
    ToolStarted,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnInterrupted,
    TurnResumed,
    TurnWaiting,
)
from bestchat_server_ext.core.ids import ExecutionId, TurnId, uuid7
from bestchat_server_ext.core.messages import Message, ReasoningPart, TextPart
from bestchat_server_ext.core.models import FinishReason, Usage
from bestchat_server_ext.core.policy import Rule
from bestchat_server_ext.core.reply import Reply, ReplyPart
from bestchat_server_ext.core.tools import Decision, ToolCall, ToolExecution, ToolResult
from bestchat_server_ext.core.turn import (
    Append,
    ApprovalGiven,
    AskModel,
    Begin,
    CancelModel,
    Finish,
    ModelFailed,
    ModelReplied,
    RunTool,
    ToolFinished,
    ToolLost,
)
from bestchat_server_ext.testing.playbook import (
    Placeholder,
    Playbook,
    abandoned,
    about,
    answer,
    append,
    approved,
    ask_model,
    await_approval,
    broke_off,
    call,
    came_back,
    cancel_model,
    cancel_tool,
    edited,
    failed,
    finish,
    lost,
    proposed,
    rejected,
    replied,
    results,
    ruled,
    run_tool,
    settled,
    some,
    spec,
    stopped,
)
from bestchat_server_ext.testing.simulation import START

NewPlay = Callable[..., Playbook]

TOOLS = [spec("add", "read"), spec("rm", "write"), spec("get", "read")]
RULES = [Rule("add", "approve"), Rule("get", "approve"), Rule("format", "deny")]


@pytest.fixture(params=["never", "before", "after"])
def new_play(request: pytest.FixtureRequest) -> NewPlay:
    return partial(Playbook, rebuild=request.param)


@pytest.fixture
def play(new_play: NewPlay) -> Playbook:
    """A turn with tools that has asked its model."""
    play = new_play(TOOLS, RULES)
    assert play >> Begin() << append(StepStarted) << ask_model(1)
    return play


def message(play: Playbook, role: str) -> Message:
    """The last stored message of a role."""
    return [item for item in play.rows.state.messages.values() if item.role == role][-1]


# Answers.


def test_simple_answer(new_play: NewPlay) -> None:
    play = new_play()
    answered = Placeholder("the answer")
    started = some(StepStarted, turn_id=play.rows.turn_id, step=1, message_id=answered)
    assert (
        play
        >> Begin()
        << append(started)
        << some(AskModel, step=1, message_id=answered, parent_id=play.rows.turn.message_id)
        >> replied(text="Four.")
        << append(answer("Four."), TurnFinished)
        << finish()
    )
    assert play.rows.turn.state == "finished"
    assert play.rows.turn.ended_at == START
    stored = play.rows.state.messages[answered()]
    assert stored.parent_id == play.rows.turn.message_id
    assert (stored.turn_id, stored.step) == (play.rows.turn_id, 1)
    assert stored.finish_reason == "stop"
    assert stored.model == play.rows.turn.model


def test_an_answer_keeps_reasoning_usage_and_order(play: Playbook) -> None:
    parts = (
        ReplyPart("reasoning", "Hm.", "seal"),
        ReplyPart("reasoning", "", "cipher", redacted=True),
        ReplyPart("text", "Yes."),
        ReplyPart("reasoning", "!"),
    )
    reply = Reply(parts, usage=Usage(7, 3, 2, 1), finish_reason="stop")
    assert play >> ModelReplied(1, reply) << append(MessageAdded, TurnFinished) << finish()
    stored = message(play, "assistant")
    assert stored.parts == (
        ReasoningPart("Hm.", "seal"),
        ReasoningPart("", "cipher", redacted=True),
        TextPart("Yes."),
        ReasoningPart("!"),
    )
    assert stored.usage == Usage(7, 3, 2, 1)
    assert play.rows.turn.usage == Usage(7, 3, 2, 1)


def test_usage_that_nobody_reported_stays_unknown(play: Playbook) -> None:
    assert play >> replied(text="Yes.") << append(answer("Yes."), TurnFinished) << finish()
    assert message(play, "assistant").usage is None


def test_text_with_a_reason_but_no_calls_is_the_answer(play: Playbook) -> None:
    assert (
        play
        >> replied(text="I would call a tool.", reason="tool_calls")
        << append(answer("I would call a tool."), TurnFinished)
        << finish()
    )


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("stop", "provider_error"),
        ("tool_calls", "provider_error"),
        ("unknown", "provider_error"),
        ("length", "limit_reached"),
        ("content_filter", "content_refused"),
    ],
)
def test_an_empty_first_answer_fails(play: Playbook, reason: FinishReason, code: str) -> None:
    assert (
        play
        >> replied(text=" \n", reason=reason)
        << append(answer(" \n", partial=True), failed(code))
        << finish()
    )
    assert play >> replied(text="Too late.")


def test_thoughts_without_an_answer_are_kept_and_fail(play: Playbook) -> None:
    reply = Reply((ReplyPart("reasoning", "Hm."),), usage=Usage(9, 9), finish_reason="length")
    assert (
        play >> ModelReplied(1, reply) << append(MessageAdded, failed("limit_reached")) << finish()
    )
    assert message(play, "assistant").partial
    assert message(play, "assistant").usage == Usage(9, 9)


@pytest.mark.parametrize(
    ("reason", "ended"),
    [
        ("stop", TurnFinished),
        ("content_filter", failed("content_refused")),
        ("length", failed("limit_reached")),
        ("tool_calls", failed("provider_error")),
    ],
)
def test_silence_after_tools_is_a_way_to_end(
    play: Playbook, reason: FinishReason, ended: Any
) -> None:
    play >> replied(call("add")) << append(...) << run_tool("add")
    (
        play
        >> came_back("add", "2")
        << append(
            ...,
        )
        << ask_model(2)
    )
    added = [answer()] if reason == "stop" else []
    assert play >> replied(reason=reason) << append(*added, ended) << finish()


# Tools.


def test_several_calls_in_a_step(play: Playbook) -> None:
    asking = replied(call("add", a=1), call("rm"), call("get"), text="Let me see.")
    assert (
        play
        >> asking
        << append(
            answer("Let me see.", ["add", "rm", "get"]),
            proposed("add"),
            ruled("add", "approve"),
            proposed("rm"),
            about(ApprovalRequested, "rm"),
            proposed("get"),
            ruled("get", "approve"),
            about(ToolStarted, "add"),
            about(ToolStarted, "get"),
        )
        << run_tool("add", a=1)
        << run_tool("get")
        >> came_back("get", "got")
        << append(settled("get", "done", "got"))
        >> approved("rm")
        << append(about(ToolStarted, "rm"))
        << run_tool("rm")
        >> came_back("rm", "no such file", is_error=True)
        << append(settled("rm", "failed", "no such file"))
        >> came_back("add", "2")
        << append(settled("add", "done", "2"), results("2", "no such file", "got"), StepStarted)
        << ask_model(2)
        >> replied(text="Done.")
        << append(answer("Done."), TurnFinished)
        << finish()
    )
    chain = play.rows.state.branch(play.rows.state.newest)
    assert [item.role for item in chain] == ["user", "assistant", "tool", "assistant"]


def test_a_turn_waits_when_only_approvals_are_left(play: Playbook) -> None:
    assert (
        play
        >> replied(call("rm"), call("add"))
        << append(...)
        << run_tool("add")
        >> came_back("add", "2")
        << append(settled("add", "done", "2"), TurnWaiting)
        << await_approval("rm")
    )
    assert play.rows.turn.state == "waiting"


def test_approvals_for_each(play: Playbook) -> None:
    asking = replied(call("rm", key="a", f=1), call("rm", key="b", f=2), call("rm", key="c", f=3))
    assert (
        play
        >> asking
        << append(
            ...,
        )
        << await_approval(0, 1, 2)
        >> approved(0)
        << append(TurnResumed, about(ToolStarted, 0))
        << run_tool(0, f=1)
        >> edited(1, f=20)
        << append(about(ToolStarted, 1))
        << run_tool(1, f=20)
        >> rejected(2, "Not that one.")
        >> came_back(0, "gone")
        << append(settled(0, "done", "gone"))
        >> came_back(1, "gone too")
        << append(settled(1, "done"), results("gone", "gone too", ...), StepStarted)
        << ask_model(2)
    )
    told = message(play, "tool").parts[2]
    assert "Not that one." in told.result.content
    assert told.result.is_error
    assert told.call_id == "c"


def test_a_turn_that_waits_again_says_so_again(play: Playbook) -> None:
    play >> replied(call("rm", key="a"), call("rm", key="b")) << append(...)
    assert (
        play
        << await_approval(0, 1)
        >> approved(1)
        << append(TurnResumed, about(ToolStarted, 1))
        << run_tool(1)
        >> came_back(1, "gone")
        << append(settled(1, "done"), TurnWaiting)
        << await_approval(0)
        >> rejected(0)
        << append(results(..., "gone"), StepStarted)
        << ask_model(2)
    )
    assert play.rows.turn.state == "running"


def test_a_rejection_among_others_keeps_waiting(play: Playbook) -> None:
    play >> replied(call("rm", key="a"), call("rm", key="b")) << append(...)
    assert play << await_approval(0, 1) >> rejected(0) << await_approval(1)
    assert play.rows.turn.state == "waiting"


def test_an_edit_that_is_no_json_object_is_not_run(play: Playbook) -> None:
    play >> replied(call("rm")) << append(...) << await_approval("rm")
    broken = Decision("approve", arguments="rm -rf")
    assert (
        play
        >> ApprovalGiven(execution_id(play.rows.turn_id, 1, 0), broken)
        << append(settled("rm", "failed"), results(...), StepStarted)
        << ask_model(2)
    )


def test_a_tool_that_is_gone_by_the_time_it_is_approved_is_not_run() -> None:
    play = Playbook(TOOLS)
    play >> Begin() << append(...) << ask_model(1)
    assert play >> replied(call("rm")) << append(...) << await_approval("rm")
    play.restart(tools=[])
    assert (
        play
        >> approved("rm")
        << append(
            settled("rm", "failed", "There is no tool named 'rm'."), results(...), StepStarted
        )
        << ask_model(2)
    )


def test_the_policy_approves_denies_and_asks(new_play: NewPlay) -> None:
    play = new_play([*TOOLS, spec("format")], RULES)
    play >> Begin() << append(...) << ask_model(1)
    assert (
        play
        >> replied(call("add"), call("format"), call("rm"))
        << append(
            answer(calls=["add", "format", "rm"]),
            proposed("add"),
            ruled("add", "approve"),
            proposed("format"),
            ruled("format", "reject"),
            proposed("rm"),
            about(ApprovalRequested, "rm"),
            about(ToolStarted, "add"),
        )
        << run_tool("add")
    )


def test_unattended_asking_is_denying(new_play: NewPlay) -> None:
    play = new_play(TOOLS, RULES, attended=False)
    play >> Begin() << append(...) << ask_model(1)
    assert (
        play
        >> replied(call("rm"))
        << append(
            answer(calls=["rm"]),
            proposed("rm"),
            ruled("rm", "reject"),
            results(...),
            StepStarted,
        )
        << ask_model(2)
    )
    assert "nobody was there" in message(play, "tool").parts[0].result.content


def test_an_unknown_tool_fails_and_the_model_hears_of_it(play: Playbook) -> None:
    unknown = "There is no tool named 'fly'."
    assert (
        play
        >> replied(call("fly"))
        << append(
            answer(calls=["fly"]),
            proposed("fly"),
            settled("fly", "failed", unknown),
            results(unknown),
            StepStarted,
        )
        << ask_model(2)
    )


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", "{'a': 1}", '{"a":' + "[" * 100_000])
def test_arguments_that_are_no_json_object_fail(play: Playbook, arguments: str) -> None:
    assert (
        play
        >> replied(ToolCall("call_1", "add", arguments))
        << append(
            answer(calls=["add"]),
            proposed("add"),
            settled("add", "failed"),
            results(...),
            StepStarted,
        )
        << ask_model(2)
    )
    assert "not a JSON object" in message(play, "tool").parts[0].result.content


def test_no_arguments_at_all_are_an_empty_object(play: Playbook) -> None:
    play >> replied(ToolCall("call_1", "add", "")) << append(...)
    assert play << run_tool("add")


def test_two_calls_under_one_provider_id_stay_two(play: Playbook) -> None:
    twins = replied(call("add", key="same", a=1), call("add", key="same", a=2))
    assert (
        play
        >> twins
        << append(...)
        << run_tool(0, a=1)
        << run_tool(1, a=2)
        >> came_back(1, "two")
        << append(settled(1, "done", "two"))
        >> came_back(0, "one")
        << append(settled(0, "done", "one"), results("one", "two"), StepStarted)
        << ask_model(2)
    )


def test_the_step_limit_ends_the_turn_with_all_results_stored(new_play: NewPlay) -> None:
    play = new_play(TOOLS, RULES, step_limit=2)
    play >> Begin() << append(...) << ask_model(1)
    for step in (1, 2):
        assert play >> replied(call("add")) << append(...) << run_tool("add")
        if step == 1:
            assert play >> came_back("add", "1") << append(...) << ask_model(2)
    assert (
        play
        >> came_back("add", "2")
        << append(settled("add", "done"), results("2"), failed("limit_reached"))
        << finish()
    )


# Failures.


def test_a_failure_before_any_text(play: Playbook) -> None:
    assert (
        play
        >> broke_off(RateLimited("Slow down.", retry_after=3))
        << append(failed("rate_limited"))
        << finish()
    )
    assert play.rows.turn.state == "failed"
    assert play.rows.turn.error == ErrorInfo(
        "rate_limited", "upstream", "Slow down.", retry_after=3
    )


def test_a_failure_after_some_text_keeps_it(play: Playbook) -> None:
    assert (
        play
        >> broke_off(ProviderError("It broke."), text="The answer is")
        << append(answer("The answer is", partial=True), failed("provider_error"))
        << finish()
    )


def test_calls_that_were_cut_off_are_not_kept(play: Playbook) -> None:
    cut = Reply((ReplyPart("text", "Let me"),), (call("rm"),))
    error = ProviderError("It broke.").info
    assert (
        play
        >> ModelFailed(1, error, cut)
        << append(answer("Let me", partial=True), TurnFailed)
        << finish()
    )
    assert not play.rows.state.executions


# Stop.


def test_stop_before_the_first_step(new_play: NewPlay) -> None:
    play = new_play(TOOLS, RULES)
    assert play >> stopped() << append(TurnCancelled) << finish() >> Begin()


def test_stop_that_was_stored_before_anybody_took_the_turn_up(new_play: NewPlay) -> None:
    play = new_play(TOOLS, RULES)
    play.restart(CancelRequested(play.rows.turn_id))
    assert play >> Begin() << append(TurnCancelled) << finish()


def test_a_decision_after_stop_does_not_start_the_tool(new_play: NewPlay) -> None:
    play = new_play(TOOLS)
    play >> Begin() << append(...) << ask_model(1)
    play >> replied(call("rm"), call("add")) << append(...) << await_approval("rm", "add")
    play.restart(CancelRequested(play.rows.turn_id))
    refused = [ruled("rm", "reject", by="system"), ruled("add", "reject", by="system")]
    assert play >> approved("rm") << append(*refused, results(..., ...), TurnCancelled) << finish()


def test_stop_while_the_model_is_asked(play: Playbook) -> None:
    assert (
        play
        >> stopped("The ans")
        << cancel_model(1)
        << append(answer("The ans", partial=True), TurnCancelled)
        << finish()
        >> replied(call("add"), text="The answer")
    )
    assert play.rows.turn.state == "cancelled"


def test_stop_before_any_text(play: Playbook) -> None:
    assert play >> stopped() << cancel_model(1) << append(TurnCancelled) << finish()


def test_stop_while_the_turn_waits(play: Playbook) -> None:
    play >> replied(call("rm"), call("get")) << append(...) << run_tool("get")
    play >> came_back("get", "got") << append(...) << await_approval("rm")
    assert (
        play
        >> stopped()
        << append(ruled("rm", "reject", by="system"), results(..., "got"), TurnCancelled)
        << finish()
        >> approved("rm")
    )


def test_stop_while_a_tool_runs_that_listens(play: Playbook) -> None:
    play >> replied(call("add"), call("rm")) << append(...) << run_tool("add")
    assert (
        play
        >> stopped()
        << append(ruled("rm", "reject", by="system"))
        << cancel_tool("add")
        >> came_back("add", "stopped half-way", is_error=True)
        << append(
            settled("add", "failed"),
            results("stopped half-way", ...),
            TurnCancelled,
        )
        << finish()
    )


def test_stop_while_a_tool_runs_that_does_not(play: Playbook) -> None:
    play >> replied(call("add"), call("get")) << append(...) << run_tool("add") << run_tool("get")
    assert (
        play
        >> stopped()
        << cancel_tool("add")
        << cancel_tool("get")
        >> came_back("get", "got")
        << append(settled("get", "done", "got"))
        >> lost("add")
        << append(settled("add", "unknown"), results(..., "got"), TurnCancelled)
        << finish()
        >> came_back("add", "here I am")
    )


def test_stop_twice_only_tells_the_tools_again(play: Playbook) -> None:
    play >> replied(call("add")) << append(...) << run_tool("add")
    assert play >> stopped() << cancel_tool("add") >> stopped() << cancel_tool("add")


def test_a_reply_that_overtakes_stop_runs_nothing() -> None:
    play = Playbook(TOOLS, RULES)
    play >> Begin() << append(...) << ask_model(1)
    play.restart(CancelRequested(play.rows.turn_id))
    assert (
        play
        >> replied(call("add"), call("rm"))
        << append(
            answer(calls=["add", "rm"]),
            proposed("add"),
            ruled("add", "approve"),
            proposed("rm"),
            about(ApprovalRequested, "rm"),
            ruled("add", "reject", by="system"),
            ruled("rm", "reject", by="system"),
            results(..., ...),
            TurnCancelled,
        )
        << finish()
    )


def test_stop_after_the_end_changes_nothing(play: Playbook) -> None:
    play >> replied(text="Four.") << append(...) << finish()
    assert play >> stopped("Four")
    assert play.rows.turn.state == "finished"


# The process goes away.


def test_lost_before_the_first_step(new_play: NewPlay) -> None:
    play = new_play()
    assert play >> abandoned() << append(TurnInterrupted) << finish()


def test_lost_while_the_model_is_asked(play: Playbook) -> None:
    assert (
        play
        >> abandoned("The ans")
        << append(answer("The ans", partial=True), TurnInterrupted)
        << finish()
        >> replied(text="The answer")
    )


def test_lost_while_tools_run_and_others_wait(play: Playbook) -> None:
    asking = replied(call("add"), call("rm"), call("get"))
    play >> asking << append(...) << run_tool("add") << run_tool("get")
    assert (
        play
        >> came_back("get", "got")
        << append(...)
        >> abandoned()
        << append(
            ruled("rm", "reject", by="system"),
            settled("add", "unknown"),
            results(..., ..., "got"),
            TurnInterrupted,
        )
        << finish()
    )


def test_lost_while_it_only_waits_is_not_lost(play: Playbook) -> None:
    play >> replied(call("rm")) << append(...) << await_approval("rm")
    assert (
        play
        >> abandoned()
        << await_approval("rm")
        >> approved("rm")
        << append(TurnResumed, about(ToolStarted, "rm"))
        << run_tool("rm")
    )


def test_lost_after_stop_while_it_waits_is_closed() -> None:
    play = Playbook(TOOLS)
    play >> Begin() << append(...) << ask_model(1)
    play >> replied(call("rm")) << append(...) << await_approval("rm")
    play.restart(CancelRequested(play.rows.turn_id))
    assert (
        play
        >> abandoned()
        << append(ruled("rm", "reject", by="system"), results(...), TurnInterrupted)
        << finish()
    )


def test_lost_after_the_end(play: Playbook) -> None:
    play >> replied(text="Four.") << append(...) << finish()
    assert play >> abandoned("Four")


# Too late, twice, or not for this turn.


def test_begin_twice(play: Playbook) -> None:
    assert play >> Begin()
    play >> replied(call("add"), call("rm")) << append(...) << run_tool("add")
    assert play >> Begin()
    play >> came_back("add", "2") << append(...) << await_approval("rm")
    assert play >> Begin() << await_approval("rm")


def test_inputs_of_an_earlier_step_change_nothing(play: Playbook) -> None:
    play >> replied(call("rm")) << append(...) << await_approval("rm")
    play >> approved("rm") << append(...) << run_tool("rm")
    play >> came_back("rm", "gone") << append(...) << ask_model(2)
    assert (
        play
        >> replied(call("rm"), text="again", step=1)
        >> approved("rm")
        >> rejected("rm")
        >> came_back("rm", "gone twice")
        >> lost("rm")
        >> Begin()
        >> replied(text="early", step=3)
        >> replied(text="Done.")
        << append(answer("Done."), TurnFinished)
        << finish()
    )


def test_a_decision_heard_twice_runs_the_tool_once(play: Playbook) -> None:
    play >> replied(call("rm", key="a"), call("rm", key="b")) << append(...)
    play << await_approval(0, 1) >> approved(0) << append(...) << run_tool(0)
    assert play >> approved(0) >> rejected(0)
    assert play >> came_back(0, "gone") << append(...) << await_approval(1)
    assert play >> approved(0) << await_approval(1)


def test_foreign_inputs_change_nothing(play: Playbook) -> None:
    foreign = execution_id(TurnId(uuid7(START, b"another one")), 1, 0)
    play >> replied(call("rm"), call("add")) << append(...) << run_tool("add")
    assert (
        play
        >> ApprovalGiven(foreign, Decision("approve"))
        >> ToolFinished(foreign, ToolResult("not ours"))
        >> ToolLost(foreign)
        >> ToolFinished(ExecutionId("nonsense"), ToolResult("not ours"))
        >> came_back("rm", "it does not run")
        >> lost("rm")
    )
    assert [item.state for item in play.rows.state.executions.values()] == ["waiting", "running"]


def test_after_the_end_nothing_changes(play: Playbook) -> None:
    play >> replied(call("add")) << append(...) << run_tool("add")
    play >> abandoned() << append(...) << finish()
    seq = play.rows.state.conversation.seq
    assert (
        play
        >> Begin()
        >> replied(text="late")
        >> broke_off(ProviderError("late"))
        >> approved("add")
        >> came_back("add", "late")
        >> lost("add")
        >> stopped("late")
        >> abandoned("late")
    )
    assert play.rows.state.conversation.seq == seq


# Order.


def test_rows_come_before_acts_and_streams_close_before_rows(play: Playbook) -> None:
    """For every list of commands in a long turn, whatever its input."""
    order = {CancelModel: 0, Append: 1}
    inputs = [
        replied(call("add"), call("rm"), call("get")),
        approved("rm"),
        came_back("get", "1"),
        came_back("add", "2"),
        came_back("rm", "3"),
        replied(call("add"), call("get")),
        came_back("add", "1"),
        came_back("get", "1"),
        stopped("text"),
    ]
    kinds = set()
    for happened in inputs:
        made = happened.make(play.machine) if hasattr(happened, "make") else happened
        play._store_procedure(made)
        commands = play.machine.handle(made, START)
        play._due = commands
        play._store_commands()
        ranks = [order.get(type(command), 2) for command in commands]
        assert ranks == sorted(ranks)
        assert ranks.count(1) <= 1
        kinds |= {type(command) for command in commands}
    assert kinds == {CancelModel, Append, RunTool, AskModel, Finish}


# The playbook itself.


def test_a_playbook_fails_on_what_was_not_expected(play: Playbook) -> None:
    play >> replied(text="Four.")
    with pytest.raises(AssertionError, match=r"(?s)line 5.*- << nothing\n.*\+ << Append"):
        bool(play)


def test_a_playbook_fails_on_what_did_not_come(play: Playbook) -> None:
    with pytest.raises(AssertionError, match=r"(?s)- << Finish.*\+ << nothing"):
        play << finish()


def test_a_playbook_names_the_place_that_differs(play: Playbook) -> None:
    play >> replied(text="Four.")
    with pytest.raises(
        AssertionError,
        match=r"at \.events\[0\]\.message\.parts\[0\]\.text: expected Five\., got Four",
    ):
        play << append(answer("Five."), TurnFinished)


def test_a_playbook_counts_events(play: Playbook) -> None:
    play >> replied(text="Four.")
    with pytest.raises(
        AssertionError, match=r"expected 1 items, got 2: MessageAdded, TurnFinished"
    ):
        play << append(answer("Four."))


def test_a_placeholder_holds_on_to_its_value(play: Playbook) -> None:
    where = Placeholder("where")
    with pytest.raises(AssertionError, match="where has not been filled"):
        where()
    play >> replied(call("add"), call("get")) << append(...)
    play << some(RunTool, execution=some(ToolExecution, id=where))
    assert where() == execution_id(play.rows.turn_id, 1, 0)
    with pytest.raises(AssertionError, match=r"at \.execution\.id: "):
        play << some(RunTool, execution=some(ToolExecution, id=where))


def test_a_playbook_refuses_calls_that_were_not_made(play: Playbook) -> None:
    with pytest.raises(AssertionError, match="no call 'add' was proposed"):
        play >> came_back("add", "2")


def test_a_machine_that_forgets_is_noticed() -> None:
    play = Playbook(TOOLS, RULES)
    play >> Begin() << append(...) << ask_model(1)
    play >> replied(call("add")) << append(...) << run_tool("add")
    play.machine.executions.clear()
    with pytest.raises(AssertionError, match="memory equals the rows"):
        play >> stopped()
