"""What a reader takes, and what it would rather ask for."""

from __future__ import annotations

from bestchat_server_ext.api.frames import DraftPosition
from bestchat_server_ext.core.events import Delta
from bestchat_server_ext.core.ids import ConversationId, MessageId, TurnId
from bestchat_server_ext.ports.bus import DraftWanted
from bestchat_server_ext.services.reader import Reader

HERE, TURN = ConversationId("here"), TurnId("turn")
ANSWER, EARLIER = MessageId("answer"), MessageId("earlier")


def piece(part: int, first: int, n: int, attempt: int = 1, answer: MessageId = ANSWER) -> Delta:
    return Delta(HERE, TURN, answer, part, "text", first, n, "x" * (n - first + 1), attempt)


def at(part: int, n: int, answer: MessageId = ANSWER) -> Reader:
    return Reader(1, DraftPosition(answer, part, n))


def test_pieces_are_taken_once_and_in_order() -> None:
    reader = Reader(1, None)
    assert reader.wants_delta(piece(0, 1, 2))
    assert not reader.wants_delta(piece(0, 1, 2))
    assert not reader.hole
    assert reader.wants_delta(piece(0, 3, 3))
    assert reader.wants_delta(piece(1, 1, 1))


def test_a_piece_that_leaves_a_hole_is_not_taken() -> None:
    for reader, found in (
        (Reader(1, None), piece(0, 2, 2)),
        (Reader(1, None), piece(1, 1, 1)),  # nobody knows what was in the part before
        (at(0, 2), piece(0, 4, 4)),
        (at(0, 2), piece(1, 1, 1)),
        (at(0, 2, EARLIER), piece(0, 2, 2)),
    ):
        assert not reader.wants_delta(found)
        assert reader.hole
    reader = at(0, 2)
    assert not reader.wants_delta(piece(0, 4, 4))
    assert not reader.wants_delta(piece(0, 2, 2))
    assert not reader.hole, "what it has leaves no hole"


def test_whoever_has_listened_all_the_time_knows_that_a_part_has_ended() -> None:
    reader = at(0, 2)
    assert reader.wants_delta(piece(0, 3, 3))
    assert reader.wants_delta(piece(1, 1, 1))
    reader.begin_draft()
    assert not reader.wants_delta(piece(2, 1, 1))
    assert reader.hole


def test_a_new_beginning_is_counted_anew() -> None:
    reader = at(1, 7)
    assert reader.wants_delta(piece(0, 1, 1, attempt=2))
    assert not reader.wants_delta(piece(1, 8, 8, attempt=1))


def test_a_draft_closes_the_hole() -> None:
    reader = at(0, 2)
    assert not reader.wants_delta(piece(1, 4, 4))
    assert reader.ask(HERE, 0.0) == DraftWanted(HERE, ANSWER, 1, 0, 2)
    told = [piece(0, 3, 5), piece(1, 1, 4)]
    assert reader.take_draft(ANSWER, told) == told
    assert reader.asked is None
    assert reader.wants_delta(piece(1, 5, 5))


def test_a_draft_may_begin_with_a_part_that_nobody_sees() -> None:
    reader = Reader(1, None)
    assert reader.take_draft(ANSWER, [piece(1, 1, 1)]) == [piece(1, 1, 1)]


def test_a_draft_of_what_is_complete_is_not_taken() -> None:
    reader = Reader(1, None)
    reader.complete.add(ANSWER)
    assert reader.take_draft(ANSWER, [piece(0, 1, 1)]) == []
    assert not reader.wants_delta(piece(0, 7, 7))
    assert not reader.hole


def test_who_has_not_heard_of_something_twice_begins_again() -> None:
    reader, lags = Reader(3, None), []
    reader.lag = lambda: lags.append(reader.seq)
    for newest in (3, 4):
        reader.compare(newest)
    assert lags == [], "it may be on its way"
    reader.seq = 4
    reader.compare(5)
    reader.compare(5)
    assert lags == [4]
    reader.compare(None)
    reader.compare(None)
    assert lags == [4, 4]
