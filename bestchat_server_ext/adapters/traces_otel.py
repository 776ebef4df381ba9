"""Spans through OpenTelemetry's API, named as its conventions for generative AI have it.

Only the API is used: where no SDK is set up, spans are nothing and go nowhere, and what an SDK
does with them is its owner's business. A turn is a span, with its steps and tools as children;
while one of these runs it is the current span of its task, so that what other instrumentation
sees there (an HTTP request, a tool's own spans) hangs below it.

The names are copied, because the package that has them is not stable yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.util.types import AttributeValue

from bestchat_server_ext.core.ids import ExecutionId, TurnId
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.ports.telemetry import (
    Fact,
    FirstDelta,
    StepBegan,
    StepEnded,
    ToolBegan,
    ToolEnded,
    TurnBegan,
    TurnEnded,
    TurnLeft,
)

AGENT_NAME = "gen_ai.agent.name"
CONVERSATION_ID = "gen_ai.conversation.id"
ERROR_TYPE = "error.type"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OPERATION_NAME = "gen_ai.operation.name"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_NAME = "gen_ai.tool.name"

TURN_ID = "bestchat.turn.id"
TURN_STATE = "bestchat.turn.state"

_AGENT = "bestchat"

Attributes = Mapping[str, AttributeValue]


class _OpenSpan:
    """A span that has not ended. It is current until then, in the task that began it."""

    def __init__(self, span: Span, after: Context) -> None:
        self.span = span
        self.below = trace.set_span_in_context(span)
        self._after = after
        context.attach(self.below)

    def end(self, error: str = "") -> None:
        if error:
            self.span.set_attribute(ERROR_TYPE, error)
            self.span.set_status(Status(StatusCode.ERROR, error))
        self.span.end()
        # Not `detach`: that complains where somebody else's task ends what this one has begun.
        if trace.get_current_span() is self.span:
            context.attach(self._after)


class _OpenTurn(_OpenSpan):
    """A turn that runs, with what runs in it."""

    def __init__(self, span: Span) -> None:
        super().__init__(span, context.get_current())
        self.parts: dict[int | ExecutionId, _OpenSpan] = {}

    def end(self, error: str = "") -> None:
        for part in self.parts.values():
            part.end()
        super().end(error)


class OpenTelemetryTraces:
    """The port `telemetry`, as spans."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        """Make spans with a provider; by default the process's own, once there is one."""
        self._tracer = trace.get_tracer("bestchat", version("bestchat"), tracer_provider=provider)
        self._turns: dict[TurnId, _OpenTurn] = {}

    def notice(self, fact: Fact) -> None:
        """Begin a span, end one, or say more about one."""
        match fact:
            case TurnBegan():
                self._begin_turn(fact)
            case StepBegan():
                self._begin_step(fact)
            case FirstDelta(turn_id=turn_id, step=step, seconds=seconds):
                if (opened := self._part(turn_id, step)) is not None:
                    opened.span.set_attribute(TIME_TO_FIRST_CHUNK, seconds)
            case StepEnded(turn_id=turn_id, step=step):
                if (opened := self._part(turn_id, step, last=True)) is not None:
                    opened.span.set_attributes(_tokens(fact.usage))
                    if fact.finish_reason is not None:
                        opened.span.set_attribute(FINISH_REASONS, [fact.finish_reason])
                    opened.end(fact.error)
            case ToolBegan():
                self._begin_tool(fact)
            case ToolEnded(turn_id=turn_id, execution_id=key, error=error):
                if (opened := self._part(turn_id, key, last=True)) is not None:
                    opened.end(error)
            case TurnLeft(turn_id=turn_id):
                self._end_turn(turn_id, {TURN_STATE: "left"})
            case TurnEnded(turn_id=turn_id, state=state, error=error):
                self._end_turn(turn_id, {TURN_STATE: state}, error)
            case _:
                pass

    def _begin_turn(self, fact: TurnBegan) -> None:
        self._end_turn(fact.turn_id, {})
        span = self._tracer.start_span(
            f"invoke_agent {_AGENT}",
            attributes={
                OPERATION_NAME: "invoke_agent",
                AGENT_NAME: _AGENT,
                PROVIDER_NAME: fact.provider,
                REQUEST_MODEL: _name(fact.model),
                CONVERSATION_ID: fact.conversation_id,
                TURN_ID: fact.turn_id,
            },
        )
        self._turns[fact.turn_id] = _OpenTurn(span)

    def _begin_step(self, fact: StepBegan) -> None:
        attributes = {
            OPERATION_NAME: "chat",
            PROVIDER_NAME: fact.provider,
            REQUEST_MODEL: _name(fact.model),
            CONVERSATION_ID: fact.conversation_id,
        }
        name = f"chat {_name(fact.model)}"
        self._begin_part(fact.turn_id, fact.step, name, SpanKind.CLIENT, attributes)

    def _begin_tool(self, fact: ToolBegan) -> None:
        attributes = {
            OPERATION_NAME: "execute_tool",
            TOOL_NAME: fact.tool,
            TOOL_CALL_ID: fact.call_id,
        }
        name = f"execute_tool {fact.tool}"
        self._begin_part(fact.turn_id, fact.execution_id, name, SpanKind.INTERNAL, attributes)

    def _begin_part(
        self,
        turn_id: TurnId,
        key: int | ExecutionId,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
    ) -> None:
        turn = self._turns.get(turn_id)
        if turn is None or key in turn.parts:
            return
        span = self._tracer.start_span(name, turn.below, kind, attributes)
        turn.parts[key] = _OpenSpan(span, turn.below)

    def _part(
        self, turn_id: TurnId, key: int | ExecutionId, *, last: bool = False
    ) -> _OpenSpan | None:
        turn = self._turns.get(turn_id)
        if turn is None:
            return None
        return turn.parts.pop(key, None) if last else turn.parts.get(key)

    def _end_turn(self, turn_id: TurnId, attributes: Attributes, error: str = "") -> None:
        turn = self._turns.pop(turn_id, None)
        if turn is not None:
            turn.span.set_attributes(attributes)
            turn.end(error)

    async def close(self) -> None:
        """End what has not ended."""
        for turn_id in list(self._turns):
            self._end_turn(turn_id, {})


def _name(model: str) -> str:
    """The provider's own name for a model."""
    return model.partition("/")[2]


def _tokens(usage: Usage) -> Attributes:
    """The tokens, where they were counted."""
    if usage == Usage():
        return {}
    return {INPUT_TOKENS: usage.input_tokens, OUTPUT_TOKENS: usage.output_tokens}
