from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core import reply as reply_module
from bestchat_server_ext.core.errors import ProviderError
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.reply import Growth, Reply, ReplyBuilder, ReplyPart
from bestchat_server_ext.core.tools import ToolCall

texts = st.text(max_size=3)
pieces = st.lists(st.one_of(st.builds(TextChunk, texts), st.builds(ReasoningChunk, texts)))
sealed = st.builds(ReasoningChunk, texts, st.sampled_from(["", "seal"]), st.booleans())


def built(*chunks: Chunk) -> ReplyBuilder:
    builder = ReplyBuilder()
    for chunk in chunks:
        builder.add(chunk)
    return builder


def test_pieces_of_one_kind_grow_one_part() -> None:
    builder = ReplyBuilder()
    assert builder.add(ReasoningChunk("Hm")) == Growth(0, "reasoning", 1, "Hm")
    assert builder.add(TextChunk("Yes")) == Growth(1, "text", 1, "Yes")
    assert builder.add(TextChunk(", it")) == Growth(1, "text", 2, ", it")
    assert builder.add(ReasoningChunk("!")) == Growth(2, "reasoning", 1, "!")
    parts = (
        ReplyPart("reasoning", "Hm"),
        ReplyPart("text", "Yes, it"),
        ReplyPart("reasoning", "!"),
    )
    assert builder.partial() == Reply(parts)


def test_a_seal_ends_the_reasoning_before_it() -> None:
    builder = ReplyBuilder()
    assert builder.add(ReasoningChunk("Hm")) == Growth(0, "reasoning", 1, "Hm")
    assert builder.add(ReasoningChunk("", "one")) is None
    assert builder.add(ReasoningChunk("So", "two")) == Growth(1, "reasoning", 1, "So")
    assert builder.add(TextChunk("Yes")) == Growth(2, "text", 1, "Yes")
    assert builder.partial().parts == (
        ReplyPart("reasoning", "Hm", "one"),
        ReplyPart("reasoning", "So", "two"),
        ReplyPart("text", "Yes"),
    )


def test_reasoning_of_which_only_the_seal_is_shown_is_kept() -> None:
    builder = built(
        ReasoningChunk("", "one"),
        ReasoningChunk("", "cipher", redacted=True),
        TextChunk("Yes"),
        ReasoningChunk("Hm"),
        ReasoningChunk("", "more", redacted=True),
    )
    assert builder.finish().parts == (
        ReplyPart("reasoning", "", "one"),
        ReplyPart("reasoning", "", "cipher", redacted=True),
        ReplyPart("text", "Yes"),
        ReplyPart("reasoning", "Hm"),
        ReplyPart("reasoning", "", "more", redacted=True),
    )
    assert builder.pieces_after(0, 0) == [(2, "text", 1, 1, "Yes"), (3, "reasoning", 1, 1, "Hm")]


def test_halves_of_surrogate_pairs_are_mended_for_readers_and_storage_alike() -> None:
    builder = ReplyBuilder()
    grown = [
        builder.add(ReasoningChunk("Hm\ude00", "seal\ud83d")),
        builder.add(TextChunk("a\ud83d")),
        builder.add(TextChunk("\ude00b")),
        builder.add(TextChunk("\ud83d\ude00\ufeff\ud83dc")),
    ]
    shown = ["Hm\ufffd", "a\ufffd", "\ufffdb", "\U0001f600\ufeff\ufffdc"]
    assert [growth and growth.text for growth in grown] == shown
    builder.add(ToolCallChunk(0, "id\ud83d", "add\ud83d", '{"a": "\ud83d'))
    builder.add(ToolCallChunk(0, arguments='\ude00\ud83d"}'))
    reply = builder.finish()
    assert reply.parts == (
        ReplyPart("reasoning", "Hm\ufffd", "seal\ufffd"),
        ReplyPart("text", "".join(shown[1:])),
    )
    assert builder.pieces_after(1, 1) == [(1, "text", 2, 3, "".join(shown[2:]))]
    call = ToolCall("id\ufffd", "add\ufffd", '{"a": "\U0001f600\ufffd"}')
    assert reply.calls == (call,)


@pytest.mark.parametrize(
    "chunk", [TextChunk("xxxx"), ReasoningChunk("xx", "xx"), ToolCallChunk(0, "1", "xx", "xx")]
)
def test_a_reply_that_does_not_end_is_given_up(
    chunk: Chunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_module, "MOST_CHARACTERS", 7)
    builder = built(chunk)
    with pytest.raises(ProviderError, match="does not end"):
        builder.add(chunk)


@pytest.mark.parametrize(
    "chunk",
    [
        TextChunk(""),
        ReasoningChunk(""),
        ToolCallChunk(0, "1", "add"),
        UsageChunk(Usage(1)),
        FinishChunk("stop"),
    ],
)
def test_what_a_reader_cannot_see_does_not_grow(chunk: Chunk) -> None:
    builder = built(TextChunk("a"))
    assert builder.add(chunk) is None
    assert builder.add(TextChunk("b")) == Growth(0, "text", 2, "b")


