"""Runs that can be reproduced: answers are recorded, and given again without asking anybody.

It stands between the cells and the session. A replayed answer needs no server, no key and no
network. Which answer belongs to a question depends on all that was said before it: so every
exchange is known by its content and by the exchange that it follows. Where a new question follows
replayed ones, the server has never heard of these: they are told to it first, as a conversation
that is imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from bestchat_kernel.cells import NEWEST, Cells, Place
from bestchat_kernel.recordings import Answer, Content, Mention, Recordings
from bestchat_kernel.result import ChatResult
from bestchat_kernel.session import (
    Began,
    ChatSession,
    Grew,
    Progress,
    Question,
    Restarted,
    Sink,
    Stored,
    Told,
    restarted,
)
from bestchat_server_ext.api import conversations
from bestchat_server_ext.core.conversation import Conversation, ConversationState, Turn
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import (
    ChatError,
    ErrorInfo,
    InvalidRequest,
    NotRecorded,
    TurnCancelled,
    TurnInterrupted,
    from_info,
)
from bestchat_server_ext.core.ids import ConversationId, MessageId, OwnerId, RequestId, TurnId
from bestchat_server_ext.core.messages import Message, TextPart

Mode = Literal["off", "auto", "only", "refresh"]
"""`off` always asks and records nothing; `auto` replays what is recorded, else asks and records;
`only` never asks; `refresh` always asks and records."""

_MODES: dict[str, Mode] = {mode: mode for mode in get_args(Mode)}


def mode_named(name: str) -> Mode:
    """The mode of that name.

    Raises:
        InvalidRequest: there is none.
    """
    if name not in _MODES:
        raise InvalidRequest(
            f"There is no replay mode {name[:40]!r}.",
            hint=f"Write one of {', '.join(_MODES)}.",
            field="replay",
        )
    return _MODES[name]


_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""When all was said, in what is shown of a recording: it keeps no times."""


@dataclass(frozen=True)
class _Exchange:
    """A question and its answer, and what was said before."""

    content: Content
    answer: Answer
    before: _Exchange | None

    @property
    def key(self) -> str:
        return self.content.key

    @property
    def chain(self) -> list[_Exchange]:
        """All that was said up to here, the first first."""
        chain = [self]
        while (before := chain[-1].before) is not None:
            chain.append(before)
        return chain[::-1]


