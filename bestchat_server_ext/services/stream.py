"""Append, publish, follow: how a conversation grows, and how it is watched growing.

Every event goes to storage first and to the bus second. A reader who is slow, late or was away
is brought back from storage; the bus only makes it fast.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime

import msgspec

from bestchat_server_ext.api.frames import CaughtUp, DraftPosition, ServerFrame, Snapshot
from bestchat_server_ext.core.conversation import ConversationState, SeqGap, create, reduce
from bestchat_server_ext.core.events import (
    ApprovalAnswered,
    CancelRequested,
    ConversationCreated,
    ConversationDeleted,
    Delta,
    Envelope,
    Event,
)
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.ports.bus import Bus, DraftTold, DraftWanted, Frame, Lagged, belongs
from bestchat_server_ext.ports.cache import Cache
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.storage import Appended, Claim, Lease, Storage
from bestchat_server_ext.services.cached import cached, layout
from bestchat_server_ext.services.draft import Draft
from bestchat_server_ext.services.reader import Reader

REPLAY_LIMIT = 500
"""Events fetched at a time while a reader catches up; also the point beyond which a snapshot is
cheaper than the events."""

_STATE_SECONDS = 3600.0

ASK_SECONDS = 1.0
"""How long a reader waits for what it lacks of an answer, before it asks again."""

_MESSAGES_AT_HAND = 20_000
"""Messages of conversations whose state is kept decoded: of those that somebody is speaking in."""


OPEN: AbstractAsyncContextManager[object] = nullcontext()
"""A gate that everybody may pass at any time."""


_REMEMBERED_AT_ONCE = 50
"""Events of one append beyond which reading all rows is cheaper: each one copies what it changes,
and that is everything."""


def control_topic(conversation_id: ConversationId) -> str:
    """The bus topic on which a running turn hears of approvals, of Stop, and of late readers."""
    return f"{conversation_id}:control"


class StreamService:
    """Appends to conversations and lets readers follow them."""

    def __init__(self, storage: Storage, bus: Bus, cache: Cache, clock: Clock) -> None:
        """Work on these."""
        self._storage = storage
        self._cache = cache
        self.bus = bus
        self.clock = clock
        self._drafts: dict[ConversationId, Draft] = {}
        self._states: OrderedDict[ConversationId, ConversationState] = OrderedDict()
        self._messages_at_hand = 0
        self._readers: defaultdict[ConversationId, set[Reader]] = defaultdict(set)

    # Writing.

    async def append(
        self,
        conversation_id: ConversationId,
        events: Sequence[Event],
        *,
        at: datetime | None = None,
        lease: Lease | None = None,
        claim: Claim | None = None,
    ) -> Appended:
        """Store events, then tell everybody who listens.

        Raises:
            ChatError: as `Storage.append` does; then nothing was stored or told.
        """
        moment = at or self.clock.now()
        appended = await self._storage.append(
            conversation_id, events, moment, lease=lease, claim=claim
        )
        draft = self._drafts.get(conversation_id)
        if draft is not None and draft.told_by(events):
            # Before anybody can know of the message: its pieces would come on top of it.
            self.close_draft(draft)
        self._remember(conversation_id, appended.envelopes)
        await self._publish(conversation_id, appended.envelopes)
        return appended

    def _remember(self, conversation_id: ConversationId, envelopes: Sequence[Envelope]) -> None:
        """Bring the state that is at hand up to date: one event costs less than all rows."""
        if len(envelopes) > _REMEMBERED_AT_ONCE:
            self._drop(conversation_id)
            return
        state = self._states.get(conversation_id)
        rest = iter(envelopes)
        if envelopes and isinstance(envelopes[0].event, ConversationCreated):
            state = create(conversation_id, next(rest))  # who begins one will speak in it
        if state is None:
            return
        try:
            for envelope in rest:
                state = reduce(state, envelope)
        except SeqGap:  # somebody else wrote in between
            self._drop(conversation_id)
        else:
            self._keep(state)

    def _keep(self, state: ConversationState) -> None:
        self._drop(state.conversation.id)
        self._states[state.conversation.id] = state
        self._messages_at_hand += _weight(state)
        while self._messages_at_hand > _MESSAGES_AT_HAND and len(self._states) > 1:
            self._drop(next(iter(self._states)))

    def _drop(self, conversation_id: ConversationId) -> None:
        if (state := self._states.pop(conversation_id, None)) is not None:
            self._messages_at_hand -= _weight(state)

    async def delete(
        self, conversation_id: ConversationId, *, deleted_before: datetime | None = None
    ) -> None:
        """Remove a conversation, then tell everybody who listens.

        Raises:
            NotFound: there is none, or it was not deleted before that moment.
        """
        envelope = await self._storage.delete(
            conversation_id, self.clock.now(), deleted_before=deleted_before
        )
        await self._cache.drop(_place(conversation_id))
        self._drop(conversation_id)
        await self._publish(conversation_id, [envelope])

    async def _publish(
        self, conversation_id: ConversationId, envelopes: Sequence[Envelope]
    ) -> None:
        frames = [Frame(envelope) for envelope in envelopes]
        await self.bus.publish(conversation_id, frames)
        control = [
            frame
            for frame, envelope in zip(frames, envelopes, strict=True)
            if isinstance(envelope.event, ApprovalAnswered | CancelRequested | ConversationDeleted)
        ]
        if control:
            await self.bus.publish(control_topic(conversation_id), control)

    def open_draft(self, draft: Draft) -> None:
        """Let late readers see a streaming answer."""
        self._drafts[draft.conversation_id] = draft

    def close_draft(self, draft: Draft) -> None:
        """The answer is stored, or will never be."""
        if self._drafts.get(draft.conversation_id) is draft:
            del self._drafts[draft.conversation_id]

    async def tell_draft(self, wanted: DraftWanted) -> None:
        """Tell a reader, perhaps one of another process, what it lacks of a streaming answer."""
        draft = self._drafts.get(wanted.conversation_id)
        if draft is None:
            return
        same = (draft.message_id, draft.attempt) == (wanted.message_id, wanted.attempt)
        deltas = draft.after(*((wanted.part, wanted.n) if same else (0, 0)))
        told = DraftTold(wanted, draft.message_id, tuple(deltas))
        await self.bus.publish(wanted.conversation_id, [Frame(told)])

    # Reading.

    def heard_of(self, conversation_id: ConversationId) -> int | None:
        """Number of the newest event that this process has heard of; none if it follows none."""
        at_hand = self._states.get(conversation_id)
        return None if at_hand is None else at_hand.conversation.seq

    async def state(
        self, conversation_id: ConversationId, least: int | None = None
    ) -> ConversationState:
        """The whole conversation as it is now.

        Args:
            conversation_id: which one.
            least: number of an event; if given, what is at hand will do where it holds that one,
                and nobody asks whether there are newer ones.

        Raises:
            NotFound: there is no such conversation.
        """
        at_hand = self._states.get(conversation_id)
        if at_hand is not None and least is not None and at_hand.conversation.seq >= least:
            return at_hand
        seq = await self._storage.seq(conversation_id)
        at_hand = self._states.get(conversation_id)
        if at_hand is not None and at_hand.conversation.seq == seq:
            return at_hand
        state = await self._cached(conversation_id, seq)
        if state is None:
            state = await self._storage.load(conversation_id)
            encoded = msgspec.json.encode(state)
            place = _place(conversation_id)
            await self._cache.put(place, state.conversation.seq, encoded, seconds=_STATE_SECONDS)
        self._keep(state)
        return state

    async def _cached(self, conversation_id: ConversationId, seq: int) -> ConversationState | None:
        """What the cache holds of a conversation, unless it says another one, or another owner."""
        place = _place(conversation_id)
        state = await cached(self._cache, place, seq, ConversationState)
        if state is None:
            return None
        found = state.conversation
        if (found.id, found.seq) == (conversation_id, seq):
            owned = await self._storage.seqs([conversation_id], found.owner)
            if conversation_id in owned:
                return state
        await self._cache.drop(place)
        return None

    async def events_after(
        self, conversation_id: ConversationId, after: int, limit: int
    ) -> tuple[Envelope, ...] | None:
        """Stored events after a number; none where some of them were trimmed."""
        return await self._storage.events_after(conversation_id, after, limit=limit)

    async def follow(
        self,
        conversation_id: ConversationId,
        after: int | None = None,
        position: DraftPosition | None = None,
        gate: AbstractAsyncContextManager[object] = OPEN,
    ) -> AsyncGenerator[Frame | ServerFrame, None]:
        """Everything a reader lacks, then everything that comes, until it stops reading.

        Args:
            conversation_id: which conversation.
            after: number of the last event the reader has; none to begin with a snapshot.
            position: how much of the streaming answer the reader has.
            gate: is held while what the reader lacks is read and passed on. A reader of many
                conversations that gives one lock for all has one snapshot at a time to take.

        Raises:
            NotFound: there is no such conversation, or it was deleted while following.
        """
        reader = Reader(after, position)
        self._readers[conversation_id].add(reader)
        try:
            while True:
                subscription = await self.bus.subscribe(conversation_id)
                reader.lag = subscription.close
                try:
                    async with gate:
                        async for frame in self._catch_up(conversation_id, reader):
                            yield frame
                    while True:
                        for live in await subscription.get():
                            # Pieces of an answer are nearly all there is: they go the short way.
                            item = live.item
                            if not belongs(item, conversation_id):
                                continue
                            if isinstance(item, Delta) and reader.wants_delta(item):
                                yield live
                                continue
                            async for frame in self._pass_on(conversation_id, live, reader):
                                yield frame
                        if reader.over:
                            return
                except Lagged:
                    continue
                finally:
                    subscription.close()
        finally:
            self._forget(conversation_id, reader)

    def _forget(self, conversation_id: ConversationId, reader: Reader) -> None:
        readers = self._readers[conversation_id]
        readers.discard(reader)
        if not readers:
            del self._readers[conversation_id]

    async def look_for_news(self) -> None:
        """Have readers look into storage who twice in a row had not heard of what is there.

        What was published but a moment ago may still be on its way. Where frames of other
        processes arrive anyway, nobody needs to look.
        """
        if self.bus.everywhere or not self._readers:
            return
        followed = tuple(self._readers)
        newest = await self._storage.seqs(followed)
        for conversation_id in followed:
            for reader in self._readers.get(conversation_id, ()):
                reader.compare(newest.get(conversation_id))

    async def _catch_up(
        self, conversation_id: ConversationId, reader: Reader
    ) -> AsyncGenerator[Frame | ServerFrame, None]:
        # As of now: of one that begins later, the subscription has everything; and one that ends
        # meanwhile is still needed where what is read from storage does not hold its message.
        draft = self._drafts.get(conversation_id)
        newest = await self._storage.seq(conversation_id)
        if reader.seq is None or newest - reader.seq > REPLAY_LIMIT or reader.seq > newest:
            yield await self._snapshot(conversation_id, reader)
        else:
            async for frame in self._replay(conversation_id, reader):
                yield frame
        reader.begin_draft()
        if draft is None:
            await self._ask(conversation_id, reader)
        else:
            deltas = draft.after(*reader.position_in(draft.message_id, draft.attempt))
            for delta in reader.take_draft(draft.message_id, deltas):
                yield delta
        yield CaughtUp(conversation_id, reader.seq or 0)

    async def _ask(self, conversation_id: ConversationId, reader: Reader) -> None:
        """Ask whoever streams an answer for the pieces that the reader has not heard."""
        wanted = reader.ask(conversation_id, self.clock.monotonic())
        await self.bus.publish(control_topic(conversation_id), [Frame(wanted)])

    async def _replay(
        self, conversation_id: ConversationId, reader: Reader
    ) -> AsyncGenerator[Frame | ServerFrame, None]:
        while True:
            envelopes = await self.events_after(conversation_id, reader.seq or 0, REPLAY_LIMIT)
            if envelopes is None:
                yield await self._snapshot(conversation_id, reader)
                return
            for envelope in envelopes:
                if reader.wants(envelope):
                    yield envelope
            if len(envelopes) < REPLAY_LIMIT:
                return

    async def _snapshot(self, conversation_id: ConversationId, reader: Reader) -> Snapshot:
        state = await self.state(conversation_id)
        reader.begin_with(state)
        return Snapshot(conversation_id, state)

    async def _pass_on(
        self, conversation_id: ConversationId, live: Frame, reader: Reader
    ) -> AsyncGenerator[Frame | ServerFrame, None]:
        """What becomes of a frame, unless it is the next piece of an answer."""
        item = live.item
        if isinstance(item, Delta):
            if reader.hole and self.clock.monotonic() - reader.asked_at >= ASK_SECONDS:
                await self._ask(conversation_id, reader)
            return
        if isinstance(item, DraftTold):
            if item.wanted == reader.asked:
                for delta in reader.take_draft(item.message_id, item.deltas):
                    yield delta
            return
        if not isinstance(item, Envelope):
            return
        if isinstance(item.event, ConversationDeleted):
            reader.over = True
            yield live
            return
        if item.seq > (reader.seq or 0) + 1:
            # Another process wrote in between, or a publication was lost. Storage has it all.
            async for frame in self._replay(conversation_id, reader):
                yield frame
        elif reader.wants(item):
            yield live


def _place(conversation_id: ConversationId) -> str:
    return f"state/{layout(ConversationState)}/{conversation_id}"


def _weight(state: ConversationState) -> int:
    """What keeping a state counts; an empty one counts too."""
    return 1 + len(state.messages)
