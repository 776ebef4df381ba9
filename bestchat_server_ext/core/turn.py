"""The turn as a machine without I/O: inputs in, commands out.

The machine never waits, never asks for the time and never touches storage. `services.turns` feeds
it with what happened and carries out what it commands. Because its whole memory is the turn, its
executions and whether the current answer exists, all of which are rows, it can be rebuilt from
storage at any point.

Two rules hold for everything that `handle` returns:

* An `Append` comes before the acts that follow from it: what is about to happen is written first.
* An input that comes too late, twice or from an earlier step changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core import policy
from bestchat_server_ext.core.conversation import (
    ConversationState,
    Turn,
    answer_id,
    apply_execution,
    apply_turn,
    execution_id,
    execution_of,
    tool_message_id,
    turn_of,
)
from bestchat_server_ext.core.errors import (
    ErrorInfo,
    LimitReached,
)
from bestchat_server_ext.core.ids import ExecutionId, MessageId, TurnId
from bestchat_server_ext.core.messages import (
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.core.reply import Reply, silence
from bestchat_server_ext.core.tools import (
    SETTLED,
    Decision,
    ToolCall,
    ToolExecution,
    ToolResult,
    ToolSpec,
)

STEP_LIMIT = 25
"""Requests to a model within one turn, unless configured otherwise."""

Outcome = Literal["done", "failed", "unknown"]

_LOST = "The process that ran this call ended. Whether it took effect is not known."


# Inputs: what happened.


class Begin(msgspec.Struct, frozen=True):
    """The turn was stored and may start, or was taken up again after a wait."""


class ModelReplied(msgspec.Struct, frozen=True):
    """A step's stream ended well."""

    step: int
    reply: Reply


class ModelFailed(msgspec.Struct, frozen=True):
    """A step's stream failed; `partial` is what had arrived."""

    step: int
    error: ErrorInfo
    partial: Reply = Reply()


class AttemptFailed(msgspec.Struct, frozen=True):
    """A step's stream failed, and another attempt is about to be made."""

    step: int
    error: ErrorInfo
    next_model: str
    kept: bool = True


class RequestReduced(msgspec.Struct, frozen=True):
    """The oldest messages had to be left out of a step's request."""

    step: int
    first_message_id: MessageId
    left_out: int
    tokens_before: int
    tokens_after: int
    window: int


class ApprovalGiven(msgspec.Struct, frozen=True):
    """A decision was stored for a call."""

    execution_id: ExecutionId
    decision: Decision


class ToolFinished(msgspec.Struct, frozen=True):
    """A tool came back."""

    execution_id: ExecutionId
    result: ToolResult


class ToolLost(msgspec.Struct, frozen=True):
    """A tool did not come back in time after it was told to stop."""

    execution_id: ExecutionId


class Cancelled(msgspec.Struct, frozen=True):
    """Somebody pressed Stop; `partial` is what had arrived of the current answer."""

    partial: Reply = Reply()


class OwnerLost(msgspec.Struct, frozen=True):
    """The process that ran the turn is gone; `partial` is what it had stored."""

    partial: Reply = Reply()


Input = (
    Begin
    | ModelReplied
    | ModelFailed
    | AttemptFailed
    | RequestReduced
    | ApprovalGiven
    | ToolFinished
    | ToolLost
    | Cancelled
    | OwnerLost
)


# Commands: what to do now, in this order.


class Append(msgspec.Struct, frozen=True):
    """Store these events in one transaction."""

    events: tuple[ev.Event, ...]


class AskModel(msgspec.Struct, frozen=True):
    """Send the branch that ends in `parent_id` to the model."""

    step: int
    message_id: MessageId
    parent_id: MessageId


class CancelModel(msgspec.Struct, frozen=True):
    """Close the stream of a step."""

    step: int


class RunTool(msgspec.Struct, frozen=True):
    """Run a call that was approved."""

    execution: ToolExecution


class CancelTool(msgspec.Struct, frozen=True):
    """Tell a running call to stop; answer with `ToolFinished` or, soon, with `ToolLost`."""

    execution_id: ExecutionId


class AwaitApproval(msgspec.Struct, frozen=True):
    """Nothing runs until one of these is decided: let go of the turn."""

    execution_ids: tuple[ExecutionId, ...]


class Finish(msgspec.Struct, frozen=True):
    """The turn has ended and is stored as such."""

    turn_id: TurnId


Command = Append | AskModel | CancelModel | RunTool | CancelTool | AwaitApproval | Finish


