"""What no order of events and no crash may break.

Hypothesis plays the world around the machine: chunks, results, decisions, Stop and repeated news
in any order, and a process that may die after any command. `testing.simulation` itself insists
that rows come before acts, that no tool runs unapproved or twice, and that no step is asked twice.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bestchat_server_ext.core import turn as machine
from bestchat_server_ext.core.conversation import answer_id, create, reduce, tool_message_id
from bestchat_server_ext.core.errors import Conflict, ProviderError
from bestchat_server_ext.core.events import MessageAdded, ToolFinished
from bestchat_server_ext.core.messages import Message, ToolCallPart, ToolResultPart
from bestchat_server_ext.core.models import (
    FinishChunk,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.policy import Rule
from bestchat_server_ext.core.tools import SETTLED, Decision, ToolResult
from bestchat_server_ext.testing.playbook import spec
from bestchat_server_ext.testing.simulation import Simulation

PROFILE = settings(
    max_examples=300,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

STEP_LIMIT = 4
MOST_CALLS = 3
TOOLS = [spec("auto"), spec("ask"), spec("forbidden")]
RULES = [Rule("auto", "approve"), Rule("forbidden", "deny")]

INPUTS_TO_SETTLE = STEP_LIMIT * (MOST_CALLS + 1) + 2
"""Per step one reply and the results of its calls; and the news that were still on their way."""

chunks = st.one_of(
    st.builds(TextChunk, st.sampled_from(["a", " ", "b\n"])),
    st.builds(ReasoningChunk, st.just("hm ")),
    st.builds(
        ToolCallChunk,
        index=st.integers(0, MOST_CALLS - 1),
        id=st.sampled_from(["", "same", "x", "y"]),
        name=st.sampled_from(["auto", "auto", "ask", "ask", "forbidden", "ghost"]),
        arguments=st.sampled_from(["", "{}", '{"a": 1}', "{"]),
    ),
    st.builds(UsageChunk, st.builds(Usage, st.integers(0, 9), st.integers(0, 9))),
    st.builds(FinishChunk, st.sampled_from(["stop", "length", "tool_calls", "content_filter"])),
)
decisions = st.sampled_from(
    [
        Decision("approve"),
        Decision("approve", arguments='{"edited": true}'),
        Decision("approve", arguments="no JSON"),
        Decision("reject", reason="no"),
    ]
)

fuses = st.integers(0, 3)


class TurnWorld(RuleBasedStateMachine):
    """Everything that can happen around one turn, in any order."""

    sim: Simulation

    @initialize()
    def start(self) -> None:
        self._begin(Simulation(TOOLS, RULES, step_limit=STEP_LIMIT), STEP_LIMIT)

    @precondition(lambda self: not self.sim.turn.active)
    @rule(
        attended=st.sampled_from([True, True, False]),
        limit=st.integers(1, STEP_LIMIT),
        fuse=st.sampled_from([None] * 9 + [0, 1, 2]),
    )
    def start_another(self, *, attended: bool, limit: int, fuse: int | None) -> None:
        self.teardown()
        sim = Simulation(TOOLS, RULES, attended=attended, step_limit=limit, fuse=fuse)
        self._begin(sim, limit)

    def _begin(self, sim: Simulation, limit: int) -> None:
        self.sim, self.limit = sim, limit
        self.done: dict[str, ToolResult] = {}

    # The model.

    @precondition(lambda self: self.sim.asking)
    @rule(pieces=st.lists(chunks, max_size=5), then=st.sampled_from(["", "", "keep", "end"]))
    def hear(self, pieces: list[Any], then: str) -> None:
        self.sim.hear(*pieces)
        if then == "keep":
            self.sim.keep()
        elif then == "end":
            self.sim.end_stream()

    @precondition(lambda self: self.sim.asking)
    @rule(tools=st.lists(st.sampled_from(["auto", "ask"]), min_size=1, max_size=MOST_CALLS))
    def call_tools(self, tools: list[str]) -> None:
        self.sim.hear(*(ToolCallChunk(index, "", tool, "{}") for index, tool in enumerate(tools)))
        self.sim.end_stream()

    # The tools.

    @precondition(lambda self: self.sim.running)
    @rule(data=st.data(), is_error=st.booleans())
    def come_back(self, data: st.DataObject, *, is_error: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.sim.running)))
        result = ToolResult(f"result of {key}", is_error)
        self.sim.come_back(key, result)
        if self.sim.rows.state.executions[key].result == result:
            self.done[key] = result

    @precondition(lambda self: self.sim.stopping)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        self.sim.give_up(data.draw(st.sampled_from(sorted(self.sim.stopping))))

    # People.

    @precondition(lambda self: self.sim.waiting)
    @rule(data=st.data(), decision=decisions)
    def decide(self, data: st.DataObject, decision: Decision) -> None:
        item = data.draw(st.sampled_from(self.sim.waiting))
        self.sim.decide(item.id, decision)
        with pytest.raises(Conflict):
            self.sim.decide(item.id, decision)

    @precondition(lambda self: self.sim.inbox)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        self.sim.deliver(data.draw(st.integers(0, len(self.sim.inbox) - 1)))

    @precondition(lambda self: self.sim.machine and not self.sim.inbox)
    @rule()
    def repeat_everything(self) -> None:
        """News that were heard once already, perhaps by another machine, change nothing."""
        self.sim.fuse = None
        before = (self.sim.rows.state, list(self.sim.asked), list(self.sim.runs))
        once = list(self.sim.fed)
        for heard in once:
            if self._is_over(heard):
                self.sim.feed(heard)
        self.sim.fed = once
        assert (self.sim.rows.state, self.sim.asked, self.sim.runs) == before

    def _is_over(self, heard: machine.Input) -> bool:
        """Whether it cannot be news, as a request to stop or the end of an open stream would."""
        match heard:
            case machine.Cancelled() | machine.OwnerLost():
                return False
            case machine.ModelReplied(step=step) | machine.ModelFailed(step=step):
                return self.sim.asking is None or step < self.sim.asking.step
            case _:
                return True

    # Trouble: one rule for all of it, so that most turns come a long way before it strikes.

    @rule(kind=st.sampled_from(["none"] * 6 + ["cancel", "break", "crash", "fuse"]), fuse=fuses)
    def trouble(self, kind: str, fuse: int) -> None:
        if kind == "cancel":
            self.sim.cancel()
        elif kind == "break" and self.sim.asking:
            self.sim.break_stream(ProviderError("It broke.").info)
        elif kind == "crash" and self.sim.machine:
            self.sim.crash()
        elif kind == "fuse":
            self.sim.fuse = fuse

    @precondition(lambda self: self.sim.machine is None and self.sim.leased)
    @rule()
    def recover(self) -> None:
        before, waiting = self.sim.turn, self.sim.waiting
        undone = [
            item for item in self.sim.rows.state.executions.values() if item.state == "approved"
        ]
        self.sim.recover()
        if before.state == "waiting" and waiting and not before.cancelling:
            # Nothing was lost, unless somebody had decided and nobody could act upon it.
            assert (self.sim.waiting == waiting) == self.sim.turn.active
            assert self.sim.turn.active or undone

    # What always holds.

    @invariant()
    def memory_equals_rows(self) -> None:
        now = self.sim.machine
        if now is None or self.sim.inbox or not self.sim.turn.active:
            return  # dead, done, or there is something that it has not heard yet
        again = machine.TurnMachine.rebuild(self.sim.rows.state, now.turn.id, tools={})
        assert now.turn == again.turn
        assert now.executions == again.executions
        assert now._answered == again._answered

    @invariant()
    def results_that_were_stored_stay(self) -> None:
        for key, result in self.done.items():
            stored = self.sim.rows.state.executions[key]
            assert stored.result == result
            assert stored.state == ("failed" if result.is_error else "done")

    @invariant()
    def every_call_has_exactly_one_result(self) -> None:
        """Once its turn has moved on; until then it has none in the messages."""
        turn = self.sim.turn
        for message in self.sim.rows.state.messages.values():
            calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
            if not calls:
                continue
            follower = self.sim.rows.state.messages.get(tool_message_id(turn.id, message.step))
            moved_on = not turn.active or turn.step > message.step
            assert moved_on == (follower is not None)
            if follower is not None:
                self._check_results(calls, follower)

    def _check_results(self, calls: list[ToolCallPart], follower: Message) -> None:
        results = [part for part in follower.parts if isinstance(part, ToolResultPart)]
        assert [part.call_id for part in results] == [part.call.id for part in calls]
        assert len({part.call_id for part in results}) == len(results)
        assert follower.parent_id == answer_id(self.sim.turn.id, follower.step)
        for part, asked in zip(results, calls, strict=True):
            execution = self.sim.rows.state.executions[asked.execution_id]
            assert execution.state in SETTLED
            assert execution.call == asked.call
            assert part.result == execution.result
            assert part.result.content

    @invariant()
    def nothing_is_said_twice(self) -> None:
        events = [envelope.event for envelope in self.sim.rows.journal]
        added = [event.message for event in events if isinstance(event, MessageAdded)]
        assert len({message.id for message in added}) == len(added)
        places = [(message.role, message.step) for message in added]
        assert len(set(places)) == len(places)
        finished = [event.execution_id for event in events if isinstance(event, ToolFinished)]
        assert len(set(finished)) == len(finished)
        steps = [asked.step for asked in self.sim.asked]
        assert steps == sorted(set(steps))
        assert len(steps) <= self.limit

    @invariant()
    def a_turn_says_what_it_does(self) -> None:
        turn, executions = self.sim.turn, self.sim.rows.state.executions.values()
        states = {item.state for item in executions}
        if turn.state == "waiting":
            assert not self.sim.running
            assert "running" not in states
            assert self.sim.asking is None
        if turn.cancelling and self.sim.machine and not self.sim.inbox:
            assert self.sim.stopping == set(self.sim.running)
        if not turn.active:
            assert states <= SETTLED
            assert turn.ended_at is not None
            assert (turn.error is not None) == (turn.state == "failed")
            assert self.sim.asking is None
            assert not self.sim.running
        messages = self.sim.rows.state.messages.values()
        spent = sum((message.usage for message in messages if message.usage), Usage())
        assert turn.usage == spent

    @invariant()
    def a_process_that_lives_has_something_to_do(self) -> None:
        """Nothing hangs: whoever holds the turn waits for a model, a tool or news."""
        if self.sim.machine is not None and self.sim.turn.active:
            assert self.sim.asking or self.sim.running or self.sim.inbox

    @invariant()
    def the_journal_tells_the_whole_story(self) -> None:
        first, *others = self.sim.rows.journal
        state = create(first.conversation_id, first)
        for envelope in others:
            state = reduce(state, envelope)
        assert state == self.sim.rows.state

    def teardown(self) -> None:
        self.sim.fuse = None
        news = len(self.sim.inbox)
        assert self.sim.settle() <= INPUTS_TO_SETTLE + news
        if self.sim.turn.active:
            assert self.sim.turn.state == "waiting"
            assert self.sim.waiting
            assert self.sim.machine is None
            self.sim.cancel()
            self.sim.settle()
            assert self.sim.turn.state == "cancelled"
        self.every_call_has_exactly_one_result()
        self.results_that_were_stored_stay()
        self.nothing_is_said_twice()
        self.a_turn_says_what_it_does()
        self.the_journal_tells_the_whole_story()


def test_no_order_of_events_and_no_crash_breaks_a_turn() -> None:
    run_state_machine_as_test(TurnWorld, settings=PROFILE)


def play_through(sim: Simulation, decision: Decision) -> None:
    """A turn with three calls of every kind, to its end, whatever dies on the way."""
    for _ in range(INPUTS_TO_SETTLE):
        if sim.asking is not None:
            _say_the_line(sim)
        elif sim.waiting and sim.turn.active and not sim.running:
            sim.decide(sim.waiting[0].id, decision)
        elif sim.inbox:
            sim.deliver()
        elif sim.running:
            key = next(iter(sim.running))
            sim.come_back(key, ToolResult(f"result of {key}"))
        else:
            sim.recover()
    assert not sim.turn.active


def _say_the_line(sim: Simulation) -> None:
    sim.hear(TextChunk("Let me see."))
    sim.keep()
    if sim.asking is not None and sim.asking.step == 1:
        names = enumerate(("auto", "ask", "ghost"))
        sim.hear(*(ToolCallChunk(index, "", name, "{}") for index, name in names))
    sim.end_stream()


@settings(PROFILE)
@given(fuse=st.integers(0, 12), decision=decisions)
def test_a_crash_after_any_command_of_a_whole_turn(fuse: int, decision: Decision) -> None:
    sim = Simulation(TOOLS, RULES, step_limit=STEP_LIMIT, fuse=fuse)
    play_through(sim, decision)
    assert sim.turn.state in {"finished", "interrupted"}
    assert len(sim.runs) == len({run.id for run in sim.runs}) <= 2
    results = [
        part
        for message in sim.rows.state.messages.values()
        for part in message.parts
        if isinstance(part, ToolResultPart)
    ]
    assert len(results) == len(sim.rows.state.executions)


def test_every_fuse_of_that_turn_is_covered() -> None:
    """The longest fuse above is longer than the turn, and a turn without a crash finishes."""
    sim = Simulation(TOOLS, RULES, step_limit=STEP_LIMIT, fuse=100)
    play_through(sim, Decision("approve"))
    assert sim.turn.state == "finished"
    assert sim.fuse is not None
    assert 100 - sim.fuse <= 12
    assert [run.call.name for run in sim.runs] == ["auto", "ask"]


@pytest.mark.parametrize("kept", ["", "half an ans"])
def test_what_was_kept_of_an_answer_survives_and_nothing_more(kept: str) -> None:
    sim = Simulation()
    if kept:
        sim.hear(TextChunk(kept))
    sim.keep()
    sim.hear(TextChunk("wer"))
    sim.crash()
    sim.recover()
    answers = [item for item in sim.rows.state.messages.values() if item.role == "assistant"]
    assert [item.text for item in answers] == ([kept] if kept else [])
    assert sim.turn.state == "interrupted"


def test_a_write_that_does_not_fit_any_more_leaves_the_rows_as_they_are() -> None:
    """Stop and a rejection at the same moment: the slower one does not get through."""
    sim = Simulation(TOOLS, RULES)
    calls = [ToolCallChunk(0, "", "auto", "{}"), ToolCallChunk(1, "", "ask", "{}")]
    sim.hear(*calls)
    sim.end_stream()
    sim.cancel()
    sim.decide(sim.waiting[0].id, Decision("reject", reason="mine"))
    sim.deliver(0)
    assert sim.conflicts == 1
    assert sim.machine is None
    assert sim.settle() == 1
    assert sim.turn.state == "interrupted"
    (told,) = [
        part
        for message in sim.rows.state.messages.values()
        for part in message.parts
        if isinstance(part, ToolResultPart) and part.name == "ask"
    ]
    assert "mine" in told.result.content


def test_a_turn_that_waits_outlives_its_process() -> None:
    """It dies between storing that the turn waits and letting go of it."""
    sim = Simulation(TOOLS, RULES)
    sim.hear(ToolCallChunk(0, "", "ask", "{}"))
    sim.fuse = 1
    sim.end_stream()
    assert sim.machine is None
    assert sim.leased
    sim.recover()
    assert (sim.turn.state, sim.leased) == ("waiting", False)
    sim.decide(sim.waiting[0].id, Decision("approve"))
    assert [run.call.name for run in sim.runs] == ["ask"]
