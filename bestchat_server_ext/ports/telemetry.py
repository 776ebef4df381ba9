"""Telemetry: what happens to turns, told in names and sizes.

A fact has no place for a prompt, an answer, a tool's arguments or a key, so that nobody who is
told can pass one on. The model's name is what somebody typed: whoever writes it down makes sure
that it stays one word, and whoever counts goes by the provider.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from bestchat_server_ext.core.conversation import TurnState
from bestchat_server_ext.core.ids import ConversationId, ExecutionId, TurnId
from bestchat_server_ext.core.models import FinishReason, Usage

CANCELLED = "cancelled"
"""The `error` of what was stopped on the way."""

TOOL_FAILED = "tool_failed"
"""The `error` of a tool whose result tells of a failure."""


class TurnBegan(msgspec.Struct, frozen=True):
    """This process begins to run a turn, or goes on with one that waited."""

    conversation_id: ConversationId
    """Where it happens."""
    turn_id: TurnId
    """Which turn."""
    provider: str
    """Who answers: one of ours, or `unknown`."""
    model: str
    """The model's reference."""


class StepBegan(msgspec.Struct, frozen=True):
    """A model is about to be asked. Told in the task that asks it."""

    turn_id: TurnId
    """Which turn."""
    step: int
    """Which request within that turn, from 1."""
    provider: str
    """Who is asked: one of ours, or `unknown`."""
    conversation_id: ConversationId
    """Where it happens."""
    model: str
    """The model's reference."""


class FirstDelta(msgspec.Struct, frozen=True):
    """The first piece of a step's answer is published."""

    turn_id: TurnId
    """Which turn."""
    step: int
    """Which step."""
    provider: str
    """Who answers."""
    seconds: float
    """Since the step began."""


class StepEnded(msgspec.Struct, frozen=True):
    """A model has answered, or will not. Told in the task that asked it."""

    turn_id: TurnId
    """Which turn."""
    step: int
    """Which step."""
    provider: str
    """Who was asked."""
    seconds: float
    """Since the step began."""
    usage: Usage = Usage()
    """Its tokens, where the provider counted them."""
    finish_reason: FinishReason | None = None
    """Why the model stopped, where it said so."""
    error: str = ""
    """The code of what went wrong, or `cancelled`; empty if it answered."""


class ToolBegan(msgspec.Struct, frozen=True):
    """A tool is about to run. Told in the task that runs it."""

    turn_id: TurnId
    """Which turn."""
    execution_id: ExecutionId
    """Which call."""
    tool: str
    """The tool's name; one of those on offer."""
    call_id: str
    """The provider's name for the call."""


class ToolEnded(msgspec.Struct, frozen=True):
    """A tool has run, or was given up. Told in the task that ran it."""

    turn_id: TurnId
    """Which turn."""
    execution_id: ExecutionId
    """Which call."""
    tool: str
    """The tool's name."""
    seconds: float
    """Since it began."""
    error: str = ""
    """`tool_failed` or `cancelled`; empty if it did what it should."""


class TurnLeft(msgspec.Struct, frozen=True):
    """This process runs a turn no more that has not ended: it waits, or was lost."""

    conversation_id: ConversationId
    """Where it happens."""
    turn_id: TurnId
    """Which turn."""


class TurnEnded(msgspec.Struct, frozen=True):
    """A turn has ended, and that is stored."""

    conversation_id: ConversationId
    """Where it happened."""
    turn_id: TurnId
    """Which turn."""
    provider: str
    """Who answered: one of ours, or `unknown`."""
    model: str
    """The model's reference."""
    state: TurnState
    """How it ended."""
    steps: int
    """Requests to a model."""
    tools: int
    """Calls that the model asked for."""
    usage: Usage
    """Tokens of all its steps."""
    seconds: float
    """From its beginning to its end, the waiting for approvals included."""
    first_delta_seconds: float | None = None
    """What the first `FirstDelta` of this process said; none if there was none."""
    error: str = ""
    """The code of the error with which it failed, if it did."""


class SocketOpened(msgspec.Struct, frozen=True):
    """A client has opened a WebSocket."""


class SocketClosed(msgspec.Struct, frozen=True):
    """And it is closed again."""


Fact = (
    TurnBegan
    | StepBegan
    | FirstDelta
    | StepEnded
    | ToolBegan
    | ToolEnded
    | TurnLeft
    | TurnEnded
    | SocketOpened
    | SocketClosed
)


class Telemetry(Protocol):
    """Somebody who is told what happens."""

    def notice(self, fact: Fact) -> None:
        """Take in a fact, at once and without waiting for anybody.

        Each turn tells of itself in a task of its own.
        Facts may be missing, come twice or out of order: that raises nothing, and nothing is
        kept of a turn that has ended or was left.
        """
        ...

    async def close(self) -> None:
        """Let go of everything. May be called twice."""
        ...
