"""How tokens and their names look."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core.tokens import (
    ENTROPY_BYTES,
    PREFIX,
    digest,
    new_token,
    showable,
    well_formed,
)

ENTROPY = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)


@given(ENTROPY)
def test_a_token_is_recognised(entropy: bytes) -> None:
    token = new_token(entropy)
    assert token.startswith(PREFIX)
    assert well_formed(token)
    assert not well_formed(token[:-1])
    assert not well_formed(token + "\n")


@given(ENTROPY, ENTROPY)
def test_all_of_the_entropy_is_in_token_and_digest(one: bytes, other: bytes) -> None:
    assert (new_token(one) == new_token(other)) == (one == other)
    assert (digest(new_token(one)) == digest(new_token(other))) == (one == other)


@pytest.mark.parametrize(
    "name",
    [
        *("CI", "Ada's night build", "夜間ビルド", "👩‍👩‍👧", "می‌خواهم", "é", "e\u0301", "a b"),
        *("7", "-", "❤\ufe0f", "\u115f\u1161한"),
    ],
)
def test_names_may_be_in_any_script(name: str) -> None:
    assert showable(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "\u00a0", "\u200d", "\u200b", "\ufeff"),
        *("a\n", "\nb", "a\x00b", "a\x1b[2Jb", "a\x7f", "a\x9b", "a\rb", "a\tb"),
        *("a\u202eb", "\u2066a", "a\u2028b", "a\u2029b", "a\u200eb", "a\U000e0041"),
        *("a\ud83d", "a\ue000", "a\U0010fffd", "a\u0378", "a\uffff"),
        *("\u3164", "\u115f", "\u1160\u200d", "\uffa0", "\u2800", "\U0001d159", " \u3164 "),
        *("\ufe0f", "\u034f", "\U000e0100", "\u0301", "\u3164\u0301"),
    ],
)
def test_names_that_hide_something_are_refused(name: str) -> None:
    assert not showable(name)


@given(st.text(min_size=1, max_size=20))
def test_no_name_steers_what_shows_it(name: str) -> None:
    if showable(name):
        assert name.strip()
        kinds = {unicodedata.category(char) for char in name}
        assert not kinds & {"Cc", "Zl", "Zp", "Co", "Cn"}
        assert any(kind[0] in "LNPS" for kind in kinds)
