"""Turns as scripts: inputs with `>>`, expected commands with `<<`.

::

    play = Playbook([spec("add"), spec("rm")], [Rule("add", "approve")])
    assert (
        play
        >> Begin()
        << append(StepStarted)
        << ask_model(1)
        >> replied(call("add", a=1), call("rm"))
        << append(answer(calls=["add", "rm"]), ...)
        << run_tool("add")
        >> came_back("add", "2")
        << append(settled("add", "done", "2"), TurnWaiting)
        << await_approval("rm")
    )

Every `>>` and `<<` is played at once, so a `Placeholder` that an expectation has filled can be
used further to the right. What was commanded and not expected fails at the next `>>`, or at the
`assert`. Meanwhile everything is stored in `Rows`, and after each input the machine's memory has
to equal them; `rebuild` makes a new machine from the rows before each input, to which the same
script must apply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Literal

import msgspec

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core import turn as machine
from bestchat_server_ext.core.errors import ChatError, Conflict
from bestchat_server_ext.core.ids import ExecutionId
from bestchat_server_ext.core.messages import (
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.models import FinishReason
from bestchat_server_ext.core.policy import Rule
from bestchat_server_ext.core.reply import Reply, ReplyPart
from bestchat_server_ext.core.tools import (
    Decision,
    Effect,
    ExecutionState,
    ToolCall,
    ToolExecution,
    ToolResult,
    ToolSpec,
)
from bestchat_server_ext.testing.simulation import START, Rows

Which = str | int
"""A call: by the name of its tool, or by its place among the calls of its step, from 0. The newest
step that has such a call counts, and in it the first one."""

Rebuild = Literal["never", "before", "after"]
"""Whether each input meets a machine made anew from the rows: before or after that which a
procedure stores on its own account (a decision, a request to stop)."""

_WIDTH = 150


# What is said in a script.


def spec(name: str, effect: Effect = "execute") -> ToolSpec:
    """A tool on offer."""
    return ToolSpec(name, f"Does {name}.", {"type": "object"}, effect=effect)


def call(tool: str, *, key: str = "", **arguments: Any) -> ToolCall:  # noqa: ANN401  any JSON value
    """A call as a model writes it; `key` is the provider's name for it."""
    return ToolCall(key or f"call_{tool}", tool, msgspec.json.encode(arguments).decode())


@dataclass(frozen=True)
class Cue:
    """An input that is made when its time comes, because it names a call."""

    label: str
    make: Callable[[machine.TurnMachine], machine.Input]

    def __repr__(self) -> str:
        """As it stands in the script."""
        return self.label


def _said(text: str) -> tuple[ReplyPart, ...]:
    return (ReplyPart("text", text),) if text else ()


def replied(
    *calls: ToolCall, text: str = "", reason: FinishReason | None = None, step: int | None = None
) -> Cue:
    """The model has answered; the step that is current, unless another is named."""
    reply = Reply(_said(text), calls, finish_reason=reason or ("tool_calls" if calls else "stop"))
    label = f"replied({', '.join([*(item.name for item in calls), repr(text)])})"
    return Cue(label, lambda now: machine.ModelReplied(step or now.turn.step, reply))


def broke_off(error: ChatError, text: str = "") -> Cue:
    """The model's stream has failed after it brought `text`."""
    partial = Reply(_said(text))
    label = f"broke_off({error.code}, {text!r})"
    return Cue(label, lambda now: machine.ModelFailed(now.turn.step, error.info, partial))


def approved(which: Which) -> Cue:
    """A person has allowed a call."""
    return _decided(which, Decision("approve"))


def edited(which: Which, **arguments: Any) -> Cue:  # noqa: ANN401  any JSON value
    """A person has allowed a call with other arguments."""
    return _decided(which, Decision("approve", msgspec.json.encode(arguments).decode()))


def rejected(which: Which, reason: str = "") -> Cue:
    """A person has refused a call."""
    return _decided(which, Decision("reject", reason=reason))


