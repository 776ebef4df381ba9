from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import ErrorInfo, InvalidRequest
from bestchat_server_ext.core.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.models import (
    FinishReason,
    ModelFacts,
    ModelRef,
    Prices,
    RequestOptions,
    Usage,
)
from bestchat_server_ext.core.queue import QueuedMessage
from bestchat_server_ext.core.tools import (
    Decision,
    ExecutionState,
    Placement,
    ToolCall,
    ToolExecution,
    ToolResult,
)

# Values of every kind. Ids are plain text here: their form is not the wire's business.

texts = st.text(max_size=8)
counts = st.integers(0, 10**9)
moments = st.datetimes(timezones=st.just(UTC))
usages = st.builds(Usage, counts, counts, counts, counts, counts)
calls = st.builds(ToolCall, texts, texts, texts)
results = st.builds(ToolResult, texts, st.booleans())
decisions = st.builds(
    Decision, st.sampled_from(["approve", "reject"]), st.none() | texts, texts, texts
)
executions = st.builds(
    ToolExecution,
    *[texts] * 4,
    counts,
    counts,
    calls,
    st.sampled_from(get_args(ExecutionState)),
    st.sampled_from(get_args(Placement)),
    st.none() | texts,
    st.none() | decisions,
    st.none() | results,
)
parts = st.one_of(
    st.builds(TextPart, texts),
    st.builds(ImagePart, texts, st.binary(max_size=8)),
    st.builds(FilePart, texts, texts, texts, counts),
    st.builds(ReasoningPart, texts, texts, st.booleans()),
    st.builds(ToolCallPart, calls, texts),
    st.builds(ToolResultPart, texts, texts, results),
)
messages = st.builds(
    Message,
    texts,
    st.none() | texts,
    st.sampled_from(["user", "assistant", "tool"]),
    st.lists(parts, max_size=4).map(tuple),
    moments,
    texts,
    counts,
    st.none() | texts,
    st.none() | usages,
    st.none() | st.sampled_from(get_args(FinishReason)),
    st.booleans(),
    st.booleans(),
)
options = st.builds(
    RequestOptions,
    st.none() | st.floats(0, 2),
    st.none() | st.floats(0, 1),
    st.none() | counts,
    st.none() | st.lists(texts, max_size=2).map(tuple),
)
queued = st.builds(
    QueuedMessage,
    *[texts] * 4,
    moments,
    st.lists(st.builds(ImagePart, texts, st.binary(max_size=8)), max_size=2).map(tuple),
    options,
    st.booleans(),
    st.lists(st.builds(FilePart, texts, texts, texts, counts), max_size=2).map(tuple),
)
arranged = st.builds(
    ConversationSettings,
    st.none() | texts,
    st.none() | st.lists(texts, max_size=2).map(tuple),
    texts,
    st.none() | texts,
)
infos = st.builds(ErrorInfo, texts, st.just("upstream"), texts, texts, texts, st.none() | counts)

