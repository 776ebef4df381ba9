from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.api.decoding import decode
from bestchat_server_ext.core.errors import InvalidRequest


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    text: str = ""
    names: tuple[str, ...] = ()


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: Inner = msgspec.field(default_factory=Inner)
    items: tuple[Inner, ...] = ()
    count: int = 0
    anything: Any = None


DECODER = msgspec.json.Decoder(Outer)

BAD: dict[str, tuple[str, str, str]] = {
    "missing": ('{"inner": 7}', "inner", "Expected `object`, got `int`"),
    "unknown": ('{"inner": {"odd": 1}}', "inner.odd", "unknown field"),
    "unknown in a list": ('{"items": [{}, {"odd": 1}]}', "items[1].odd", "unknown field"),
    "type in a list": ('{"items": [{"names": ["a", 1]}]}', "items[0].names[1]", "Expected `str`"),
    "twice": ('{"count": 1, "count": 1}', "count", "twice"),
    "twice inside": ('{"items": [{"text": "a", "text": "a"}]}', "items[0].text", "twice"),
    "U+0000": ('{"items": [{}, {"names": ["\\u0000"]}]}', "items[1].names[0]", "U+0000"),
    "U+0000 in anything": ('{"anything": {"a": ["\\u0000"]}}', "anything.a[0]", "U+0000"),
    "NaN": ('{"anything": [1, NaN]}', "anything[1]", "no NaN"),
    "surrogate": ('{"inner": {"text": "\\udfff"}}', "inner.text", "surrogate"),
    "comma": ('{"count": 1,\n}', "", "not valid JSON, at line"),  # which line depends on Python
    "deep": ('{"anything": ' + "[" * 5000 + "]" * 5000 + "}", "", "nested too deeply"),
    "end": ('{"count": 1', "", "not valid JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_and_where(name: str) -> None:
    body, field, said = BAD[name]
    with pytest.raises(InvalidRequest) as caught:
        decode(body.encode(), DECODER, "This value")
    info = caught.value.info
    assert info.field == field
    assert said in info.text
    assert info.text.startswith("This value ")
    assert info.hint


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"anything": "\xff"}', "UTF-8, from byte 14"),
        ("{}".encode("utf-16"), "UTF-8, from byte 0"),
        (b"{" + b" " * 2_000_000, "not valid JSON"),
    ],
)
def test_bytes_that_are_no_json(body: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        decode(body, DECODER, "This value")


def test_a_value_that_does_not_fit_is_not_said_back() -> None:
    union = msgspec.json.Decoder(msgspec.defstruct("Choice", [("kind", Literal["a", "b"])]))
    for body in ('{"kind": "sk-canary"}', '{"kind": ["sk-canary"]}', '{"kind": "sk-canary'):
        with pytest.raises(InvalidRequest) as caught:
            decode(body.encode(), union, "This value")
        assert "canary" not in str(caught.value)


def texts_of(value: Any) -> str:
    """All texts in a value, one after the other."""
    if isinstance(value, dict):
        return "".join([*value, *value.values()])
    return value if isinstance(value, str) else ""


@given(st.text() | st.dictionaries(st.text(), st.text()) | st.lists(st.floats() | st.integers()))
def test_everything_that_can_be_stored_comes_through(value: Any) -> None:
    try:
        body = json.dumps({"anything": value}, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return  # not JSON, or not Unicode
    if "\x00" in texts_of(value):
        with pytest.raises(InvalidRequest):
            decode(body, DECODER, "This value")
    else:
        assert decode(body, DECODER, "This value").anything == value


@given(st.binary() | st.text().map(str.encode))
def test_bytes_of_any_kind_are_a_value_or_an_error(body: bytes) -> None:
    try:
        assert isinstance(decode(body, DECODER, "This value"), Outer)
    except InvalidRequest as error:
        text = error.info.text
        assert text.endswith(".")
