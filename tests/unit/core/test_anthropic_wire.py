from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.ids import ConversationId, ExecutionId, MessageId, TurnId
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
from bestchat_server_ext.core.reply import ReplyPart
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import ToolCall, ToolResult, ToolSpec
from bestchat_server_ext.core.wire.anthropic import OUTPUT_LIMIT, AnthropicLane
from bestchat_server_ext.services.draft import Draft
from bestchat_server_ext.testing.clock import ManualClock

LANE = AnthropicLane()


def events(*values: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


END = {"type": "message_stop"}


def decode(*values: dict[str, Any]) -> list[Chunk]:
    decoder = LANE.decoder()
    return decoder.feed(events(*values)) + decoder.close()


# Answers.


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "unknown"),
        ("brand_new", "unknown"),
    ],
)
def test_stop_reasons(theirs: str, ours: str) -> None:
    (chunk,) = decode({"type": "message_delta", "delta": {"stop_reason": theirs}})
    assert isinstance(chunk, FinishChunk)
    assert chunk.reason == ours


def test_input_counts_what_the_cache_read_and_wrote() -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 3000,
        "output_tokens": 1,
    }
    last = {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 20}}
    chunks = decode(
        {"type": "message_start", "message": {"usage": usage}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last},
    )
    assert chunks == [
        UsageChunk(Usage(3210, 1, 200, 0, 3000)),
        FinishChunk("stop"),
        UsageChunk(Usage(3210, 50, 200, 20, 3000)),
    ]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 7, "output_tokens": 2}),
        ({"input_tokens": 7, "output_tokens": 1}, {"input_tokens": 0, "output_tokens": 2}),
        ({"input_tokens": 7}, {"input_tokens": None, "output_tokens": 2}),
        ({"input_tokens": 7, "output_tokens": 2}, {"output_tokens": 0}),
    ],
)
def test_counts_are_totals_whenever_they_come(first: Any, last: Any) -> None:
    chunks = decode(
        {"type": "message_start", "message": {"usage": first}},
        {"type": "message_delta", "delta": {}, "usage": last},
    )
    assert chunks[-1] == UsageChunk(Usage(7, 2))


def test_reasoning_ends_in_a_seal() -> None:
    assert decode(
        start(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="Hm"),
        delta(0, type="signature_delta", signature="early"),
        delta(0, type="signature_delta", signature="seal"),
        stop(0),
        start(1, type="redacted_thinking", data="cipher"),
        stop(1),
        start(2, type="text", text="Y"),
        delta(2, type="text_delta", text="es"),
        stop(2),
    ) == [
        ReasoningChunk("Hm"),
        ReasoningChunk("", "seal"),
        ReasoningChunk("", "cipher", redacted=True),
        TextChunk("Y"),
        TextChunk("es"),
    ]


def test_a_seal_may_stand_at_the_beginning_and_lack_its_end() -> None:
    chunks = decode(start(0, type="thinking", thinking="Hm", signature="se\0al"), END)
    assert chunks == [ReasoningChunk("Hm"), ReasoningChunk("", "se\ufffdal")]
    (hidden,) = decode(start(0, type="redacted_thinking", data="\0"))
    assert hidden == ReasoningChunk("", "\ufffd", redacted=True)


def test_reasoning_that_was_cut_off_has_no_seal() -> None:
    cut = start(0, type="thinking", thinking="Hm"), delta(0, signature="seal")
    assert decode(*cut) == [ReasoningChunk("Hm")]


def test_arguments_may_come_whole_at_the_beginning() -> None:
    whole = start(3, type="tool_use", id="a", name="f", input={"x": "ä"})
    assert decode(whole, stop(3)) == [
        ToolCallChunk(0, "a", "f"),
        ToolCallChunk(0, arguments='{"x": "\\u00e4"}'),
    ]
    pieces = delta(3, type="input_json_delta", partial_json='{"y":1}')
    assert decode(whole, pieces, stop(3), END) == [
        ToolCallChunk(0, "a", "f"),
        ToolCallChunk(0, arguments='{"y":1}'),
    ]


@pytest.mark.parametrize("given", [{}, None])
def test_arguments_may_be_none(given: Any) -> None:
    call = start(0, type="tool_use", id="a", name="f", input=given)
    assert decode(call, stop(0), END) == [ToolCallChunk(0, "a", "f")]


