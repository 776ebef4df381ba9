"""Whatever happens in a conversation: what is loaded is what its events come to.

Needs hypothesis. A test draws histories and has each checked on a storage::

    @given(histories)
    def any_conversation(history):
        runner.run(check_history(storage, Scene(clock), history))
"""

from __future__ import annotations

from typing import cast

from hypothesis import strategies as st

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core import turn as machine
from bestchat_server_ext.core.conversation import create, reduce
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import Conflict, NotFound, ProviderError
from bestchat_server_ext.core.ids import MessageId, RequestId, TurnId
from bestchat_server_ext.core.queue import QueuedMessage
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.core.tools import Decision, ToolCall, ToolResult
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.testing.port_suites.scene import TOOLS, Begun, Scene, assert_same, reply

_NO_TURN = TurnId("019b76da-a800-7000-8000-0000000000ff")

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
calls = st.builds(
    ToolCall, texts, st.sampled_from([*TOOLS, "unheard_of"]), st.sampled_from(["{}", "{", ""])
)
replies = st.builds(lambda text, made: reply(text, *made), texts, st.lists(calls, max_size=3))
results = st.builds(ToolResult, texts, st.booleans())
decisions = st.builds(Decision, st.sampled_from(["approve", "reject"]), st.none() | texts, texts)
settings = st.builds(
    ConversationSettings, st.none() | texts, st.none() | st.tuples(texts), texts, st.none() | texts
)
versions = st.none() | st.integers(1, 3)
ARRANGED: tuple[ev.Event, ...] = (
    *(ev.ConversationStarred(starred) for starred in (True, False)),
    *(ev.ConversationArchived(archived) for archived in (True, False)),
    *(ev.ConversationTrashed(), ev.ConversationRestored(), ev.ConversationRestored()),
)
Choice = tuple[str, object]
choices = st.one_of(
    st.tuples(st.just("reply"), replies),
    st.tuples(st.just("decide"), decisions),
    st.tuples(st.just("decide"), decisions),
    st.tuples(st.just("come back"), results),
    st.tuples(st.just("come back"), results),
    st.tuples(st.just("lose tool"), st.none()),
    st.tuples(st.just("fail"), replies),
    st.tuples(st.just("cancel"), replies),
    st.tuples(st.just("lose owner"), replies),
    st.tuples(st.just("rename"), texts),
    st.tuples(st.just("arrange"), st.sampled_from(ARRANGED)),
    st.tuples(st.just("arrange"), st.builds(ev.ConversationConfigured, settings, versions)),
    st.tuples(st.just("pin"), st.booleans()),
    st.tuples(st.just("queue"), texts),
    st.tuples(st.just("unqueue"), st.none()),
    st.tuples(st.just("reduce"), st.integers(1, 9)),
    st.tuples(st.just("begin"), st.booleans()),
)


histories = st.lists(choices, min_size=4, max_size=20)
"""What happens in a conversation, one thing after the other."""


class Play:
    """A conversation in which anything happens that can happen, and some things that cannot."""

    def __init__(self, storage: Storage, scene: Scene) -> None:
        """Begin with nothing."""
        self.storage = storage
        self.scene = scene
        self.turn: machine.TurnMachine | None = None
        self.envelopes: list[ev.Envelope] = []
        self.waiting: list[TurnId] = []

    async def append(self, *events: ev.Event) -> None:
        """Store events, a moment later."""
        self.scene.clock.advance(0.25)
        appended = await self.storage.append(self.scene.id, events, self.scene.clock.now())
        self.envelopes += appended.envelopes

    async def feed(self, happened: machine.Input) -> None:
        """Tell the turn, and store what it wants stored."""
        assert self.turn is not None
        for command in self.turn.handle(happened, self.scene.clock.now()):
            if isinstance(command, machine.Append):
                await self.append(*command.events)

    async def begin(self, begun: Begun) -> None:
        """Begin a turn."""
        await self.append(*begun.events)
        self.turn = self.scene.turn_machine(begun)
        await self.feed(machine.Begin())

    async def happen(self, what: str, how: object) -> None:
        """Let one thing happen."""
        if what == "rename":
            await self.append(ev.ConversationRenamed(str(how)))
        elif what == "arrange":
            await self.append(cast("ev.Event", how))
        elif what == "pin":
            await self.append(ev.MessagePinned(self._last_message(), pinned=bool(how)))
        elif what == "queue":
            await self.append(ev.MessageQueued(self._queued(str(how))))
        elif what == "unqueue":
            await self.append(ev.MessageUnqueued(self.waiting.pop(0) if self.waiting else _NO_TURN))
        elif what == "begin" or self.turn is None:
            newest = self.envelopes[-1].event
            last = newest.message.id if isinstance(newest, ev.MessageAdded) else None
            parent = MessageId(last) if last and how else None
            await self.begin(self.scene.begin(parent_id=parent, attended=bool(how)))
        else:
            await self._go_on(self.turn, what, how)

    def _last_message(self) -> MessageId:
        said = [
            it.event.message.id for it in self.envelopes if isinstance(it.event, ev.MessageAdded)
        ]
        return said[-1] if said else MessageId(_NO_TURN)

    def _queued(self, text: str) -> QueuedMessage:
        clock = self.scene.clock
        turn_id = TurnId(clock.new_id())
        self.waiting.append(turn_id)
        return QueuedMessage(turn_id, RequestId(text), text, "a/b", clock.now())

    async def _go_on(self, turn: machine.TurnMachine, what: str, how: object) -> None:
        step = turn.turn.step
        match how:
            case int() if what == "reduce":
                first = turn.turn.message_id
                await self.feed(machine.RequestReduced(step, first, how, how * 10, how, how * 8))
            case Reply() if what == "reply":
                await self.feed(machine.ModelReplied(step, how))
            case Reply() if what == "fail":
                await self.feed(machine.ModelFailed(step, ProviderError("No.").info, how))
            case Reply() if what == "cancel":
                await self.append(ev.CancelRequested(turn.turn.id))
                await self.feed(machine.Cancelled(how))
            case Reply():
                await self.feed(machine.OwnerLost(how))
            case _:
                await self._use_tool(turn, how)

    async def _use_tool(self, turn: machine.TurnMachine, how: object) -> None:
        in_state = {item.state: item.id for item in turn.executions.values()}
        if isinstance(how, Decision) and (key := in_state.get("waiting")):
            await self.append(ev.ApprovalAnswered(key, how))
            await self.feed(machine.ApprovalGiven(key, how))
        elif isinstance(how, ToolResult) and (key := in_state.get("running")):
            await self.feed(machine.ToolFinished(key, how))
        elif how is None and (key := in_state.get("running")):
            await self.feed(machine.ToolLost(key))


async def check_history(storage: Storage, scene: Scene, happened: list[Choice]) -> None:
    """Let it all happen; compare what is stored with what the events come to, at every step."""
    play = Play(storage, scene)
    await play.append(scene.created())
    state = create(scene.id, play.envelopes[0])
    for what, how in happened:
        known = len(play.envelopes)
        try:
            await play.happen(what, how)
        except (Conflict, NotFound):  # a second turn, Stop after the end, no message to pin
            assert len(play.envelopes) == known
        for envelope in play.envelopes[known:]:
            state = reduce(state, envelope)
        assert_same(await storage.load(scene.id), state)
    assert await storage.events_after(scene.id, 0, limit=10_000) == tuple(play.envelopes)
