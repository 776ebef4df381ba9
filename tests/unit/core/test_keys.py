from __future__ import annotations

from typing import Self, SupportsIndex

import pytest

from bestchat_server_ext.core.errors import ProviderError
from bestchat_server_ext.core.wire.keys import scrubbed, tells

KEY = "sk-canary-0123456789"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"my-{KEY}-model", True),
        (KEY.upper(), True),
        ("openai/gpt", False),
        ("model-sk-canary", False),  # a beginning alone is no key
    ],
)
def test_a_text_that_tells_the_key(text: str, *, expected: bool) -> None:
    assert tells(KEY, text) is expected


@pytest.mark.parametrize("key", [None, ""])
def test_no_key_is_told(key: str | None) -> None:
    assert not tells(key, "anything")


class Counted(str):
    """A key that counts how often a part of it is taken."""

    __slots__ = ("taken",)
    taken: int

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, text)
        made.taken = 0
        return made

    def __getitem__(self, place: SupportsIndex | slice) -> str:
        self.taken += 1
        return super().__getitem__(place)


def test_a_long_key_costs_no_more_than_the_text_is_long() -> None:
    key = Counted("k" * 8000)
    scrubbed(ProviderError("Not found.", hint=""), key)
    assert key.taken <= len("Not found.")


def test_all_keys_are_taken_out() -> None:
    error = scrubbed(ProviderError(f"{KEY} or sk-second", hint="sk-second"), KEY, "sk-second")
    assert (error.info.text, error.info.hint) == ("*** or ***", "***")


@pytest.mark.parametrize("key", ["x", "e", "EMPTY", "none"])
def test_a_placeholder_is_no_part_of_other_words(key: str) -> None:
    said = f"Incorrect key: {key}. See https://example.com; nonetheless, EMPTYING helps"
    error = scrubbed(ProviderError(said, hint="Check the key."), key)
    assert error.info.text == said.replace(f" {key}.", " ***.")
    assert error.info.hint == "Check the key."
    assert not tells(key, "openai/mixtral-8x22b-nonet")
    assert tells(key, f"my-{key.lower()}-model")
