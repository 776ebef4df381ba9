"""Storage: conversations as events and rows, written together; and the leases of their turns.

A process may write to a running turn only while it holds the turn's lease. A lease has a fencing
number that grows each time the lease changes hands and is checked in every write, so that a
process which was asleep for an hour cannot write into a turn that others have taken over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from bestchat_server_ext.core.conversation import Conversation, ConversationState, Turn
from bestchat_server_ext.core.events import Envelope, Event
from bestchat_server_ext.core.ids import (
    ConversationId,
    OwnerId,
    RequestId,
    TurnId,
)
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.core.search import Hit
from bestchat_server_ext.core.tools import ToolExecution


class Lease(msgspec.Struct, frozen=True):
    """The right to write to a running turn."""

    turn_id: TurnId
    """Which turn."""
    holder: str
    """Which process."""
    fence: int
    """How often the lease has changed hands."""


class Claim(msgspec.Struct, frozen=True):
    """The wish to hold the lease of a turn, if nobody holds it."""

    turn_id: TurnId
    """Which turn."""
    holder: str
    """Which process."""
    until: datetime
    """When the lease runs out unless it is renewed, UTC."""


class Appended(msgspec.Struct, frozen=True):
    """What an append brought."""

    envelopes: tuple[Envelope, ...]
    """The events with their numbers."""
    lease: Lease | None = None
    """The lease, if a claim was made and nobody else holds it."""


ObjectKind = Literal["conversation", "turn", "execution", "file"]
"""What an id from outside can name."""


class Located(msgspec.Struct, frozen=True):
    """Where an object is and whose, as far as access needs it."""

    conversation_id: ConversationId
    """The conversation it belongs to."""
    owner: OwnerId
    """Whose that is."""


class PartialText(msgspec.Struct, frozen=True):
    """What a running turn has heard of its current answer."""

    lease: Lease
    """The right to write it."""
    reply: Reply | None
    """What has arrived; none where nothing is new since last time."""
    step: int = 0
    """The step that it is the answer of. A text that comes after its step has ended, because the
    two writes have overtaken each other, is not kept."""


class ListFilter(msgspec.Struct, frozen=True):
    """Which of an owner's conversations to list."""

    starred: bool | None = None
    """With a star, or without one; none for both."""
    archived: bool | None = False
    """Those that were put away, or those that were not; none for both."""
    deleted: bool = False
    """Those that were deleted and are not gone yet, in place of the others."""
    label: str | None = None
    """Only those that come from here; none for all."""


NO_FILTER = ListFilter()
"""All that are neither put away nor deleted."""


class Page(msgspec.Struct, frozen=True):
    """One page of a list of conversations, the last changed first."""

    items: tuple[Conversation, ...]
    """The conversations."""
    cursor: str = ""
    """What to ask for the next page with; empty on the last page."""


