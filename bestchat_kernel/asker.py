"""Questions that know nothing of each other, several at a time.

Every question begins at the root of a conversation that is put away. As many conversations are kept
as there are questions at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bestchat_kernel.cells import Place
from bestchat_kernel.forms import Form, Unusable
from bestchat_kernel.replay import Replay, content_of, result_of
from bestchat_kernel.result import ChatResult
from bestchat_kernel.session import ChatSession, Question, Sink
from bestchat_server_ext.api import models
from bestchat_server_ext.core.errors import UnusableAnswer
from bestchat_server_ext.core.models import ModelFacts, RequestOptions

_WRITE_SECONDS = 1.0
"""How often answers are written to a recording while more of them come."""


@dataclass(frozen=True)
class Request:
    """How all questions of one call are asked.

    Attributes:
        form: what an answer has to be.
        model: model reference of who answers; the default model if none.
        options: how to answer.
    """

    form: Form
    model: str | None = None
    options: RequestOptions = field(default_factory=RequestOptions)


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        result: the answer itself.
        value: what was read from it: an object if there is a schema, else the answer.
    """

    result: ChatResult
    value: object


class Asker:
    """Asks questions that know nothing of each other, several at a time."""

    def __init__(self, session: ChatSession, replay: Replay) -> None:
        """Ask through the door of a session, or replay."""
        self._session = session
        self._replay = replay
        self._idle: list[ChatSession] = []
        self._last_written = 0.0

    async def ask(
        self, text: str, request: Request, sink: Sink, allow: Callable[[], None] = lambda: None
    ) -> Reply:
        """Ask one question, and once more if the answer is not in its form.

        Args:
            text: the question.
            request: how it is asked.
            sink: what is reported to.
            allow: called before a model is asked, which a replay does not; may raise.

        Raises:
            ChatError: there is no usable answer.
        """
        asked = request.form.asked(text)
        first = await self._answer(asked, request, sink, allow)
        read = request.form.read
        if read is None:
            return Reply(first, first)
        try:
            return Reply(first, read(first.text))
        except Unusable as error:
            repair = request.form.repair(str(error))
        again = f"{asked}\n\n---\nYou answered:\n{first.text}\n\n{repair}"
        second = await self._answer(again, request, sink)  # what was begun is ended
        try:
            return Reply(second, read(second.text))
        except Unusable as error:
            raise UnusableAnswer(
                f"The answer, asked for twice, does not fit: {error}",
                hint="Say in the prompt what is wanted, or ask another model.",
            ) from None

    @property
    def may_ask(self) -> bool:
        """Whether models are asked at all, rather than only replayed."""
        return self._replay.mode != "only"

    async def facts(self, model: str | None) -> ModelFacts | None:
        """What is known of the model that will answer; none if there is no default."""
        client = (await self._session.connection()).client
        reference = model or self._session.model
        if reference is None:
            listed = await client.call(models.list_, models.ListModels(known_only=True))
            reference = listed.default
        return await client.call(models.get, models.GetModel(reference)) if reference else None

    def write(self, *, now: bool = True) -> None:
        """Write what was recorded; if it need not be now, then not too often."""
        if self._replay.mode != "off" and (
            now or time.monotonic() - self._last_written >= _WRITE_SECONDS
        ):
            self._replay.recordings.write()
            self._last_written = time.monotonic()

    async def _answer(
        self, text: str, request: Request, sink: Sink, allow: Callable[[], None] = lambda: None
    ) -> ChatResult:
        question = Question(
            text,
            cell=object(),
            model=request.model,
            options=request.options,
            place=Place(root=True),
        )
        if self._replay.mode == "off":
            allow()
            return await self._live(question, sink)
        content = content_of(question, self._session.model, None)
        if self._replay.asks(content):
            allow()  # not where it is recorded what comes of it: a refusal is no answer
        answer = await self._replay.answer(
            content, lambda noting: self._live(question, noting), sink
        )
        return result_of(answer)

    async def _live(self, question: Question, sink: Sink) -> ChatResult:
        await self._session.announce(question, sink)
        apart = self._idle.pop() if self._idle else self._session.apart()
        apart.model = self._session.model
        try:
            return await apart.ask(question, sink)
        finally:
            self._idle.append(apart)
