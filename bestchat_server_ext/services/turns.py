"""TurnService: start, queue, go on with, cancel, approve; and keep running turns alive.

A turn runs as a task of the process that holds its lease. Once a second all running turns of this
process renew their leases and store what they have heard, in one transaction; now and then the
leases of processes that have gone away are taken over, and their turns closed as *interrupted*.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from bestchat_server_ext.api.messages import EditMessage, RegenerateAnswer
from bestchat_server_ext.api.turns import ContinueTurn, StartTurn, TurnRequest, TurnTicket
from bestchat_server_ext.core import turn as machine
from bestchat_server_ext.core.conversation import Conversation, ConversationState, Turn, start_turn
from bestchat_server_ext.core.errors import (
    ChatError,
    Conflict,
    InvalidRequest,
    LimitReached,
    TurnActive,
    Unavailable,
)
from bestchat_server_ext.core.events import (
    ApprovalAnswered,
    CancelRequested,
    Event,
    MessageQueued,
    MessageUnqueued,
)
from bestchat_server_ext.core.ids import ConversationId, ExecutionId, OwnerId, TurnId
from bestchat_server_ext.core.messages import FilePart, require_pictures
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.core.queue import QueuedMessage, queued_bytes
from bestchat_server_ext.core.tools import Decision, ToolCall, ToolExecution
from bestchat_server_ext.ports.storage import Claim, Lease, PartialText
from bestchat_server_ext.services import turn_plans as plans
from bestchat_server_ext.services.titles import TitleService
from bestchat_server_ext.services.turn_run import TurnRun, Wheel

_log = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
"""How long after its last sign of life a process loses its turns."""
FRESH = 0.85
"""The share of its time that a lease must have left for nobody to renew it yet."""
KEEP_SECONDS = 1.0
"""How often running turns renew their leases and store their texts."""
CLOSE_SECONDS = 6.0
"""How long running turns may take to be closed: a little more than a write may have to wait."""
REAP_SECONDS = 5.0
"""How often the leases of processes that have gone away are looked for."""
LOOK_SECONDS = 0.8
"""How often storage is asked for what other processes have written into conversations that are
followed here: whoever looks twice before it counts has it within two seconds."""

TEXTS_AT_ONCE = 1_000_000
"""Characters of running answers that are stored together, about: every text is stored whole, and
with a thousand long ones this would be most of what a server does. Those beyond wait their turn."""

QUEUE_BYTES = 8_000_000
"""Bytes that the messages that wait in a conversation may have together: every change of it reads
them."""
QUEUES_AT_ONCE = 20
"""Conversations whose waiting messages are looked after at a time, where a process has ended
between a turn and the next one."""


@dataclass(frozen=True)
class _Asked:
    """A request for an answer: whose, where, and who is to answer as which turn."""

    owner: OwnerId
    state: ConversationState
    turn_id: TurnId
    model: ModelRef


class TurnService:
    """The only thing that turns the wheel."""

    def __init__(self, wheel: Wheel, titles: TitleService) -> None:
        """Run turns with these services around them; `titles` names what they begin."""
        self._wheel = wheel
        self._titles = titles
        self._naming: set[asyncio.Task[None]] = set()
        # Not the process id: that one comes back, and containers share them.
        self._holder = secrets.token_hex(8)
        self._runs: dict[TurnId, TurnRun] = {}
        self._tasks: dict[TurnId, asyncio.Task[None]] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._closing = False

    @property
    def running(self) -> int:
        """How many turns run in this process."""
        return len(self._runs)

    def open(self) -> None:
        """Begin to look after leases, and after what others write."""
        look = self._wheel.stream.look_for_news
        self._keepers = [
            asyncio.create_task(self._every(KEEP_SECONDS, self._keep), name="bestchat-keep"),
            asyncio.create_task(self._every(REAP_SECONDS, self._reap), name="bestchat-reap"),
            asyncio.create_task(self._every(LOOK_SECONDS, look), name="bestchat-look"),
        ]

    async def close(self) -> None:
        """Store what running turns have heard, and close them as interrupted."""
        self._closing = True
        aside = [*self._keepers, *self._naming]
        for task in aside:
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)
        for run in self._runs.values():
            run.stop()
        if tasks := list(self._tasks.values()):
            _, late = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
            for task in late:
                _log.warning("BestChat: %s did not end in time", task.get_name())
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # Verbs.

    async def start(self, owner: OwnerId, request: StartTurn) -> TurnTicket:
        """Store a user message and begin to answer it, or let it wait.

        Raises:
            TurnActive: the conversation is busy.
            NotFound: the parent is not a message of this conversation.
            LimitReached: too many turns are under way, or messages wait.
            ChatError: whatever choosing the model raises; then nothing was stored.
        """
        require_pictures(request.images)
        asked = await self._asked(owner, request)
        if isinstance(asked, TurnTicket):
            return asked
        files = await self._wheel.files.parts(request.conversation_id, request.files)
        if asked.state.active_turn is not None:
            # A turn that ends meanwhile would leave its answer out of this one's branch.
            if not request.queue:
                raise TurnActive("This conversation is busy with another turn.")
            return await self._queue(request, asked, files)
        parent = request.parent_id or (None if request.root else asked.state.newest)
        said = plans.Said(request.text, request.images, files)
        plan = plans.say(
            asked.state, request, asked.turn_id, asked.model, said, parent, self._now()
        )
        try:
            return await self._begin_new(asked, plan)
        except TurnActive:
            if not request.queue:
                raise
            return await self._queue(request, asked, files)

    async def edit(self, owner: OwnerId, request: EditMessage) -> TurnTicket:
        """Say a user message differently, as a branch of its own, and begin to answer it.

        Raises:
            ChatError: as `start` does.
        """
        require_pictures(request.images or ())
        asked = await self._asked(owner, request)
        if isinstance(asked, TurnTicket):
            return asked
        files = None
        if request.files is not None:
            files = await self._wheel.files.parts(request.conversation_id, request.files)
        said, parent = plans.edited(
            asked.state, request.message_id, request.text, request.images, files
        )
        plan = plans.say(
            asked.state, request, asked.turn_id, asked.model, said, parent, self._now()
        )
        return await self._begin_new(asked, plan)

    async def regenerate(self, owner: OwnerId, request: RegenerateAnswer) -> TurnTicket:
        """Begin to answer a user message again, as a branch of its own.

        Raises:
            ChatError: as `start` does.
        """
        asked = await self._asked(owner, request)
        if isinstance(asked, TurnTicket):
            return asked
        of = request.message_id
        plan = plans.regenerate(asked.state, request, asked.turn_id, asked.model, of)
        return await self._begin_new(asked, plan)

    async def go_on(self, owner: OwnerId, request: ContinueTurn) -> TurnTicket:
        """Go on with a turn that broke off.

        Raises:
            ChatError: as `start` does; also where the turn has not broken off.
        """
        asked = await self._asked(owner, request)
        if isinstance(asked, TurnTicket):
            return asked
        plan = plans.go_on(asked.state, request, asked.turn_id, asked.model, request.turn_id)
        return await self._begin_new(asked, plan)

    async def _asked(self, owner: OwnerId, request: TurnRequest) -> _Asked | TurnTicket:
        """What a request is about; or the receipt, where it was received before."""
        self._require_open()
        state = await self._wheel.stream.state(request.conversation_id)
        # One that was received in another conversation is refused when its turn is to be stored.
        if (before := plans.begun_by(state, request.request_id)) is not None:
            return self._receipt(before, request.conversation_id)
        if (waiting := plans.waiting_for(state, request.request_id)) is not None:
            return self._queued_ticket(waiting, state.conversation.seq)
        named = request.model or state.conversation.settings.model
        model = await self._wheel.providers.resolve(owner, named)
        return _Asked(owner, state, TurnId(self._wheel.stream.clock.new_id()), model)

    async def _begin_new(self, asked: _Asked, plan: plans.Plan) -> TurnTicket:
        """Begin a turn that nobody had a place for yet."""
        async with self._wheel.budget.place(asked.owner):
            return await self._begin(asked, plan)

    async def _begin(self, asked: _Asked, plan: plans.Plan) -> TurnTicket:
        """Store what begins a turn, its first step included, and set it going."""
        here, started, at = asked.state.conversation.id, plan.started, self._now()
        fresh = self._wheel.fresh_machine(start_turn(here, started, at))
        first, commands = _first_step(fresh, at)
        try:
            appended = await self._wheel.stream.append(
                here, (*plan.events, *first), at=at, claim=self._claim(started.turn_id)
            )
        except Conflict:
            # The same request may have come in twice at the same time.
            before = await self._wheel.storage.find_turn(asked.owner, started.request_id)
            if before is None:
                raise
            return self._receipt(before, here)
        # No `await` from here on: a turn that is stored and leased has to be running.
        begun = appended.envelopes[len(plan.before)]
        if appended.lease is not None:
            last = appended.envelopes[-1].seq
            self._launch(TurnRun(self._wheel, fresh, appended.lease, last), commands)
        label = self._wheel.providers.label(asked.model)
        return TurnTicket(started.turn_id, started.message_id, begun.seq, str(asked.model), label)

    def _receipt(self, turn: Turn, conversation_id: ConversationId) -> TurnTicket:
        """The answer to a request that was received before.

        Raises:
            Conflict: that was another one, in another conversation.
        """
        if turn.conversation_id != conversation_id:
            raise Conflict(
                "This request id was used in another conversation.",
                hint="Make a new id for every message.",
                field="request_id",
            )
        label = self._wheel.providers.label(ModelRef.parse(turn.model))
        return TurnTicket(turn.id, turn.message_id, 0, turn.model, label)

    def _now(self) -> datetime:
        return self._wheel.stream.clock.now()

    # The queue. Messages wait until a turn has finished; one that did not finish holds them up, so
    # that nobody's words go to a model that has just failed, or was stopped.

    async def _queue(
        self, request: StartTurn, asked: _Asked, files: tuple[FilePart, ...]
    ) -> TurnTicket:
        waiting = QueuedMessage(
            asked.turn_id,
            request.request_id,
            request.text,
            str(asked.model),
            self._now(),
            request.images,
            request.options,
            request.attended,
            files,
        )
        here, queue = request.conversation_id, asked.state.conversation.queue
        if sum(map(queued_bytes, (*queue, waiting))) > QUEUE_BYTES:
            raise LimitReached(
                f"What waits in this conversation may have {QUEUE_BYTES // 10**6} MB together.",
                hint="Wait until some of it was sent, or send smaller pictures.",
            )
        try:
            appended = await self._wheel.stream.append(here, [MessageQueued(waiting)])
        except Conflict:
            # The same request may have come in twice at the same time.
            again = await self._asked(asked.owner, request)
            if isinstance(again, TurnTicket):
                return again
            raise
        # The turn that it waits for may have finished a moment ago.
        await self._send_next(here)
        return self._queued_ticket(waiting, appended.envelopes[0].seq)

    def _queued_ticket(self, waiting: QueuedMessage, seq: int) -> TurnTicket:
        label = self._wheel.providers.label(ModelRef.parse(waiting.model))
        message_id = plans.question_id(waiting.turn_id)
        return TurnTicket(waiting.turn_id, message_id, seq, waiting.model, label, queued=True)

    async def unqueue(self, conversation_id: ConversationId, turn_id: TurnId) -> Conversation:
        """Take back a message that waits.

        Raises:
            Conflict: it does not wait any more.
        """
        await self._wheel.stream.append(conversation_id, [MessageUnqueued(turn_id)])
        return (await self._wheel.stream.state(conversation_id)).conversation

    async def send_queued(self, conversation_id: ConversationId) -> TurnTicket:
        """Send the first message that waits.

        Raises:
            TurnActive: the conversation is busy.
            Conflict: no message waits.
        """
        self._require_open()
        state = await self._wheel.stream.state(conversation_id)
        if not state.conversation.queue:
            raise Conflict(
                "No message waits in this conversation.", hint="Send one with turns.start."
            )
        async with self._wheel.budget.place(state.conversation.owner):
            return await self._send(state)

    async def _send(self, state: ConversationState) -> TurnTicket:
        waiting = state.conversation.queue[0]
        owner, model = state.conversation.owner, ModelRef.parse(waiting.model)
        asked = _Asked(owner, state, waiting.turn_id, model)
        try:
            ticket = await self._begin(asked, plans.send(state, waiting, self._now()))
        except TurnActive:
            raise
        except Conflict:
            if await self._wheel.storage.find_turn(owner, waiting.request_id) is not None:
                # Its request was answered elsewhere: it must not hold up those behind it.
                await self.unqueue(state.conversation.id, waiting.turn_id)
            raise
        if ticket.turn_id != waiting.turn_id:
            await self.unqueue(state.conversation.id, waiting.turn_id)
        return ticket

    async def _send_next(self, conversation_id: ConversationId, least: int | None = None) -> None:
        """Send what waits, if the turn before it has finished and nothing else is under way.

        `least` is the number of the event that ended that turn, if it is known: whoever has a
        message wait after that looks whether it can be sent at once.
        """
        state = await self._wheel.stream.state(conversation_id, least)
        last = next(reversed(state.turns.values()), None)
        finished = last is not None and last.state == "finished"
        if self._closing or not state.conversation.queue or not finished:
            return
        with suppress(Conflict):  # somebody else has sent it, or something else
            await self._send(state)

    async def _look_after_queue(
        self, conversation_id: ConversationId, least: int | None = None
    ) -> None:
        """Likewise; what goes wrong in one conversation is said, and harms no other."""
        try:
            await self._send_next(conversation_id, least)
        except ChatError as error:
            _log.warning("BestChat: messages wait in %s: %s", conversation_id, error.info.code)
        except Exception as error:  # noqa: BLE001  see `_every`
            _log.error("BestChat: messages wait in %s: %s", conversation_id, origin(error))

    def _require_open(self) -> None:
        if self._closing:
            raise Unavailable("BestChat is stopping here.", hint="Send it again once it is back.")

    async def get(self, turn_id: TurnId) -> Turn:
        """How far a turn has come."""
        return await self._wheel.storage.turn(turn_id)

    async def cancel(self, turn_id: TurnId) -> Turn:
        """Stop a turn, wherever it runs; one that has ended stays as it is."""
        self._require_open()
        turn = await self.get(turn_id)
        if not turn.active:
            return turn
        try:
            appended = await self._wheel.stream.append(
                turn.conversation_id, [CancelRequested(turn_id)], claim=self._claim(turn_id)
            )
        except Conflict:
            return await self.get(turn_id)
        if appended.lease is not None:
            await self._take_up(turn.conversation_id, appended.lease, machine.Cancelled())
        return await self.get(turn_id)

    async def stop(self, conversation_id: ConversationId) -> None:
        """Stop whatever runs in a conversation."""
        state = await self._wheel.stream.state(conversation_id)
        if state.active_turn is not None:
            await self.cancel(state.active_turn.id)

    async def answer(
        self, conversation_id: ConversationId, key: ExecutionId, decision: Decision
    ) -> ToolExecution:
        """Decide over a tool call; the first answer counts.

        Raises:
            InvalidRequest: the edited arguments are not a JSON object.
            Conflict: somebody else was faster, or the turn has ended.
        """
        self._require_open()
        if decision.arguments is not None:
            _check_arguments(decision.arguments)
        state = await self._wheel.stream.state(conversation_id)
        execution = state.executions[key]
        appended = await self._wheel.stream.append(
            conversation_id,
            [ApprovalAnswered(key, decision)],
            claim=self._claim(execution.turn_id),
        )
        if appended.lease is not None:
            await self._take_up(conversation_id, appended.lease, machine.Begin())
        return (await self._wheel.stream.state(conversation_id)).executions[key]

    # Running.

    def _claim(self, turn_id: TurnId) -> Claim:
        return Claim(turn_id, self._holder, self._wheel.stream.clock.now() + LEASE)

    async def _take_up(
        self, conversation_id: ConversationId, lease: Lease, first: machine.Input
    ) -> None:
        """Go on with a turn that nobody was running."""
        state = await self._wheel.stream.state(conversation_id)
        run = TurnRun(
            self._wheel, self._wheel.machine(state, lease.turn_id), lease, state.conversation.seq
        )
        self._launch(run, first)

    def _launch(self, run: TurnRun, first: machine.Input | Sequence[machine.Command]) -> None:
        turn_id = run.lease.turn_id
        self._runs[turn_id] = run
        task = asyncio.create_task(self._run(run, first), name=f"bestchat-turn-{turn_id}")
        self._tasks[turn_id] = task

    async def _run(self, run: TurnRun, first: machine.Input | Sequence[machine.Command]) -> None:
        turn_id = run.lease.turn_id
        try:
            with run.watch.running():
                await run.run(first)
            if run.finished:
                if not self._closing:  # `close` has stopped those under way, and knows of no others
                    self._name(run.conversation_id)
                await self._look_after_queue(run.conversation_id, run.seq)
        except ChatError as error:
            _log.warning("BestChat: turn %s broke off: %s", turn_id, error.info.code)
        except Exception as error:  # noqa: BLE001  the end of a task is where a bug has to be said
            # The lease is not renewed any more, so the turn will be closed as interrupted.
            _log.error("BestChat: turn %s broke off: %s", turn_id, origin(error))
        finally:
            if self._runs.get(turn_id) is run:
                del self._runs[turn_id]
                del self._tasks[turn_id]

    def _name(self, conversation_id: ConversationId) -> None:
        """Have a conversation named; nobody waits for it."""
        task = asyncio.create_task(self._titles.name(conversation_id), name="bestchat-title")
        self._naming.add(task)
        task.add_done_callback(self._naming.discard)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do some work again and again. Turns depend on it, so that nothing may end it."""
        while True:
            try:
                await work()
            except ChatError as error:
                _log.warning("BestChat: turns were not looked after: %s", error.info.code)
            except Exception as error:  # noqa: BLE001  see above
                _log.error("BestChat: turns were not looked after: %s", origin(error))
            await self._wheel.stream.clock.sleep(seconds)

    async def _keep(self) -> None:
        """Renew leases, store texts, and hear what other processes wrote for running turns."""
        await self._renew()
        newest = await self._wheel.storage.seqs(
            {run.conversation_id for run in self._runs.values()}
        )
        for run in self._runs.values():
            if newest.get(run.conversation_id, 0) > run.seq:
                run.hear_missed()

    async def _renew(self) -> None:
        # A turn may be let go and taken up again meanwhile: what is lost is the run of this moment.
        runs, now = dict(self._runs), self._now()
        texts = _texts(runs.values(), now)
        if not texts:
            return
        kept = [runs[text.lease.turn_id] for text in texts]
        try:
            lost = await self._wheel.storage.renew(texts, now + LEASE)
        except BaseException:  # also where it is cancelled: what was not stored is yet to be stored
            for run in kept:
                run.keep_again()
            raise
        for run in kept:
            run.leased_until = now + LEASE
        for turn_id in lost:
            runs[turn_id].abandon()

    async def _reap(self) -> None:
        """Close the turns of processes that have gone away."""
        # This very process may have slept so long that its own leases have run out.
        await self._renew()
        now = self._wheel.stream.clock.now()
        for lease in await self._wheel.storage.seize_expired(now, self._holder, now + LEASE):
            try:
                await self._close_lost(lease)
            except ChatError as error:
                # One that cannot be read must not keep the others from being closed.
                _log.warning("BestChat: turn %s stays open: %s", lease.turn_id, error.info.code)
        for here in await self._wheel.storage.queues_at_rest(limit=QUEUES_AT_ONCE):
            await self._look_after_queue(here)

    async def _close_lost(self, lease: Lease) -> None:
        turn = await self._wheel.storage.turn(lease.turn_id)
        partial = await self._wheel.storage.partial(lease.turn_id)
        _log.info("BestChat: turn %s was interrupted and is closed", lease.turn_id)
        await self._take_up(turn.conversation_id, lease, machine.OwnerLost(partial))


def _texts(runs: Iterable[TurnRun], now: datetime) -> list[PartialText]:
    """What to store, of those that waited longest; and the other leases, but for fresh ones."""
    texts, left = [], TEXTS_AT_ONCE
    for run in sorted(runs, key=lambda run: run.kept_at):
        text = run.partial_text() if left > 0 else PartialText(run.lease, None)
        if text.reply is not None:
            left -= text.reply.characters
        elif FRESH * LEASE < run.leased_until - now <= LEASE:  # more is left where clocks jump
            continue
        texts.append(text)
    return texts


def _first_step(
    fresh: machine.TurnMachine, at: datetime
) -> tuple[tuple[Event, ...], Sequence[machine.Command]]:
    """The events that a turn begins with, and what is to be done once they are stored."""
    append, *commands = fresh.handle(machine.Begin(), at)
    if not isinstance(append, machine.Append):
        raise TypeError(f"A turn begins with {type(append).__name__}, and nothing to store.")
    return append.events, commands


def _check_arguments(text: str) -> None:
    try:
        ToolCall("", "", text).parsed()
    except ValueError as error:
        raise InvalidRequest(
            "The edited arguments are not a JSON object.",
            hint='Write them as in {"path": "data.csv"}.',
            field="arguments",
        ) from error
