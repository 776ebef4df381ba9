from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.ids import ExecutionId, MessageId, TurnId
from bestchat_server_ext.core.messages import (
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelFacts,
    ModelRef,
    ReasoningChunk,
    RequestOptions,
    TextChunk,
    ToolCallChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.reply import Reply, ReplyBuilder
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import ToolCall, ToolResult, ToolSpec
from bestchat_server_ext.core.wire.openai import (
    OpenAIDecoder,
    OpenAILane,
    encode_request,
    error_of,
)

DONE = b"data: [DONE]\n\n"


def event(chunk: dict[str, Any], end: bytes = b"\n") -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + end + end


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": fields, "finish_reason": finish, "logprobs": None}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}


def call(**fields: Any) -> dict[str, Any]:
    function = {key: fields.pop(key) for key in ("name", "arguments") if key in fields}
    return delta(tool_calls=[{**fields, "type": "function", "function": function}])


def decode(*pieces: bytes) -> list[Chunk]:
    decoder = OpenAIDecoder()
    return [chunk for piece in pieces for chunk in decoder.feed(piece)] + decoder.close()


def reply(chunks: list[Chunk]) -> Reply:
    builder = ReplyBuilder()
    for chunk in chunks:
        builder.add(chunk)
    return builder.finish()


# Streams as they really are.

OPENAI = [
    event(delta(role="assistant", content="", refusal=None)),
    event(delta(content="Grüße")),
    event(delta(content=" 👋")),
    event(delta("stop")),
    event(
        {
            "choices": [],
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 13,
                "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
        }
    ),
    DONE,
]
OPENAI_CHUNKS = [
    TextChunk("Grüße"),
    TextChunk(" 👋"),
    FinishChunk("stop"),
    UsageChunk(Usage(9, 4, 8, 2)),
]


def test_a_whole_answer() -> None:
    decoder = OpenAIDecoder()
    assert decoder.feed(b"".join(OPENAI)) == OPENAI_CHUNKS
    assert decoder.done
    assert decoder.finished
    assert decoder.close() == []


def test_windows_line_ends_comments_and_data_over_several_lines() -> None:
    stream = (
        b": OPENROUTER PROCESSING\r\n\r\n"
        + event(delta(content="a"), b"\r\n")
        + b'data: {"choices":\r\ndata: [{"delta":{"content":"b"}}]}\r\n\r\n'
    )
    assert decode(stream) == [TextChunk("a"), TextChunk("b")]


def test_what_follows_the_end_marker_is_not_part_of_the_answer() -> None:
    assert decode(event(delta(content="a")) + DONE + event(delta(content="b"))) == [TextChunk("a")]


def test_a_stream_that_just_ends_keeps_its_last_event() -> None:
    stream = event(delta(content="a")) + event(delta("length")).rstrip()
    decoder = OpenAIDecoder()
    chunks = decoder.feed(stream) + decoder.close()
    assert chunks == [TextChunk("a"), FinishChunk("length")]
    assert decoder.finished
    assert not decoder.done


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "x"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "thinking", "thinking": "hm", "closed": True}]},
    ],
)
def test_reasoning_has_many_names(fields: dict[str, Any]) -> None:
    assert decode(event(delta(**fields))) == [ReasoningChunk("hm")]


def test_content_may_have_types() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "h\0"}, {"type": "x"}]}
    text, link = {"type": "text", "text": "a\0"}, {"type": "reference", "reference_ids": [1]}
    assert decode(event(delta(content=[thinking, link, text]))) == [
        ReasoningChunk("h\ufffd"),
        TextChunk("a\ufffd"),
    ]
    assert decode(event(delta(content=[]))) == []
    encrypted = [{"type": "reasoning.encrypted", "data": "x"}]
    assert decode(event(delta(reasoning_details=encrypted))) == []


def test_a_refusal_is_what_the_model_says() -> None:
    assert decode(event(delta(content=None, refusal="No."))) == [TextChunk("No.")]


