"""What a notebook talks to: its conversation, its cells, one turn at a time.

Runs on the loop thread. What happens in a turn is reported to a sink, which the main thread reads.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from bestchat_kernel.cells import CellKey, Cells, Place
from bestchat_kernel.connect import Connection, connect
from bestchat_kernel.result import ChatResult
from bestchat_kernel.visible import one_line
from bestchat_server_ext.api import conversations, models, providers, system, turns
from bestchat_server_ext.api.frames import ServerFrame, Snapshot
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import Conversation, Turn
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import (
    ChatError,
    InternalError,
    NotFound,
    TurnCancelled,
    TurnInterrupted,
    UnknownProcedure,
    from_info,
)
from bestchat_server_ext.core.ids import ConversationId, MessageId, RequestId, TurnId, is_id
from bestchat_server_ext.core.messages import ImagePart, Message
from bestchat_server_ext.core.models import Prices, RequestOptions, Usage
from bestchat_server_ext.core.tools import ToolExecution


@dataclass(frozen=True)
class Question:
    """What one run of a cell asks.

    Attributes:
        text: the message, composed.
        cell: which cell asks.
        model: model reference, if one was named.
        conversation: id or title of the conversation to continue from now on, if one was named.
        new: whether to begin a new conversation from now on.
        attended: whether somebody sits before the notebook.
        images: pictures that go along.
        options: how to answer.
        system: standing instructions for the conversation from now on, if any were given.
        max_cost: US dollars that the conversation may cost from now on, if that was limited.
        follow_up: whether it follows the cell's own answer, rather than taking the cell's place.
        place: where it goes, if that was decided elsewhere.
        anew: whether it is asked even where a stored answer would be shown.
    """

    text: str
    cell: CellKey
    model: str | None = None
    conversation: str | None = None
    new: bool = False
    attended: bool = True
    images: tuple[ImagePart, ...] = ()
    options: RequestOptions = field(default_factory=RequestOptions)
    system: str | None = None
    max_cost: str | None = None
    follow_up: bool = False
    place: Place | None = None
    anew: bool = False


# What a sink is told.


@dataclass(frozen=True)
class Began:
    """The question was stored."""

    model: str
    label: str


@dataclass(frozen=True)
class Grew:
    """A piece of the answer arrived."""

    text: str


@dataclass(frozen=True)
class Stored:
    """A step's answer is stored, whole or partial."""

    text: str


@dataclass(frozen=True)
class Asked:
    """A tool call waits for somebody's decision."""

    execution: ToolExecution


@dataclass(frozen=True)
class Restarted:
    """The answer begins anew: another model gives it, or the same one once more."""

    model: str
    reason: str


@dataclass(frozen=True)
class Told:
    """Something that a person should know about what is sent."""

    text: str


Progress = Began | Grew | Stored | Asked | Restarted | Told
Sink = Callable[[Progress], None]


class Asks(Protocol):
    """Whoever answers the questions of cells."""

    async def ask(self, question: Question, sink: Sink) -> ChatResult:
        """Answer a question, and report what happens on the way."""
        ...

    async def stop(self) -> None:
        """Stop what is being answered."""
        ...


LISTED = 200
"""Conversations among which a title is looked for, and that are offered to choose from."""
_LONGEST_TITLE = 300

_STOP_SECONDS = 5.0
"""How long somebody who stopped asking waits for the turn to end; it ends without them as well."""


@dataclass
class _Turn:
    """One turn as this cell has seen it."""

    turn_id: TurnId
    model: str
    answers: list[Message] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    proposed: dict[str, ToolExecution] = field(default_factory=dict)
    attempt: int = 1
    growing: MessageId | None = None
    ended: ev.TurnEnded | None = None

    @property
    def text(self) -> str:
        """All that the model has said so far."""
        return "\n\n".join(answer.text for answer in self.answers if answer.text)


