"""Stored answers, shown again where nothing has changed.

The conversation itself is the memory. A cell that runs again stands where it stood; if its message,
with all that goes along, was answered there before, that answer is shown and nobody is asked. So
*Run All* after a restart asks only what is new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bestchat_kernel.cells import NEWEST, CellKey, Cells, Place
from bestchat_kernel.kernel.memory import Memory
from bestchat_kernel.replay import Replay
from bestchat_kernel.result import ChatResult
from bestchat_kernel.session import Began, ChatSession, Question, Sink, Stored
from bestchat_server_ext.api import conversations
from bestchat_server_ext.core.conversation import ConversationState, Turn
from bestchat_server_ext.core.errors import NotFound
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.core.messages import ImagePart, Message


@dataclass(frozen=True)
class _Found:
    """A turn that answered the same before, and its answers."""

    conversation_id: ConversationId
    turn: Turn
    answers: list[Message]


LABEL = "stored; %again asks anew"
"""What stands beside the model's name below an answer that was not asked for now."""


class KeptAnswers:
    """Asks for the cells of a BestChat kernel, or shows what is stored.

    A cell that runs for the first time follows the cell that was shown before it, else whatever
    was said last.
    """

    def __init__(self, session: ChatSession, replay: Replay, memory: Memory) -> None:
        """Stand before a replay, which stands before the session."""
        self._session = session
        self._replay = replay
        self._memory = memory
        self._remembers = False
        self._ran: set[CellKey] = set()
        self._follow: Place = NEWEST
        self.last: ChatResult | None = None
        """The answer of the message that ran last; none if there was none."""

    async def ask(self, question: Question, sink: Sink) -> ChatResult:
        """Ask, or show what is stored.

        Raises:
            ChatError: as `ChatSession.ask`.
        """
        self.last = None
        if self._replay.mode != "off":
            self.last = await self._replay.ask(question, sink)
            return self.last
        self._remember()
        question = self._returned(question)
        place = self._place(question)
        found = await self._found(question, place) if _may_be_stored(question) else None
        if found is not None:
            self.last = self._shown(question, place, found, sink)
        else:
            self._follow = NEWEST
            try:
                self.last = await self._session.ask(replace(question, place=place), sink)
            finally:
                self._keep()
        return self.last

    async def stop(self) -> None:
        """Stop what is being asked."""
        await self._replay.stop()

    def renew(self) -> None:
        """Begin a new conversation with the next question."""
        self._remember()
        self._follow = NEWEST
        self._replay.renew()

    # Where cells stand.

    def _remember(self) -> None:
        """Take up what was before a restart, once."""
        if not self._remembers:
            self._remembers = True
            current, cells = self._memory.read()
            for conversation_id, known in cells.items():
                self._session.cells.setdefault(conversation_id, known)
            if self._session.conversation_id is None:
                self._session.renew(current)

    def _keep(self) -> None:
        self._memory.write(self._session.conversation_id, self._session.cells)

    def _conversation_of(self, cell: CellKey) -> ConversationId | None:
        known = reversed(self._session.cells.items())
        return next((key for key, cells in known if cell in cells), None)

    def _returned(self, question: Question) -> Question:
        """Where a cell runs for the first time since a restart, go back to its conversation."""
        first = question.cell not in self._ran
        self._ran.add(question.cell)
        before = self._conversation_of(question.cell)
        if first and before is not None and question.conversation is None:
            self._session.renew(before)
            return replace(question, new=False)
        return question

    def _place(self, question: Question) -> Place:
        if question.new or question.conversation is not None:
            return NEWEST
        conversation_id = self._session.conversation_id
        if conversation_id is None:
            return NEWEST
        cells = self._session.cells.get(conversation_id, Cells())
        if question.follow_up:
            return cells.after(question.cell)
        return cells.place(question.cell) if question.cell in cells else self._follow

    # What is stored.

    async def _found(self, question: Question, place: Place) -> _Found | None:
        conversation_id = self._session.conversation_id
        if conversation_id is None or place == NEWEST:
            return None
        client = (await self._session.connection()).client
        try:
            state = await client.call(
                conversations.get, conversations.GetConversation(conversation_id)
            )
        except NotFound:
            return None
        return _answered(state, question, question.model or self._session.model, place)

    def _shown(self, question: Question, place: Place, found: _Found, sink: Sink) -> ChatResult:
        conversation_id = found.conversation_id
        cells = self._session.cells.setdefault(conversation_id, Cells())
        cells.asked(question.cell, found.turn.message_id, place.parent_id)
        cells.answered(question.cell, found.answers[-1].id)
        self._follow = Place(found.answers[-1].id)
        last = found.answers[-1]
        model = last.model or found.turn.model
        sink(Began(model, LABEL))
        sink(Stored("\n\n".join(answer.text for answer in found.answers if answer.text)))
        return ChatResult(
            last.text,
            model,
            found.turn.usage,
            conversation_id,
            found.turn.id,
            last.finish_reason or "unknown",
            last.id,
        )


def _may_be_stored(question: Question) -> bool:
    return not (question.anew or question.new or question.conversation is not None)


def _answered(
    state: ConversationState, question: Question, model: str | None, place: Place
) -> _Found | None:
    """The newest turn that answered this question in this place, and whose answer is whole."""
    settings = state.conversation.settings
    if question.system is not None and question.system != settings.system_prompt:
        return None
    for turn in reversed(state.turns.values()):
        asked = state.messages.get(turn.message_id)
        if (
            turn.state == "finished"
            and turn.options == question.options
            and model in {None, turn.model}
            and asked is not None
            and asked.parent_id == place.parent_id
            and _says(asked, question)
        ):
            answers = [
                it
                for it in state.messages.values()
                if it.turn_id == turn.id and it.role == "assistant"
            ]
            if answers:
                return _Found(state.conversation.id, turn, answers)
    return None


def _says(message: Message, question: Question) -> bool:
    images = tuple(part for part in message.parts if isinstance(part, ImagePart))
    return message.text == question.text and images == question.images