class TurnMachine:
    """Decides what happens next in one turn."""

    def __init__(
        self,
        turn: Turn,
        executions: Mapping[str, ToolExecution],
        *,
        answered: bool,
        tools: Mapping[str, ToolSpec],
        rules: Sequence[policy.Rule] = (),
        step_limit: int = STEP_LIMIT,
    ) -> None:
        """Take up a turn where its rows say it stands.

        Args:
            turn: the turn.
            executions: the turn's tool executions by id.
            answered: whether the answer of the turn's current step is stored.
            tools: the tools on offer, by name.
            rules: the policy over them.
            step_limit: how many requests to a model the turn may make.
        """
        self.turn = turn
        self.executions = dict(executions)
        self._answered = answered
        self._tools = tools
        self._rules = rules
        self._step_limit = step_limit
        self._events: list[ev.Event] = []
        self._acts: list[Command] = []

    @classmethod
    def rebuild(
        cls,
        state: ConversationState,
        turn_id: TurnId,
        *,
        tools: Mapping[str, ToolSpec],
        rules: Sequence[policy.Rule] = (),
        step_limit: int = STEP_LIMIT,
    ) -> TurnMachine:
        """Take up a turn from a stored conversation."""
        turn = state.turns[turn_id]
        return cls(
            turn,
            {key: item for key, item in state.executions.items() if item.turn_id == turn_id},
            answered=answer_id(turn_id, turn.step) in state.messages,
            tools=tools,
            rules=rules,
            step_limit=step_limit,
        )

    def handle(self, happened: Input, at: datetime) -> list[Command]:
        """Take in what happened at a moment; say what to do now, in order."""
        if not self.turn.active:
            return []
        match happened:
            case Begin():
                self._begin(at)
            case ModelReplied(step=step, reply=reply):
                if self._asking(step):
                    self._take_reply(reply, at)
            case ModelFailed(step=step, error=error, partial=partial):
                if self._asking(step):
                    self._keep_partial(partial, at)
                    self._end(ev.TurnFailed(self.turn.id, error), at)
            case AttemptFailed(step=step):
                if self._asking(step):
                    self._note_attempt(happened, at)
            case RequestReduced(step=step):
                if self._asking(step):
                    reduced = ev.RequestReduced(self.turn.id, **msgspec.structs.asdict(happened))
                    self._emit(reduced, at)
            case ApprovalGiven():
                self._take_decision(happened, at)
            case ToolFinished(execution_id=key, result=result):
                self._take_result(key, "failed" if result.is_error else "done", result, at)
            case ToolLost(execution_id=key):
                self._take_result(key, "unknown", ToolResult(_LOST, is_error=True), at)
            case Cancelled(partial=partial):
                self._cancel(partial, at)
            case OwnerLost(partial=partial):
                self._lose(partial, at)
        return self._collect()

    # Where the machine stands.

    def _asking(self, step: int) -> bool:
        return step == self.turn.step and not self._answered

    @property
    def _current(self) -> list[ToolExecution]:
        here = [item for item in self.executions.values() if item.step == self.turn.step]
        return sorted(here, key=lambda item: item.position)

    @property
    def _parent(self) -> MessageId:
        """The message that the current step's answer follows."""
        if self.turn.step <= 1:
            return self.turn.follows
        return tool_message_id(self.turn.id, self.turn.step - 1)

    @property
    def _answering(self) -> str:
        """The model that is being asked."""
        return self.turn.fallback or self.turn.model

    @property
    def _only_waits(self) -> bool:
        """Whether all there is to do is to wait for approvals."""
        open_ones = {item.state for item in self._current} - SETTLED
        waits = self.turn.state == "waiting" and not self.turn.cancelling
        return waits and open_ones == {"waiting"}

    # What the inputs do.

    def _begin(self, at: datetime) -> None:
        if self.turn.cancelling:
            # Stop was pressed before anybody took the turn up: nobody else will say so.
            self._cancel(Reply(), at)
        elif self.turn.step == 0:
            self._next_step(at)
        elif self._answered:
            self._advance(at)

    def _take_reply(self, reply: Reply, at: datetime) -> None:
        if (error := silence(reply, self.turn.step)) is not None:
            self._keep_partial(reply, at)
            self._end(ev.TurnFailed(self.turn.id, error.info), at)
            return
        self._add_answer(reply, at, partial=False)
        if not reply.calls:
            self._end(ev.TurnFinished(self.turn.id), at)
            return
        for position, call in enumerate(reply.calls):
            self._propose(call, position, at)
        self._advance(at)

    def _note_attempt(self, failed: AttemptFailed, at: datetime) -> None:
        model = self._answering
        event = ev.AttemptFailed(
            self.turn.id, failed.step, model, failed.error, failed.next_model, failed.kept
        )
        self._emit(event, at)

    def _take_decision(self, given: ApprovalGiven, at: datetime) -> None:
        execution = self.executions.get(given.execution_id)
        if execution is None or execution.step != self.turn.step:
            return
        if execution.state == "waiting":
            # The decision is stored already; only the machine's own picture follows.
            self._picture(ev.ApprovalAnswered(given.execution_id, given.decision), at)
        # A machine that was rebuilt in between knows it from the rows, and still has to act.
        self._advance(at)

    def _take_result(
        self, key: ExecutionId, state: Outcome, result: ToolResult, at: datetime
    ) -> None:
        execution = self.executions.get(key)
        if execution is None or execution.state != "running":
            return
        self._emit(ev.ToolFinished(key, state, result), at)
        self._advance(at)

    def _cancel(self, partial: Reply, at: datetime) -> None:
        if not self.turn.cancelling:
            self._picture(ev.CancelRequested(self.turn.id), at)
        if not self._answered:
            if self.turn.step:
                self._acts.append(CancelModel(self.turn.step))
                self._keep_partial(partial, at)
            self._end(ev.TurnCancelled(self.turn.id), at)
            return
        self._acts += [CancelTool(item.id) for item in self._current if item.state == "running"]
        self._advance(at)

    def _lose(self, partial: Reply, at: datetime) -> None:
        if self._only_waits:
            # The process ended between storing that the turn waits and letting go of it.
            self._await_approval()
            return
        if not self._answered:
            self._keep_partial(partial, at)
        else:
            self._refuse_open("The turn was interrupted.", at)
            lost = ToolResult(_LOST, is_error=True)
            for item in self._current:
                if item.state == "running":
                    self._emit(ev.ToolFinished(item.id, "unknown", lost), at)
            self._add_results(at)
        self._end(ev.TurnInterrupted(self.turn.id), at)

    # What follows from where it stands.

    def _advance(self, at: datetime) -> None:
        """Go on as far as possible once the answer of this step is known."""
        if self.turn.cancelling:
            self._refuse_open("The turn was stopped.", at)
        self._start_approved(at)
        states = {item.state for item in self._current}
        if states <= SETTLED:
            self._add_results(at)
            if self.turn.cancelling:
                self._end(ev.TurnCancelled(self.turn.id), at)
            else:
                self._next_step(at)
        elif "running" not in states and not self.turn.cancelling:
            if self.turn.state != "waiting":
                self._emit(ev.TurnWaiting(self.turn.id), at)
            self._await_approval()

    def _start_approved(self, at: datetime) -> None:
        for item in self._current:
            if item.state != "approved":
                continue
            # The tools on offer and the arguments may be others than when it was proposed.
            if flaw := self._flaw(item.effective):
                self._fail(item.id, flaw, at)
                continue
            if self.turn.state == "waiting":
                self._emit(ev.TurnResumed(self.turn.id), at)
            self._emit(ev.ToolStarted(item.id), at)
            self._acts.append(RunTool(self.executions[item.id]))

    def _await_approval(self) -> None:
        waiting = tuple(item.id for item in self._current if item.state == "waiting")
        self._acts.append(AwaitApproval(waiting))

    def _next_step(self, at: datetime) -> None:
        step = self.turn.step + 1
        if step > self._step_limit:
            error = LimitReached(
                f"The turn stopped after {self._step_limit} requests to the model.",
                hint="Ask it to go on, if it was on the right way.",
            )
            self._end(ev.TurnFailed(self.turn.id, error.info), at)
            return
        parent = tool_message_id(self.turn.id, step - 1) if step > 1 else self.turn.follows
        answer = answer_id(self.turn.id, step)
        self._emit(ev.StepStarted(self.turn.id, step, answer, parent), at)
        self._answered = False
        self._acts.append(AskModel(step, answer, parent))

    def _propose(self, call: ToolCall, position: int, at: datetime) -> None:
        """Bring one call into its first state and as far beyond as no person is needed."""
        spec = self._tools.get(call.name)
        key = execution_id(self.turn.id, self.turn.step, position)
        execution = ToolExecution(
            id=key,
            conversation_id=self.turn.conversation_id,
            turn_id=self.turn.id,
            message_id=answer_id(self.turn.id, self.turn.step),
            step=self.turn.step,
            position=position,
            call=call,
            placement=spec.placement if spec else "server",
        )
        self._emit(ev.ToolProposed(execution), at)
        if flaw := self._flaw(call):
            self._fail(key, flaw, at)
        elif spec is not None:
            ruling = policy.decide(self._rules, spec, call, attended=self.turn.attended)
            self._judge(key, ruling, at)

    def _flaw(self, call: ToolCall) -> str:
        """Why a call cannot run, whoever allows it; empty if it can."""
        if call.name not in self._tools:
            return f"There is no tool named {call.name!r}."
        try:
            call.parsed()
        except ValueError as error:
            return f"The call was not run: {error}."
        return ""

    def _judge(self, key: ExecutionId, ruling: policy.Ruling, at: datetime) -> None:
        match ruling.verdict:
            case "ask":
                self._emit(ev.ApprovalRequested(key), at)
            case "approve":
                decision = Decision("approve", reason=ruling.reason, by="policy")
                self._emit(ev.ApprovalAnswered(key, decision), at)
            case "deny":
                decision = Decision("reject", reason=ruling.reason, by="policy")
                self._emit(ev.ApprovalAnswered(key, decision), at)

    def _fail(self, key: ExecutionId, text: str, at: datetime) -> None:
        self._emit(ev.ToolFinished(key, "failed", ToolResult(text, is_error=True)), at)

    def _refuse_open(self, reason: str, at: datetime) -> None:
        """Deny everything that has not begun to run."""
        decision = Decision("reject", reason=reason, by="system")
        for item in self._current:
            if item.state in {"proposed", "waiting", "approved"}:
                self._emit(ev.ApprovalAnswered(item.id, decision), at)

    # Messages.

    def _keep_partial(self, partial: Reply, at: datetime) -> None:
        """Keep what was said; what was still being asked of tools will not happen."""
        if partial.parts:
            self._add_answer(msgspec.structs.replace(partial, calls=()), at, partial=True)

    def _add_answer(self, reply: Reply, at: datetime, *, partial: bool) -> None:
        parts: list[Part] = [
            TextPart(part.text)
            if part.kind == "text"
            else ReasoningPart(part.text, part.signature, part.redacted)
            for part in reply.parts
        ]
        parts += [
            ToolCallPart(call, execution_id(self.turn.id, self.turn.step, position))
            for position, call in enumerate(reply.calls)
        ]
        message = Message(
            id=answer_id(self.turn.id, self.turn.step),
            parent_id=self._parent,
            role="assistant",
            parts=tuple(parts),
            created_at=at,
            turn_id=self.turn.id,
            step=self.turn.step,
            model=self._answering,
            usage=reply.usage if reply.usage != Usage() else None,
            finish_reason=reply.finish_reason,
            partial=partial,
        )
        self._answered = True
        self._emit(ev.MessageAdded(message), at)

    def _add_results(self, at: datetime) -> None:
        """Close the step: every call gets its result, so that no pair stays open."""
        results: list[Part] = [
            ToolResultPart(item.call.id, item.call.name, item.result or ToolResult(""))
            for item in self._current
        ]
        if not results:
            return
        message = Message(
            id=tool_message_id(self.turn.id, self.turn.step),
            parent_id=answer_id(self.turn.id, self.turn.step),
            role="tool",
            parts=tuple(results),
            created_at=at,
            turn_id=self.turn.id,
            step=self.turn.step,
        )
        self._emit(ev.MessageAdded(message), at)

    def _end(self, ended: ev.TurnEnded, at: datetime) -> None:
        self._emit(ended, at)
        self._acts.append(Finish(self.turn.id))

    # Bookkeeping.

    def _emit(self, event: ev.Event, at: datetime) -> None:
        self._events.append(event)
        self._picture(event, at)

    def _picture(self, event: ev.Event, at: datetime) -> None:
        """Change the machine's memory exactly as the event will change the rows."""
        if turn_of(event) == self.turn.id:
            self.turn = apply_turn(self.turn, event, at)
        if isinstance(event, ev.ToolProposed):
            self.executions[event.execution.id] = event.execution
        elif (key := execution_of(event)) is not None:
            self.executions[key] = apply_execution(self.executions[key], event)

    def _collect(self) -> list[Command]:
        # A stream is closed before anything is stored, so that no piece of it can arrive after
        # the message that holds what is kept of it.
        first = [act for act in self._acts if isinstance(act, CancelModel)]
        rest = [act for act in self._acts if not isinstance(act, CancelModel)]
        stored = [Append(tuple(self._events))] if self._events else []
        self._events, self._acts = [], []
        return [*first, *stored, *rest]