@dataclass
class _Asking:
    """One call of `ask`, so that it can be stopped before there is a turn."""

    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    turn_id: TurnId | None = None


class ChatSession:
    """The conversation of one kernel."""

    def __init__(self, environ: Mapping[str, str], first: ChatSession | None = None) -> None:
        """Know the environment; connect at the first question.

        Args:
            environ: the environment.
            first: the session whose door this one goes through, if it is not to open its own.
        """
        self._environ = environ
        self._first = first
        self._connection: Connection | None = None
        self._conversation_id: ConversationId | None = None
        self.cells: dict[ConversationId, Cells] = {}
        """Which cell stands where, in each of its conversations."""
        self._asking: list[_Asking] = []
        self._one_at_a_time = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._announced = first is not None
        self.last_turn: TurnId | None = None
        self.model: str | None = None
        """Model reference of who answers where a question names nobody."""

    async def connection(self) -> Connection:
        """The door, opened at the first call."""
        if self._first is not None:
            return await self._first.connection()
        async with self._connecting:
            if self._connection is None:
                self._connection = await connect(self._environ)
            return self._connection

    async def close(self) -> None:
        """Let go of client or services."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.client.close()

    def apart(self) -> ChatSession:
        """Another session through the same door, whose conversations are put away."""
        return ChatSession(self._environ, first=self)

    # Asking.

    async def ask(self, question: Question, sink: Sink) -> ChatResult:
        """Ask, and follow the answer to its end.

        Raises:
            ChatError: there is no answer. `TurnCancelled` after `stop`.
        """
        asking = _Asking()
        self._asking.append(asking)
        work = asyncio.create_task(self._in_turn(question, sink, asking))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            # Nobody waits any more, yet the turn goes on, and costs, until it is told to stop:
            # also one whose start is still on its way.
            with suppress(ChatError, TimeoutError):
                await self._stop([asking])
                await asyncio.wait_for(work, _STOP_SECONDS)
            raise
        finally:
            self._asking.remove(asking)

    async def _in_turn(self, question: Question, sink: Sink, asking: _Asking) -> ChatResult:
        # A cell that was stopped does not wait for long; its turn may still be ending.
        async with self._one_at_a_time:
            return await self._ask(question, sink, asking)

    async def _ask(self, question: Question, sink: Sink, asking: _Asking) -> ChatResult:
        await self.connection()
        if asking.stopped.is_set():
            raise TurnCancelled("The cell was stopped before it had asked.", hint="Run it again.")
        await self.announce(question, sink)
        conversation_id = await self._choose(question)
        cells = self.cells.setdefault(conversation_id, Cells())
        ticket = await self._start(conversation_id, question, _place(cells, question))
        asking.turn_id = self.last_turn = ticket.turn_id
        if asking.stopped.is_set():
            await self._cancel(ticket.turn_id)
        sink(Began(ticket.model, ticket.label))
        turn = await self._follow(conversation_id, ticket, cells, question.cell, sink)
        return self._conclude(turn, conversation_id)

    async def _start(
        self, conversation_id: ConversationId, question: Question, place: Place
    ) -> turns.TurnTicket:
        connection = await self.connection()
        request = turns.StartTurn(
            conversation_id=conversation_id,
            request_id=RequestId(uuid.uuid4().hex),
            text=question.text,
            images=question.images,
            model=question.model or self.model,
            options=question.options,
            parent_id=MessageId(place.parent_id) if place.parent_id else None,
            root=place.root,
            attended=connection.attended and question.attended,
        )
        try:
            return await connection.client.call(turns.start, request)
        except NotFound as error:
            if error.info.field:
                raise
            raise NotFound(
                "The conversation of this notebook was deleted.",
                hint="Begin another one with --new.",
            ) from error

    async def stop(self) -> None:
        """Stop the turn that is running, or is about to."""
        await self._stop(list(self._asking))

    async def _stop(self, asked: Sequence[_Asking]) -> None:
        for asking in asked:  # all of them first: while one is cancelled, the next would begin
            asking.stopped.set()
        for asking in asked:
            if asking.turn_id is not None:
                await self._cancel(asking.turn_id)

    async def _cancel(self, turn_id: TurnId) -> None:
        connection = await self.connection()
        await connection.client.call(turns.cancel, turns.CancelTurn(turn_id))

    async def _follow(
        self,
        conversation_id: ConversationId,
        ticket: turns.TurnTicket,
        cells: Cells,
        cell: CellKey,
        sink: Sink,
    ) -> _Turn:
        turn = _Turn(ticket.turn_id, ticket.model)
        client = (await self.connection()).client
        # The question itself is the event before the one that began the turn.
        frames = client.follow(conversation_id, after=max(0, ticket.seq - 2))
        async with aclosing(frames):
            async for frame in frames:
                _take(turn, frame, sink)
                if isinstance(frame, ev.Envelope):
                    _remember(frame.event, ticket, cells, cell)
                if turn.ended is not None:
                    break
        return turn

    def _conclude(self, turn: _Turn, conversation_id: ConversationId) -> ChatResult:
        match turn.ended:
            case ev.TurnFailed(error=error):
                raise from_info(error)
            case ev.TurnCancelled():
                raise TurnCancelled("The turn was stopped.", hint="What had arrived is kept.")
            case ev.TurnInterrupted():
                raise TurnInterrupted("The process that ran the turn has gone away.")
            case None:
                raise NotFound("The conversation was deleted while it was answering.")
            case ev.TurnFinished():
                last = turn.answers[-1] if turn.answers else None
                return ChatResult(
                    last.text if last else "",
                    (last and last.model) or turn.model,
                    turn.usage,
                    conversation_id,
                    turn.turn_id,
                    (last and last.finish_reason) or "unknown",
                    last.id if last else "",
                )

    # Conversations.

    @property
    def conversation_id(self) -> ConversationId | None:
        """The conversation that is going on; none before the first question."""
        return self._conversation_id

    def renew(self, conversation_id: ConversationId | None = None) -> None:
        """Go on with a conversation; begin a new one with the next question if none is given."""
        self._conversation_id = conversation_id

    def go_on_with(self, conversation_id: ConversationId) -> None:
        """Speak in this conversation from now on."""
        self._conversation_id = conversation_id

    async def _choose(self, question: Question) -> ConversationId:
        """The conversation to speak in; it stays the kernel's own until another is chosen."""
        if question.conversation is not None:
            self._conversation_id = (await self.find(question.conversation)).id
        elif question.new or self._conversation_id is None:
            created = await self._create(_configured(ConversationSettings(), question))
            self._conversation_id = created.id
            return created.id
        if question.system is not None or question.max_cost is not None:
            await self._configure(self._conversation_id, question)
        return self._conversation_id

    async def _create(self, settings: ConversationSettings) -> Conversation:
        """Begin a conversation that says where it comes from."""
        client = (await self.connection()).client
        label = self._environ.get("JPY_SESSION_NAME", "")
        title = "" if self._first is None else f"chat() {label}".strip()
        request = conversations.CreateConversation(
            title=title[:_LONGEST_TITLE], label=label, settings=settings
        )
        created = await client.call(conversations.create, request)
        if self._first is not None:
            await client.call(conversations.archive, conversations.ArchiveConversation(created.id))
        return created

    async def _configure(self, conversation_id: ConversationId, question: Question) -> None:
        """Set what the question wants set, if it is not set already."""
        client = (await self.connection()).client
        before = await self.find(conversation_id)
        settings = _configured(before.settings, question)
        if settings != before.settings:
            request = conversations.ConfigureConversation(
                conversation_id, settings, version=before.version
            )
            await client.call(conversations.configure, request)

    async def find(self, name: str) -> Conversation:
        """The conversation with that id, or with that title if only one has it.

        Raises:
            NotFound: there is none, or there are several.
        """
        client = (await self.connection()).client
        if is_id(name):
            request = conversations.GetConversation(ConversationId(name))
            return (await client.call(conversations.get, request)).conversation
        page = await client.call(conversations.list_, conversations.ListConversations(limit=LISTED))
        found = [item for item in page.conversations if item.title == name]
        if len(found) == 1:
            return found[0]
        many = f"{len(found)} conversations have" if found else "No conversation has"
        raise NotFound(
            f"{many} the title {name!r}.", hint="Name it by its id.", field="conversation"
        )

    # Facts.

    async def announce(self, question: Question, sink: Sink) -> None:
        """Tell once whom a question goes to, where only a key in the environment says so."""
        if question.model is None and self.model is None and not self._announced:
            self._announced = True
            if text := await self.announcement():
                sink(Told(text))

    async def announcement(self) -> str:
        """Which model a key in the environment leads to, and its price; empty if none does.

        A key may have been set for something else, long ago. Nothing is sent to find out.
        """
        client = (await self.connection()).client
        try:
            listed = await client.call(models.list_, models.ListModels(known_only=True))
            known = await client.call(providers.list_, providers.ListProviders())
        except UnknownProcedure:  # an older server
            return ""
        default = listed.default or ""
        found = {item.name: item for item in known.providers}.get(default.partition("/")[0])
        if found is None or found.source != "environment" or found.redirected:
            return ""
        facts = await client.call(models.get, models.GetModel(default))
        return f"{found.variable} is set, so {default} answers ({_price(facts.prices)})"

    async def status(self) -> list[tuple[str, str]]:
        """What a person wants to know: names and values, in order."""
        connection = await self.connection()
        rows = [("door", connection.door), ("place", connection.place)]
        identity = await connection.client.call(system.whoami, system.WhoAmI())
        rows.append(("owner", identity.owner))
        request = models.ListModels(known_only=True)
        listed = await connection.client.call(models.list_, request)
        rows.append(("model", listed.default or listed.default_todo))
        rows.append(("conversation", await self._described()))
        return rows + await self._set_options(connection)

    async def _set_options(self, connection: Connection) -> list[tuple[str, str]]:
        """What somebody has set, and where; nothing if the server is too old to tell."""
        try:
            listed = await connection.client.call(system.options, system.ListOptions())
        except UnknownProcedure:
            return []
        return [
            (option.name, f"{option.value or '(empty)'}  (from {option.origin})")
            for option in listed.options
            if option.origin != system.DEFAULT_ORIGIN
        ]

    async def _described(self) -> str:
        if self._conversation_id is None:
            return "none yet: the next %%chat cell begins one"
        try:
            found = await self.find(self._conversation_id)
        except ChatError as error:
            return f"{self._conversation_id} ({error.info.text})"
        return f"{found.id} ({found.title or 'untitled'})"


