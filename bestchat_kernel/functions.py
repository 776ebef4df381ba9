"""`chat`: questions from Python, each on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from decimal import Decimal
from typing import Any

from bestchat_kernel import forms
from bestchat_kernel.asker import Asker, Reply, Request
from bestchat_kernel.failure import ChatFailed
from bestchat_kernel.loop import loop_thread
from bestchat_kernel.mapping import Mapping, mapped
from bestchat_kernel.process import replay as shared_replay
from bestchat_kernel.process import session as shared_session
from bestchat_kernel.session import Progress, Told
from bestchat_server_ext.core.errors import ChatError
from bestchat_server_ext.core.models import RequestOptions


class Pending:
    """An answer that is on its way: `await` it, or wait with `result()`."""

    def __init__(self, future: Future[Reply]) -> None:
        """Wait for a future of the loop thread."""
        self._future = future

    def result(self, timeout: float | None = None) -> object:
        """Wait for the answer; stops asking if the wait is interrupted.

        Raises:
            ChatFailed: there is none.
            TimeoutError: not after so many seconds; it may still come.
        """
        try:
            return self._future.result(timeout).value
        except ChatError as error:
            raise ChatFailed(error) from None
        except KeyboardInterrupt:
            self._future.cancel()
            raise

    def __await__(self) -> Generator[Any, None, object]:
        """Wait without blocking the loop that waits."""
        return self._waited().__await__()

    async def _waited(self) -> object:
        try:
            return (await asyncio.wrap_future(self._future)).value
        except ChatError as error:
            raise ChatFailed(error) from None


class Chat:
    """What `from bestchat_kernel import chat` gives: call it, or map it over a column."""

    def __init__(self) -> None:
        """Connect at the first question."""
        self._asker: Asker | None = None

    def __call__(
        self,
        prompt: str,
        *,
        schema: object = None,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Any:  # noqa: ANN401  of the schema's type
        """Ask a model, and wait for the answer. It knows nothing of what was asked before.

        Args:
            prompt: the question, sent as it is.
            schema: what the answer has to fit: a pydantic model, another type, or a JSON Schema.
            model: model reference of who answers; the notebook's model if none.
            temperature: from 0, the likeliest, to 2.
            max_tokens: tokens after which the answer is cut off.

        Returns:
            An object that fits the schema; without one, a `ChatResult`.

        Raises:
            ChatFailed: there is no usable answer.
        """
        pending = self.start(
            prompt, schema=schema, model=model, temperature=temperature, max_tokens=max_tokens
        )
        return pending.result()

    def start(
        self,
        prompt: str,
        *,
        schema: object = None,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Pending:
        """Ask without waiting: `await chat.start(…)`, or wait later with `.result()`.

        Takes what `chat` takes.
        """
        asker = self.asker()
        request = requested(schema, model, temperature, max_tokens)

        async def ask() -> Reply:
            reply = await asker.ask(prompt, request, _say)
            asker.write()
            return reply

        return Pending(loop_thread().submit(ask()))

    def map(
        self,
        values: Iterable[object],
        prompt: str | Callable[[object], str],
        *,
        schema: object = None,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        concurrency: int = 8,
        max_cost: str | float | None = None,
    ) -> Any:  # noqa: ANN401  a Series if it was one
        """Ask the same about every value of a column.

        Args:
            values: a Series, a list or anything else that can be gone through.
            prompt: the question, behind which each value is put; or a function that makes the
                whole message of a value.
            schema: as for `chat`.
            model: as for `chat`.
            temperature: as for `chat`.
            max_tokens: as for `chat`.
            concurrency: questions at the same time.
            max_cost: US dollars after which no more questions are asked.

        Returns:
            For each value, in order: an object that fits the schema, or the answer's text; a
            `ChatFailed` for one that has no usable answer. A Series, with its index, for a Series.

        Raises:
            ChatFailed: nothing could be asked at all.
            ChatInterrupted: somebody pressed Stop.
        """
        try:
            request = requested(schema, model, temperature, max_tokens)
            # Not as 1e-05, which is no amount of money.
            limit = (
                format(Decimal(repr(max_cost)), "f") if isinstance(max_cost, float) else max_cost
            )
            limit = None if limit is None else str(limit)
            work = Mapping(self.asker(), request, max(1, concurrency), limit)
            return mapped(work, values, prompt)
        except ChatError as error:
            raise ChatFailed(error) from None

    def asker(self) -> Asker:
        """Who asks, for the life of the process."""
        if self._asker is None:
            self._asker = Asker(shared_session(), shared_replay())
        return self._asker


def requested(
    schema: object, model: str | None, temperature: float | None, max_tokens: int | None
) -> Request:
    """What a call asks for.

    Raises:
        ChatFailed: the schema is none.
    """
    try:
        form = forms.form("md" if schema is None else "json", schema)
    except ChatError as error:
        raise ChatFailed(error) from None
    options = RequestOptions(temperature=temperature, max_output_tokens=max_tokens)
    return Request(form, model, options)


def _say(progress: Progress) -> None:
    if isinstance(progress, Told):
        print(f"note: {progress.text}")  # noqa: T201  stdout of the cell is where it belongs


chat = Chat()