def test_interleaved_calls_are_put_together_in_the_order_of_their_indices() -> None:
    builder = built(
        ToolCallChunk(1, "two", "get"),
        ToolCallChunk(0, "one", "add", '{"a"'),
        ToolCallChunk(1, arguments="{"),
        TextChunk("By the way."),
        ToolCallChunk(0, arguments=": 1}"),
        ToolCallChunk(1, arguments="}"),
        FinishChunk("tool_calls"),
    )
    reply = builder.finish()
    assert reply.calls == (ToolCall("one", "add", '{"a": 1}'), ToolCall("two", "get", "{}"))
    assert reply.finish_reason == "tool_calls"
    assert reply.parts == (ReplyPart("text", "By the way."),)


def test_builders_share_nothing() -> None:
    built(ToolCallChunk(0, "1", "add", "{}"), TextChunk("a"))
    reply = built(ToolCallChunk(0, "1", "get", "")).finish()
    assert reply.calls == (ToolCall("1", "get", ""),)


@given(
    st.lists(st.sampled_from(["", "same", "call_0", "call_1", "call_1_1", "call_1_2"]), max_size=5)
)
def test_every_call_gets_an_id_of_its_own(ids: list[str]) -> None:
    chunks = [ToolCallChunk(index, key, "add", "{}") for index, key in enumerate(ids)]
    made = [call.id for call in built(*chunks, FinishChunk("tool_calls")).finish().calls]
    assert len(set(made)) == len(ids)
    assert all(made)
    if len({*ids}) == len(ids) and "" not in ids:
        assert made == ids


def test_the_first_id_of_a_call_counts() -> None:
    reply = built(ToolCallChunk(0, "a", "add"), ToolCallChunk(0, "b", arguments="{}")).finish()
    assert reply.calls == (ToolCall("a", "add", "{}"),)


def test_the_last_usage_counts() -> None:
    builder = built(TextChunk("a"), UsageChunk(Usage(5, 1)), UsageChunk(Usage(5, 3)))
    assert builder.finish().usage == Usage(5, 3)


def test_a_partial_reply_has_no_calls_and_no_reason() -> None:
    builder = built(
        TextChunk("a"),
        ToolCallChunk(0, "1", "add", "{"),
        UsageChunk(Usage(1)),
        FinishChunk("tool_calls"),
    )
    assert builder.partial() == Reply((ReplyPart("text", "a"),), (), Usage(1), None)


def test_a_reason_that_nobody_gave_is_not_made_up() -> None:
    assert built(TextChunk("a")).finish().finish_reason == "unknown"
    assert built(ToolCallChunk(0, "1", "add", "{}")).finish().finish_reason == "tool_calls"


@pytest.mark.parametrize("chunks", [[], [UsageChunk(Usage(3))], [TextChunk("")]])
def test_a_stream_that_just_ends_is_an_error(chunks: list[Any]) -> None:
    with pytest.raises(ProviderError, match="without an answer"):
        built(*chunks).finish()


def test_a_stream_that_ends_with_a_reason_is_a_reply() -> None:
    assert built(FinishChunk("stop")).finish() == Reply(finish_reason="stop")


@given(pieces)
def test_growth_alone_rebuilds_the_reply(chunks: list[Chunk]) -> None:
    builder, seen = ReplyBuilder(), dict[int, str]()
    counts = dict[int, int]()
    for chunk in chunks:
        growth = builder.add(chunk)
        if growth is not None:
            counts[growth.part] = counts.get(growth.part, 0) + 1
            assert growth.n == counts[growth.part]
            seen[growth.part] = seen.get(growth.part, "") + growth.text
    assert [part.text for part in builder.partial().parts] == list(seen.values())
    assert list(seen) == list(range(len(seen)))


@given(st.lists(st.builds(TextChunk, texts) | sealed))
def test_every_seal_is_kept_in_order(chunks: list[Chunk]) -> None:
    parts = built(*chunks).partial().parts
    seals = [chunk for chunk in chunks if isinstance(chunk, ReasoningChunk) and chunk.signature]
    kept = [part for part in parts if part.signature]
    assert [part.redacted for part in kept] == [chunk.redacted for chunk in seals]
    assert "".join(part.text for part in parts) == "".join(
        chunk.text for chunk in chunks if isinstance(chunk, TextChunk | ReasoningChunk)
    )


@given(pieces, st.data())
def test_a_late_reader_gets_exactly_the_rest(chunks: list[Chunk], data: st.DataObject) -> None:
    builder = ReplyBuilder()
    split = data.draw(st.integers(0, len(chunks)))
    seen, part, n = dict[int, str](), 0, 0
    for chunk in chunks[:split]:
        if (growth := builder.add(chunk)) is not None:
            part, n = growth.part, growth.n
            seen[part] = seen.get(part, "") + growth.text
    for chunk in chunks[split:]:
        builder.add(chunk)
    for index, kind, first, last, text in builder.pieces_after(part, n):
        assert first == (n + 1 if index == part else 1)
        assert last >= first
        assert kind == builder.partial().parts[index].kind
        seen[index] = seen.get(index, "") + text
    assert [text for _, text in sorted(seen.items())] == [
        item.text for item in builder.partial().parts
    ]


def test_pieces_after_the_end_are_none() -> None:
    builder = built(TextChunk("a"), TextChunk("b"))
    assert builder.pieces_after(0, 2) == []
    assert builder.pieces_after(0, 99) == []
    assert builder.pieces_after(7, 0) == []
    assert builder.pieces_after(0, 1) == [(0, "text", 2, 2, "b")]
    assert builder.pieces_after(0, 0) == [(0, "text", 1, 2, "ab")]
