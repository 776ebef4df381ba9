"""A streaming answer on its way from the provider to its readers.

Chunks come as the network delivers them, perhaps a thousand a second; a reader's screen cannot
show more than a few dozen changes. So the first piece goes out at once, and what arrives during
the following interval goes out together. One such batch is one piece in the sense of
`core.events.Delta`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from itertools import groupby
from math import inf
from typing import Literal

from bestchat_server_ext.core.events import Delta, Event, MessageAdded
from bestchat_server_ext.core.failover import Heard
from bestchat_server_ext.core.ids import ConversationId, MessageId, TurnId
from bestchat_server_ext.core.models import Chunk, ReasoningChunk, TextChunk
from bestchat_server_ext.core.reply import MOST_CHARACTERS, Reply, ReplyBuilder, endless
from bestchat_server_ext.ports.bus import Bus, Frame
from bestchat_server_ext.ports.clock import Clock

BATCH_SECONDS = 0.04
"""How long pieces are gathered after the first one."""


class Draft:
    """The answer of one step while it streams."""

    def __init__(
        self, turn_id: TurnId, step: int, message_id: MessageId, conversation_id: ConversationId
    ) -> None:
        """Begin an empty answer."""
        self.conversation_id = conversation_id
        self.turn_id = turn_id
        self.step = step
        self.message_id = message_id
        self._builder = ReplyBuilder()
        self._pending: list[TextChunk | ReasoningChunk] = []
        self._due = -inf
        self._later: asyncio.Task[None] | None = None
        self._first_delta: Callable[[], None] | None = None
        self.changed = False
        """Whether something was published since this flag was last taken down."""
        self.attempt = 1
        """Which beginning of the answer this is."""
        self._characters = 0
        self._edge = ""
        self._dropped = Reply()

    def begin_again(self, *, kept: bool) -> None:
        """Get ready for another attempt: it continues what has arrived, or begins anew."""
        if kept:
            self._edge = self._builder.edge
            self._builder.forget_end()
        else:
            self._dropped = self.longest()
            self._builder = ReplyBuilder()
            self.attempt += 1
            self.changed = True
        self._characters = 0
        self._pending = []

    @property
    def heard(self) -> Heard:
        """What has arrived so far, as far as another attempt depends on it."""
        return self._builder.heard

    async def fill(
        self,
        chunks: AsyncGenerator[Sequence[Chunk], None],
        bus: Bus,
        clock: Clock,
        first_delta: Callable[[], None] | None = None,
    ) -> Reply:
        """Read a stream to its end and publish it on the way; give the whole reply.

        `first_delta` is called when its first piece is about to be published.

        Raises:
            ChatError: whatever the provider raised. `partial` then has what arrived before.
        """
        self._first_delta = first_delta
        try:
            async with aclosing(chunks):
                async for together in chunks:
                    self._take(together)
                    if self._pending:
                        await self._pass_on(bus, clock)
        finally:
            if (later := self._later) is not None:
                later.cancel()
                await asyncio.wait([later])
            await self.flush(bus)  # also where the stream broke off: what has arrived counts
        self._check_later()
        return self._builder.finish()

    async def _pass_on(self, bus: Bus, clock: Clock) -> None:
        """Publish what has arrived, or see to it that it is published when its time has come.

        Pieces that are read as slowly as they are published need no task to wait for their time.
        """
        self._check_later()
        if self._later is not None:
            return
        left = self._due - clock.monotonic()
        if left <= 0:
            await self.flush(bus)
            self._due = clock.monotonic() + BATCH_SECONDS
        else:
            waiting = self._flush_after(left, bus, clock)
            self._later = asyncio.create_task(waiting, name="bestchat-draft")

    async def _flush_after(self, seconds: float, bus: Bus, clock: Clock) -> None:
        await clock.sleep(seconds)
        await self.flush(bus)
        self._due = clock.monotonic() + BATCH_SECONDS

    def _check_later(self) -> None:
        """Raise what kept pieces from being published: nobody would hear any more of them."""
        later = self._later
        if later is not None and later.done():
            self._later = None
            if not later.cancelled():
                later.result()

    def _take(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            if isinstance(chunk, TextChunk | ReasoningChunk):
                self._characters += len(chunk.text)
                if self._characters > MOST_CHARACTERS:
                    raise endless()  # at once, and not when it is published
                self._pending.append(self._joined(chunk) if self._edge else chunk)
            else:
                self._builder.add(chunk)

    def _joined(self, chunk: TextChunk | ReasoningChunk) -> TextChunk | ReasoningChunk:
        """The first pieces of a continuation, without white space that stands there already.

        Providers refuse a prefilled answer that ends in white space, so that it was asked for
        without, and the model says it again, in however many pieces.
        """
        if not isinstance(chunk, TextChunk):
            return chunk
        text = chunk.text
        while self._edge and text.startswith(self._edge[0]):
            text, self._edge = text[1:], self._edge[1:]
        if text:
            self._edge = ""
        return TextChunk(text)

    async def flush(self, bus: Bus) -> None:
        """Publish what has been gathered."""
        frames = []
        pending, self._pending = self._pending, []
        for chunk in _merged(pending):
            growth = self._builder.add(chunk)
            if growth is not None:
                frames.append(Frame(self._delta(growth.part, growth.kind, growth.n, growth.text)))
        if frames:
            if self._first_delta is not None:
                self._first_delta()
                self._first_delta = None
            self.changed = True
            await bus.publish(self.conversation_id, frames)

    def _delta(
        self, part: int, kind: Literal["text", "reasoning"], n: int, text: str, first: int = 0
    ) -> Delta:
        return Delta(
            conversation_id=self.conversation_id,
            turn_id=self.turn_id,
            message_id=self.message_id,
            part=part,
            kind=kind,
            first=first or n,
            n=n,
            text=text,
            attempt=self.attempt,
        )

    def after(self, part: int, n: int) -> list[Delta]:
        """What a reader lacks who has piece `n` of part `part`; (0, 0) for a new reader."""
        return [
            self._delta(index, kind, last, text, first)
            for index, kind, first, last, text in self._builder.pieces_after(part, n)
        ]

    def told_by(self, events: Iterable[Event]) -> bool:
        """Whether one of these events says the whole answer."""
        return any(
            isinstance(event, MessageAdded) and event.message.id == self.message_id
            for event in events
        )

    def current(self) -> Reply:
        """What the present attempt has brought, and those that it continues."""
        return self._builder.partial()

    def partial(self) -> Reply:
        """What there is to keep: as long as a new beginning brings nothing, what was before it."""
        current = self.current()
        return current if current.parts else self._dropped

    def longest(self) -> Reply:
        """What there is to keep where no attempt will follow: the beginning that went furthest."""
        return max(self._dropped, self.current(), key=lambda reply: reply.characters)


def _merged(
    chunks: Sequence[TextChunk | ReasoningChunk],
) -> list[TextChunk | ReasoningChunk]:
    """Neighbours of one kind as one chunk each; a signature stays where it stands."""
    merged: list[TextChunk | ReasoningChunk] = []
    for (kind, signed), run in groupby(chunks, key=_kind):
        if signed:
            merged += run
        else:
            merged.append(kind(text="".join(chunk.text for chunk in run)))
    return merged


def _kind(chunk: TextChunk | ReasoningChunk) -> tuple[type[TextChunk | ReasoningChunk], bool]:
    return type(chunk), isinstance(chunk, ReasoningChunk) and bool(chunk.signature)