def test_a_call_whose_beginning_was_lost_is_a_call_of_its_own() -> None:
    chunks = decode(
        delta(0, type="input_json_delta", partial_json="{}"),
        start(1, type="tool_use", id="b", name="f"),
        delta(0, type="input_json_delta", partial_json=" "),
    )
    assert chunks == [
        ToolCallChunk(0, arguments="{}"),
        ToolCallChunk(1, "b", "f"),
        ToolCallChunk(0, arguments=" "),
    ]


def test_tools_that_run_at_the_providers_say_nothing() -> None:
    assert not decode(
        start(0, type="server_tool_use", id="s", name="web_search", input={"query": "x"}),
        stop(0),
        start(1, type="web_search_tool_result", tool_use_id="s", content=[{"url": "x"}]),
        stop(1),
    )


# Errors.


@pytest.mark.parametrize(
    ("status", "kind", "message", "expected"),
    [
        (401, "authentication_error", "invalid x-api-key", errors.ProviderAuth),
        (403, "permission_error", "not yours", errors.ProviderAuth),
        (404, "not_found_error", "model: claude-none", errors.ModelNotFound),
        (429, "rate_limit_error", "slow down", errors.RateLimited),
        (529, "overloaded_error", "Overloaded", errors.ProviderUnavailable),
        (500, "api_error", "Internal server error", errors.ProviderUnavailable),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            errors.ContextOverflow,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            errors.ContextOverflow,
        ),
        (
            400,
            "invalid_request_error",
            "Output blocked by content filtering policy",
            errors.ContentRefused,
        ),
        (413, "request_too_large", "Request exceeds the maximum size", errors.ContextOverflow),
    ],
)
def test_refusals_in_a_response_and_in_a_stream(
    status: int, kind: str, message: str, expected: type[errors.ProviderError]
) -> None:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}
    refused = LANE.error_of(status, json.dumps(body).encode(), 3.0)
    with pytest.raises(errors.ProviderError) as caught:
        decode(body)
    for error in (refused, caught.value):
        assert type(error) is expected
        assert error.info.text == f"The provider says: {message}"


def test_an_overloaded_server_is_asked_again_and_an_empty_account_is_not() -> None:
    busy = LANE.error_of(529, b'{"error":{"type":"overloaded_error","message":"Overloaded"}}', 2.0)
    assert type(busy) is errors.ProviderUnavailable
    assert (busy.info.retry_after, busy.info.hint) == (2.0, "Try again in a moment.")
    message = "Your credit balance is too low to access the Anthropic API."
    body = {"error": {"type": "invalid_request_error", "message": message}}
    broke = LANE.error_of(400, json.dumps(body).encode())
    assert type(broke) is errors.QuotaExceeded
    assert "credit" in broke.info.hint
    body = {"error": {"type": "invalid_request_error", "message": "temperature: range"}}
    assert LANE.error_of(400, json.dumps(body).encode()).info.hint == ""
    with pytest.raises(errors.ProviderError) as caught:
        decode({"type": "error", **body})
    assert caught.value.info.hint == ""


# Requests.

AT = datetime(2026, 1, 1, tzinfo=UTC)
REF = ModelRef("anthropic", "claude")
UNKNOWN = ModelFacts("anthropic/claude", known=False)
MARK = ',"cache_control":{"type":"ephemeral"}'


def message(role: Role, *parts: Part, model: str | None = None) -> Message:
    return Message(MessageId("m"), None, role, parts, AT, TurnId("t"), model=model)


def asked(text: str) -> Message:
    return message("user", TextPart(text))


def called(*ids: str, text: str = "Let me look.") -> Message:
    calls = [ToolCallPart(ToolCall(key, "clock", "{}"), ExecutionId("e")) for key in ids]
    return message("assistant", TextPart(text), *calls)


def results(*ids: str) -> Message:
    parts = [ToolResultPart(key, "clock", ToolResult(f"from {key}")) for key in ids]
    return message("tool", *parts)


def encode(*messages: Message, **fields: Any) -> str:
    facts = fields.pop("facts", UNKNOWN)
    return LANE.encode(ModelRequest(REF, messages, **fields), facts).decode()


def sent(*messages: Message, **fields: Any) -> list[dict[str, Any]]:
    """What is sent as messages, without the marks."""
    made: list[dict[str, Any]] = json.loads(encode(*messages, **fields).replace(MARK, ""))[
        "messages"
    ]
    return made


