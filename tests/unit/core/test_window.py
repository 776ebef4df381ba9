"""The window guard: what is sent when a model cannot take all of a conversation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core.conversation import Turn
from bestchat_server_ext.core.cost import message_tokens
from bestchat_server_ext.core.ids import ConversationId, MessageId, RequestId, TurnId
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.core.window import TARGET, TRIGGER, Fit, fit

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WINDOW = 1000


def turn_of(number: int, first: str | None = None) -> Turn:
    return Turn(
        id=TurnId(f"t{number}"),
        conversation_id=ConversationId("c"),
        request_id=RequestId("r"),
        message_id=MessageId(f"q{number}"),
        model="a/b",
        started_at=NOW,
        state="finished",
        step=1,
        first_message_id=None if first is None else MessageId(first),
    )


class Talk:
    """A branch that grows turn by turn, sent as it would be."""

    def __init__(self, window: int | None = WINDOW, fixed: int = 0) -> None:
        self.window, self.fixed = window, fixed
        self.branch: list[Message] = []
        self.turns: dict[str, Turn] = {}

    def say(self, number: int, tokens: int, role: Any = "user", **more: Any) -> Message:
        message = Message(
            id=MessageId(f"{'q' if role == 'user' else 'a'}{number}"),
            parent_id=self.branch[-1].id if self.branch else None,
            role=role,
            parts=(TextPart("x" * 4 * tokens),),
            created_at=NOW,
            turn_id=TurnId(f"t{number}"),
            **more,
        )
        self.branch.append(message)
        return message

    def ask(self, tokens: int, answer: int = 0, *, counted: bool = True) -> Fit:
        number = len(self.turns)
        self.say(number, tokens)
        sent = fit(self.branch, self.turns, self.window, self.fixed)
        went_in = self.fixed + sum(map(message_tokens, sent.messages))
        usage = Usage(went_in, answer) if counted else None
        self.say(number, answer, "assistant", usage=usage)
        self.turns[f"t{number}"] = turn_of(number, sent.first)
        return sent


def test_all_is_sent_as_long_as_it_fits() -> None:
    talk = Talk()
    for _ in range(7):
        sent = talk.ask(50, 50)
        assert sent.messages == tuple(talk.branch[:-1])
        assert (sent.first, sent.left_out, sent.reduced) == (None, 0, False)


def test_the_oldest_turns_go_until_half_is_free() -> None:
    talk = Talk()
    for _ in range(8):
        assert not talk.ask(50, 50).reduced
    sent = talk.ask(50, 50)  # 850 of 1000
    assert sent.reduced
    assert (sent.before, sent.after) == (850, 450)
    assert (sent.first, sent.left_out) == ("q4", 8)
    assert [message.id for message in sent.messages] == [
        *("q4", "a4", "q5", "a5", "q6", "a6", "q7", "a7", "q8"),
    ]


def test_what_was_left_out_stays_out_and_the_beginning_the_same() -> None:
    """Consecutive requests share their first bytes, for the provider's cache."""
    talk = Talk()
    for _ in range(9):
        talk.ask(50, 50)
    beginnings = [talk.ask(50, 50) for _ in range(3)]
    assert [sent.first for sent in beginnings] == ["q4"] * 3
    assert not any(sent.reduced for sent in beginnings)


def test_pinned_turns_and_the_last_one_stay() -> None:
    talk = Talk()
    for _ in range(8):
        talk.ask(50, 50)
    talk.branch[3] = msgspec.structs.replace(talk.branch[3], pinned=True)
    sent = talk.ask(2000)
    assert [message.id for message in sent.messages] == ["q1", "a1", "q8"]
    assert sent.first == "q8"
    assert sent.reduced


def test_a_single_turn_is_sent_however_long() -> None:
    sent = Talk().ask(5000)
    assert len(sent.messages) == 1
    assert not sent.reduced


def test_without_a_known_window_all_is_sent() -> None:
    talk = Talk(window=None)
    for _ in range(3):
        assert talk.ask(900, 900).left_out == 0


def test_what_nobody_counted_is_estimated() -> None:
    talk = Talk(fixed=100)
    for _ in range(7):
        assert not talk.ask(50, 50, counted=False).reduced
    sent = talk.ask(50, 50, counted=False)  # 100 + 7 * 100 + 50
    assert (sent.reduced, sent.before) == (True, 850)
    assert sent.after <= TARGET * WINDOW


def test_another_branch_is_cut_by_itself() -> None:
    talk = Talk()
    for _ in range(9):
        talk.ask(50, 50)
    other = talk.branch[:4]
    assert fit(other, talk.turns, WINDOW, 0).first is None


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 400), st.booleans()), max_size=30))
def test_whatever_is_said_a_request_begins_with_a_user_and_fits_or_is_one_turn(
    said: list[tuple[int, int, bool]],
) -> None:
    talk = Talk()
    for asked, answered, counted in said:
        sent = talk.ask(asked, answered, counted=counted)
        assert sent.messages[0].role == "user"
        assert sent.messages[-1] is talk.branch[-2]
        assert len(sent.messages) + sent.left_out == len(talk.branch) - 1
        roles = [message.role for message in sent.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
        if len(roles) > 1:
            assert sent.after <= TRIGGER * WINDOW