BY_CLASS: dict[type, st.SearchStrategy[Any]] = {
    ev.ConversationCreated: st.builds(
        ev.ConversationCreated, texts, texts, texts, arranged, st.none() | texts
    ),
    ev.ConversationRenamed: st.builds(ev.ConversationRenamed, texts, st.none() | counts),
    ev.ConversationConfigured: st.builds(ev.ConversationConfigured, arranged, st.none() | counts),
    ev.ConversationStarred: st.builds(ev.ConversationStarred, st.booleans()),
    ev.ConversationArchived: st.builds(ev.ConversationArchived, st.booleans()),
    ev.ConversationTrashed: st.builds(ev.ConversationTrashed),
    ev.ConversationRestored: st.builds(ev.ConversationRestored),
    ev.MessagePinned: st.builds(ev.MessagePinned, texts, st.booleans()),
    ev.MessageQueued: st.builds(ev.MessageQueued, queued),
    ev.MessageUnqueued: st.builds(ev.MessageUnqueued, texts),
    ev.RequestReduced: st.builds(ev.RequestReduced, texts, counts, texts, *[counts] * 4),
    ev.ConversationDeleted: st.builds(ev.ConversationDeleted),
    ev.MessageAdded: st.builds(ev.MessageAdded, messages),
    ev.TurnStarted: st.builds(
        ev.TurnStarted, *[texts] * 4, st.booleans(), st.none() | texts, options
    ),
    ev.StepStarted: st.builds(ev.StepStarted, texts, counts, texts, texts),
    ev.AttemptFailed: st.builds(
        ev.AttemptFailed, texts, counts, texts, infos, texts, st.booleans()
    ),
    ev.ToolProposed: st.builds(ev.ToolProposed, executions),
    ev.ApprovalRequested: st.builds(ev.ApprovalRequested, texts),
    ev.ApprovalAnswered: st.builds(ev.ApprovalAnswered, texts, decisions),
    ev.ToolStarted: st.builds(ev.ToolStarted, texts),
    ev.ToolFinished: st.builds(
        ev.ToolFinished, texts, st.sampled_from(["done", "failed", "unknown"]), results
    ),
    ev.TurnWaiting: st.builds(ev.TurnWaiting, texts),
    ev.TurnResumed: st.builds(ev.TurnResumed, texts),
    ev.CancelRequested: st.builds(ev.CancelRequested, texts),
    ev.TurnFinished: st.builds(ev.TurnFinished, texts),
    ev.TurnFailed: st.builds(ev.TurnFailed, texts, infos),
    ev.TurnCancelled: st.builds(ev.TurnCancelled, texts),
    ev.TurnInterrupted: st.builds(ev.TurnInterrupted, texts),
}
deltas = st.builds(
    ev.Delta,
    *[texts] * 3,
    counts,
    st.sampled_from(["text", "reasoning"]),
    counts,
    counts,
    texts,
)


def test_every_event_is_covered_here() -> None:
    assert set(BY_CLASS) == set(get_args(ev.Event))


@pytest.mark.parametrize("kind", get_args(ev.Event), ids=lambda kind: kind.__name__)
def test_every_event_survives_the_wire(kind: type) -> None:
    @settings(max_examples=30, deadline=None)
    @given(BY_CLASS[kind], moments, counts)
    def survives(event: ev.Event, at: datetime, seq: int) -> None:
        envelope = ev.Envelope("conversation", seq, at, event)  # type: ignore[arg-type]
        wire = msgspec.json.encode(envelope)
        again = msgspec.json.decode(wire, type=ev.Envelope | ev.Delta)
        assert again == envelope
        assert type(again.event) is kind
        assert again.at.tzinfo is not None

    survives()


@given(deltas)
def test_a_delta_survives_the_wire(delta: ev.Delta) -> None:
    assert msgspec.json.decode(msgspec.json.encode(delta), type=ev.Envelope | ev.Delta) == delta


@given(messages)
def test_a_message_survives_the_wire(message: Message) -> None:
    wire = msgspec.json.encode(message)
    assert msgspec.json.decode(wire, type=Message) == message
    in_a_column_of_json = msgspec.json.decode(wire)
    assert msgspec.convert(in_a_column_of_json, Message) == message


def test_bytes_travel_as_base64() -> None:
    wire = msgspec.json.encode(ImagePart("image/png", b"\x89PNG"))
    assert wire == b'{"type":"image","media_type":"image/png","data":"iVBORw=="}'


def test_reasoning_that_nobody_sealed_is_written_as_ever() -> None:
    """Rows of older versions hold nothing else."""
    assert msgspec.json.encode(ReasoningPart("hm")) == b'{"type":"reasoning","text":"hm"}'


@pytest.mark.parametrize("union", [ev.Event, Part, ev.Envelope | ev.Delta])
def test_tags_are_the_names_of_the_classes(union: Any) -> None:
    """In snake case, a part without its last word: clients match on them."""
    for member in get_args(union):
        words = member.__struct_config__.tag.split("_")
        name = "".join(word.capitalize() for word in words)
        assert member.__name__ in {name, f"{name}Part", "Envelope"}


def test_times_are_written_in_utc() -> None:
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    envelope = ev.Envelope("c", 1, at, ev.TurnFinished("t"))  # type: ignore[arg-type]
    assert msgspec.json.decode(msgspec.json.encode(envelope)) == {
        "type": "event",
        "conversation_id": "c",
        "seq": 1,
        "at": "2026-01-01T12:00:00Z",
        "event": {"type": "turn_finished", "turn_id": "t"},
    }