def test_empty_deltas_say_nothing() -> None:
    stream = [
        event(delta(content="")),
        event(delta(content=None, tool_calls=None)),
        event({"choices": [{}]}),
        event({"choices": []}),
        event({"choices": None, "usage": None, "error": None}),
        event({}),
        b"data:\n\n",
        b"data:  \n\n",
    ]
    assert decode(*stream) == []


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("eos_token", "unknown"),
    ],
)
def test_finish_reasons(theirs: str, ours: str) -> None:
    (chunk,) = decode(event(delta(theirs)))
    assert isinstance(chunk, FinishChunk)
    assert chunk.reason == ours


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource"])
def test_reasons_that_are_failures(reason: str) -> None:
    decoder = OpenAIDecoder()
    assert decoder.feed(event(delta(content="a")) + event(delta(reason))) == [TextChunk("a")]
    with pytest.raises(errors.ProviderError, match="broke the answer off"):
        decoder.close()
    assert not decoder.finished


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        ({"prompt_tokens": 9.0, "completion_tokens": 4.0}, Usage(9, 4)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 20}, Usage(9, 11)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 0}, Usage(9, 4)),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 8}, Usage(9, 0, 8)),
        ({"prompt_tokens": 9, "cached_tokens": 8}, Usage(9, 0, 8)),
        (
            {
                "prompt_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3},
            },
            Usage(9, 0, 2, 0, 3),
        ),
        ({"prompt_tokens": -9, "completion_tokens": 10**30}, Usage()),
    ],
)
def test_usage_as_servers_write_it(given: dict[str, Any], counted: Usage) -> None:
    assert decode(event({"choices": [], "usage": given})) == [UsageChunk(counted)]


def test_usage_may_hide_in_the_choice() -> None:
    chunk = delta("stop")
    chunk["choices"][0]["usage"] = {"prompt_tokens": 3, "completion_tokens": 2}
    assert decode(event(chunk)) == [FinishChunk("stop"), UsageChunk(Usage(3, 2))]


