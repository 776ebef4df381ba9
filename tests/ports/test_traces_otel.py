from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.trace import SpanKind, StatusCode

from bestchat_server_ext.adapters import traces_otel
from bestchat_server_ext.adapters.traces_otel import OpenTelemetryTraces
from bestchat_server_ext.ports.telemetry import Fact
from bestchat_server_ext.testing.port_suites.telemetry import Held, Story, TelemetrySuite, tell


class Open(SpanProcessor):
    """The spans that have begun and not ended."""

    def __init__(self) -> None:
        self.count = 0

    def on_start(self, span: Span, parent_context: Any = None) -> None:  # noqa: ARG002
        self.count += 1

    def on_end(self, span: ReadableSpan) -> None:  # noqa: ARG002
        self.count -= 1


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def unended() -> Open:
    return Open()


@pytest.fixture
def provider(exporter: InMemorySpanExporter, unended: Open) -> Iterator[TracerProvider]:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(exporter))
    made.add_span_processor(unended)
    yield made
    made.shutdown()


@pytest.fixture
def traces(provider: TracerProvider) -> OpenTelemetryTraces:
    return OpenTelemetryTraces(provider)


class TestOpenTelemetryTraces(TelemetrySuite):
    @pytest.fixture
    def telemetry(self, traces: OpenTelemetryTraces) -> OpenTelemetryTraces:
        return traces

    @pytest.fixture
    def held(self, telemetry: OpenTelemetryTraces, unended: Open) -> Held:
        return lambda: unended.count + len(telemetry._turns)

    @pytest.fixture(autouse=True)
    def nothing_stays_current(self) -> Iterator[None]:
        yield
        assert not trace.get_current_span().get_span_context().is_valid


class TestSilence(TelemetrySuite):
    """Without an SDK there are no spans, and nobody notices."""

    @pytest.fixture
    def telemetry(self) -> OpenTelemetryTraces:
        return OpenTelemetryTraces()

    @pytest.fixture
    def held(self, telemetry: OpenTelemetryTraces) -> Held:
        return lambda: len(telemetry._turns)


def test_a_turn_with_a_step_and_a_tool(
    traces: OpenTelemetryTraces, exporter: InMemorySpanExporter
) -> None:
    tell(traces, Story().whole())
    chat, tool, turn = exporter.get_finished_spans()
    assert (chat.name, chat.kind) == ("chat echo", SpanKind.CLIENT)
    assert dict(chat.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "echo",
        "gen_ai.conversation.id": "conversation",
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.response.finish_reasons": ("tool_calls",),
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
    }
    assert (tool.name, tool.kind) == ("execute_tool add", SpanKind.INTERNAL)
    assert dict(tool.attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "gen_ai.tool.call.id": "call_0",
    }
    assert (turn.name, turn.kind) == ("invoke_agent bestchat", SpanKind.INTERNAL)
    assert dict(turn.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "bestchat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "echo",
        "gen_ai.conversation.id": "conversation",
        "bestchat.turn.id": "turn",
        "bestchat.turn.state": "finished",
    }
    assert turn.parent is None
    assert [span.parent for span in (chat, tool)] == 2 * [turn.get_span_context()]
    assert {span.status.status_code for span in (chat, tool, turn)} == {StatusCode.UNSET}


def test_the_names_are_those_of_the_conventions() -> None:
    theirs = {text for text in vars(gen_ai_attributes).values() if isinstance(text, str)}
    ours = {text for name, text in vars(traces_otel).items() if name.isupper() and name[0] != "_"}
    own = {text for text in ours if text.startswith("bestchat.")}
    assert own == {"bestchat.turn.id", "bestchat.turn.state"}
    assert ours - own - theirs == {"error.type"}
    assert error_attributes.ERROR_TYPE == "error.type"


def test_failures_have_their_code(
    traces: OpenTelemetryTraces, exporter: InMemorySpanExporter
) -> None:
    story = Story()
    facts: list[Fact] = [story.began, story.step_began, story.step_failed]
    tell(traces, [*facts, story.tool_began, story.tool_failed, story.failed])
    spans = exporter.get_finished_spans()
    codes = [(span.attributes or {})["error.type"] for span in spans]
    assert codes == ["rate_limited", "tool_failed", "rate_limited"]
    assert {span.status.status_code for span in spans} == {StatusCode.ERROR}
    assert (spans[-1].attributes or {})["bestchat.turn.state"] == "failed"


def test_a_stopped_step_says_so(
    traces: OpenTelemetryTraces, exporter: InMemorySpanExporter
) -> None:
    story = Story()
    tell(traces, [story.began, story.step_began, story.step_cancelled, story.left])
    chat, turn = exporter.get_finished_spans()
    assert (chat.attributes or {})["error.type"] == "cancelled"
    assert (turn.attributes or {})["bestchat.turn.state"] == "left"


def test_a_turn_hangs_below_what_called_it(
    traces: OpenTelemetryTraces, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    with provider.get_tracer("other").start_as_current_span("request") as request:
        tell(traces, Story().whole())
    turn = exporter.get_finished_spans()[2]
    assert turn.parent == request.get_span_context()


async def test_what_runs_in_a_part_hangs_below_it(
    traces: OpenTelemetryTraces, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    """As when the HTTP client has an instrumentation of its own."""
    story, tracer = Story(), provider.get_tracer("http")

    async def ask() -> None:
        traces.notice(story.step_began)
        with tracer.start_as_current_span("POST"):
            await asyncio.sleep(0)
        traces.notice(story.step_ended)

    traces.notice(story.began)
    await asyncio.create_task(ask())
    traces.notice(story.ended)
    post, chat, _ = exporter.get_finished_spans()
    assert post.parent == chat.get_span_context()


async def test_turns_at_the_same_time_do_not_mix(
    traces: OpenTelemetryTraces, exporter: InMemorySpanExporter
) -> None:
    async def run(name: str) -> None:
        for fact in Story(name).whole():
            traces.notice(fact)
            await asyncio.sleep(0)

    await asyncio.gather(run("one"), run("other"))
    spans = exporter.get_finished_spans()
    turns = {span.context.span_id for span in spans if span.parent is None}
    parents = [span.parent.span_id for span in spans if span.parent is not None]
    assert len(turns) == 2
    assert sorted(parents) == sorted(2 * [*turns])