class Replay:
    """Asks, or replays, for one session."""

    def __init__(self, session: ChatSession, environ: Mapping[str, str]) -> None:
        """Stand before a session; `BESTCHAT_REPLAY` and `BESTCHAT_REPLAY_FILE` say how."""
        self._session = session
        self._environ = environ
        self._mode: Mode | None = None
        self._recordings: Recordings | None = None
        self._forget()

    def _forget(self) -> None:
        self._cells = Cells()
        self._exchanges: dict[str, _Exchange] = {}
        self._newest: _Exchange | None = None
        self._told: dict[str, tuple[str, MessageId]] = {}
        self._refreshed: set[str] = set()

    @property
    def mode(self) -> Mode:
        """What is done.

        Raises:
            InvalidRequest: the environment names no mode.
        """
        if self._mode is None:
            self._mode = mode_named(self._environ.get("BESTCHAT_REPLAY") or "off")
        return self._mode

    @property
    def recordings(self) -> Recordings:
        """Where answers are kept."""
        if self._recordings is None:
            named = self._environ.get("BESTCHAT_REPLAY_FILE")
            self._recordings = Recordings(Path(named or self._usual_name()).expanduser())
        return self._recordings

    def _usual_name(self) -> str:
        notebook = self._environ.get("JPY_SESSION_NAME", "")
        return f"{Path(notebook).stem or 'bestchat'}.replay.json"

    @property
    def conversation(self) -> ConversationState | None:
        """What was said so far, the same in each run; none where nothing was, or is recorded."""
        if self.mode == "off" or self._newest is None:
            return None
        where = ConversationId(self._newest.answer.conversation_id)
        return _state(self._newest.chain, where, _AT)

    @property
    def said(self) -> tuple[Message, ...]:
        """The messages of that conversation; none where there is none."""
        state = self.conversation
        return () if state is None else tuple(state.messages.values())

    def switch(self, mode: Mode, file: str = "") -> None:
        """Do something else from now on, with a conversation of its own."""
        self._mode = mode
        if file:
            self._recordings = Recordings(Path(file).expanduser())
        self._forget()
        self._session.renew()

    def renew(self) -> None:
        """Begin a new conversation with the next question."""
        self._newest = None
        self._session.renew()

    async def stop(self) -> None:
        """Stop what is being asked."""
        await self._session.stop()

    async def ask(self, question: Question, sink: Sink) -> ChatResult:
        """Ask, or replay.

        Raises:
            NotRecorded: nobody may be asked, and there is no such record.
            ChatError: as `ChatSession.ask`.
        """
        if self.mode == "off":
            return await self._session.ask(question, sink)
        if question.conversation is not None:
            raise InvalidRequest(
                "A conversation from elsewhere cannot be gone on with in a replay.",
                hint="What it holds is in no recording: leave -c out, or write %chat replay off.",
                field="-c",
            )
        before = self._before(question)
        content = content_of(question, self._session.model, before)
        try:
            answer = await self.answer(
                content, lambda noting: self._live(question, before, noting), sink
            )
        finally:
            self.recordings.write()
        self._remember(question, _Exchange(content, answer, before))
        return result_of(answer)

    async def answer(
        self, content: Content, ask: Callable[[Sink], Awaitable[ChatResult]], sink: Sink
    ) -> Answer:
        """What is recorded; else what is answered, which is recorded then.

        A failure is recorded as well. It is given again only where nobody may be asked: elsewhere
        the next run asks again.

        Raises:
            NotRecorded: nobody may be asked, and there is no such record.
            ChatError: as `ask`, or as it is recorded.
        """
        found = self.recordings.find(content)
        if found is not None and self._counts(found):
            return _told_again(found, sink)
        if self.mode == "only":
            raise NotRecorded(
                f"This is not recorded, and nobody is asked. {self.recordings.changed(content)}",
                hint="Record it with %chat replay auto.",
            )
        noting = Noting(sink)
        try:
            answer = noting.answer(await ask(noting))
        except (TurnCancelled, TurnInterrupted):  # which is no answer
            raise
        except ChatError as error:
            if found is None or found.failed is not None:
                self.recordings.keep(content, noting.failure(error.info))
            raise
        self.recordings.keep(content, answer)
        return answer

    def asks(self, content: Content) -> bool:
        """Whether somebody is asked for that content, so that no record is given."""
        if self.mode in {"off", "only"}:
            return self.mode == "off"
        found = self.recordings.find(content)
        return found is None or not self._counts(found)

    def _counts(self, found: Answer) -> bool:
        """Whether a record is given in place of an answer."""
        return self.mode == "only" or (self.mode == "auto" and found.failed is None)

    async def mentioned(
        self, name: str, fetch: Callable[[], Awaitable[tuple[str, tuple[str, ...]]]]
    ) -> tuple[str, tuple[str, ...]]:
        """What a prompt mentions that comes from elsewhere: its text, and notes on it.

        In a refresh each is fetched once: with two versions of it, one recording could not give
        both questions again.

        Args:
            name: what it is recorded under.
            fetch: gets it.

        Raises:
            NotRecorded: nobody may be asked, and it is not recorded.
        """
        if self.mode == "off":
            return await fetch()
        stale = self.mode == "refresh" and name not in self._refreshed
        found = None if stale else self.recordings.mention(name)
        if found is not None:
            return "\n".join(found.text), found.notes
        if self.mode == "only":
            raise NotRecorded(
                f"What is mentioned as {name[:100]!r} is not recorded, and nobody is asked.",
                hint="Record it with %chat replay auto.",
            )
        text, notes = await fetch()
        self._refreshed.add(name)
        self.recordings.keep_mention(Mention(name, tuple(text.split("\n")), notes))
        return text, notes

    def _before(self, question: Question) -> _Exchange | None:
        """The exchange that a question follows."""
        if question.new:
            return None
        cell = question.cell
        place = self._cells.after(cell) if question.follow_up else self._cells.place(cell)
        if place.root:
            return None
        if place == NEWEST:
            return self._newest
        return self._exchanges[place.parent_id] if place.parent_id else None

    def _remember(self, question: Question, exchange: _Exchange) -> None:
        key = exchange.key
        self._exchanges[key] = self._newest = exchange
        if not question.follow_up:
            parent = exchange.before.key if exchange.before else None
            self._cells.asked(question.cell, f"asked {key}", parent)
        self._cells.answered(question.cell, key)

    async def _live(self, question: Question, before: _Exchange | None, sink: Sink) -> ChatResult:
        """Ask, where the server has been told what was said before."""
        if before is None:
            question = replace(question, place=Place(root=True))
        else:
            if before.key not in self._told:
                await self._tell(before)
            conversation, message = self._told[before.key]
            question = replace(question, conversation=conversation, place=Place(message))
        result = await self._session.ask(question, sink)
        key = content_of(question, self._session.model, before).key
        self._told[key] = result.conversation_id, MessageId(result.message_id)
        return result

    async def _tell(self, last: _Exchange) -> None:
        """Make a conversation of what was replayed."""
        chain = last.chain
        client = (await self._session.connection()).client
        request = conversations.ImportConversation(_archive(chain))
        imported = await client.call(conversations.import_, request)
        state = await client.call(conversations.get, conversations.GetConversation(imported.id))
        answers = state.branch(state.newest)[1::2]
        for exchange, message in zip(chain, answers, strict=True):
            self._told[exchange.key] = imported.id, message.id


