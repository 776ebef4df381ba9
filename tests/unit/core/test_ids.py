from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core.conversation import answer_id, execution_id, tool_message_id
from bestchat_server_ext.core.ids import TurnId, created_at, derived_id, is_id, uuid7

AT = datetime(2026, 1, 1, 12, 30, 15, 123_000, tzinfo=UTC)

moments = st.integers(0, 230 * 365 * 86_400 * 10**6).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
entropies = st.binary(min_size=10, max_size=16)


@given(moments, entropies)
def test_a_uuid7_is_one_by_the_book(at: datetime, entropy: bytes) -> None:
    made = UUID(uuid7(at, entropy))
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert is_id(str(made))


@given(moments, entropies)
def test_an_id_tells_its_moment_to_the_millisecond(at: datetime, entropy: bytes) -> None:
    told = created_at(uuid7(at, entropy))
    assert told.tzinfo is UTC
    assert timedelta() <= at - told < timedelta(milliseconds=1)


@given(moments, moments, entropies, entropies)
def test_ids_sort_by_time(a: datetime, b: datetime, noise_a: bytes, noise_b: bytes) -> None:
    if abs(a - b) >= timedelta(milliseconds=1):
        assert (uuid7(a, noise_a) < uuid7(b, noise_b)) == (a < b)


@given(entropies, entropies)
def test_entropy_tells_ids_apart(one: bytes, other: bytes) -> None:
    # Six of the eighty bits give way to version and variant.
    def used(noise: bytes) -> int:
        return int.from_bytes(noise[:10], "big") & ((1 << 74) - 1)

    assert (uuid7(AT, one) == uuid7(AT, other)) == (used(one) == used(other))


@given(moments, entropies)
def test_a_derived_id_is_an_id_of_the_same_moment(at: datetime, entropy: bytes) -> None:
    origin = uuid7(at, entropy)
    derived = derived_id(origin, "answer", 1)
    assert is_id(derived)
    assert derived != origin
    assert created_at(derived) == created_at(origin)
    assert derived == derived_id(origin, "answer", 1)


def test_no_millisecond_is_lost_on_the_way_through_an_id() -> None:
    """On a computer whose clock was never set, floats would lose some."""
    for milliseconds in range(1000):
        at = datetime(1971, 1, 28, 7, 29, 20, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
        first = uuid7(at, b"0123456789")
        assert created_at(first) == created_at(derived_id(derived_id(first, 1), 2)) == at


def test_derived_ids_differ_by_every_part_of_their_path() -> None:
    origin, another = TurnId(uuid7(AT, b"0123456789")), TurnId(uuid7(AT, b"9876543210"))
    ids = {
        make(turn, step)
        for make in (answer_id, tool_message_id, lambda turn, step: execution_id(turn, step, 0))
        for turn in (origin, another)
        for step in (1, 2, 11)
    }
    ids |= {execution_id(origin, 1, 1), execution_id(origin, 1, 11), execution_id(origin, 11, 1)}
    assert len(ids) == 3 * 2 * 3 + 3
    assert derived_id(origin, "a", "b") != derived_id(origin, "ab")
    assert derived_id(origin, 1) != derived_id(origin, "1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "local",
        "../../etc/passwd",
        "019B76DA-A800-71D5-B26E-207475726E20",
        "{019b76da-a800-71d5-b26e-207475726e20}",
        "urn:uuid:019b76da-a800-71d5-b26e-207475726e20",
        "019b76daa80071d5b26e207475726e20",
        " 019b76da-a800-71d5-b26e-207475726e20",
        "019b76da-a800-71d5-b26e-207475726e20\n",
    ],
)
def test_other_texts_are_no_ids(text: str) -> None:
    assert not is_id(text)