def test_usage_may_come_with_every_chunk_and_lack_its_parts() -> None:
    first = {**delta(content="a"), "usage": {"prompt_tokens": 1}}
    second = {**delta("stop"), "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    chunks = decode(event(first) + event(second))
    assert reply(chunks).usage == Usage(1, 2)
    assert chunks[1] == UsageChunk(Usage(1, 0))


def test_only_the_first_choice_counts() -> None:
    both = {"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}
    assert decode(event(both)) == [TextChunk("a")]


# Tool calls.


def test_interleaved_calls_are_told_apart_by_index() -> None:
    chunks = decode(
        event(call(index=0, id="one", name="first", arguments="")),
        event(call(index=1, id="two", name="second", arguments='{"b"')),
        event(call(index=0, arguments='{"a":')),
        event(call(index=1, arguments=":2}")),
        event(call(index=0, arguments="1}")),
        event(delta("tool_calls")),
        DONE,
    )
    assert chunks[0] == ToolCallChunk(0, "one", "first", "")
    assert reply(chunks).calls == (
        ToolCall("one", "first", '{"a":1}'),
        ToolCall("two", "second", '{"b":2}'),
    )


@pytest.mark.parametrize("ids", [("one", "two"), ("", ""), (None, None)])
def test_whole_calls_without_index_are_different_calls(ids: tuple[str | None, ...]) -> None:
    chunks = decode(
        event(call(id=ids[0], name="first", arguments="{}")),
        event(call(id=ids[1], name="second", arguments="[]")),
    )
    assert [(item.name, item.arguments) for item in reply(chunks).calls] == [
        ("first", "{}"),
        ("second", "[]"),
    ]


def test_pieces_without_index_go_to_their_id_else_to_the_last_call() -> None:
    chunks = decode(
        event(call(id="one", name="first", arguments="{")),
        event(call(arguments='"a":')),
        event(call(id="two", name="second", arguments="[")),
        event(call(id="one", arguments="1}")),
        event(call(arguments="]")),
    )
    assert reply(chunks).calls == (
        ToolCall("one", "first", '{"a":1}'),
        ToolCall("two", "second", "[]"),
    )


def test_a_lost_beginning_does_not_merge_with_the_next_call() -> None:
    chunks = decode(
        event(call(arguments="{}")),
        event(call(id="two", name="second", arguments="[]")),
    )
    assert [item.index for item in chunks if isinstance(item, ToolCallChunk)] == [0, 1]


def test_arguments_are_kept_as_they_were_written() -> None:
    chunks = decode(event(call(index=0, id="x", name="f", arguments="{'no': json")))
    (made,) = reply(chunks).calls
    assert made.arguments == "{'no': json"
    with pytest.raises(ValueError, match="not a JSON object"):
        made.parsed()


# Errors in a stream.


def test_an_error_behind_chunks_leaves_the_chunks() -> None:
    decoder = OpenAIDecoder()
    failed = event({"error": {"message": "overloaded", "type": "server_error"}})
    assert decoder.feed(event(delta(content="a")) + failed) == [TextChunk("a")]
    assert decoder.error is not None
    for again in (decoder.close, lambda: decoder.feed(b"")):
        with pytest.raises(errors.ProviderError, match="The provider says: overloaded"):
            again()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("slow down: rate_limit", errors.RateLimited),
        ({"code": 429, "message": "too many"}, errors.RateLimited),
        ({"code": 401, "message": "who are you"}, errors.ProviderAuth),
        ({"code": "context_length_exceeded", "message": None}, errors.ContextOverflow),
        ({"type": "exceed_context_size_error", "code": 400}, errors.ContextOverflow),
        ({"code": "content_filter"}, errors.ContentRefused),
        ({}, errors.ProviderUnavailable),
    ],
)
def test_errors_in_a_stream(error: Any, expected: type[errors.ProviderError]) -> None:
    with pytest.raises(errors.ProviderError) as caught:
        decode(event({"error": error}))
    assert type(caught.value) is expected
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(
    "stream",
    [
        b"data: {not json}\n\n",
        b'data: {"choices": "text"}\n\n',
        b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"cut',
    ],
)
def test_what_cannot_be_read_is_an_error_that_does_not_repeat_it(stream: bytes) -> None:
    with pytest.raises(errors.ProviderError, match="cannot be read") as caught:
        decode(stream)
    assert "cut" not in str(caught.value)


STREAMS = [
    b"".join(OPENAI),
    b"".join(OPENAI).replace(b"\n", b"\r\n"),
    event(call(index=0, id="ä", name="f", arguments='{"ü": 1}')) + event(delta("tool_calls")),
    event(delta(content="€")) + event({"error": {"message": "kaputt: ß"}}),
    event(delta(content="a")) + b"data: {broken\n\n" + event(delta(content="never")),
]


@given(st.sampled_from(STREAMS), st.data())
def test_any_split_gives_the_same_chunks(stream: bytes, data: st.DataObject) -> None:
    def outcome(pieces: list[bytes]) -> tuple[list[Chunk], str]:
        decoder, chunks = OpenAIDecoder(), list[Chunk]()
        try:
            for piece in pieces:
                chunks += decoder.feed(piece)
            chunks += decoder.close()
        except errors.ProviderError as error:
            return chunks, str(error)
        return chunks, str(decoder.error or "")

    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=30).map(sorted))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert outcome(pieces) == outcome([stream])