def _place(cells: Cells, question: Question) -> Place:
    """Where a question goes."""
    if question.place is not None:
        return question.place
    return cells.after(question.cell) if question.follow_up else cells.place(question.cell)


def restarted(told: Restarted) -> str:
    """What a person is told when an answer begins anew."""
    return f"the answer begins anew, from {told.model}: {one_line(told.reason)}"


def _configured(settings: ConversationSettings, question: Question) -> ConversationSettings:
    """Settings with what a question changes in them."""
    return msgspec.structs.replace(
        settings,
        system_prompt=settings.system_prompt if question.system is None else question.system,
        max_cost=settings.max_cost if question.max_cost is None else question.max_cost,
    )


def _price(prices: Prices | None) -> str:
    if prices is None or prices.input is None or prices.output is None:
        return "its price is unknown"
    day = f" as of {prices.as_of}" if prices.as_of else ""
    return f"${prices.input} in, ${prices.output} out per million tokens{day}"


def _reduced(event: ev.RequestReduced) -> str:
    return (
        f"The model takes {event.window:,} tokens: the {event.left_out} oldest messages of this "
        "conversation were left out of the request. Nothing was deleted."
    )


def _take(turn: _Turn, frame: ServerFrame, sink: Sink) -> None:
    """Let one frame change the turn, and tell the sink what a person can see of it."""
    if isinstance(frame, ev.Delta):
        _take_delta(turn, frame, sink)
        return
    if isinstance(frame, Snapshot):
        _take_snapshot(turn, frame, sink)
        return
    if not isinstance(frame, ev.Envelope):
        return
    match frame.event:
        case ev.MessageAdded(message=message):
            _take_message(turn, message, sink)
        case ev.AttemptFailed(kept=False, turn_id=turn_id) as failed if turn_id == turn.turn_id:
            turn.growing = None
            sink(Stored(turn.text))
            sink(Restarted(failed.next_model, failed.error.text))
        case ev.RequestReduced() as reduced if reduced.turn_id == turn.turn_id:
            sink(Told(_reduced(reduced)))
        case ev.ToolProposed(execution=execution) if execution.turn_id == turn.turn_id:
            turn.proposed[execution.id] = execution
        case ev.ApprovalRequested(execution_id=key) if key in turn.proposed:
            sink(Asked(turn.proposed[key]))
        case (
            ev.TurnFinished() | ev.TurnFailed() | ev.TurnCancelled() | ev.TurnInterrupted()
        ) as ended if ended.turn_id == turn.turn_id:
            turn.ended = ended
        case _:
            pass


