"""What everybody who is told what happens has to do, as tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from itertools import permutations

import pytest

from bestchat_server_ext.core.ids import ConversationId, ExecutionId, TurnId
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.ports.telemetry import (
    CANCELLED,
    TOOL_FAILED,
    Fact,
    FirstDelta,
    SocketClosed,
    SocketOpened,
    StepBegan,
    StepEnded,
    Telemetry,
    ToolBegan,
    ToolEnded,
    TurnBegan,
    TurnEnded,
    TurnLeft,
)

Held = Callable[[], int]
"""Says how much is held of turns that have begun and not ended."""

CONVERSATION = ConversationId("conversation")
MODEL = "scripted/echo"
USAGE = Usage(3, 5)


class Story:
    """The facts of one turn with one step and one tool."""

    def __init__(self, turn: str = "turn", model: str = MODEL, usage: Usage = USAGE) -> None:
        """Name the turn and the model."""
        turn_id, key = TurnId(turn), ExecutionId(f"{turn}-tool")
        self.began = TurnBegan(CONVERSATION, turn_id, "scripted", model)
        self.step_began = StepBegan(turn_id, 1, "scripted", CONVERSATION, model)
        self.first_delta = FirstDelta(turn_id, 1, "scripted", 0.25)
        self.step_ended = StepEnded(turn_id, 1, "scripted", 1.5, usage, "tool_calls")
        self.step_failed = StepEnded(turn_id, 1, "scripted", 1.5, error="rate_limited")
        self.step_cancelled = StepEnded(turn_id, 1, "scripted", 1.5, error=CANCELLED)
        self.tool_began = ToolBegan(turn_id, key, "add", "call_0")
        self.tool_ended = ToolEnded(turn_id, key, "add", 0.5)
        self.tool_failed = ToolEnded(turn_id, key, "add", 0.5, TOOL_FAILED)
        self.left = TurnLeft(CONVERSATION, turn_id)
        self.ended = TurnEnded(
            CONVERSATION, turn_id, "scripted", model, "finished", 1, 1, usage, 2.5, 0.25
        )
        self.failed = TurnEnded(
            CONVERSATION,
            turn_id,
            "scripted",
            model,
            "failed",
            1,
            0,
            Usage(),
            2.5,
            error="rate_limited",
        )

    def whole(self) -> list[Fact]:
        """As it should be."""
        return [
            *(self.began, self.step_began, self.first_delta, self.step_ended),
            *(self.tool_began, self.tool_ended, self.ended),
        ]

    def broken_off(self) -> Iterator[list[Fact]]:
        """What may become of it: failed, stopped, left; whatever is open then stays so."""
        for last in (self.ended, self.failed, self.left):
            yield [self.began, last]
            yield [self.began, self.step_began, last]
            yield [self.began, self.step_began, self.step_cancelled, last]
            yield [self.began, self.step_began, self.first_delta, self.step_failed, last]
            yield [self.began, self.tool_began, last]
            yield [self.began, self.tool_began, last, self.tool_failed]


def tell(telemetry: Telemetry, facts: Sequence[Fact]) -> None:
    """Tell all of these."""
    for fact in facts:
        telemetry.notice(fact)


class TelemetrySuite:
    """The tests. Define the fixtures `telemetry` and `held`."""

    def test_what_runs_is_held_and_what_has_ended_is_not(
        self, telemetry: Telemetry, held: Held
    ) -> None:
        """Two turns at a time, one of them with its parts still open."""
        one, other = Story("one"), Story("other")
        before = held()
        first, second = copy_context(), copy_context()
        first.run(tell, telemetry, one.whole()[:-1])
        second.run(tell, telemetry, [other.began, other.step_began])
        first.run(tell, telemetry, [one.ended])
        second.run(tell, telemetry, [other.failed])
        assert held() == before

    def test_a_turn_may_break_off_anywhere(self, telemetry: Telemetry, held: Held) -> None:
        """And run again later, as after an approval."""
        before = held()
        for facts in Story().broken_off():
            tell(telemetry, facts)
            assert held() == before, facts

    def test_facts_may_come_in_any_order(self, telemetry: Telemetry, held: Held) -> None:
        """Whatever is told late finds nothing open any more, and leaves nothing open."""
        before = held()
        story = Story()
        for facts in permutations(story.whole()):
            tell(telemetry, facts)
            telemetry.notice(story.left)
            assert held() == before, facts

    def test_facts_may_come_twice_or_not_at_all(self, telemetry: Telemetry, held: Held) -> None:
        """Each of them."""
        before = held()
        story = Story()
        for place in range(len(story.whole())):
            facts = story.whole()
            facts[place : place + 1] = []
            tell(telemetry, [*facts, story.left])
            facts = story.whole()
            facts[place : place + 1] = 2 * [facts[place]]
            tell(telemetry, facts)
            assert held() == before, place

    @pytest.mark.parametrize(
        "model",
        ["", "no-slash", "a/b\nturn ended state=finished", "a/\x1b[2J\x00", "a/" + "long" * 5000],
        ids=["empty", "no slash", "two lines", "control characters", "long"],
    )
    def test_a_models_name_may_be_anything(self, telemetry: Telemetry, model: str) -> None:
        """Somebody has typed it. And a provider may count in strange ways."""
        tell(telemetry, Story(model=model, usage=Usage(-1, 10**18)).whole())

    async def test_sockets_come_and_go(self, telemetry: Telemetry) -> None:
        """Even if one goes that never came."""
        tell(telemetry, [SocketClosed(), SocketOpened(), SocketOpened(), SocketClosed()])

    async def test_closing_lets_go_of_everything(self, telemetry: Telemetry, held: Held) -> None:
        """It may be told twice; and what is told after it does no harm."""
        story, before = Story(), held()
        tell(telemetry, story.whole()[:-1])
        await telemetry.close()
        await telemetry.close()
        assert held() == before
        tell(telemetry, story.whole())
        assert held() == before
