"""One turn while it runs in this process.

Feeds `core.turn` with what happens and carries out what it commands. All inputs pass through one
queue, so the machine sees one thing at a time; all writes carry the lease, so a process that has
lost the turn cannot write into it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import Any, assert_never

import msgspec

from bestchat_server_ext.core import turn as machine
from bestchat_server_ext.core.conversation import ConversationState, Turn
from bestchat_server_ext.core.errors import (
    ChatError,
    Conflict,
    InternalError,
    LeaseLost,
    Unavailable,
)
from bestchat_server_ext.core.events import (
    ApprovalAnswered,
    CancelRequested,
    ConversationDeleted,
    Envelope,
)
from bestchat_server_ext.core.ids import ConversationId, ExecutionId, TurnId
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.ports.bus import DraftWanted, Frame, Lagged, Subscription
from bestchat_server_ext.ports.storage import Appended, Lease, PartialText, Storage
from bestchat_server_ext.ports.telemetry import TOOL_FAILED, Telemetry
from bestchat_server_ext.services.budget import Budget
from bestchat_server_ext.services.context import ContextManager
from bestchat_server_ext.services.draft import Draft
from bestchat_server_ext.services.failover import FailoverService, Step
from bestchat_server_ext.services.files import FileService
from bestchat_server_ext.services.providers import ProviderRegistry
from bestchat_server_ext.services.stream import REPLAY_LIMIT, StreamService, control_topic
from bestchat_server_ext.services.telemetry import FanOut, TurnWatch
from bestchat_server_ext.services.tools import ToolExecutor

_log = logging.getLogger(__name__)

TOOL_GRACE_SECONDS = 0.5
"""How long a tool may take to stop before its call counts as lost."""

RETRY_SECONDS = 0.5
"""Pause before something is written again that storage could not take."""


Happening = Callable[[], Awaitable[machine.Input | None]]
"""Something in the inbox: what has to be done before it is an input, if it is one at all."""


@dataclass
class Wheel:
    """What every run needs: the services around it, and the rules it goes by.

    Attributes:
        storage: where turns and leases are.
        stream: where events go, and readers listen.
        context: makes requests.
        files: what is attached.
        providers: knows the models.
        tools: knows the tools, and runs them.
        failover: gets a step answered.
        budget: says no before something becomes too much.
        step_limit: how many requests to a model a turn may make.
        telemetry: who is told what happens.
    """

    storage: Storage
    stream: StreamService
    context: ContextManager
    files: FileService
    providers: ProviderRegistry
    tools: ToolExecutor
    failover: FailoverService
    budget: Budget
    step_limit: int = machine.STEP_LIMIT
    telemetry: Telemetry = field(default_factory=FanOut)

    def watch(self, turn: Turn) -> TurnWatch:
        """Tells those who observe of a turn."""
        provider = self.providers.known_name(turn.model)
        return TurnWatch(self.telemetry, self.stream.clock, turn, provider)

    def fresh_machine(self, turn: Turn) -> machine.TurnMachine:
        """The machine of a turn that is about to begin."""
        return machine.TurnMachine(
            turn,
            {},
            answered=False,
            tools=self.tools.specs(),
            rules=self.tools.rules,
            step_limit=self.step_limit,
        )

    def machine(self, state: ConversationState, turn_id: TurnId) -> machine.TurnMachine:
        """The machine of a turn, as its rows say it stands."""
        return machine.TurnMachine.rebuild(
            state,
            turn_id,
            tools=self.tools.specs(),
            rules=self.tools.rules,
            step_limit=self.step_limit,
        )


class TurnRun:
    """Runs one turn until it ends, waits for an approval, or is lost to another process."""

    def __init__(
        self, wheel: Wheel, turn_machine: machine.TurnMachine, lease: Lease, seq: int
    ) -> None:
        """Take up a turn whose lease this process holds; `seq` is the last event it knows."""
        self._wheel = wheel
        self._machine = turn_machine
        self.lease = lease
        self.watch = wheel.watch(turn_machine.turn)
        self._seq = seq
        self._heard: set[int] = set()
        self._inbox: asyncio.Queue[Happening] = asyncio.Queue()
        self._asked = turn_machine.turn.step
        self.kept_at = -inf
        """When what it has heard was given away to be stored, by the monotonic clock."""
        self.leased_until = datetime.min.replace(tzinfo=UTC)
        """Until when nobody else can take the turn, as far as whoever renews the lease knows."""
        self._draft: Draft | None = None
        self._asking: asyncio.Task[None] | None = None
        self._tools: dict[ExecutionId, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._over = False
        self._closing = False

    @property
    def seq(self) -> int:
        """Number of the last event it knows."""
        return self._seq

    @property
    def finished(self) -> bool:
        """Whether the turn has come to its final answer."""
        return self._machine.turn.state == "finished"

    @property
    def conversation_id(self) -> ConversationId:
        """Where it runs."""
        return self._machine.turn.conversation_id

    # From the outside.

    async def run(self, first: machine.Input | Sequence[machine.Command]) -> None:
        """Turn the wheel until there is nothing left to do here.

        Args:
            first: what sets it going; or, where that was stored already, what the machine has
                commanded.
        """
        control = await self._subscribe()
        self._spawn(self._listen(control))
        try:
            if isinstance(first, Sequence):
                for command in first:
                    await self._carry_out(command)
                # Where others wrote meanwhile, `TurnService` will notice within a second.
                if self._wheel.stream.heard_of(self.conversation_id) != self._seq:
                    self.hear_missed()
            else:
                before = self._seq
                await self._feed(first)
                if self._seq == before:  # else an event of ours followed what we knew
                    await self._hear_missed()
            while not self._over:
                if self._machine.turn.state == "waiting" and self._inbox.empty():
                    await self._let_go()
                else:
                    happening = await self._inbox.get()
                    if (happened := await happening()) is not None:
                        await self._feed(happened)
        except LeaseLost:
            _log.warning("BestChat: turn %s was taken over by another process", self.lease.turn_id)
        finally:
            control.close()
            await self._stop_tasks()

    async def _subscribe(self) -> Subscription:
        return await self._wheel.stream.bus.subscribe(control_topic(self.conversation_id))

    def stop(self) -> None:
        """Close the turn as interrupted, because this process is about to end."""
        self._closing = True
        self._post(self._interrupted)

    def abandon(self) -> None:
        """Stop without writing anything: the turn belongs to another process now."""
        self._over = True
        self._post(self._lost)

    def partial_text(self) -> PartialText:
        """What there is to keep of the current answer, at most once for each change."""
        draft = self._draft
        if draft is None or not draft.changed:
            return PartialText(self.lease, None)
        draft.changed, self.kept_at = False, self._wheel.stream.clock.monotonic()
        return PartialText(self.lease, draft.partial(), draft.step)

    def keep_again(self) -> None:
        """What `partial_text` gave last was not stored after all."""
        if self._draft is not None:
            self._draft.changed = True

    # Inputs.

    def _post(self, make: Happening) -> None:
        self._inbox.put_nowait(make)

    def _post_input(self, happened: machine.Input) -> None:
        async def make() -> machine.Input:
            return happened

        self._post(make)

    def hear_missed(self) -> None:
        """Something was stored that it has not heard of: another process wrote it."""
        self._post(self._after_news)

    async def _after_news(self) -> None:
        await self._hear_missed()

    async def _lost(self) -> machine.Input:
        raise LeaseLost("The turn belongs to another process.")

    async def _interrupted(self) -> machine.Input:
        return machine.OwnerLost(await self._stop_asking())

    async def _cancelled(self) -> machine.Input:
        return machine.Cancelled(await self._stop_asking())

    async def _listen(self, control: Subscription) -> None:
        """Hear of approvals, of Stop and of late readers, from whichever process they come."""
        try:
            while True:
                try:
                    for frame in await control.get():
                        await self._hear_frame(frame)
                except Lagged:
                    control = await self._subscribe()
                    self.hear_missed()  # what was stored until we began to listen again
        finally:
            control.close()

    async def _hear_frame(self, frame: Frame) -> None:
        match frame.item:
            case Envelope():
                self._hear(frame.item)
            case DraftWanted():
                await self._wheel.stream.tell_draft(frame.item)
            case _:
                pass

    def _hear(self, envelope: Envelope) -> None:
        if envelope.seq in self._heard:
            return
        self._heard.add(envelope.seq)
        match envelope.event:
            case ApprovalAnswered(execution_id=key, decision=decision):
                self._post_input(machine.ApprovalGiven(key, decision))
            case CancelRequested(turn_id=turn_id) if turn_id == self.lease.turn_id:
                self._post(self._cancelled)
            case ConversationDeleted():
                self.abandon()
            case _:
                pass

    async def _feed(self, happened: machine.Input) -> None:
        """Give the machine an input, and carry out what it commands.

        A decision that somebody stored a moment ago can contradict what the machine has just
        decided. Nothing was stored or begun then: it looks at the rows and decides again.
        """
        while True:
            try:
                for command in self._machine.handle(happened, self._wheel.stream.clock.now()):
                    await self._carry_out(command)
            except LeaseLost:
                raise
            except Conflict:
                state = await self._wheel.stream.state(self.conversation_id)
                self._machine = self._wheel.machine(state, self.lease.turn_id)
                if self._machine.turn.step > self._asked:
                    # A write was reported as failed and came through: nobody asks the model.
                    happened = machine.OwnerLost()
            else:
                return

    # Commands.

    async def _carry_out(self, command: machine.Command) -> None:
        match command:
            case machine.Append():
                await self._append(command)
            case machine.AskModel():
                # Before the task runs: whoever stops it must not find the answer before this one.
                self._draft = Draft(
                    self.lease.turn_id, command.step, command.message_id, self.conversation_id
                )
                task = asyncio.create_task(self._ask(command, self._draft), name="bestchat-ask")
                self._asking, self._asked = task, command.step
            case machine.CancelModel():
                await self._stop_asking()
            case machine.RunTool(execution=execution):
                tool = asyncio.create_task(self._run_tool(execution), name="bestchat-tool")
                self._tools[execution.id] = tool
            case machine.CancelTool(execution_id=key):
                self._cancel_tool(key)
            case machine.AwaitApproval():
                pass  # `run` lets go of the turn as soon as nothing is left in the inbox
            case machine.Finish():
                self.watch.end(self._machine.turn, tools=len(self._machine.executions))
                self._over = True
            case _:
                assert_never(command)

    async def _append(self, command: machine.Append) -> None:
        appended = await self._store(command)
        first, last = appended.envelopes[0], appended.envelopes[-1]
        if first.seq == self._seq + 1:
            self._seq = last.seq
        else:
            await self._hear_missed()  # somebody else wrote, perhaps another process

    async def _store(self, command: machine.Append) -> Appended:
        """Write, for as long as it takes: a full disk must not cost an answer that is there.

        Writing again is safe, because a write that had come through after all contradicts the
        second one; and it ends, because a turn whose lease is not renewed is lost to others.
        """
        while True:
            try:
                return await self._wheel.stream.append(
                    self.conversation_id, command.events, lease=self.lease
                )
            except Unavailable as error:
                if self._over or self._closing:
                    raise
                _log.warning(
                    "BestChat: turn %s waits for storage: %s", self.lease.turn_id, error.info.code
                )
                await self._wheel.stream.clock.sleep(RETRY_SECONDS)

    async def _ask(self, command: machine.AskModel, draft: Draft) -> None:
        """Stream one answer; whatever comes of it becomes an input."""
        step = command.step
        with self.watch.step(step) as told:
            try:
                told.reply = reply = await self._stream(command, draft, told.first_delta)
            except ChatError as error:
                failed = machine.ModelFailed(step, error.info, draft.longest())
            except Exception as error:  # noqa: BLE001  a bug must end the turn, not leave it hanging
                _log.error("BestChat: turn %s asked in vain: %s", self.lease.turn_id, origin(error))
                failed = machine.ModelFailed(step, InternalError().info, draft.longest())
            else:
                self._post_input(machine.ModelReplied(step, reply))
                return
            told.reply, told.error = failed.partial, failed.error.code
            self._post_input(failed)

    async def _stream(
        self, command: machine.AskModel, draft: Draft, first_delta: Callable[[], None]
    ) -> Reply:
        """Ask the model, or those that stand in for it, and publish the answer while it comes."""
        wheel, turn = self._wheel, self._machine.turn
        ref = ModelRef.parse(turn.fallback or turn.model)
        state: ConversationState = await wheel.stream.state(self.conversation_id, self._seq)
        await wheel.budget.require_step(state.conversation, ref)
        specs = tuple(wheel.tools.specs().values())
        facts = msgspec.structs.replace(wheel.providers.facts(ref), ref=str(ref))
        branch = state.branch(command.parent_id)
        contents = await wheel.files.contents(state.conversation, branch, facts)
        projection = wheel.context.project(state, turn, command.parent_id, facts, specs, contents)
        if projection.reduced is not None:
            await self._report(projection.reduced)
        wheel.stream.open_draft(draft)
        step = Step(
            turn=turn,
            owner=state.conversation.owner,
            request=projection.request,
            draft=draft,
            first_delta=first_delta,
            report=self._report,
            fallbacks=state.conversation.settings.fallback_models,
            affordable=partial(wheel.budget.affordable, state.conversation),
        )
        return await wheel.failover.answer(step)

    async def _report(self, happened: machine.AttemptFailed | machine.RequestReduced) -> None:
        """Have something stored that happened to the request, before the model is asked."""
        stored = asyncio.get_running_loop().create_future()

        async def make() -> None:
            try:
                await self._feed(happened)
            finally:
                if not stored.done():  # whoever waited may have been stopped meanwhile
                    stored.set_result(None)

        self._post(make)
        await stored

    async def _stop_asking(self) -> Reply:
        """Close the stream at once; give what had arrived."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
            self._asking = None
        if self._draft is None:
            return Reply()
        await self._draft.flush(self._wheel.stream.bus)
        return self._draft.partial()

    async def _run_tool(self, execution: ToolExecution) -> None:
        with self.watch.tool(execution) as told:
            try:
                result = await self._wheel.tools.run(execution)
            except asyncio.CancelledError:
                self._post_input(machine.ToolLost(execution.id))
                raise
            told.error = TOOL_FAILED if result.is_error else ""
        self._post_input(machine.ToolFinished(execution.id, result))

    def _cancel_tool(self, key: ExecutionId) -> None:
        """Tell a tool to stop; one that does not listen is given up after a while."""
        if (task := self._tools.get(key)) is not None:
            task.cancel()

        async def give_up() -> None:
            await self._wheel.stream.clock.sleep(TOOL_GRACE_SECONDS)
            self._post_input(machine.ToolLost(key))

        self._spawn(give_up())

    async def _let_go(self) -> None:
        """Give the lease back, unless something happened that is still to be acted upon."""
        if await self._wheel.storage.release(self.lease, self._seq):
            self._over = True
            return
        if not await self._hear_missed():
            raise LeaseLost("The turn belongs to another process.")

    async def _hear_missed(self) -> bool:
        """Hear what was stored since we last knew of everything; say whether there was any."""
        news = await self._wheel.stream.events_after(self.conversation_id, self._seq, REPLAY_LIMIT)
        if not news:
            return False
        self._seq = news[-1].seq
        for envelope in news:
            self._hear(envelope)  # what the machine knows already changes nothing
        return True

    # Tasks.

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    async def _stop_tasks(self) -> None:
        if self._draft is not None:
            self._wheel.stream.close_draft(self._draft)
        tasks = [*self._others, *self._tools.values()]
        if self._asking is not None:
            tasks.append(self._asking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
