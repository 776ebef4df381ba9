"""Nothing from outside steers a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_kernel.visible import one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nof two lines", "plain\ttext\nof two lines"),
        ("emoji 👩‍🔬 and ümlaut", "emoji 👩‍🔬 and ümlaut"),
        ("\x1b[2Jgone", "\\u001b[2Jgone"),
        ("\x1b]52;c;YQ==\x07", "\\u001b]52;c;YQ==\\u0007"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("\x9b2J", "\\u009b2J"),
        ("a\u202eb", "a\\u202eb"),
    ],
)
def test_control_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_that_controls_is_left(text: str) -> None:
    assert not [sign for sign in visible(text) if ord(sign) < 32 and sign not in "\n\t"]


def test_one_line_is_one_line_and_not_long() -> None:
    assert one_line('{"p": "/"}\rwaiting for approval: ls\x1b[K') == (
        '{"p": "/"} waiting for approval: ls\\u001b[K'
    )
    assert len(one_line("x" * 10_000)) == 500