def test_the_text_of_a_message_is_its_text_parts() -> None:
    all_parts = (
        ReasoningPart("hm"),
        TextPart("Two "),
        ToolCallPart(ToolCall("1", "add", "{}"), "e"),  # type: ignore[arg-type]
        TextPart("words."),
        ToolResultPart("1", "add", ToolResult("3")),
    )
    at = datetime(2026, 1, 1, tzinfo=UTC)
    message = Message("m", None, "assistant", all_parts, at, "t")  # type: ignore[arg-type]
    assert message.text == "Two words."


# Models.


@pytest.mark.parametrize(
    ("text", "provider", "model"),
    [
        ("openai/gpt-5-mini", "openai", "gpt-5-mini"),
        ("  openai/gpt-5-mini\n", "openai", "gpt-5-mini"),
        ("local/org/model:7b", "local", "org/model:7b"),
        ("a/b/", "a", "b/"),
    ],
)
def test_model_references(text: str, provider: str, model: str) -> None:
    ref = ModelRef.parse(text)
    assert ref == ModelRef(provider, model)
    assert str(ref) == text.strip()
    assert ModelRef.parse(str(ref)) == ref


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "gpt-5-mini", "/gpt-5-mini", "openai/", "/", " / "),
        *("openai/gpt\nINFO all is well", "open\rai/gpt", "openai/\x1b[2J", "openai/\u202egpt"),
    ],
)
def test_what_is_no_model_reference(text: str) -> None:
    with pytest.raises(InvalidRequest, match="not a model reference") as raised:
        ModelRef.parse(text)
    assert raised.value.info.field == "model"
    assert str(raised.value).isprintable()


@given(usages, usages, usages)
def test_usage_adds_up(a: Usage, b: Usage, c: Usage) -> None:
    assert a + Usage() == a
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    for name in Usage.__struct_fields__:
        assert getattr(a + b, name) == getattr(a, name) + getattr(b, name)


def test_unknown_facts_stay_unknown() -> None:
    facts = ModelFacts("openai/new", known=False)
    again = msgspec.json.decode(msgspec.json.encode(facts), type=ModelFacts)
    assert again == facts
    assert (again.window, again.output_limit, again.tools) == (None, None, None)
    assert (again.images, again.reasoning, again.prefill, again.cache) == (None,) * 4
    assert again.prices is None


def test_prices_are_written_without_rounding() -> None:
    facts = ModelFacts("openai/new", prices=Prices("0.1", "0.4", as_of="2026-01-31"))
    again = msgspec.json.decode(msgspec.json.encode(facts), type=ModelFacts)
    assert again == facts
    assert again.prices is not None
    assert again.prices.cache_read is None


# Tool calls.


@given(st.dictionaries(texts, st.none() | st.booleans() | counts | texts, max_size=3))
def test_arguments_are_read_as_they_were_written(arguments: dict[str, Any]) -> None:
    written = msgspec.json.encode(arguments).decode()
    assert ToolCall("1", "add", written).parsed() == arguments


@pytest.mark.parametrize(
    "arguments",
    ["{", "[]", "null", "1", '"{}"', " ", "{} {}", '{"a": NaN}', '{"a": "\ud800"}', "[" * 10**5],
)
def test_other_arguments_are_a_value_error(arguments: str) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        ToolCall("1", "add", arguments).parsed()


def test_nesting_beyond_reason_is_a_value_error() -> None:
    """A model wrote it: it may fail its call, never the process."""
    with pytest.raises(ValueError, match="not a JSON object"):
        ToolCall("1", "add", '{"a":' + "[" * 10**6).parsed()


def test_an_edited_call_keeps_its_name_and_its_id() -> None:
    call = ToolCall("1", "add", '{"a": 1}')
    execution = ToolExecution("e", "c", "t", "m", 1, 0, call)  # type: ignore[arg-type]
    assert execution.effective is call
    approve, edit = Decision("approve"), Decision("approve", arguments='{"a": 2}')
    assert msgspec.structs.replace(execution, decision=approve).effective is call
    edited = msgspec.structs.replace(execution, decision=edit)
    assert edited.effective == ToolCall("1", "add", '{"a": 2}')
    assert edited.call is call
