"""A conversation to try a storage on: its events, made the way the services make them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core import turn as machine
from bestchat_server_ext.core.conversation import (
    ConversationState,
    create,
    execution_id,
    reduce,
    start_turn,
)
from bestchat_server_ext.core.ids import (
    LOCAL_OWNER,
    ConversationId,
    MessageId,
    OwnerId,
    RequestId,
    TurnId,
)
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.core.policy import Rule
from bestchat_server_ext.core.reply import Reply, ReplyPart
from bestchat_server_ext.core.tools import Decision, ToolCall, ToolResult, ToolSpec
from bestchat_server_ext.testing.clock import ManualClock

TOOLS = {name: ToolSpec(name, f"Does {name}.", {}) for name in ("ask", "allowed", "forbidden")}
RULES = (Rule("allowed", "approve"), Rule("forbidden", "deny"))


def reply(text: str, *calls: ToolCall) -> Reply:
    """What a model said, after a thought."""
    parts = (ReplyPart("reasoning", "Hm."), ReplyPart("text", text))
    return Reply(parts, calls, Usage(100, 10, 50, 5), "tool_calls" if calls else "stop")


class Begun:
    """The events that begin a turn, and its name."""

    def __init__(self, message: Message, started: ev.TurnStarted) -> None:
        """Put a question and its turn together."""
        self.message = message
        self.started = started
        self.turn_id = started.turn_id
        self.events: tuple[ev.Event, ...] = (ev.MessageAdded(message), started)


class Scene:
    """One conversation of one owner."""

    def __init__(self, clock: ManualClock, owner: OwnerId = LOCAL_OWNER) -> None:
        """Take names and moments from a clock."""
        self.clock = clock
        self.id = ConversationId(clock.new_id())
        self.owner = owner

    def created(self, title: str = "") -> ev.ConversationCreated:
        """Its first event."""
        return ev.ConversationCreated(self.owner, title, "notes.ipynb")

    def begin(
        self,
        text: str = "Hello, Wörld 👋",
        *,
        parent_id: MessageId | None = None,
        request_id: str = "",
        attended: bool = True,
    ) -> Begun:
        """A user says something; the turn that answers it begins."""
        turn_id = TurnId(self.clock.new_id())
        message = Message(
            id=MessageId(self.clock.new_id()),
            parent_id=parent_id,
            role="user",
            parts=(TextPart(text),),
            created_at=self.clock.now(),
            turn_id=turn_id,
        )
        request = RequestId(request_id or self.clock.new_id())
        started = ev.TurnStarted(turn_id, request, message.id, "scripted/x", attended=attended)
        return Begun(message, started)

    def turn_machine(self, begun: Begun) -> machine.TurnMachine:
        """The machine of a turn that has just begun."""
        turn = start_turn(self.id, begun.started, self.clock.now())
        return machine.TurnMachine(turn, {}, answered=False, tools=TOOLS, rules=RULES)

    def play(self, begun: Begun) -> Iterator[tuple[ev.Event, ...]]:
        """A whole turn, append by append: three calls, of which one asks, then an answer."""
        yield begun.events
        turn = self.turn_machine(begun)
        yield from self._feed(turn, machine.Begin())
        calls = [ToolCall(f"call_{name}", name, '{"x": 1}') for name in TOOLS]
        yield from self._feed(turn, machine.ModelReplied(1, reply("I need tools.", *calls)))
        asked, allowed = (execution_id(begun.turn_id, 1, position) for position in (0, 1))
        decision = Decision("approve", '{"x": 2}', "That one.")
        yield (ev.ApprovalAnswered(asked, decision),)
        yield from self._feed(turn, machine.ApprovalGiven(asked, decision))
        failure = ToolResult("no such file", is_error=True)
        yield from self._feed(turn, machine.ToolFinished(allowed, failure))
        yield from self._feed(turn, machine.ToolFinished(asked, ToolResult("fine")))
        yield from self._feed(turn, machine.ModelReplied(2, reply("Done.")))

    def _feed(
        self, turn: machine.TurnMachine, happened: machine.Input
    ) -> Iterator[tuple[ev.Event, ...]]:
        self.clock.advance(0.123456)
        for command in turn.handle(happened, self.clock.now()):
            if isinstance(command, machine.Append):
                yield command.events


def reduced(envelopes: Iterable[ev.Envelope]) -> ConversationState:
    """What a client makes of all events of a conversation."""
    first, *rest = envelopes
    state = create(first.conversation_id, first)
    for envelope in rest:
        state = reduce(state, envelope)
    return state


def assert_same(one: ConversationState, other: ConversationState) -> None:
    """Compare two states, the order of what is in them included."""
    assert one == other
    for name in ("messages", "turns", "executions"):
        assert list(getattr(one, name)) == list(getattr(other, name)), name
