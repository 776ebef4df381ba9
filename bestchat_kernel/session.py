"""What a notebook talks to: its conversation, its cells, one turn at a time.

Runs on the loop thread. What happens in a turn is reported to a sink, which the main thread reads.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from bestchat_kernel.cells import CellKey, Cells
from bestchat_kernel.connect import Connection, connect
from bestchat_kernel.result import ChatResult
from bestchat_server_ext.api import conversations, models, system, turns
from bestchat_server_ext.api.frames import ServerFrame, Snapshot
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import Conversation
from bestchat_server_ext.core.errors import (
    ChatError,
    NotFound,
    TurnCancelled,
    TurnInterrupted,
    from_info,
)
from bestchat_server_ext.core.ids import ConversationId, MessageId, RequestId, TurnId, is_id
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.models import Usage
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
    """

    text: str
    cell: CellKey
    model: str | None = None
    conversation: str | None = None
    new: bool = False


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


Progress = Began | Grew | Stored | Asked
Sink = Callable[[Progress], None]


@dataclass
class _Turn:
    """One turn as this cell has seen it."""

    turn_id: TurnId
    model: str
    answers: list[Message] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    proposed: dict[str, ToolExecution] = field(default_factory=dict)
    ended: ev.TurnEnded | None = None


class ChatSession:
    """The conversation of one kernel."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Know the environment; connect at the first question."""
        self._environ = environ
        self._connection: Connection | None = None
        self._conversation_id: ConversationId | None = None
        self._cells: dict[ConversationId, Cells] = {}
        self._running: TurnId | None = None
        self._stopping = False

    async def connection(self) -> Connection:
        """The door, opened at the first call."""
        if self._connection is None:
            self._connection = await connect(self._environ)
        return self._connection

    async def close(self) -> None:
        """Let go of client or services."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.client.close()

    # Asking.

    async def ask(self, question: Question, sink: Sink) -> ChatResult:
        """Ask, and follow the answer to its end.

        Raises:
            ChatError: there is no answer. `TurnCancelled` after `stop`.
        """
        self._stopping = False
        connection = await self.connection()
        conversation_id = await self._choose(question)
        cells = self._cells.setdefault(conversation_id, Cells())
        place = cells.place(question.cell)
        ticket = await connection.client.call(
            turns.start,
            turns.StartTurn(
                conversation_id=conversation_id,
                request_id=RequestId(uuid.uuid4().hex),
                text=question.text,
                model=question.model,
                parent_id=MessageId(place.parent_id) if place.parent_id else None,
                root=place.root,
                attended=connection.attended,
            ),
        )
        self._running = ticket.turn_id
        try:
            if self._stopping:
                await self.stop()
            sink(Began(ticket.model, ticket.label))
            turn = await self._follow(conversation_id, ticket, cells, question.cell, sink)
        finally:
            self._running = None
        return self._conclude(turn, conversation_id)

    async def stop(self) -> None:
        """Stop the turn that is running, or is about to."""
        self._stopping = True
        if self._running is not None:
            connection = await self.connection()
            await connection.client.call(turns.cancel, turns.CancelTurn(self._running))

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
                text = turn.answers[-1].text if turn.answers else ""
                return ChatResult(text, turn.model, turn.usage, conversation_id, turn.turn_id)

    # Conversations.

    async def _choose(self, question: Question) -> ConversationId:
        """The conversation to speak in; it stays the kernel's own until another is chosen."""
        if question.conversation is not None:
            self._conversation_id = (await self.find(question.conversation)).id
        elif question.new or self._conversation_id is None:
            self._conversation_id = await self._create()
        return self._conversation_id

    async def _create(self) -> ConversationId:
        client = (await self.connection()).client
        label = self._environ.get("JPY_SESSION_NAME", "")
        created = await client.call(
            conversations.create, conversations.CreateConversation(label=label)
        )
        return created.id

    async def find(self, name: str) -> Conversation:
        """The conversation with that id, or with that title if only one has it.

        Raises:
            NotFound: there is none, or there are several.
        """
        client = (await self.connection()).client
        if is_id(name):
            request = conversations.GetConversation(ConversationId(name))
            return (await client.call(conversations.get, request)).conversation
        page = await client.call(conversations.list_, conversations.ListConversations(limit=200))
        found = [item for item in page.conversations if item.title == name]
        if len(found) == 1:
            return found[0]
        many = f"{len(found)} conversations have" if found else "No conversation has"
        raise NotFound(
            f"{many} the title {name!r}.", hint="Name it by its id.", field="conversation"
        )

    # Facts.

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
        return rows

    async def _described(self) -> str:
        if self._conversation_id is None:
            return "none yet: the next %%chat cell begins one"
        try:
            found = await self.find(self._conversation_id)
        except ChatError as error:
            return f"{self._conversation_id} ({error.info.text})"
        return f"{found.id} ({found.title or 'untitled'})"


def _take(turn: _Turn, frame: ServerFrame, sink: Sink) -> None:
    """Let one frame change the turn, and tell the sink what a person can see of it."""
    if isinstance(frame, ev.Delta):
        if frame.turn_id == turn.turn_id and frame.kind == "text":
            sink(Grew(frame.text))
        return
    if isinstance(frame, Snapshot):
        for message in frame.state.messages.values():
            _take_message(turn, message, sink)
        return
    if not isinstance(frame, ev.Envelope):
        return
    match frame.event:
        case ev.MessageAdded(message=message):
            _take_message(turn, message, sink)
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


def _take_message(turn: _Turn, message: Message, sink: Sink) -> None:
    if message.turn_id != turn.turn_id or message.role != "assistant":
        return
    turn.answers.append(message)
    turn.usage += message.usage or Usage()
    sink(Stored("\n\n".join(answer.text for answer in turn.answers if answer.text)))


def _remember(event: ev.Event, ticket: turns.TurnTicket, cells: Cells, cell: CellKey) -> None:
    """Keep where the cell stands, for the day it runs again."""
    if not isinstance(event, ev.MessageAdded) or event.message.turn_id != ticket.turn_id:
        return
    if event.message.id == ticket.message_id:
        cells.asked(cell, event.message.parent_id)
    else:
        cells.answered(cell, event.message.id)