# Refusals.


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b'{"error":{"message":"bad key","code":"invalid_api_key"}}', errors.ProviderAuth),
        (403, b"", errors.ProviderAuth),
        (404, b'{"error":{"message":"no such model"}}', errors.ModelNotFound),
        (400, b'{"error":{"message":"x","code":"model_not_found"}}', errors.ModelNotFound),
        (429, b'{"message":"slow down"}', errors.RateLimited),
        (429, b'{"error":{"code":"insufficient_quota","message":"pay"}}', errors.QuotaExceeded),
        (400, b'{"error":"maximum context length is 5"}', errors.ContextOverflow),
        (400, b'[{"error":{"message":"prompt is too long","code":400}}]', errors.ContextOverflow),
        (400, b'{"error":{"code":"content_policy_violation"}}', errors.ContentRefused),
        (413, b"<html>", errors.ContextOverflow),
        (400, b'{"error":{"message":"credit balance is too low"}}', errors.QuotaExceeded),
        (402, b'{"error":{"message":"Insufficient Balance"}}', errors.QuotaExceeded),
        (400, b'{"error":{"message":"maximum prompt length is 5"}}', errors.ContextOverflow),
        (500, b"[" * 100_000, errors.ProviderUnavailable),
        (422, b'{"detail":[{"loc":["body"],"msg":"field required"}]}', errors.ProviderError),
        (502, b"<html><h1>Bad Gateway</h1></html>", errors.ProviderUnavailable),
        (500, b'{"error":{"message":{"nested":1}}}', errors.ProviderUnavailable),
        (500, b"[]", errors.ProviderUnavailable),
        (500, b"\xff", errors.ProviderUnavailable),
    ],
)
def test_refusals(status: int, body: bytes, expected: type[errors.ProviderError]) -> None:
    error = error_of(status, body)
    assert type(error) is expected
    assert "html" not in str(error)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, "image input is not supported - hint: you may need to provide the mmproj"),
        (400, "this model does not support image input"),
        (404, "No endpoints found that support image input"),
        (400, "Invalid content type. image_url is only supported by certain models."),
        (400, "tiny is not a multimodal model"),
        (422, "messages[0]: unknown variant `image_url`, expected `text`"),
    ],
)
def test_a_model_that_cannot_look_at_pictures_says_so(status: int, said: str) -> None:
    error = error_of(status, json.dumps({"error": {"message": said}}).encode())
    assert type(error) is errors.PicturesRefused
    assert error.info.text == f"This model cannot look at pictures. The provider says: {said}"
    assert "another model" in error.info.hint


@pytest.mark.parametrize(
    "said", ["unsupported image format: tiff", "Could not process image", "image is too large"]
)
def test_a_picture_that_is_refused_for_what_it_is_says_nothing_about_the_model(said: str) -> None:
    error = error_of(400, json.dumps({"error": {"message": said}}).encode())
    assert type(error) is errors.ProviderError


def test_a_refusal_says_what_the_provider_says_shortly_and_on_one_line() -> None:
    error = error_of(400, json.dumps({"detail": "a\n b" + "x" * 1000}).encode())
    assert error.info.text.startswith("The provider says: a b")
    assert len(error.info.text) < 400


def test_a_refusal_without_words_names_its_status() -> None:
    assert error_of(503, b"").info.text == "The provider answered with HTTP 503."


def test_a_refusal_says_when_to_try_again() -> None:
    assert error_of(429, b"", 7.5).info.retry_after == 7.5
    assert error_of(503, b"", 3.0).info.retry_after == 3.0


# Requests.

AT = datetime(2026, 1, 1, tzinfo=UTC)


def message(role: Role, *parts: Part) -> Message:
    return Message(MessageId("m"), None, role, parts, AT, TurnId("t"))


ASKED = message("user", TextPart("Wie spät "), TextPart("ist es?"))
CALLED = message(
    "assistant",
    ReasoningPart("secret thoughts"),
    TextPart("Let me look."),
    ToolCallPart(ToolCall("c1", "clock", '{ "zone":"Oslo" }'), ExecutionId("e")),
)
RESULTS = message(
    "tool",
    ToolResultPart("c1", "clock", ToolResult("12:00")),
    ToolResultPart("c2", "clock", ToolResult("no", is_error=True)),
)
CLOCK = ToolSpec("clock", "Tells the time.", {"type": "object", "properties": {}})
REF = ModelRef("openai", "some/model")