def _take_delta(turn: _Turn, delta: ev.Delta, sink: Sink) -> None:
    if delta.turn_id != turn.turn_id or delta.kind != "text":
        return
    if delta.message_id == turn.growing and delta.attempt > turn.attempt:
        turn.growing = None  # the event that says so may have come before its pieces were dropped
        sink(Stored(turn.text))
    turn.attempt = delta.attempt
    apart = "\n\n" if delta.message_id != turn.growing and turn.text else ""
    turn.growing = delta.message_id
    sink(Grew(apart + delta.text))


def _take_message(turn: _Turn, message: Message, sink: Sink) -> None:
    if _keep_answer(turn, message):
        sink(Stored(turn.text))


def _keep_answer(turn: _Turn, message: Message) -> bool:
    if message.turn_id != turn.turn_id or message.role != "assistant":
        return False
    turn.answers.append(message)
    turn.usage += message.usage or Usage()
    return True


def _take_snapshot(turn: _Turn, snapshot: Snapshot, sink: Sink) -> None:
    """Forget what was there: this is all of it, perhaps with the end of the turn in it."""
    turn.answers, turn.usage, turn.growing = [], Usage(), None
    for message in snapshot.state.messages.values():
        _keep_answer(turn, message)
    sink(Stored(turn.text))
    for execution in snapshot.state.executions.values():
        if execution.turn_id == turn.turn_id:
            turn.proposed[execution.id] = execution
    turn.ended = _ending(snapshot.state.turns.get(turn.turn_id))


def _ending(turn: Turn | None) -> ev.TurnEnded | None:
    """The event that ended a turn, from what is stored of it."""
    if turn is None or turn.active:
        return None
    match turn.state:
        case "failed":
            return ev.TurnFailed(turn.id, turn.error or InternalError().info)
        case "cancelled":
            return ev.TurnCancelled(turn.id)
        case "interrupted":
            return ev.TurnInterrupted(turn.id)
        case _:
            return ev.TurnFinished(turn.id)


def _remember(event: ev.Event, ticket: turns.TurnTicket, cells: Cells, cell: CellKey) -> None:
    """Keep where the cell stands, for the day it runs again."""
    if not isinstance(event, ev.MessageAdded) or event.message.turn_id != ticket.turn_id:
        return
    if event.message.id == ticket.message_id:
        cells.asked(cell, event.message.id, event.message.parent_id)
    else:
        cells.answered(cell, event.message.id)