ASKED = message("user", TextPart("Wie spät"), ImagePart("image/png", b"\x89PNG"), TextPart("?"))
CALLED = message(
    "assistant",
    ReasoningPart("Hm.", "seal"),
    ReasoningPart("", "cipher", redacted=True),
    TextPart("Let me look."),
    ToolCallPart(ToolCall("c1", "clock", '{ "zone":"Oslo" }'), ExecutionId("e")),
    model="anthropic/claude",
)
RESULTS = message(
    "tool",
    ToolResultPart("c1", "clock", ToolResult("12:00")),
    ToolResultPart("c1", "clock", ToolResult("", is_error=True)),
)
CLOCK = ToolSpec("clock", "Tells the time.", {"type": "object", "properties": {}})


def test_the_bytes_of_a_request() -> None:
    messages = ASKED, CALLED, RESULTS
    assert encode(*messages, system="Be brief.", tools=(CLOCK,)) == (
        '{"model":"claude","max_tokens":8192,"stream":true,'
        '"tools":[{"name":"clock","description":"Tells the time.",'
        '"input_schema":{"type":"object","properties":{}},"cache_control":{"type":"ephemeral"}}],'
        '"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],'
        '"messages":[{"role":"user","content":[{"type":"text","text":"Wie spät"},'
        '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw=="}},'
        '{"type":"text","text":"?","cache_control":{"type":"ephemeral"}}]},'
        '{"role":"assistant","content":['
        '{"type":"thinking","thinking":"Hm.","signature":"seal"},'
        '{"type":"redacted_thinking","data":"cipher"},'
        '{"type":"text","text":"Let me look."},'
        '{"type":"tool_use","id":"c1","name":"clock","input":{ "zone":"Oslo" }}]},'
        '{"role":"user","content":['
        '{"type":"tool_result","tool_use_id":"c1","content":"12:00"},'
        '{"type":"tool_result","tool_use_id":"c1","is_error":true,'
        '"cache_control":{"type":"ephemeral"}}]}]}'
    )


def test_what_is_empty_is_not_sent() -> None:
    assert encode(asked("Hi"), system=" ") == (
        '{"model":"claude","max_tokens":8192,"stream":true,"messages":[{"role":"user",'
        '"content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}'
    )


def test_options() -> None:
    options = RequestOptions(temperature=0.5, top_p=0.9, max_output_tokens=7, stop=("END",))
    assert encode(asked("Hi"), options=options).startswith(
        '{"model":"claude","max_tokens":7,"stream":true,"temperature":0.5,"top_p":0.9,'
        '"stop_sequences":["END"],"messages":'
    )


@pytest.mark.parametrize(("limit", "expected"), [(None, OUTPUT_LIMIT), (64_000, 64_000)])
def test_the_limit_is_the_models_where_it_is_known(limit: int | None, expected: int) -> None:
    facts = ModelFacts("anthropic/claude", output_limit=limit)
    assert json.loads(encode(asked("Hi"), facts=facts))["max_tokens"] == expected


TURNS = [
    asked("One"),
    called("a"),
    results("a"),
    called("b", "c"),
    results("b", "c"),
    message("assistant", TextPart("Done.")),
    asked("Two"),
    message("assistant", TextPart("Yes.")),
    asked("Three"),
]


@pytest.mark.parametrize("length", range(1, len(TURNS)))
def test_consecutive_requests_share_their_beginning(length: int) -> None:
    fields: dict[str, Any] = {"system": "Be brief.", "tools": (CLOCK,)}
    shorter = encode(*TURNS[:length], **fields).replace(MARK, "").removesuffix("]}")
    longer = encode(*TURNS[: length + 1], **fields).replace(MARK, "")
    assert longer.startswith(shorter + ",")


@pytest.mark.parametrize("length", range(1, len(TURNS) + 1))
def test_breakpoints_stand_behind_the_last_two_things_that_were_told(length: int) -> None:
    text = encode(*TURNS[:length], system="Be brief.", tools=(CLOCK,))
    assert text.count(MARK) <= 4
    told = [turn for turn in json.loads(text)["messages"] if turn["role"] == "user"]
    marked = ["cache_control" in turn["content"][-1] for turn in told]
    assert marked == [False] * (len(told) - 2) + [True] * min(len(told), 2)


