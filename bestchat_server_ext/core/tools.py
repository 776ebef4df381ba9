"""Tools: what they declare, what a model asks of them, and what came of it.

An execution walks through `proposed → waiting → approved | denied → running → done | failed |
unknown`, and each state is written before it is acted upon. `unknown` is the honest name for a
call that was running when its process died: it may or may not have happened, so it is never
repeated by itself.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from bestchat_server_ext.core.ids import ConversationId, ExecutionId, MessageId, TurnId

JsonObject = dict[str, Any]  # msgspec has no recursive aliases; values are checked where used

Placement = Literal["server", "sandbox", "kernel", "browser", "mcp"]
"""Where a tool runs."""

Effect = Literal["read", "write", "execute", "network"]
"""The worst a tool can do. Undeclared counts as `execute`."""

ExecutionState = Literal[
    "proposed", "waiting", "approved", "denied", "running", "done", "failed", "unknown"
]

SETTLED: frozenset[ExecutionState] = frozenset({"denied", "done", "failed", "unknown"})
"""States that an execution never leaves again."""


class ToolSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a tool declares about itself."""

    name: str
    """Name under which the model calls it."""
    description: str
    """What it does, for the model and for the person who approves."""
    parameters: JsonObject
    """JSON Schema of its arguments."""
    effect: Effect = "execute"
    """The worst it can do."""
    placement: Placement = "server"
    """Where it runs."""
    idempotent: bool = False
    """Whether running it twice is the same as running it once."""


class ToolCall(msgspec.Struct, frozen=True):
    """One call as the model wrote it."""

    id: str
    """The provider's own name for the call; unique within one step only."""
    name: str
    """The tool that is asked for."""
    arguments: str
    """The arguments as the model wrote them. Usually a JSON object, but nothing guarantees it;
    kept verbatim so that sending it back gives the provider the same bytes."""

    def parsed(self) -> JsonObject:
        """The arguments as an object.

        Raises:
            ValueError: they are not a JSON object.
        """
        try:
            return msgspec.json.decode(self.arguments or "{}", type=JsonObject)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ValueError(f"the arguments are not a JSON object: {error}") from error


class ToolResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a call, as the model gets to read it."""

    content: str
    """The text that goes back to the model."""
    is_error: bool = False
    """Whether the text tells of a failure."""


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """An approval or a rejection of one call."""

    verdict: Literal["approve", "reject"]
    """What was decided. Editing is approving with other `arguments`."""
    arguments: str | None = None
    """The arguments to run with instead of the model's, as JSON text."""
    reason: str = ""
    """Why; a rejection's reason is told to the model."""
    by: str = "user"
    """Who decided: `user`, or the rule that did."""


class ToolExecution(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call on its way through its states."""

    id: ExecutionId
    """Names it everywhere, unlike `call.id`."""
    conversation_id: ConversationId
    """The conversation it belongs to."""
    turn_id: TurnId
    """The turn in which it was asked for."""
    message_id: MessageId
    """The answer that asked for it."""
    step: int
    """The step within that turn, from 1."""
    position: int
    """Its place among the calls of that step, from 0."""
    call: ToolCall
    """What the model asked for."""
    state: ExecutionState = "proposed"
    """How far it has come."""
    placement: Placement = "server"
    """Where it runs."""
    kernel_id: str | None = None
    """Which kernel, if it runs in one."""
    decision: Decision | None = None
    """What was decided about it."""
    result: ToolResult | None = None
    """What came of it, once settled."""

    @property
    def effective(self) -> ToolCall:
        """The call as it will run: the model's, or as a person edited it."""
        if self.decision is None or self.decision.arguments is None:
            return self.call
        return ToolCall(self.call.id, self.call.name, self.decision.arguments)
