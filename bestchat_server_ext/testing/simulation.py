"""A world in memory around `core.turn`: it carries out commands, and it can die after any of them.

Nothing here happens by itself. A test says what comes next (a chunk, a result, a decision, Stop),
in any order it likes, and may light a fuse so that the process ends in the middle of carrying
out. What is stored lives on in `Rows`, changed only through `core.conversation`, and the world
goes on from there as `services.turns` would: a turn that nobody holds is taken up by the next
decision, a turn whose holder has gone away is closed.

The world also insists on the machine's two promises: an act is stored before it is commanded, and
no act is commanded twice. It raises `AssertionError` where one is broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import assert_never

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core import turn as machine
from bestchat_server_ext.core.conversation import ConversationState, Turn, create, reduce
from bestchat_server_ext.core.errors import Conflict, ErrorInfo, ProviderError
from bestchat_server_ext.core.ids import (
    LOCAL_OWNER,
    ConversationId,
    ExecutionId,
    MessageId,
    RequestId,
    TurnId,
    derived_id,
    uuid7,
)
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import Chunk
from bestchat_server_ext.core.policy import Rule
from bestchat_server_ext.core.reply import Reply, ReplyBuilder
from bestchat_server_ext.core.tools import Decision, ToolExecution, ToolResult, ToolSpec

START = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment at which everything happens: the machine never asks for the time."""

_STEPS_TO_SETTLE = 1000


class Rows:
    """What is stored: one conversation, in which a user message is to be answered."""

    def __init__(self, *, text: str = "Hello.", attended: bool = True) -> None:
        """Store a conversation, a message and the turn that is to answer it."""
        conversation_id = ConversationId(uuid7(START, b"conversation"))
        self.turn_id = TurnId(uuid7(START, b"turn turn turn"))
        created = ev.Envelope(conversation_id, 1, START, ev.ConversationCreated(LOCAL_OWNER))
        self.journal = [created]
        """Every event that was ever stored, in order."""
        self.state: ConversationState = create(conversation_id, created)
        """What they come to."""
        question = Message(
            id=MessageId(derived_id(self.turn_id, "question")),
            parent_id=None,
            role="user",
            parts=(TextPart(text),),
            created_at=START,
            turn_id=self.turn_id,
        )
        request = RequestId("request")
        model = "scripted/model"
        started = ev.TurnStarted(self.turn_id, request, question.id, model, attended)
        self.append([ev.MessageAdded(question), started])

    @property
    def turn(self) -> Turn:
        """The turn as it is stored."""
        return self.state.turns[self.turn_id]

    def append(self, events: Iterable[ev.Event]) -> None:
        """Store events, all or nothing.

        Raises:
            Conflict: one of them does not fit what is stored.
        """
        state, added = self.state, []
        for event in events:
            seq = state.conversation.seq + 1
            added.append(ev.Envelope(state.conversation.id, seq, START, event))
            state = reduce(state, added[-1])
        self.state = state
        self.journal += added


