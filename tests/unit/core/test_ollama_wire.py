from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

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
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import ToolCall, ToolResult, ToolSpec
from bestchat_server_ext.core.wire.ollama import OllamaLane

LANE = OllamaLane()


def line(**fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields}).encode() + b"\n"


def decode(*lines: bytes) -> list[Chunk]:
    decoder = LANE.decoder()
    return decoder.feed(b"".join(lines)) + decoder.close()


# Answers.


def test_thoughts_come_before_words() -> None:
    both = line(message={"thinking": "Hm", "content": "Yes"})
    assert decode(both) == [ReasoningChunk("Hm"), TextChunk("Yes")]


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ({"done_reason": "stop"}, "stop"),
        ({"done_reason": "length"}, "length"),
        ({"done_reason": "load"}, "unknown"),
        ({"done_reason": "unload"}, "unknown"),
        ({"done_reason": ""}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_reasons_to_be_done(reason: dict[str, str], ours: str) -> None:
    (chunk,) = decode(line(done=True, **reason))
    assert isinstance(chunk, FinishChunk)
    assert chunk.reason == ours


def test_the_last_line_may_say_everything() -> None:
    last = line(
        message={"content": "Yes"}, done=True, done_reason="stop", prompt_eval_count=9, eval_count=4
    )
    assert decode(last.rstrip()) == [
        TextChunk("Yes"),
        FinishChunk("stop"),
        UsageChunk(Usage(9, 4)),
    ]


def test_a_prompt_that_was_remembered_counts_nothing() -> None:
    assert decode(line(done=True, eval_count=4))[-1] == UsageChunk(Usage(0, 4))


def calls(*functions: dict[str, Any]) -> bytes:
    return line(message={"content": "", "tool_calls": [{"function": one} for one in functions]})


def test_calls_are_numbered_over_the_whole_answer() -> None:
    chunks = decode(
        calls({"index": 0, "name": "f", "arguments": {"b": 1, "a": [1.50]}}, {"name": "g"}),
        calls({"index": 0, "name": "h", "arguments": None}),
        line(done=True, done_reason="stop"),
    )
    assert chunks == [
        ToolCallChunk(0, "", "f", '{"b": 1, "a": [1.5]}'),
        ToolCallChunk(1, "", "g"),
        ToolCallChunk(2, "", "h"),
        FinishChunk("tool_calls"),
    ]


def test_calls_that_were_cut_off_are_not_taken_for_whole() -> None:
    chunks = decode(calls({"name": "f"}), line(done=True, done_reason="length"))
    assert chunks[-1] == FinishChunk("length")


# Errors.


@pytest.mark.parametrize(
    "said",
    [
        "model 'llama9:8b' not found",
        'model "llama9:8b" not found, try pulling it first',
        "model llama9:8b not found",
    ],
)
def test_a_missing_model_can_be_fetched(said: str) -> None:
    body = json.dumps({"error": said}).encode()
    with pytest.raises(errors.ModelNotFound) as caught:
        decode(body)
    for error in (LANE.error_of(404, body), caught.value):
        assert type(error) is errors.ModelNotFound
        assert error.info.hint.endswith("ollama pull llama9:8b")


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (400, "the input length exceeds the context length", errors.ContextOverflow),
        (401, "unauthorized", errors.ProviderAuth),
        (400, '"tiny" does not support tools', errors.ProviderError),
        (404, "model 'a b; rm' not found", errors.ModelNotFound),
        (500, "llama runner process has terminated", errors.ProviderUnavailable),
    ],
)
def test_refusals(status: int, said: str, expected: type[errors.ProviderError]) -> None:
    error = LANE.error_of(status, json.dumps({"error": said}).encode())
    assert type(error) is expected
    assert said in error.info.text
    assert "rm" not in error.info.hint


# Requests.

AT = datetime(2026, 1, 1, tzinfo=UTC)
REF = ModelRef("ollama", "llama3:8b")
UNKNOWN = ModelFacts("ollama/llama3:8b", known=False)
KNOWN = ModelFacts("ollama/llama3:8b", window=8192)


def message(role: Role, *parts: Part) -> Message:
    return Message(MessageId("m"), None, role, parts, AT, TurnId("t"))


def encode(*messages: Message, lane: OllamaLane = LANE, **fields: Any) -> str:
    facts = fields.pop("facts", UNKNOWN)
    return lane.encode(ModelRequest(REF, messages, **fields), facts).decode()