def _decided(which: Which, decision: Decision) -> Cue:
    return Cue(
        f"{decision.verdict}({which!r})",
        lambda now: machine.ApprovalGiven(_find(now, which).id, decision),
    )


def came_back(which: Which, content: str, *, is_error: bool = False) -> Cue:
    """A tool has given its result."""
    result = ToolResult(content, is_error)
    return Cue(
        f"came_back({which!r}, {content!r})",
        lambda now: machine.ToolFinished(_find(now, which).id, result),
    )


def lost(which: Which) -> Cue:
    """A tool has not come back."""
    return Cue(f"lost({which!r})", lambda now: machine.ToolLost(_find(now, which).id))


def stopped(text: str = "") -> machine.Cancelled:
    """Somebody has pressed Stop when `text` had arrived."""
    return machine.Cancelled(Reply(_said(text)))


def abandoned(text: str = "") -> machine.OwnerLost:
    """The process has gone away, and had stored `text` of the current answer."""
    return machine.OwnerLost(Reply(_said(text)))


def _find(now: machine.TurnMachine, which: Which) -> ToolExecution:
    found = [item for item in now.executions.values() if which in {item.call.name, item.position}]
    if not found:
        raise AssertionError(f"no call {which!r} was proposed")
    return min(found, key=lambda item: (-item.step, item.position))


# What is expected.


@dataclass(frozen=True)
class Some:
    """Anything of a class whose fields fit; see `some`."""

    of: type
    fields: dict[str, Any]

    def __repr__(self) -> str:
        """As it stands in the script."""
        fields = ", ".join(f"{name}={_plain(value)}" for name, value in self.fields.items())
        return f"{self.of.__name__}({fields})"


@dataclass(frozen=True)
class The:
    """The id of a call."""

    which: Which

    def __repr__(self) -> str:
        """As it stands in the script."""
        return f"the({self.which!r})"


@dataclass
class Placeholder:
    """Fits anything once, and from then on only the same again. Calling it gives the value."""

    name: str = "placeholder"
    _values: list[Any] = field(default_factory=list, repr=False)

    def __call__(self) -> Any:  # noqa: ANN401  whatever stood in its place
        """What it was filled with."""
        if not self._values:
            raise AssertionError(f"{self.name} has not been filled yet")
        return self._values[0]

    def fits(self, actual: object) -> bool:
        """Whether it can stand for this; an empty one is filled by asking."""
        if not self._values:
            self._values.append(actual)
        return bool(self._values[0] == actual)


def some(of: type, **fields: Any) -> Some:  # noqa: ANN401  values or patterns
    """Anything of a class whose named fields fit; the others may be as they like.

    A field is given as a value, a class, another pattern, a `Placeholder`, or a sequence of
    these; `...` fits anything, and at the end of a sequence any rest.
    """
    return Some(of, fields)


def append(*events: type | Some | ev.Event | EllipsisType) -> Some:
    """These events, in this order, in one transaction; `...` at the end for any more."""
    return some(machine.Append, events=events)


def ask_model(step: int) -> Some:
    """A request to the model."""
    return some(machine.AskModel, step=step)


def cancel_model(step: int) -> Some:
    """The stream of a step is closed."""
    return some(machine.CancelModel, step=step)


def run_tool(which: Which, **arguments: Any) -> Some:  # noqa: ANN401  any JSON value
    """A tool is run; with these arguments, if any are given."""
    wanted = some(ToolExecution, id=The(which), state="running")
    if arguments:
        wanted.fields["effective"] = some(ToolCall, parsed=arguments)
    return some(machine.RunTool, execution=wanted)


def cancel_tool(which: Which) -> Some:
    """A running tool is told to stop."""
    return some(machine.CancelTool, execution_id=The(which))


def await_approval(*which: Which) -> Some:
    """The turn lets go until one of these is decided."""
    return some(machine.AwaitApproval, execution_ids=[The(item) for item in which])


def finish() -> Some:
    """The turn is over."""
    return some(machine.Finish)


