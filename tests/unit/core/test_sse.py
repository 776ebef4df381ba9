from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core.errors import ProviderError
from bestchat_server_ext.core.wire import sse
from bestchat_server_ext.core.wire.sse import SSEDecoder


def decode(*pieces: bytes) -> list[bytes]:
    decoder = SSEDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_line_ends_are_understood(end: bytes) -> None:
    assert decode(end.join([b"data: a", b"", b"data: b", b"", b""])) == [b"a", b"b"]


def test_a_line_end_cut_in_two_is_one_line_end() -> None:
    assert decode(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [b"a\nb"]


def test_an_event_is_given_as_soon_as_its_empty_line_is_there() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\n") == [b"a"]
    assert decoder.close() == []


def test_data_over_several_lines_is_joined() -> None:
    assert decode(b"data: {\ndata:  1\ndata:}\n\n") == [b"{\n 1\n}"]


def test_comments_and_other_fields_are_passed_over() -> None:
    stream = b": keep-alive\n\nevent: message\nid: 7\nretry: 10\ndata: a\n: again\n\n"
    assert decode(stream) == [b"a"]


def test_the_space_behind_the_colon_is_optional() -> None:
    assert decode(b"data:a\n\ndata:  b\n\n") == [b"a", b" b"]


def test_a_field_that_only_begins_like_data_is_another_field() -> None:
    assert decode(b"database: a\n\n") == []


@pytest.mark.parametrize(
    "pieces", [(b"\xef\xbb\xbfdata: a\n\n",), (b"\xef", b"\xbb\xbfdata: a\n\n")]
)
def test_a_byte_order_mark_is_taken_off(pieces: tuple[bytes, ...]) -> None:
    assert decode(*pieces) == [b"a"]


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r"])
def test_the_last_event_may_lack_its_empty_line(tail: bytes) -> None:
    assert decode(b"data: a" + tail) == [b"a"]


def test_an_empty_stream_holds_nothing() -> None:
    assert decode() == []
    assert decode(b"") == []


@pytest.mark.parametrize("line", [b"x" * 100, b"data: " + b"x" * 100 + b"\n"])
def test_an_event_without_end_is_given_up(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST", 1000)
    decoder = SSEDecoder()
    for _ in range(9):
        decoder.feed(line)
    with pytest.raises(ProviderError, match="never ends"):
        decoder.feed(line * 2)


def test_lines_that_say_nothing_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST", 1000)
    decoder = SSEDecoder()
    decoder.feed(b"data:\n" * 100)
    with pytest.raises(ProviderError, match="never ends"):
        decoder.feed(b"data:\n" * 200)


def test_only_what_is_unfinished_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST", 1000)
    decoder = SSEDecoder()
    for _ in range(30):
        assert decoder.feed(b"data: " + b"x" * 100 + b"\n\n") == [b"x" * 100]


LINES = st.sampled_from(
    [b"data: a", b"data: \xc3\xa4\xe2\x82\xac", b"data:", b": c", b"event: e", b"", b"", b"other"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(LINES, ENDS)), st.data())
def test_any_split_gives_the_same_events(
    lines: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(line + end for line, end in lines)
    cuts = data.draw(st.lists(st.integers(0, len(stream))).map(sorted))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decode(*pieces) == decode(stream)
