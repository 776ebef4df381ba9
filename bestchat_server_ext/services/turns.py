"""TurnService: start, cancel, approve; and keep running turns alive.

A turn runs as a task of the process that holds its lease. Once a second all running turns of this
process renew their leases and store what they have heard, in one transaction; now and then the
leases of processes that have gone away are taken over, and their turns closed as *interrupted*.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta

from bestchat_server_ext.api.turns import StartTurn, TurnTicket
from bestchat_server_ext.core import turn as machine
from bestchat_server_ext.core.conversation import ConversationState, Turn, start_turn
from bestchat_server_ext.core.errors import (
    ChatError,
    Conflict,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from bestchat_server_ext.core.events import (
    ApprovalAnswered,
    CancelRequested,
    ConversationRenamed,
    Event,
    MessageAdded,
    TurnStarted,
)
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    MessageId,
    OwnerId,
    TurnId,
    derived_id,
)
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.core.tools import Decision, ToolCall, ToolExecution
from bestchat_server_ext.ports.storage import Claim, Lease
from bestchat_server_ext.services.turn_run import TurnRun, Wheel

_log = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
"""How long after its last sign of life a process loses its turns."""
KEEP_SECONDS = 1.0
"""How often running turns renew their leases and store their texts."""
CLOSE_SECONDS = 6.0
"""How long running turns may take to be closed: a little more than a write may have to wait."""
REAP_SECONDS = 5.0
"""How often the leases of processes that have gone away are looked for."""
LOOK_SECONDS = 0.8
"""How often storage is asked for what other processes have written into conversations that are
followed here: whoever looks twice before it counts has it within two seconds."""

_TITLE_LENGTH = 80


class TurnService:
    """The only thing that turns the wheel."""

    def __init__(self, wheel: Wheel) -> None:
        """Run turns with these services around them."""
        self._wheel = wheel
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
        for task in self._keepers:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
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
        """Store a user message and begin to answer it.

        Raises:
            TurnActive: the conversation is busy.
            NotFound: the parent is not a message of this conversation.
            ChatError: whatever choosing the model raises; then nothing was stored.
        """
        self._require_open()
        if (before := await self._wheel.storage.find_turn(owner, request.request_id)) is not None:
            return self._receipt(before, request)
        model = await self._wheel.providers.resolve(owner, request.model)
        label = self._wheel.providers.label(model)
        state = await self._wheel.stream.state(request.conversation_id)
        turn_id = TurnId(self._wheel.stream.clock.new_id())
        message = self._user_message(request, turn_id, state)
        started = TurnStarted(turn_id, request.request_id, message.id, str(model), request.attended)
        events: list[Event] = [MessageAdded(message), started]
        if not state.conversation.title and not state.messages:
            events.append(ConversationRenamed(_title(request.text)))
        try:
            appended = await self._wheel.stream.append(
                request.conversation_id, events, claim=self._claim(turn_id)
            )
        except Conflict:
            # The same request may have come in twice at the same time.
            before = await self._wheel.storage.find_turn(owner, request.request_id)
            if before is None:
                raise
            return self._receipt(before, request)
        # No `await` from here on: a turn that is stored and leased has to be running.
        begun = appended.envelopes[1]
        if appended.lease is not None:
            turn = start_turn(request.conversation_id, started, begun.at)
            fresh = machine.TurnMachine(
                turn,
                {},
                answered=False,
                tools=self._wheel.tools.specs(),
                rules=self._wheel.tools.rules,
                step_limit=self._wheel.step_limit,
            )
            last = appended.envelopes[-1].seq
            self._launch(TurnRun(self._wheel, fresh, appended.lease, last), machine.Begin())
        return TurnTicket(turn_id, message.id, begun.seq, str(model), label)

    def _receipt(self, turn: Turn, request: StartTurn) -> TurnTicket:
        """The answer to a request that was received before.

        Raises:
            Conflict: that was another one, in another conversation.
        """
        if turn.conversation_id != request.conversation_id:
            raise Conflict(
                "This request id was used in another conversation.",
                hint="Make a new id for every message.",
                field="request_id",
            )
        label = self._wheel.providers.label(ModelRef.parse(turn.model))
        return TurnTicket(turn.id, turn.message_id, 0, turn.model, label)

    def _user_message(
        self, request: StartTurn, turn_id: TurnId, state: ConversationState
    ) -> Message:
        parent = request.parent_id or (None if request.root else state.newest)
        if parent is not None and parent not in state.messages:
            raise NotFound(
                "The message to follow is not in this conversation.",
                hint="Read the conversation again.",
                field="parent_id",
            )
        return Message(
            id=MessageId(derived_id(turn_id, "question")),
            parent_id=parent,
            role="user",
            parts=(TextPart(request.text),),
            created_at=self._wheel.stream.clock.now(),
            turn_id=turn_id,
        )

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

    def _launch(self, run: TurnRun, first: machine.Input) -> None:
        turn_id = run.lease.turn_id
        self._runs[turn_id] = run
        task = asyncio.create_task(self._run(run, first), name=f"bestchat-turn-{turn_id}")
        self._tasks[turn_id] = task

    async def _run(self, run: TurnRun, first: machine.Input) -> None:
        turn_id = run.lease.turn_id
        try:
            with run.watch.running():
                await run.run(first)
        except ChatError as error:
            _log.warning("BestChat: turn %s broke off: %s", turn_id, error.info.code)
        except Exception as error:  # noqa: BLE001  the end of a task is where a bug has to be said
            # The lease is not renewed any more, so the turn will be closed as interrupted.
            _log.error("BestChat: turn %s broke off: %s", turn_id, origin(error))
        finally:
            if self._runs.get(turn_id) is run:
                del self._runs[turn_id]
                del self._tasks[turn_id]

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
        runs = dict(self._runs)
        texts = [run.partial_text() for run in runs.values()]
        if not texts:
            return
        try:
            lost = await self._wheel.storage.renew(texts, self._wheel.stream.clock.now() + LEASE)
        except ChatError:
            for run in runs.values():
                run.keep_again()
            raise
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

    async def _close_lost(self, lease: Lease) -> None:
        turn = await self._wheel.storage.turn(lease.turn_id)
        partial = await self._wheel.storage.partial(lease.turn_id)
        _log.info("BestChat: turn %s was interrupted and is closed", lease.turn_id)
        await self._take_up(turn.conversation_id, lease, machine.OwnerLost(partial))


def _check_arguments(text: str) -> None:
    try:
        ToolCall("", "", text).parsed()
    except ValueError as error:
        raise InvalidRequest(
            "The edited arguments are not a JSON object.", field="arguments"
        ) from error


def _title(text: str) -> str:
    """A conversation's first title: the first line of its first message."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"