def test_what_the_model_was_told_last_was_marked_the_time_before() -> None:
    """Otherwise the provider would not look there."""
    before, after = encode(*TURNS[:3]), encode(*TURNS[:5])
    marked = f'"content":"from a"{MARK}'
    assert marked in before
    assert marked in after


def test_no_breakpoints_where_there_is_no_cache() -> None:
    facts = ModelFacts("anthropic/claude", cache=False)
    assert MARK not in encode(*TURNS, system="Be brief.", tools=(CLOCK,), facts=facts)


def test_roles_take_turns_and_results_come_first() -> None:
    turns = sent(
        asked("One"),
        message("assistant", ReasoningPart("stopped while thinking")),
        asked("Two"),
        called("a"),
        results("a"),
        asked("Three"),
        message("assistant", TextPart("Cut")),
        message("assistant", TextPart("off.")),
        asked("Four"),
    )
    assert [(turn["role"], [block["type"] for block in turn["content"]]) for turn in turns] == [
        ("user", ["text", "text"]),
        ("assistant", ["text", "tool_use"]),
        ("user", ["tool_result", "text"]),
        ("assistant", ["text", "text"]),
        ("user", ["text"]),
    ]
    (_, late, _) = sent(asked("One"), called("a"), asked("Two"), results("a"))
    assert late["role"] == "assistant"
    last = sent(asked("One"), called("a"), asked("Two"), results("a"))[-1]["content"]
    assert [block["type"] for block in last] == ["tool_result", "text"]


def test_text_that_is_only_white_space_is_left_out() -> None:
    turns = sent(asked("Hi"), called("a", text=" \n"), results("a"))
    assert [block["type"] for block in turns[1]["content"]] == ["tool_use"]


def test_an_answer_to_be_continued_ends_without_white_space() -> None:
    begun = message("assistant", TextPart("Once upon \n"))
    assert sent(asked("Tell"), begun)[-1]["content"] == [{"type": "text", "text": "Once upon"}]
    assert sent(asked("Tell"), begun, asked("Go on"))[1]["content"][0]["text"] == "Once upon \n"


SEALED = ReasoningPart("Hm.", "seal")


@pytest.mark.parametrize(
    ("parts", "model"),
    [
        ((ReasoningPart("Hm."),), "anthropic/claude"),
        ((SEALED,), "anthropic/other"),
        ((SEALED,), None),
    ],
    ids=["without a seal", "another model's", "nobody's"],
)
def test_reasoning_that_would_be_refused_stays_at_home(
    parts: tuple[Part, ...], model: str | None
) -> None:
    answer = message("assistant", *parts, TextPart("Yes."), model=model)
    assert sent(asked("Well?"), answer)[1]["content"] == [{"type": "text", "text": "Yes."}]


def test_reasoning_never_comes_last() -> None:
    cut = message("assistant", SEALED, model="anthropic/claude")
    assert [turn["role"] for turn in sent(asked("Well?"), cut)] == ["user"]
    cut = message("assistant", SEALED, TextPart("So"), SEALED, model="anthropic/claude")
    types = [block["type"] for block in sent(asked("Well?"), cut)[1]["content"]]
    assert types == ["thinking", "text"]


def test_images_are_a_persons() -> None:
    drawn = message("assistant", ImagePart("image/png", b"x"), TextPart("Here."))
    assert sent(asked("Draw"), drawn)[1]["content"] == [{"type": "text", "text": "Here."}]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", "{}"),
        ('{ "a": 1.50 }', '{ "a": 1.50 }'),
        ("[1]", '{"INVALID_JSON":"[1]"}'),
        ('{"cut', '{"INVALID_JSON":"{\\"cut"}'),
    ],
)
def test_arguments_are_an_object_whatever_was_written(written: str, expected: str) -> None:
    call = ToolCallPart(ToolCall("a", "f", written), ExecutionId("e"))
    assert f'"name":"f","input":{expected}}}' in encode(asked("x"), message("assistant", call))


