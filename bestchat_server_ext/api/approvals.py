"""Approvals: list what waits, answer it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.ids import ConversationId, ExecutionId
from bestchat_server_ext.core.tools import ToolExecution


class ListApprovals(ApiRequest):
    """Read which tool calls wait for a decision."""

    conversation_id: ConversationId | None = None
    """Of one conversation only; of all of one's own if none."""


class PendingApprovals(msgspec.Struct, frozen=True):
    """Tool calls that wait for a decision."""

    executions: tuple[ToolExecution, ...]
    """The calls, oldest first."""


class AnswerApproval(ApiRequest):
    """Decide over one tool call. The first answer counts."""

    execution_id: ExecutionId
    """Which one."""
    verdict: Literal["approve", "reject"]
    """What is decided."""
    arguments: Annotated[str, msgspec.Meta(max_length=1_000_000)] | None = None
    """A JSON object to run with instead of the model's arguments."""
    reason: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    """Why; the reason of a rejection is told to the model."""


list_ = Procedure(
    name="approvals.list",
    summary="List the tool calls that wait for a decision.",
    request=ListApprovals,
    response=PendingApprovals,
    scope=Scope.CONVERSATIONS_READ,
    target="conversation_id",
)
answer = Procedure(
    name="approvals.answer",
    summary="Approve, edit or reject a tool call; the first answer counts.",
    request=AnswerApproval,
    response=ToolExecution,
    scope=Scope.APPROVALS,
    target="execution_id",
)