class Simulation:
    """One turn in a world where everything happens when the test says so."""

    def __init__(
        self,
        tools: Sequence[ToolSpec] = (),
        rules: Sequence[Rule] = (),
        *,
        attended: bool = True,
        step_limit: int = machine.STEP_LIMIT,
        fuse: int | None = None,
    ) -> None:
        """Store a turn and begin it; `fuse` as in the attribute."""
        self.rows = Rows(attended=attended)
        self.machine: machine.TurnMachine | None = None
        """The machine, where a process runs it."""
        self.leased = False
        """Whether the rows say that some process holds the turn, dead or alive."""
        self.fuse = fuse
        """How many more commands are carried out before the process dies; never, if none."""
        self.asking: machine.AskModel | None = None
        """The stream that is open."""
        self.kept = Reply()
        """What would survive of that stream: the storage's copy of the partial text."""
        self.running: dict[ExecutionId, ToolExecution] = {}
        """Tools at work in the living process."""
        self.stopping: set[ExecutionId] = set()
        """Those of them that were told to stop."""
        self.inbox: list[machine.ApprovalGiven | machine.Cancelled] = []
        """What procedures have stored and the machine has not heard yet."""
        self.asked: list[machine.AskModel] = []
        """Every request to a model that was ever made."""
        self.runs: list[ToolExecution] = []
        """Every tool that was ever run."""
        self.fed: list[machine.Input] = []
        """Every input that any machine of this turn was ever given."""
        self.conflicts = 0
        """How often a process died because what it wrote did not fit the rows any more."""
        self._tools = {tool.name: tool for tool in tools}
        self._rules = rules
        self._step_limit = step_limit
        self._builder = ReplyBuilder()
        self._take_up(machine.Begin())

    @property
    def turn(self) -> Turn:
        """The turn as it is stored."""
        return self.rows.turn

    @property
    def waiting(self) -> list[ToolExecution]:
        """Calls that a person may decide about, as they are stored."""
        return [item for item in self.rows.state.executions.values() if item.state == "waiting"]

    @property
    def at_rest(self) -> bool:
        """Whether nothing will happen unless a person does something."""
        return not self.turn.active or not self.leased

    # The model.

    def hear(self, *chunks: Chunk) -> None:
        """Pieces of the answer arrive."""
        for chunk in chunks:
            self._builder.add(chunk)

    def keep(self) -> None:
        """Store what has arrived of the answer, as happens once a second."""
        self.kept = self._builder.partial()

    def end_stream(self) -> None:
        """The open stream ends well, or as well as an empty one can."""
        step = self._close_stream()
        try:
            reply = self._builder.finish()
        except ProviderError as error:
            self.feed(machine.ModelFailed(step, error.info))
        else:
            self.feed(machine.ModelReplied(step, reply))

    def break_stream(self, error: ErrorInfo) -> None:
        """The open stream breaks off."""
        self.feed(machine.ModelFailed(self._close_stream(), error, self._builder.partial()))

    def _close_stream(self) -> int:
        assert self.asking is not None, "no stream is open"
        step, self.asking = self.asking.step, None
        return step

    # The tools.

    def come_back(self, key: ExecutionId, result: ToolResult) -> None:
        """A running tool gives its result."""
        self._take_off(key)
        self.feed(machine.ToolFinished(key, result))

    def give_up(self, key: ExecutionId) -> None:
        """A tool that was told to stop does not answer."""
        self._take_off(key)
        self.feed(machine.ToolLost(key))

    def _take_off(self, key: ExecutionId) -> None:
        del self.running[key]
        self.stopping.discard(key)

    # Procedures: stored first, heard by the machine later.

    def decide(self, key: ExecutionId, decision: Decision) -> None:
        """Somebody answers an approval.

        Raises:
            Conflict: somebody else was faster.
        """
        self.rows.append([ev.ApprovalAnswered(key, decision)])
        self._tell(machine.ApprovalGiven(key, decision), machine.Begin())

    def cancel(self) -> None:
        """Somebody presses Stop; too late is no error."""
        if self.turn.active:
            self.rows.append([ev.CancelRequested(self.rows.turn_id)])
            self._tell(machine.Cancelled(), machine.Cancelled())

    def _tell(self, news: machine.ApprovalGiven | machine.Cancelled, first: machine.Input) -> None:
        if not self.leased:
            self._take_up(first)
        elif self.machine is not None:
            self.inbox.append(news)

    def deliver(self, index: int = 0) -> None:
        """The machine hears of one of the things in the inbox."""
        news = self.inbox.pop(index)
        if isinstance(news, machine.Cancelled):
            news = machine.Cancelled(self._builder.partial() if self.asking else Reply())
        self.feed(news)

    # Life and death.

    def feed(self, happened: machine.Input) -> list[machine.Command]:
        """Give the machine an input and carry out what follows; give what was carried out."""
        if self.machine is None:
            return []
        self.fed.append(happened)
        done: list[machine.Command] = []
        for command in self.machine.handle(happened, START):
            if self.fuse == 0:
                break
            try:
                self._carry_out(command)
            except Conflict:
                unheard = any(isinstance(news, machine.ApprovalGiven) for news in self.inbox)
                assert unheard, "a write does not fit although the machine knows all decisions"
                self.conflicts += 1
                self.crash()
                return done
            done.append(command)
            self.fuse = None if self.fuse is None else self.fuse - 1
        if self.fuse == 0:
            self.crash()
        return done

    def crash(self) -> None:
        """The process dies, and with it everything that is not stored."""
        self.machine, self.fuse, self.asking = None, None, None
        self.running, self.stopping, self.inbox = {}, set(), []

    def recover(self) -> None:
        """Another process notices that the holder of the turn is gone."""
        if self.machine is None and self.leased:
            self._take_up(machine.OwnerLost(self.kept))

    def settle(self) -> int:
        """Let everything come back that is under way, until only a person could do more.

        Returns:
            How many inputs that took.
        """
        before = len(self.fed)
        for _ in range(_STEPS_TO_SETTLE):
            if self.at_rest:
                return len(self.fed) - before
            self._let_one_thing_happen()
        raise AssertionError(f"the turn hangs or never ends: {self.turn}")

    def _let_one_thing_happen(self) -> None:
        if self.machine is None:
            self.recover()
        elif self.inbox:
            self.deliver()
        elif self.running:
            self.come_back(next(iter(self.running)), ToolResult("settled"))
        elif self.asking is not None:
            self.end_stream()

    def _take_up(self, first: machine.Input) -> None:
        self.leased = True
        self.machine = machine.TurnMachine.rebuild(
            self.rows.state,
            self.rows.turn_id,
            tools=self._tools,
            rules=self._rules,
            step_limit=self._step_limit,
        )
        self.feed(first)

    # Commands.

    def _carry_out(self, command: machine.Command) -> None:
        match command:
            case machine.Append(events=events):
                self._append(events)
            case machine.AskModel():
                self._ask(command)
            case machine.CancelModel(step=step):
                if self.asking is not None and self.asking.step == step:
                    self.asking = None
            case machine.RunTool(execution=execution):
                self._run(execution)
            case machine.CancelTool(execution_id=key):
                assert key in self.running, "a tool was told to stop that does not run"
                self.stopping.add(key)
            case machine.AwaitApproval(execution_ids=keys):
                self._let_go(keys)
            case machine.Finish():
                assert not self.turn.active, "a turn was finished that is not stored as ended"
                self.leased = False
            case _:
                assert_never(command)

    def _append(self, events: Sequence[ev.Event]) -> None:
        assert events, "nothing was to be stored"
        added = {event.message.id for event in events if isinstance(event, ev.MessageAdded)}
        still_open = self.asking is not None and self.asking.message_id in added
        assert not still_open, "an answer was stored while its stream was open"
        self.rows.append(events)
        if any(isinstance(event, ev.MessageAdded | ev.StepStarted) for event in events):
            self.kept = Reply()

    def _ask(self, command: machine.AskModel) -> None:
        messages = self.rows.state.messages
        assert self.asking is None, "two streams would be open at once"
        assert self.turn.active, "a turn that has ended asked a model"
        assert self.turn.step == command.step, "a step was begun that is not stored"
        assert command.parent_id in messages, "an answer would follow nothing"
        assert command.message_id not in messages, "a step was to be answered twice"
        self.asked.append(command)
        self.asking, self._builder = command, ReplyBuilder()

    def _run(self, execution: ToolExecution) -> None:
        stored = self.rows.state.executions[execution.id]
        assert stored == execution, "a tool was run otherwise than it is stored"
        assert stored.state == "running", "a tool was run before that was stored"
        approved = stored.decision is not None and stored.decision.verdict == "approve"
        assert approved, "a tool was run that nobody approved"
        assert all(run.id != execution.id for run in self.runs), "a tool was run twice"
        execution.effective.parsed()  # raises where the arguments cannot be read
        self.runs.append(execution)
        self.running[execution.id] = execution

    def _let_go(self, keys: Sequence[ExecutionId]) -> None:
        assert self.turn.state == "waiting", "a turn waits that is not stored as waiting"
        assert keys, "a turn waits for nobody"
        assert not self.running, "a turn waits although a tool runs"
        # As `Storage.release` does: what was stored meanwhile is still for this process to do.
        if not self.inbox:
            self.leased, self.machine = False, None