ASKED = message("user", TextPart("Wie "), ImagePart("image/png", b"\x89PNG"), TextPart("spät?"))
CALLED = message(
    "assistant",
    ReasoningPart("secret thoughts", "seal"),
    TextPart("Let me look."),
    ToolCallPart(ToolCall("c1", "clock", '{ "zone":"Oslo" }'), ExecutionId("e")),
    ToolCallPart(ToolCall("c2", "clock", "no"), ExecutionId("e")),
)
RESULTS = message(
    "tool",
    ToolResultPart("c1", "clock", ToolResult("12:00")),
    ToolResultPart("c2", "clock", ToolResult("no", is_error=True)),
)
CLOCK = ToolSpec("clock", "Tells the time.", {"type": "object", "properties": {}})


def test_the_bytes_of_a_request() -> None:
    fields: dict[str, Any] = {"system": "Be brief.", "tools": (CLOCK,), "facts": KNOWN}
    assert encode(ASKED, CALLED, RESULTS, **fields) == (
        '{"model":"llama3:8b","messages":['
        '{"role":"system","content":"Be brief."},'
        '{"role":"user","content":"Wie spät?","images":["iVBORw=="]},'
        '{"role":"assistant","content":"Let me look.","tool_calls":['
        '{"function":{"name":"clock","arguments":{ "zone":"Oslo" }}},'
        '{"function":{"name":"clock","arguments":{"INVALID_JSON":"no"}}}]},'
        '{"role":"tool","tool_name":"clock","content":"12:00"},'
        '{"role":"tool","tool_name":"clock","content":"no"}'
        '],"stream":true,"truncate":false,'
        '"tools":[{"type":"function","function":{"name":"clock",'
        '"description":"Tells the time.","parameters":{"type":"object","properties":{}}}}],'
        '"options":{"num_ctx":8192}}'
    )


def test_what_is_empty_is_not_sent() -> None:
    silent = message("assistant", ReasoningPart("stopped while thinking"))
    assert encode(message("user", TextPart("Hi")), silent) == (
        '{"model":"llama3:8b","messages":[{"role":"user","content":"Hi"}],'
        '"stream":true,"truncate":false}'
    )


def test_an_image_speaks_for_itself() -> None:
    alone = message("user", ImagePart("image/png", b"x"))
    assert '{"role":"user","content":"","images":["eA=="]}' in encode(alone)


def test_options() -> None:
    options = RequestOptions(temperature=0.0, top_p=0.9, max_output_tokens=7, stop=("END",))
    assert encode(options=options).endswith(
        '"options":{"num_predict":7,"temperature":0.0,"top_p":0.9,"stop":["END"]}}'
    )


@pytest.mark.parametrize(
    ("window", "limit", "expected"),
    [(8192, 4096, 4096), (8192, 16384, 8192), (None, 4096, None)],
)
def test_a_server_may_not_afford_the_whole_window(
    window: int | None, limit: int, expected: int | None
) -> None:
    facts = ModelFacts("ollama/llama3:8b", window=window)
    body = json.loads(encode(ASKED, lane=OllamaLane(window_limit=limit), facts=facts))
    assert body.get("options", {}).get("num_ctx") == expected


@pytest.mark.parametrize("length", [1, 2])
def test_consecutive_requests_share_their_beginning(length: int) -> None:
    turns = [ASKED, CALLED, RESULTS]
    fields: dict[str, Any] = {"system": "Be brief.", "tools": (CLOCK,), "facts": KNOWN}
    shorter, end, tail = encode(*turns[:length], **fields).partition('],"stream"')
    longer = encode(*turns[: length + 1], **fields)
    assert longer.startswith(shorter + ",")
    assert longer.endswith(end + tail)


# Lists of models, and headers.


def test_the_list_of_models() -> None:
    details = {"family": "llama", "parameter_size": "8.0B", "context_length": 131072}
    body = {
        "models": [
            {
                "name": "llama3:8b",
                "details": details,
                "capabilities": ["completion", "tools", "thinking"],
            },
            {"name": "old:latest", "size": 1, "details": {"parameter_size": ""}},
            {"name": "embed:latest", "capabilities": ["embedding"]},
        ]
    }
    assert LANE.models("mine", json.dumps(body).encode()) == [
        ModelFacts("mine/llama3:8b", "8.0B", 131072, tools=True, images=False, reasoning=True),
        ModelFacts("mine/old:latest"),
    ]
    assert LANE.models("mine", b'{"models":null}') == []


def test_headers() -> None:
    assert LANE.headers(None) == {}
    assert LANE.headers("k") == {"Authorization": "Bearer k"}