def about(event: type, which: Which, **fields: Any) -> Some:  # noqa: ANN401  values or patterns
    """An event of a class about a call."""
    return some(event, execution_id=The(which), **fields)


def proposed(which: Which) -> Some:
    """A call enters its first state."""
    return some(ev.ToolProposed, execution=some(ToolExecution, id=The(which), state="proposed"))


def ruled(which: Which, verdict: Literal["approve", "reject"], by: str = "policy") -> Some:
    """A decision that no person made."""
    decision = some(Decision, verdict=verdict, by=by)
    return about(ev.ApprovalAnswered, which, decision=decision)


def settled(which: Which, state: ExecutionState, content: str | EllipsisType = ...) -> Some:
    """A call ends."""
    return about(ev.ToolFinished, which, state=state, result=some(ToolResult, content=content))


def answer(text: str = "", calls: Sequence[Which] = (), *, partial: bool = False) -> Some:
    """The model's message."""
    parts = [some(TextPart, text=text)] if text else []
    parts += [some(ToolCallPart, execution_id=The(item)) for item in calls]
    message = some(Message, role="assistant", parts=parts, partial=partial)
    return some(ev.MessageAdded, message=message)


def results(*contents: str | EllipsisType) -> Some:
    """The message that closes a step, with the results in the order of the calls."""
    parts = [some(ToolResultPart, result=some(ToolResult, content=text)) for text in contents]
    return some(ev.MessageAdded, message=some(Message, role="tool", parts=parts))


def failed(code: str) -> Some:
    """The turn fails."""
    return some(ev.TurnFailed, error=some(msgspec.Struct, code=code))


# The play.