class Storage(Protocol):
    """Keeps conversations. Every method raises `Unavailable` when storage is out of reach."""

    async def append(
        self,
        conversation_id: ConversationId,
        events: Sequence[Event],
        at: datetime,
        *,
        lease: Lease | None = None,
        claim: Claim | None = None,
    ) -> Appended:
        """Write events and what they change, in one transaction, all or nothing.

        `ConversationCreated` as the first event makes the conversation. With a lease, the events
        are written only while that lease holds. A claim for a turn that nobody holds (one that
        these events begin, or one that waits) is granted in the same transaction; the lease of
        a turn is given up by itself once the turn has ended.

        Raises:
            NotFound: there is no such conversation.
            Conflict: an event does not fit the present state; `TurnActive` for a second turn.
            LeaseLost: the lease does not hold any more.
        """
        ...

    async def load(self, conversation_id: ConversationId) -> ConversationState:
        """The whole conversation, consistent as of its `seq`.

        Raises:
            NotFound: there is no such conversation.
        """
        ...

    async def seq(self, conversation_id: ConversationId) -> int:
        """The number of the newest event, without loading anything else.

        Raises:
            NotFound: there is no such conversation.
        """
        ...

    async def seqs(
        self, conversation_ids: Collection[ConversationId], owner: OwnerId | None = None
    ) -> dict[str, int]:
        """Likewise for several conversations at once: of one owner, or of anybody.

        Those that are gone, or somebody else's, are left out.
        """
        ...

    async def events_after(
        self, conversation_id: ConversationId, seq: int, *, limit: int
    ) -> tuple[Envelope, ...] | None:
        """The events that follow `seq`, oldest first; none if some of them were trimmed."""
        ...

    async def list_conversations(
        self, owner: OwnerId, *, limit: int, cursor: str = "", only: ListFilter = NO_FILTER
    ) -> Page:
        """An owner's conversations, the last changed first.

        Raises:
            InvalidRequest: the cursor was not given out by this method.
        """
        ...

    async def search(self, owner: OwnerId, terms: Sequence[str], *, limit: int) -> tuple[Hit, ...]:
        """An owner's conversations in which all words are said in one place, the last said first.

        The words are those of `core.search.terms`: beginnings will do. Deleted conversations are
        not found.
        """
        ...

    async def deleted_before(self, moment: datetime, *, limit: int) -> tuple[ConversationId, ...]:
        """Conversations of all owners that were deleted before a moment and are not gone yet."""
        ...

    async def queues_at_rest(self, *, limit: int) -> tuple[ConversationId, ...]:
        """Conversations of all owners in which messages wait although the newest turn has finished.

        Those that a turn holds up which did not finish are not among them.
        """
        ...

    async def delete(
        self,
        conversation_id: ConversationId,
        at: datetime,
        *,
        deleted_before: datetime | None = None,
    ) -> Envelope:
        """Remove a conversation and all that hangs on it; give the event that says so.

        Args:
            conversation_id: which one.
            at: now.
            deleted_before: remove it only if it was deleted before this moment, and not restored.

        Raises:
            NotFound: there is no such conversation.
        """
        ...

    async def locate(self, kind: ObjectKind, object_id: str) -> Located | None:
        """Where an object of a kind is and whose; none if there is none of that kind.

        The kind matters: an id names only one object, but a client may choose some ids itself.
        """
        ...

    async def turn(self, turn_id: TurnId) -> Turn:
        """One turn.

        Raises:
            NotFound: there is no such turn.
        """
        ...

    async def find_turn(self, owner: OwnerId, request_id: RequestId) -> Turn | None:
        """The turn that an owner's request began, if it was received before."""
        ...

    async def last_turn(self, owner: OwnerId, *, finished: bool = False) -> Turn | None:
        """The owner's most recent turn in any conversation; of those only that were answered."""
        ...

    async def active_turns(self, owner: OwnerId) -> int:
        """How many of an owner's turns have not ended."""
        ...

    async def pending(
        self, owner: OwnerId, conversation_id: ConversationId | None
    ) -> tuple[ToolExecution, ...]:
        """Tool calls that wait for a decision: of one conversation, or of all of an owner."""
        ...

    async def renew(self, texts: Sequence[PartialText], until: datetime) -> tuple[TurnId, ...]:
        """Renew leases and keep partial texts of all running turns, in one transaction.

        Gives the turns whose lease did not hold any more.
        """
        ...

    async def release(self, lease: Lease, seq: int) -> bool:
        """Give a waiting turn's lease back, unless events newer than `seq` have been written.

        The condition closes the gap between deciding to wait and letting go: an approval that
        was answered in between is still this process's to act upon.
        """
        ...

    async def seize_expired(self, now: datetime, holder: str, until: datetime) -> list[Lease]:
        """Take over the leases that have run out, to close their turns."""
        ...

    async def partial(self, turn_id: TurnId) -> Reply:
        """What was kept of a turn's unfinished answer."""
        ...
