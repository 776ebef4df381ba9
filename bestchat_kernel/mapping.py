"""`chat.map`: the same question about every value of a column."""

from __future__ import annotations

import asyncio
import queue
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from IPython.core.getipython import get_ipython

from bestchat_kernel.asker import Asker, Reply, Request
from bestchat_kernel.failure import ChatFailed, ChatInterrupted
from bestchat_kernel.loop import loop_thread
from bestchat_kernel.screens import CellScreen
from bestchat_kernel.session import Progress, Told
from bestchat_kernel.stop import StopButton
from bestchat_kernel.summary import inline_text
from bestchat_server_ext.core.cost import cost, picodollars, shown, text_tokens
from bestchat_server_ext.core.errors import (
    ChatError,
    Disabled,
    InvalidRequest,
    LimitReached,
    MissingKey,
    NoModel,
    NotInstalled,
    NotPermitted,
    NotRecorded,
    UnknownProvider,
)
from bestchat_server_ext.core.models import Prices, Usage

_FOR_ALL = (
    Disabled,
    MissingKey,
    NoModel,
    NotInstalled,
    NotPermitted,
    NotRecorded,
    UnknownProvider,
)
"""What fails one value in such a way that it fails the others as well."""

_LONGEST = 50_000
"""Characters of one value that are sent."""

_SHOW_SECONDS = 0.2


class _SpentError(LimitReached):
    """So much was spent that no value is begun any more."""


News = Callable[[str], None]


@dataclass
class Mapping:
    """One call of `chat.map`, while it runs.

    Attributes:
        asker: who asks.
        request: how.
        concurrency: questions at the same time.
        max_cost: US dollars after which no more are asked; none for no limit.
        usage: the tokens of all answers so far.
        done: values that have an answer or an error.
        failed: of these, how many have an error.
        left: how many were not begun any more, because so much was spent.
    """

    asker: Asker
    request: Request
    concurrency: int
    max_cost: str | None
    usage: Usage = field(default_factory=Usage)
    done: int = 0
    failed: int = 0
    left: int = 0
    _prices: Prices | None = None

    async def run(self, texts: Sequence[str], news: News) -> list[object]:
        """Ask about all of them; give a value or an error for each, in order.

        Raises:
            ChatError: none of them could be asked.
        """
        await self._begin(texts, news)
        found: list[object] = [None] * len(texts)
        waiting = iter(enumerate(texts))
        first: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.concurrency, len(texts))):
                    group.create_task(self._work(waiting, found, news))
        except BaseExceptionGroup as group:
            first = group.exceptions[0]
        finally:
            self.asker.write()
        # Not in the handler: IPython shows a stack for whatever has a group in its context.
        if first is not None:
            raise first
        return found

    async def _begin(self, texts: Sequence[str], news: News) -> None:
        """Look prices up and estimate, unless nobody may be asked."""
        limit = picodollars(self.max_cost) if self.max_cost is not None else None
        if not self.asker.may_ask:
            return
        facts = await self.asker.facts(self.request.model)
        self._prices = facts.prices if facts else None
        tokens = text_tokens(*map(self.request.form.asked, texts))
        known = cost(Usage(input_tokens=tokens), self._prices)
        if limit is not None and known is None:
            raise InvalidRequest(
                "What this model costs is not known, so that `max_cost` cannot be kept.",
                hint="Choose a model whose price is known, or leave the limit out.",
                field="max_cost",
            )
        price = "" if known is None else f", {shown(known)} before the answers"
        news(f"{len(texts):,} values, about {tokens:,} tokens to send{price}")

    async def _work(
        self, waiting: Iterator[tuple[int, str]], found: list[object], news: News
    ) -> None:
        for number, text in waiting:
            try:
                found[number] = await self._one(text, news)
            except _FOR_ALL:
                raise
            except _SpentError as error:
                found[number] = ChatFailed(error)
                self.left += 1
            except ChatError as error:
                found[number] = ChatFailed(error)
                self.failed += 1
            self.done += 1
            self.asker.write(now=False)
            spent = self._cost()
            # Not in the last line: it is the same in a replay, which asks for no price.
            news(self.told(len(found)) + ("" if spent is None else f", {shown(spent)}"))

    async def _one(self, text: str, news: News) -> object:
        def say(progress: Progress) -> None:
            if isinstance(progress, Told):
                news(progress.text)

        try:
            reply: Reply = await self.asker.ask(text, self.request, say, self._allow)
        except NotRecorded:
            # A replay knows no prices. Where a run with a limit left the rest out, so does it.
            if self.max_cost is None or self.done == self.left:
                raise
            raise self._spent() from None
        self.usage += reply.result.usage
        return reply.result.text if reply.value is reply.result else reply.value

    def _allow(self) -> None:
        """Let a model be asked about one more value, unless too much was spent.

        Raises:
            _SpentError: it was.
        """
        if self.max_cost is not None and (self._cost() or 0) >= picodollars(self.max_cost):
            raise self._spent()

    def _spent(self) -> _SpentError:
        return _SpentError(
            f"This value was not asked about within ${self.max_cost}.",
            hint="Map it again with a higher `max_cost`; a replay keeps what is answered.",
        )

    def _cost(self) -> int | None:
        return cost(self.usage, self._prices)

    def told(self, size: int) -> str:
        """How far it is, in a line."""
        answered = f"{self.done - self.failed - self.left:,} of {size:,} values answered"
        failed = f", {self.failed:,} failed" if self.failed else ""
        if self.left:
            failed += f", {self.left:,} not asked within ${self.max_cost}"
        tokens = f"{self.usage.input_tokens:,} tokens in, {self.usage.output_tokens:,} out"
        return f"{answered}{failed}; {tokens}"


def mapped(work: Mapping, values: Iterable[object], prompt: str | Callable[[object], str]) -> Any:  # noqa: ANN401  a Series if it was one
    """Run a mapping and show how far it is.

    Raises:
        ChatError: nothing could be asked at all.
        ChatInterrupted: somebody pressed Stop.
    """
    column = list(values)
    texts = [_message(prompt, value) for value in column]
    found = _shown(work, texts)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(values, pandas.Series):
        return pandas.Series(found, index=values.index, name=values.name, dtype=object)
    return found


def _message(prompt: str | Callable[[object], str], value: object) -> str:
    if callable(prompt):
        return prompt(value)
    return f"{prompt}\n\n---\n{inline_text(value, _LONGEST)}"


def _shown(work: Mapping, texts: list[str]) -> list[object]:
    """Run it on the loop thread; show its news here."""
    shell = get_ipython()
    rich = shell is not None and getattr(shell, "kernel", None) is not None
    screen = CellScreen(shell) if shell is not None and rich else None
    news: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    shown_at = 0.0
    with StopButton(lambda: news.put(None)) as button:
        future = loop_thread().submit(work.run(texts, news.put))
        future.add_done_callback(lambda _: news.put(None))
        while (text := news.get()) is not None:
            now = time.monotonic()
            if screen is not None and now - shown_at >= _SHOW_SECONDS:
                screen.show({"text/plain": text}, {})
                shown_at = now
        if button.pressed:
            future.cancel()
            raise ChatInterrupted(f"Stopped: {work.told(len(texts))}.")
        found = future.result()
    if screen is not None:
        screen.show({"text/plain": work.told(len(texts))}, {})
    return found