class Playbook:
    """A turn machine under a script."""

    def __init__(
        self,
        tools: Sequence[ToolSpec] = (),
        rules: Sequence[Rule] = (),
        *,
        attended: bool = True,
        step_limit: int = machine.STEP_LIMIT,
        rebuild: Rebuild = "never",
    ) -> None:
        """Store a turn that has not begun."""
        self.rows = Rows(attended=attended)
        """What is stored."""
        self._tools = {tool.name: tool for tool in tools}
        self._rules = rules
        self._step_limit = step_limit
        self._rebuild = rebuild
        self._due: list[machine.Command] = []
        self._lines: list[str] = []
        self.machine = self._rebuilt()
        """The machine that is on stage."""

    def __rshift__(self, happened: machine.Input | Cue) -> Playbook:
        """Something happens."""
        __tracebackhide__ = True
        self._nothing_is_due()
        if self._rebuild == "before":
            self.machine = self._rebuilt()
        self._lines.append(f">> {_short(happened)}")
        if isinstance(happened, Cue):
            happened = happened.make(self.machine)
        self._store_procedure(happened)
        if self._rebuild == "after":
            self.machine = self._rebuilt()
        self._due = self.machine.handle(happened, START)
        self._store_commands()
        return self

    def __lshift__(self, expected: Some | machine.Command) -> Playbook:
        """Something is commanded."""
        __tracebackhide__ = True
        if not self._due:
            self._fail(expected, "nothing", [])
        actual = self._due.pop(0)
        if wrong := self._differences(expected, actual, ""):
            self._fail(expected, _short(actual), wrong)
        self._lines.append(f"<< {_short(expected)}")
        return self

    def __bool__(self) -> bool:
        """True, once nothing is left that was commanded and not expected."""
        __tracebackhide__ = True
        self._nothing_is_due()
        return True

    def restart(self, *events: ev.Event, tools: Sequence[ToolSpec] | None = None) -> None:
        """Another process takes the turn up, where perhaps other tools are on offer.

        `events` were stored in between by others.
        """
        self.rows.append(events)
        if tools is not None:
            self._tools = {tool.name: tool for tool in tools}
        self.machine = self._rebuilt()

    def _rebuilt(self) -> machine.TurnMachine:
        return machine.TurnMachine.rebuild(
            self.rows.state,
            self.rows.turn_id,
            tools=self._tools,
            rules=self._rules,
            step_limit=self._step_limit,
        )

    # Storage.

    def _store_procedure(self, happened: machine.Input) -> None:
        """Decisions and requests to stop are stored by whoever makes them."""
        if isinstance(happened, machine.ApprovalGiven):
            item = self.rows.state.executions.get(happened.execution_id)
            if item is not None and item.state == "waiting":
                self.rows.append([ev.ApprovalAnswered(item.id, happened.decision)])
        elif isinstance(happened, machine.Cancelled) and self.rows.turn.active:
            self.rows.append([ev.CancelRequested(self.rows.turn_id)])

    def _store_commands(self) -> None:
        __tracebackhide__ = True
        for command in self._due:
            if isinstance(command, machine.Append):
                try:
                    self.rows.append(command.events)
                except Conflict as error:
                    self._fail("something that can be stored", _short(command), [str(error)])
        stored = self._rebuilt()
        if (self.machine.turn, self.machine.executions) != (stored.turn, stored.executions):
            self._fail("a machine whose memory equals the rows", "one that differs", [])

    # Comparing.

    def _differences(self, expected: Any, actual: Any, path: str) -> list[str]:  # noqa: ANN401
        """What does not fit, each with the path at which it stands."""
        match expected:
            case EllipsisType():
                return []
            case Placeholder():
                wrong = [] if expected.fits(actual) else [expected()]
            case The(which):
                key: ExecutionId = _find(self.machine, which).id
                wrong = [] if key == actual else [expected]
            case type():
                wrong = [] if isinstance(actual, expected) else [expected.__name__]
            case Some(of, fields) if isinstance(actual, of):
                return [
                    line
                    for name, value in fields.items()
                    for line in self._differences(value, _value_of(actual, name), f"{path}.{name}")
                ]
            case list() | tuple() if isinstance(actual, tuple):
                return self._sequence_differences(expected, actual, path)
            case _:
                wrong = [] if expected == actual else [expected]
        place = f"at {path or '.'}"
        return [f"{place}: expected {_short(item)}, got {_short(actual)}" for item in wrong]

    def _sequence_differences(
        self, expected: Sequence[Any], actual: Sequence[Any], path: str
    ) -> list[str]:
        """Differences item by item."""
        if expected and expected[-1] is ...:
            expected, actual = expected[:-1], actual[: len(expected) - 1]
        if len(expected) != len(actual):
            names = ", ".join(type(item).__name__ for item in actual)
            return [f"at {path}: expected {len(expected)} items, got {len(actual)}: {names}"]
        return [
            line
            for index, pair in enumerate(zip(expected, actual, strict=True))
            for line in self._differences(*pair, f"{path}[{index}]")
        ]

    # Failing.

    def _nothing_is_due(self) -> None:
        __tracebackhide__ = True
        if self._due:
            self._fail("nothing", _short(self._due[0]), [])

    def _fail(self, expected: object, actual: str, wrong: list[str]) -> None:
        __tracebackhide__ = True
        lines = [
            f"The turn left its script at line {len(self._lines) + 1}:",
            *(f"    {line}" for line in self._lines),
            f"  - << {_short(expected)}",
            f"  + << {actual}",
            *(f"       {line}" for line in wrong),
        ]
        raise AssertionError("\n".join(lines))


def _value_of(actual: object, name: str) -> Any:  # noqa: ANN401  whatever the field holds
    value = getattr(actual, name)
    return value() if callable(value) else value


def _short(value: object) -> str:
    if isinstance(value, machine.Append):
        value = some(machine.Append, events=[type(event) for event in value.events])
    text = value if isinstance(value, str) else _plain(value)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def _plain(value: object) -> str:
    match value:
        case type():
            return value.__name__
        case list() | tuple():
            return f"[{', '.join(map(_plain, value))}]"
        case EllipsisType():
            return "..."
        case _:
            return repr(value)