def test_the_bytes_of_a_request() -> None:
    request = ModelRequest(REF, (ASKED, CALLED, RESULTS), "Be brief.", (CLOCK,))
    assert encode_request(request).decode() == (
        '{"model":"some/model","messages":['
        '{"role":"system","content":"Be brief."},'
        '{"role":"user","content":"Wie spät ist es?"},'
        '{"role":"assistant","content":"Let me look.","tool_calls":['
        '{"id":"c1","type":"function","function":'
        '{"name":"clock","arguments":"{ \\"zone\\":\\"Oslo\\" }"}}]},'
        '{"role":"tool","tool_call_id":"c1","content":"12:00"},'
        '{"role":"tool","tool_call_id":"c2","content":"no"}'
        '],"stream":true,"stream_options":{"include_usage":true},'
        '"tools":[{"type":"function","function":{"name":"clock",'
        '"description":"Tells the time.","parameters":{"type":"object","properties":{}}}}]}'
    )


def test_what_is_empty_is_not_sent() -> None:
    assert encode_request(ModelRequest(REF, (ASKED,))).decode() == (
        '{"model":"some/model","messages":[{"role":"user","content":"Wie spät ist es?"}],'
        '"stream":true,"stream_options":{"include_usage":true}}'
    )


def encode(lane: OpenAILane, *messages: Message, **fields: Any) -> str:
    return lane.encode(ModelRequest(REF, messages, **fields), ModelFacts(str(REF))).decode()


def test_images_make_parts_of_a_text() -> None:
    image = ImagePart("image/png", b"\x89PNG")
    shown = message("user", TextPart("Look: "), TextPart(""), image, TextPart("What?"))
    drawn = message("assistant", TextPart("Here."), image)
    assert encode(OpenAILane(), shown, drawn).startswith(
        '{"model":"some/model","messages":[{"role":"user","content":['
        '{"type":"text","text":"Look: "},'
        '{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw=="}},'
        '{"type":"text","text":"What?"}]},'
        '{"role":"assistant","content":"Here."}],'
    )


def test_servers_deviate() -> None:
    lane = OpenAILane(
        stream_usage=False, max_tokens_name="max_completion_tokens", system_role="developer"
    )
    options = RequestOptions(temperature=0.0, top_p=0.9, max_output_tokens=7, stop=("END",))
    assert encode(lane, ASKED, system="Be brief.", options=options) == (
        '{"model":"some/model","messages":[{"role":"developer","content":"Be brief."},'
        '{"role":"user","content":"Wie spät ist es?"}],"stream":true,'
        '"temperature":0.0,"top_p":0.9,"max_completion_tokens":7,"stop":["END"]}'
    )
    assert '"max_tokens":7' in encode(OpenAILane(), ASKED, options=options)


def test_the_list_of_models() -> None:
    lane = OpenAILane()
    models = [
        {"id": "a", "object": "model", "owned_by": "x"},
        {"id": "org/b", "context_length": 1},
        {"id": "c", "max_model_len": 2},
        {"id": "d", "max_context_length": 3},
        {"id": "e", "context_window": 4},
    ]
    expected = [
        ModelFacts("mine/a"),
        *(
            ModelFacts(f"mine/{name}", window=window)
            for name, window in (("org/b", 1), ("c", 2), ("d", 3), ("e", 4))
        ),
    ]
    assert lane.models("mine", json.dumps({"data": models}).encode()) == expected
    assert lane.models("mine", json.dumps(models).encode()) == expected
    assert lane.models("mine", b'{"object":"list","data":null}') == []


def test_requests_that_share_a_beginning_share_its_bytes() -> None:
    shorter = encode_request(ModelRequest(REF, (ASKED, CALLED), "Be brief.", (CLOCK,)))
    longer = encode_request(ModelRequest(REF, (ASKED, CALLED, RESULTS), "Be brief.", (CLOCK,)))
    beginning = shorter[: shorter.index(b'],"stream"')]
    assert longer.startswith(beginning + b",")
    assert longer[longer.index(b'],"stream"') :] == shorter[shorter.index(b'],"stream"') :]