def test_ids_of_other_providers_are_made_acceptable() -> None:
    steps = [step for _ in range(3) for step in (called("fn.a:0", "call_0"), results("fn.a:0"))]
    turns = sent(asked("Go"), *steps)
    made = [block["id"] for turn in turns for block in turn["content"] if "id" in block]
    assert made == ["fn_a_0", "call_0", "fn_a_0_2", "call_0_2", "fn_a_0_3", "call_0_3"]
    answered = [block.get("tool_use_id") for turn in turns[2::2] for block in turn["content"]]
    assert answered == ["fn_a_0", "fn_a_0_2", "fn_a_0_3"]


IDS = st.text(alphabet="a_.:2", max_size=4)


@settings(deadline=None)
@given(st.lists(st.lists(IDS, min_size=1, max_size=3, unique=True), min_size=1, max_size=4))
def test_every_result_finds_its_call(steps: list[list[str]]) -> None:
    messages = [one for ids in steps for one in (called(*ids), results(*ids))]
    turns = sent(asked("Go"), *messages)
    used: list[str] = []
    for ids, call, result in zip(steps, turns[1::2], turns[2::2], strict=True):
        made = [block["id"] for block in call["content"][1:]]
        assert [block["tool_use_id"] for block in result["content"]] == made
        assert [block["content"] for block in result["content"]] == [f"from {key}" for key in ids]
        used += made
    assert len(set(used)) == len(used)
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", key) for key in used)


# All the way: sealed reasoning comes back as it went.


async def test_sealed_reasoning_goes_back_unchanged() -> None:
    async def stream() -> Any:
        yield decode(
            start(0, type="thinking", thinking="", signature=""),
            delta(0, type="thinking_delta", thinking="First, "),
            delta(0, type="thinking_delta", thinking="look."),
            delta(0, type="signature_delta", signature="seal 1"),
            stop(0),
            start(1, type="thinking", thinking="", signature=""),
            delta(1, type="signature_delta", signature="seal 2"),
            stop(1),
            start(2, type="redacted_thinking", data="cipher"),
            stop(2),
            start(3, type="thinking", thinking="Then", signature=""),
            delta(3, type="signature_delta", signature="seal 3"),
            stop(3),
            start(4, type="tool_use", id="c1", name="clock", input={}),
            stop(4),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            END,
        )

    draft = Draft(TurnId("t"), 1, MessageId("m"), ConversationId("c"))
    reply = await draft.fill(stream(), MemoryBus(), ManualClock())
    assert reply.parts == (
        ReplyPart("reasoning", "First, look.", "seal 1"),
        ReplyPart("reasoning", "", "seal 2"),
        ReplyPart("reasoning", "", "cipher", redacted=True),
        ReplyPart("reasoning", "Then", "seal 3"),
    )
    kept = [ReasoningPart(part.text, part.signature, part.redacted) for part in reply.parts]
    call = ToolCallPart(reply.calls[0], ExecutionId("e"))
    answer = message("assistant", *kept, call, model="anthropic/claude")
    assert sent(asked("Well?"), answer, results("c1"))[1]["content"] == [
        {"type": "thinking", "thinking": "First, look.", "signature": "seal 1"},
        {"type": "thinking", "thinking": "", "signature": "seal 2"},
        {"type": "redacted_thinking", "data": "cipher"},
        {"type": "thinking", "thinking": "Then", "signature": "seal 3"},
        {"type": "tool_use", "id": "c1", "name": "clock", "input": {}},
    ]


# Lists of models, and headers.


def test_the_list_of_models() -> None:
    body = {
        "data": [
            {
                "type": "model",
                "id": "claude-x",
                "display_name": "Claude X",
                "created_at": "2026-01-01T00:00:00Z",
                "max_input_tokens": 1_000_000,
                "max_tokens": 64_000,
                "capabilities": {
                    "image_input": {"supported": True},
                    "thinking": {"supported": False, "types": {}},
                },
            },
            {"id": "claude-y", "display_name": "", "capabilities": None},
        ],
        "has_more": False,
    }
    assert LANE.models("mine", json.dumps(body).encode()) == [
        ModelFacts("mine/claude-x", "Claude X", 1_000_000, 64_000, images=True, reasoning=False),
        ModelFacts("mine/claude-y"),
    ]


def test_headers() -> None:
    assert LANE.headers("k") == {"anthropic-version": "2023-06-01", "x-api-key": "k"}
    assert LANE.headers(None) == {"anthropic-version": "2023-06-01"}
    assert AnthropicLane(key_style="bearer").headers("k")["Authorization"] == "Bearer k"