class Noting:
    """A sink that keeps what has to be told again in a replay."""

    def __init__(self, sink: Sink) -> None:
        """Pass everything on to another sink."""
        self._sink = sink
        self._notes: list[str] = []
        self._later: list[str] = []
        self._shown = False
        self._began = Began("", "")
        self._text = ""

    def __call__(self, progress: Progress) -> None:
        """Take what is reported."""
        match progress:
            case Told(text=text):
                self._note(text)
            case Restarted():
                self._note(restarted(progress))
            case Began():
                self._began = progress
            case Grew(text=text):
                self._hold(self._text + text)
            case Stored(text=text):
                self._hold(text)
            case _:
                pass
        self._sink(progress)

    def _note(self, text: str) -> None:
        (self._later if self._shown else self._notes).append(text)

    def _hold(self, text: str) -> None:
        self._shown = self._shown or text != self._text
        self._text = text

    def answer(self, result: ChatResult) -> Answer:
        """What was answered, as it is recorded."""
        return Answer(
            tuple(result.text.split("\n")),
            result.model,
            self._began.label if self._began.model == result.model else "",
            result.finish_reason,
            result.usage,
            tuple(self._notes),
            tuple(self._later),
            result.conversation_id,
            result.turn_id,
        )

    def failure(self, error: ErrorInfo) -> Answer:
        """What there is in place of an answer, as it is recorded."""
        return Answer(
            tuple(self._text.split("\n")),
            self._began.model,
            self._began.label,
            notes=tuple(self._notes),
            later=tuple(self._later),
            failed=error,
        )


def _told_again(found: Answer, sink: Sink) -> Answer:
    """Report a recorded answer, or failure, as it was reported before.

    Raises:
        ChatError: it was a failure.
    """
    for note in found.notes:
        sink(Told(note))
    if found.model:
        sink(Began(found.model, found.label))
        sink(Stored("\n".join(found.text)))
    for note in found.later:
        sink(Told(note))
    if found.failed is not None:
        raise from_info(found.failed)
    return found


def content_of(question: Question, model: str | None, before: _Exchange | None) -> Content:
    """What the answer to a question depends on."""
    told = before.content.system if before else ""
    return Content(
        tuple(question.text.split("\n")),
        before.key if before else "",
        question.model or model or "",
        told if question.system is None else question.system,
        question.options,
        tuple(hashlib.sha256(image.data).hexdigest() for image in question.images),
    )


def result_of(answer: Answer) -> ChatResult:
    """A recorded answer as a cell gets it."""
    return ChatResult(
        "\n".join(answer.text),
        answer.model,
        answer.usage,
        answer.conversation_id,
        answer.turn_id,
        answer.finish_reason,
    )


def _archive(chain: Sequence[_Exchange]) -> str:
    """Exchanges as an export, which a server can import."""
    from bestchat_server_ext.core.export import to_json

    now = datetime.now(UTC)
    return to_json(_state(chain, ConversationId("replayed"), now), now)


def _state(
    chain: Sequence[_Exchange], conversation_id: ConversationId, at: datetime
) -> ConversationState:
    """Exchanges as a conversation in which all was said at one time."""
    messages: dict[str, Message] = {}
    turns: dict[str, Turn] = {}
    parent: MessageId | None = None
    for exchange in chain:
        turn = TurnId(exchange.key)
        asked = MessageId(f"asked-{exchange.key}")
        said = TextPart("\n".join(exchange.content.text))
        messages[asked] = Message(asked, parent, "user", (said,), at, turn)
        parent = MessageId(exchange.key)
        answer = exchange.answer
        messages[parent] = Message(
            parent,
            asked,
            "assistant",
            (TextPart("\n".join(answer.text)),),
            at,
            turn,
            step=1,
            model=answer.model,
            usage=answer.usage,
        )
        request = RequestId(exchange.key)
        turns[turn] = Turn(
            turn, conversation_id, request, asked, answer.model, at, "finished", usage=answer.usage
        )
    settings = ConversationSettings(system_prompt=chain[-1].content.system)
    conversation = Conversation(
        conversation_id, OwnerId("local"), len(messages), at, at, settings=settings
    )
    return ConversationState(conversation, messages, turns, {})
