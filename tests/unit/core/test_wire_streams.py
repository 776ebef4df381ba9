"""Streams as they really are, whatever format they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.reply import ReplyBuilder
from bestchat_server_ext.core.tools import ToolCall
from bestchat_server_ext.core.wire import jsonlines, sse
from bestchat_server_ext.core.wire.anthropic import AnthropicLane
from bestchat_server_ext.core.wire.lane import Decoder, Lane
from bestchat_server_ext.core.wire.ollama import OllamaLane
from bestchat_server_ext.core.wire.openai import OpenAILane


class Format(msgspec.Struct):
    """How a server of one format says things."""

    lane: Lane
    frame: Callable[[Any], bytes]
    """One JSON value on the wire."""
    text: Callable[[str], Any]
    reasoning: Callable[[str], Any]
    calls: list[Any]
    """Two calls, add(a=1) and get(), in pieces as far as the format knows pieces."""
    finish: Any
    """The model has stopped."""
    usage: list[Any]
    """5 tokens in, 3 of them cached where that can be said; 2 out."""
    counted: Usage
    end: bytes
    """What stands behind the last word; empty where `finish` does."""
    error: Any
    noise: list[Any]
    """What means nothing to us."""
    keep_alive: bytes


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def delta(**fields: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def openai_call(index: int, arguments: str, **fields: str) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": fields["name"]} if fields else {})}
    return delta(tool_calls=[{"index": index, "function": function, **fields}])


def block_delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def block_start(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": fields}


def said(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", **fields}, "done": False}


OPENAI = Format(
    lane=OpenAILane(),
    frame=event,
    text=lambda text: delta(content=text),
    reasoning=lambda text: delta(reasoning_content=text),
    calls=[
        openai_call(0, "", id="one", name="add"),
        openai_call(1, "", id="two", name="get"),
        openai_call(0, '{"a"'),
        openai_call(1, "{}"),
        openai_call(0, ":1}"),
    ],
    finish={"choices": [{"delta": {}, "finish_reason": "stop"}]},
    usage=[
        {
            "choices": [],
            "usage": {
                "prompt_tokens": 5,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 3},
            },
        }
    ],
    counted=Usage(5, 2, 3),
    end=b"data: [DONE]\n\n",
    error={"error": {"message": "kaputt: ß", "type": "server_error", "code": 500}},
    noise=[
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        {"choices": [{"delta": {"content": "", "annotations": [1]}, "logprobs": {"a": [1.5]}}]},
        {"choices": [{"delta": {"role": "assistant", "content": None}}], "obfuscation": "f8Ks"},
        {"object": "something.else"},
    ],
    keep_alive=b": OPENROUTER PROCESSING\n\n",
)

ANTHROPIC = Format(
    lane=AnthropicLane(),
    frame=lambda value: f"event: {value.get('type', '')}\n".encode() + event(value),
    text=lambda text: block_delta(0, type="text_delta", text=text),
    reasoning=lambda text: block_delta(0, type="thinking_delta", thinking=text),
    calls=[
        block_start(1, type="tool_use", id="one", name="add", input={}),
        block_start(2, type="tool_use", id="two", name="get", input={}),
        block_delta(1, type="input_json_delta", partial_json=""),
        block_delta(1, type="input_json_delta", partial_json='{"a"'),
        block_delta(2, type="input_json_delta", partial_json="{}"),
        block_delta(1, type="input_json_delta", partial_json=":1}"),
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_stop", "index": 2},
    ],
    finish={"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}},
    usage=[
        {
            "type": "message_start",
            "message": {
                "id": "m",
                "content": [],
                "usage": {"input_tokens": 2, "cache_read_input_tokens": 3, "output_tokens": 1},
            },
        },
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 2}},
    ],
    counted=Usage(5, 2, 3),
    end=b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    error={"type": "error", "error": {"type": "api_error", "message": "kaputt: ß"}},
    noise=[
        {"type": "ping"},
        {"type": "brand_new", "delta": "another shape", "index": "x", "message": [1]},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_start", "index": 9, "content_block": {"type": "brand_new"}},
        block_delta(0, type="citations_delta", citation={"text": 1}),
        block_delta(9, type="brand_new_delta", brand=["new"]),
        {"type": "content_block_stop", "index": 9},
    ],
    keep_alive=b'event: ping\ndata: {"type": "ping"}\n\n: still there\n\n',
)

OLLAMA = Format(
    lane=OllamaLane(),
    frame=line,
    text=lambda text: said(content=text),
    reasoning=lambda text: said(content="", thinking=text),
    calls=[
        said(
            content="",
            tool_calls=[{"id": "one", "function": {"name": "add", "arguments": {"a": 1}}}],
        ),
        said(tool_calls=[{"id": "two", "function": {"index": 0, "name": "get", "arguments": {}}}]),
    ],
    finish={"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"},
    usage=[{"prompt_eval_count": 5, "eval_count": 2}],
    counted=Usage(5, 2),
    end=b"",
    error={"error": "kaputt: ß"},
    noise=[
        {},
        {"model": "m", "created_at": "2026-01-01T00:00:00Z", "logprobs": [{"token": "a"}]},
        said(content="", images=None),
        said(content=None, tool_calls=None),
    ],
    keep_alive=b"\n \n",
)

FORMATS = [OPENAI, ANTHROPIC, OLLAMA]
NAMES = ["openai", "anthropic", "ollama"]
each_format = pytest.mark.parametrize("form", FORMATS, ids=NAMES)


def whole(form: Format) -> bytes:
    """An answer with everything in it."""
    values = [
        *form.noise,
        form.reasoning("Hm…"),
        form.text("Grüße"),
        form.text(" 👋"),
        *form.calls,
        *form.usage,
        form.finish,
    ]
    return b"".join(map(form.frame, values)) + form.end


def decode(form: Format, *pieces: bytes) -> list[Chunk]:
    decoder = form.lane.decoder()
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    return chunks + decoder.close()


def outcome(decoder: Decoder, pieces: list[bytes]) -> tuple[list[Chunk], str]:
    """What became of a stream: its chunks, and the error behind them."""
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except errors.ProviderError as error:
        return chunks, str(error)
    return chunks, str(decoder.error or "")


def parts_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def framed(form: Format, *values: Any) -> bytes:
    return b"".join(map(form.frame, values))


# Whole answers.


@each_format
def test_a_whole_answer(form: Format) -> None:
    decoder = form.lane.decoder()
    builder = ReplyBuilder()
    for chunk in decoder.feed(whole(form)):
        builder.add(chunk)
    reply = builder.finish()
    assert [(part.kind, part.text) for part in reply.parts] == [
        ("reasoning", "Hm…"),
        ("text", "Grüße 👋"),
    ]
    assert [(call.id, call.name, call.parsed()) for call in reply.calls] == [
        ("one", "add", {"a": 1}),
        ("two", "get", {}),
    ]
    assert reply.usage == form.counted
    assert (decoder.done, decoder.finished, decoder.error) == (True, True, None)
    assert decoder.close() == []


@each_format
def test_windows_line_ends(form: Format) -> None:
    stream = whole(form)
    assert decode(form, stream.replace(b"\n", b"\r\n")) == decode(form, stream)


@each_format
def test_packets_of_one_byte(form: Format) -> None:
    stream = whole(form).replace(b"\n", b"\r\n")
    assert decode(form, *[stream[i : i + 1] for i in range(len(stream))]) == decode(form, stream)


@each_format
def test_what_only_keeps_the_connection_alive_says_nothing(form: Format) -> None:
    stream = form.keep_alive + framed(form, form.text("a")) + form.keep_alive
    assert decode(form, stream + framed(form, form.text("b"))) == [TextChunk("a"), TextChunk("b")]


@each_format
def test_what_is_new_or_empty_says_nothing(form: Format) -> None:
    assert decode(form, framed(form, *form.noise, form.text(""), form.reasoning(""))) == []


@each_format
def test_what_follows_the_end_is_not_part_of_the_answer(form: Format) -> None:
    stream = framed(form, form.finish) + form.end + framed(form, form.text("b"), form.error)
    assert decode(form, stream) == [FinishChunk("stop")]


@each_format
def test_nothing_at_all(form: Format) -> None:
    assert decode(form) == decode(form, b"", b"\r\n", b"\n") == []


# Streams that are not as they should be.


@pytest.mark.parametrize("form", [OPENAI, ANTHROPIC], ids=NAMES[:2])
def test_an_end_marker_may_be_missing(form: Format) -> None:
    decoder = form.lane.decoder()
    assert decoder.feed(framed(form, form.finish).rstrip()) == []
    assert decoder.close() == [FinishChunk("stop")]
    assert (decoder.done, decoder.finished) == (False, True)


@each_format
def test_a_stream_that_just_ends_is_neither_done_nor_finished(form: Format) -> None:
    decoder = form.lane.decoder()
    assert decoder.feed(framed(form, form.text("a"))) == [TextChunk("a")]
    assert decoder.close() == []
    assert (decoder.done, decoder.finished) == (False, False)


@each_format
def test_a_body_that_is_cut_off_leaves_its_chunks_and_an_error(form: Format) -> None:
    decoder = form.lane.decoder()
    assert decoder.feed(framed(form, form.text("a"), form.text("secret"))[:-9]) == [TextChunk("a")]
    with pytest.raises(errors.ProviderError, match="cannot be read") as caught:
        decoder.close()
    assert "secret" not in str(caught.value)


@each_format
def test_an_error_in_the_middle_leaves_the_chunks_before_it(form: Format) -> None:
    decoder = form.lane.decoder()
    values = form.text("a"), form.error, form.text("never")
    assert decoder.feed(framed(form, *values)) == [TextChunk("a")]
    for again in (decoder.close, lambda: decoder.feed(framed(form, form.text("b")))):
        with pytest.raises(errors.ProviderError, match="The provider says: kaputt: ß"):
            again()


@each_format
@pytest.mark.parametrize(
    "frame",
    [
        b"{not json}",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"x":' + b"[" * 10**5,
        b'{"x":' * 10**5,
    ],
    ids=["not json", "a list", "a text", "not utf-8", "deep lists", "deep objects"],
)
def test_what_cannot_be_read_is_an_error(form: Format, frame: bytes) -> None:
    with pytest.raises(errors.ProviderError, match="cannot be read") as caught:
        decode(form, form.frame({}).replace(b"{}", frame))
    assert caught.value.info.hint


@each_format
def test_an_error_of_an_odd_shape_is_an_error(form: Format) -> None:
    with pytest.raises(errors.ProviderError, match="broke the answer off"):
        decode(form, framed(form, {"type": "error", "error": {"message": {"x": 1}, "code": [2.5]}}))


@each_format
def test_a_frame_without_end_is_given_up(form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sse, jsonlines):
        monkeypatch.setattr(module, "_LONGEST", 1000)
    decoder = form.lane.decoder()
    start = form.frame(form.text("x"))[:-10]
    decoder.feed(start + b"x" * 500)
    with pytest.raises(errors.ProviderError, match="never ends"):
        decoder.feed(b"x" * 500)


@each_format
def test_nul_cannot_be_stored_everywhere(form: Format) -> None:
    values = form.text("a\0b"), form.reasoning("\0")
    stream = framed(form, *values)
    assert b"\\u0000" in stream
    assert decode(form, stream) == [TextChunk("a\ufffdb"), ReasoningChunk("\ufffd")]


@each_format
def test_half_a_character_is_replaced(form: Format) -> None:
    """Servers that count in UTF-16 cut between the halves of a character."""
    stream = framed(form, form.text("A")).replace(b'"A"', rb'"\ud83d \\ud83d \ud83d\udc4b"')
    assert decode(form, stream) == [TextChunk("\ufffd \\ud83d 👋")]


BROKEN_ARGUMENTS = [
    (OPENAI, [openai_call(0, "{'a\0", id="x", name="f")]),
    (
        ANTHROPIC,
        [
            block_start(0, type="tool_use", id="x", name="f", input={}),
            block_delta(0, type="input_json_delta", partial_json="{'a\0"),
        ],
    ),
    (OLLAMA, [said(tool_calls=[{"id": "x", "function": {"name": "f", "arguments": "{'a\0"}}])]),
]


@pytest.mark.parametrize(("form", "values"), BROKEN_ARGUMENTS, ids=NAMES)
def test_arguments_that_are_no_json_are_kept(form: Format, values: list[Any]) -> None:
    builder = ReplyBuilder()
    for chunk in decode(form, framed(form, *values)):
        builder.add(chunk)
    (call,) = builder.finish().calls
    assert call == ToolCall("x", "f", "{'a\ufffd")
    with pytest.raises(ValueError, match="not a JSON object"):
        call.parsed()


@each_format
def test_nul_in_names_and_ids_of_calls(form: Format) -> None:
    stream = framed(form, form.calls[0]).replace(b'"one"', rb'"\u0000"')
    stream = stream.replace(b'"add"', rb'"\u0000f"')
    chunks = [chunk for chunk in decode(form, stream) if isinstance(chunk, ToolCallChunk)]
    assert (chunks[0].id, chunks[0].name) == ("\ufffd", "\ufffdf")


# Any bytes.


STREAMS = [
    (form, stream)
    for form in FORMATS
    for stream in (
        whole(form),
        whole(form).replace(b"\n", b"\r\n"),
        framed(form, form.text("€"), form.error, form.text("never")),
        framed(form, form.text("a")) + b"data: {broken\n\n" + framed(form, form.text("never")),
        framed(form, form.text("A")).replace(b'"A"', rb'"\ud83d\u0000"'),
        framed(form, form.finish)[:-5],
    )
]


@settings(deadline=None)  # a busy machine is no fault
@given(st.sampled_from(STREAMS), st.data())
def test_any_split_gives_the_same_chunks(case: tuple[Format, bytes], data: st.DataObject) -> None:
    form, stream = case
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=30).map(sorted))
    split = outcome(form.lane.decoder(), parts_of(stream, cuts))
    assert split == outcome(form.lane.decoder(), [stream])


KEYS = st.sampled_from(
    [
        *("type", "index", "delta", "content_block", "message", "usage", "error", "choices"),
        *("finish_reason", "content", "text", "thinking", "tool_calls", "function", "arguments"),
        *("name", "id", "input", "partial_json", "signature", "data", "stop_reason", "done"),
        *("done_reason", "eval_count", "prompt_tokens", "total_tokens", "reasoning_details"),
    ]
)
WORDS = st.sampled_from(
    [
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop", "error", "tool_use", "thinking", "redacted_thinking"),
        *("", "\0"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5)
)
FRAMES = (
    st.dictionaries(KEYS, VALUES, max_size=6).map(json.dumps).map(str.encode)
    | st.binary(max_size=40)
    | st.sampled_from([b"[DONE]", b"", b"data:", b"\r", b"{}", b'{"type":"message_stop"}'])
)
ENDS = st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n", b"\r", b""])
STARTS = st.sampled_from([b"data: ", b"data:", b"", b": ", b"event: x\ndata: "])


@each_format
def test_no_bytes_do_harm(form: Format) -> None:
    @settings(deadline=None)
    @given(st.lists(st.tuples(STARTS, FRAMES, ENDS), max_size=5), st.data())
    def harmless(frames: list[tuple[bytes, bytes, bytes]], data: st.DataObject) -> None:
        stream = b"".join(b"".join(frame) for frame in frames)
        cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=3).map(sorted))
        chunks, _ = outcome(form.lane.decoder(), parts_of(stream, cuts))
        builder = ReplyBuilder()
        for chunk in chunks:
            assert isinstance(chunk, Chunk)
            builder.add(chunk)
            msgspec.json.encode(chunk)  # nothing in it that could not be stored
        assert "\0" not in "".join(part.text for part in builder.partial().parts)

    harmless()


@each_format
def test_usage_alone(form: Format) -> None:
    chunks = decode(form, framed(form, *form.usage))
    assert chunks[-1] == UsageChunk(form.counted)
    assert all(isinstance(chunk, UsageChunk) for chunk in chunks)
