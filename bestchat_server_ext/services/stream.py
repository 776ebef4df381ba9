"""Append, publish, follow: how a conversation grows, and how it is watched growing.

Every event goes to storage first and to the bus second. A reader who is slow, late or was away
is brought back from storage; the bus only makes it fast.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

import msgspec

from bestchat_server_ext.api.frames import CaughtUp, DraftPosition, ServerFrame, Snapshot
from bestchat_server_ext.core.conversation import ConversationState, SeqGap, reduce
from bestchat_server_ext.core.events import (
    ApprovalAnswered,
    AttemptFailed,
    CancelRequested,
    ConversationDeleted,
    Delta,
    Envelope,
    Event,
    MessageAdded,
)
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.ports.bus import Bus, Frame, Lagged
from bestchat_server_ext.ports.cache import Cache
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.storage import Appended, Claim, Lease, Storage
from bestchat_server_ext.services.draft import Draft

REPLAY_LIMIT = 500
"""Events fetched at a time while a reader catches up; also the point beyond which a snapshot is
cheaper than the events."""

_STATE_SECONDS = 3600.0

_STATES_AT_HAND = 32
"""Conversations whose state is kept decoded: those that somebody is speaking in."""


def control_topic(conversation_id: ConversationId) -> str:
    """The bus topic on which a running turn hears of approvals and of Stop."""
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
        state = self._states.get(conversation_id)
        if state is None:
            return
        try:
            for envelope in envelopes:
                state = reduce(state, envelope)
        except SeqGap:  # somebody else wrote in between
            del self._states[conversation_id]
        else:
            self._keep(state)

    def _keep(self, state: ConversationState) -> None:
        self._states[state.conversation.id] = state
        self._states.move_to_end(state.conversation.id)
        if len(self._states) > _STATES_AT_HAND:
            self._states.popitem(last=False)

    async def delete(self, conversation_id: ConversationId) -> None:
        """Remove a conversation, then tell everybody who listens."""
        envelope = await self._storage.delete(conversation_id, self.clock.now())
        await self._cache.drop(conversation_id)
        self._states.pop(conversation_id, None)
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

    # Reading.

    async def state(self, conversation_id: ConversationId) -> ConversationState:
        """The whole conversation as it is now.

        Raises:
            NotFound: there is no such conversation.
        """
        seq = await self._storage.seq(conversation_id)
        at_hand = self._states.get(conversation_id)
        if at_hand is not None and at_hand.conversation.seq == seq:
            return at_hand
        kept = await self._cache.get(conversation_id, seq)
        if kept is not None:
            state = msgspec.json.decode(kept, type=ConversationState)
        else:
            state = await self._storage.load(conversation_id)
            encoded = msgspec.json.encode(state)
            await self._cache.put(
                conversation_id, state.conversation.seq, encoded, seconds=_STATE_SECONDS
            )
        self._keep(state)
        return state

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
    ) -> AsyncGenerator[Frame | ServerFrame, None]:
        """Everything a reader lacks, then everything that comes, until it stops reading.

        Args:
            conversation_id: which conversation.
            after: number of the last event the reader has; none to begin with a snapshot.
            position: how much of the streaming answer the reader has.

        Raises:
            NotFound: there is no such conversation, or it was deleted while following.
        """
        reader = _Reader(after, position)
        while True:
            subscription = await self.bus.subscribe(conversation_id)
            try:
                async for frame in self._catch_up(conversation_id, reader):
                    yield frame
                while True:
                    for live in await subscription.get():
                        async for frame in self._pass_on(live, reader):
                            yield frame
                        if reader.over:
                            return
            except Lagged:
                continue
            finally:
                subscription.close()

    async def _catch_up(
        self, conversation_id: ConversationId, reader: _Reader
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
        if draft is not None:
            for delta in draft.after(*reader.position_in(draft)):
                if reader.wants_delta(delta):
                    yield delta
        yield CaughtUp(conversation_id, reader.seq or 0)

    async def _replay(
        self, conversation_id: ConversationId, reader: _Reader
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

    async def _snapshot(self, conversation_id: ConversationId, reader: _Reader) -> Snapshot:
        state = await self.state(conversation_id)
        reader.begin_with(state)
        return Snapshot(conversation_id, state)

    async def _pass_on(
        self, live: Frame, reader: _Reader
    ) -> AsyncGenerator[Frame | ServerFrame, None]:
        item = live.item
        if isinstance(item, Delta):
            if reader.wants_delta(item):
                yield live
            return
        if isinstance(item.event, ConversationDeleted):
            reader.over = True
            yield live
            return
        if item.seq > (reader.seq or 0) + 1:
            # Another process wrote in between, or a publication was lost.
            async for frame in self._replay(item.conversation_id, reader):
                yield frame
        if reader.wants(item):
            yield live


class _Reader:
    """What one reader has been given so far."""

    def __init__(self, seq: int | None, position: DraftPosition | None) -> None:
        self.seq = seq
        self.complete: set[str] = set()
        self.over = False
        self._message_id: str | None = None
        self._at = (0, 0, 0)
        """Attempt, part and piece of the streaming answer up to which it has everything."""
        if position is not None:
            self._message_id = position.message_id
            self._at = (position.attempt, position.part, position.n)

    def begin_with(self, state: ConversationState) -> None:
        """It has this, and nothing else any more."""
        self.seq = state.conversation.seq
        self.complete = set(state.messages)
        self._message_id = None

    def wants(self, envelope: Envelope) -> bool:
        """Whether the event is new to it; from now on it is not."""
        if envelope.seq <= (self.seq or 0):
            return False
        self.seq = envelope.seq
        match envelope.event:
            case MessageAdded(message=message):
                self.complete.add(message.id)
            case AttemptFailed(kept=False):
                self._message_id = None  # its pieces are counted from the beginning again
        return True

    def wants_delta(self, delta: Delta) -> bool:
        """Whether the pieces are new to it; from now on they are not."""
        if delta.message_id in self.complete:
            return False
        if delta.message_id != self._message_id:
            self._message_id, self._at = delta.message_id, (0, 0, 0)
        place = (delta.attempt, delta.part, delta.n)
        if place <= self._at:
            return False
        self._at = place
        return True

    def position_in(self, draft: Draft) -> tuple[int, int]:
        """Up to where it has a streaming answer."""
        attempt, part, n = self._at
        same = (draft.message_id, draft.attempt) == (self._message_id, attempt)
        return (part, n) if same else (0, 0)
