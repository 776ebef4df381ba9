"""SqlStorage: the port `storage` on SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, delete

from bestchat_server_ext.adapters.storage_sql import leases, queries
from bestchat_server_ext.adapters.storage_sql.append import append
from bestchat_server_ext.adapters.storage_sql.engine import Connections
from bestchat_server_ext.adapters.storage_sql.search import search
from bestchat_server_ext.adapters.storage_sql.tables import conversations, turns
from bestchat_server_ext.core.conversation import ConversationState, Turn
from bestchat_server_ext.core.events import ConversationDeleted, Envelope, Event
from bestchat_server_ext.core.ids import (
    ConversationId,
    OwnerId,
    RequestId,
    TurnId,
    is_id,
)
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.core.search import Hit
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.ports.storage import (
    NO_FILTER,
    Appended,
    Claim,
    Lease,
    ListFilter,
    Located,
    ObjectKind,
    Page,
    PartialText,
)


class SqlStorage:
    """Conversations as rows and events, in one database."""

    def __init__(self, connections: Connections, *, server_ahead: timedelta = timedelta()) -> None:
        """Work on these connections; who made them closes them.

        Args:
            connections: to the database.
            server_ahead: how far the database's clock is ahead of this machine's. Leases of all
                machines are kept by that one clock: one that is late would otherwise lose its
                turns to one that is early.
        """
        self._connections = connections
        self._ahead = server_ahead

    # Writing.

    async def append(
        self,
        conversation_id: ConversationId,
        events: Sequence[Event],
        at: datetime,
        *,
        lease: Lease | None = None,
        claim: Claim | None = None,
    ) -> Appended:
        """Write events and what they change; see the port."""
        if claim is not None:
            claim = msgspec.structs.replace(claim, until=claim.until + self._ahead)
        return await self._connections.write(
            append, conversation_id, events, at, lease=lease, claim=claim
        )

    async def delete(
        self,
        conversation_id: ConversationId,
        at: datetime,
        *,
        deleted_before: datetime | None = None,
    ) -> Envelope:
        """Remove a conversation; all that hangs on it goes by cascade."""
        queries.require_id(conversation_id, "conversation")
        seq = await self._connections.write(_delete, conversation_id, deleted_before)
        return Envelope(conversation_id, seq + 1, at, ConversationDeleted())

    async def renew(self, texts: Sequence[PartialText], until: datetime) -> tuple[TurnId, ...]:
        """Renew leases and keep partial texts, in one transaction."""
        if not texts:
            return ()
        return await self._connections.write(leases.renew, texts, until + self._ahead)

    async def release(self, lease: Lease, seq: int) -> bool:
        """Give a waiting turn's lease back, unless something newer was written."""
        return await self._connections.write(leases.release, lease, seq)

    async def seize_expired(self, now: datetime, holder: str, until: datetime) -> list[Lease]:
        """Take over the leases that have run out."""
        now, until = now + self._ahead, until + self._ahead
        return await self._connections.write(leases.seize_expired, now, holder, until)

    # Reading conversations.

    async def load(self, conversation_id: ConversationId) -> ConversationState:
        """The whole conversation, from one view of the database."""
        queries.require_id(conversation_id, "conversation")
        return await self._connections.read(queries.load, conversation_id)

    async def seq(self, conversation_id: ConversationId) -> int:
        """The number of the newest event."""
        queries.require_id(conversation_id, "conversation")
        return await self._connections.look(queries.newest_seq, conversation_id)

    async def seqs(
        self, conversation_ids: Collection[ConversationId], owner: OwnerId | None = None
    ) -> dict[str, int]:
        """The numbers of the newest events of several conversations."""
        wanted = [key for key in conversation_ids if is_id(key)]
        if not wanted:
            return {}
        return await self._connections.look(queries.newest_seqs, wanted, owner)

    async def events_after(
        self, conversation_id: ConversationId, seq: int, *, limit: int
    ) -> tuple[Envelope, ...] | None:
        """The events that follow `seq`; none if some of them were trimmed.

        Raises:
            NotFound: there is no such conversation.
        """
        queries.require_id(conversation_id, "conversation")
        return await self._connections.read(queries.events_after, conversation_id, seq, limit)

    async def list_conversations(
        self, owner: OwnerId, *, limit: int, cursor: str = "", only: ListFilter = NO_FILTER
    ) -> Page:
        """An owner's conversations, the last changed first."""
        return await self._connections.read(queries.page, owner, limit, cursor, only)

    async def search(self, owner: OwnerId, terms: Sequence[str], *, limit: int) -> tuple[Hit, ...]:
        """An owner's conversations in which all words are said in one place."""
        return await self._connections.read(search, owner, terms, limit)

    async def deleted_before(self, moment: datetime, *, limit: int) -> tuple[ConversationId, ...]:
        """Conversations that were deleted before a moment and are not gone yet."""
        return await self._connections.look(queries.deleted_before, moment, limit)

    async def queues_at_rest(self, *, limit: int) -> tuple[ConversationId, ...]:
        """Conversations in which messages wait although no turn is active."""
        return await self._connections.look(queries.queues_at_rest, limit)

    async def locate(self, kind: ObjectKind, object_id: str) -> Located | None:
        """Where an object of a kind is and whose; none if there is none of that kind."""
        if not is_id(object_id):
            return None
        return await self._connections.look(queries.locate, kind, object_id)

    # Reading turns.

    async def turn(self, turn_id: TurnId) -> Turn:
        """One turn."""
        queries.require_id(turn_id, "turn")
        found = await self._connections.look(queries.newest_turn, turns.c.id == turn_id)
        return queries.required(found, "turn")

    async def find_turn(self, owner: OwnerId, request_id: RequestId) -> Turn | None:
        """The turn that an owner's request began."""
        mine = turns.c.owner == owner, turns.c.request_id == request_id
        return await self._connections.look(queries.newest_turn, *mine)

    async def last_turn(self, owner: OwnerId, *, finished: bool = False) -> Turn | None:
        """The owner's most recent turn in any conversation; of those only that were answered."""
        wanted = [turns.c.owner == owner]
        if finished:
            wanted.append(turns.c.state == "finished")
        return await self._connections.look(queries.newest_turn, *wanted)

    async def active_turns(self, owner: OwnerId) -> int:
        """How many of an owner's turns have not ended."""
        return await self._connections.look(queries.active_turns, owner)

    async def pending(
        self, owner: OwnerId, conversation_id: ConversationId | None
    ) -> tuple[ToolExecution, ...]:
        """Tool calls that wait for a decision, the oldest first."""
        if conversation_id is not None and not is_id(conversation_id):
            return ()
        return await self._connections.look(queries.pending, owner, conversation_id)

    async def partial(self, turn_id: TurnId) -> Reply:
        """What was kept of a turn's unfinished answer.

        Raises:
            NotFound: there is no such turn.
        """
        queries.require_id(turn_id, "turn")
        return await self._connections.look(queries.partial, turn_id)


def _delete(
    connection: Connection, conversation_id: ConversationId, before: datetime | None
) -> int:
    """Delete a conversation; give the number of its newest event."""
    query = delete(conversations).where(conversations.c.id == conversation_id)
    if before is not None:
        query = query.where(conversations.c.deleted_at < before)
    result = connection.execute(query.returning(conversations.c.seq))
    seq: int | None = result.scalar_one_or_none()
    return queries.required(seq, "conversation")
