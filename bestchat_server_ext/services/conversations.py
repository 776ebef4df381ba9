"""ConversationManager: create, read, find, arrange, delete."""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec

from bestchat_server_ext.api.conversations import (
    ConversationPage,
    CreateConversation,
    ListConversations,
    SearchResult,
)
from bestchat_server_ext.core.conversation import Conversation, ConversationState, create
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.cost import picodollars
from bestchat_server_ext.core.errors import ChatError, Conflict, InvalidRequest, NotFound
from bestchat_server_ext.core.events import (
    ConversationArchived,
    ConversationConfigured,
    ConversationCreated,
    ConversationRenamed,
    ConversationRestored,
    ConversationStarred,
    ConversationTrashed,
    Event,
    MessagePinned,
)
from bestchat_server_ext.core.ids import ConversationId, MessageId, OwnerId, is_new_id
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.search import terms
from bestchat_server_ext.ports.storage import ListFilter, Storage
from bestchat_server_ext.services.stream import StreamService

_log = logging.getLogger(__name__)

MOST_FALLBACKS = 10
"""Models that may stand in for a conversation's own."""
LONGEST_SYSTEM_PROMPT = 100_000
"""Characters of standing instructions."""
PURGED_AT_ONCE = 50
"""Conversations that are removed in one go, of those that were deleted long ago."""


class ConversationManager:
    """What can be done with conversations, apart from speaking in them."""

    def __init__(self, storage: Storage, stream: StreamService) -> None:
        """Work on these."""
        self._storage = storage
        self._stream = stream

    async def create(self, owner: OwnerId, request: CreateConversation) -> Conversation:
        """Begin a conversation; a client's own id makes it safe to ask twice.

        Raises:
            InvalidRequest: the client's id is not a UUIDv7, or a setting cannot be used.
            Conflict: that id is taken by something else.
        """
        chosen = request.conversation_id
        if chosen is not None and not is_new_id(chosen):
            raise InvalidRequest(
                "A conversation's id has to be a UUIDv7.",
                hint="Make one, or leave it out.",
                field="conversation_id",
            )
        require_settings(request.settings)
        conversation_id = chosen or ConversationId(self._stream.clock.new_id())
        event = ConversationCreated(owner, request.title, request.label, request.settings)
        try:
            appended = await self._stream.append(conversation_id, [event])
        except Conflict:
            located = await self._storage.locate("conversation", conversation_id)
            if located is None or located.owner != owner:
                raise
            return await self.get(conversation_id)
        return create(conversation_id, appended.envelopes[0]).conversation

    async def get(self, conversation_id: ConversationId) -> Conversation:
        """The conversation without its messages."""
        return (await self.state(conversation_id)).conversation

    async def state(self, conversation_id: ConversationId) -> ConversationState:
        """The whole conversation."""
        return await self._stream.state(conversation_id)

    async def list(self, owner: OwnerId, request: ListConversations) -> ConversationPage:
        """One page of an owner's conversations, the last changed first."""
        only = ListFilter(request.starred, request.archived, request.deleted, request.label)
        page = await self._storage.list_conversations(
            owner, limit=request.limit, cursor=request.cursor, only=only
        )
        # Pictures that wait are for those who look into a conversation.
        items = tuple(msgspec.structs.replace(item, queue=()) for item in page.items)
        return ConversationPage(items, page.cursor)

    async def search(self, owner: OwnerId, query: str, limit: int) -> SearchResult:
        """An owner's conversations in which something is said, the last said first."""
        return SearchResult(await self._storage.search(owner, terms(query), limit=limit))

    async def rename(
        self, conversation_id: ConversationId, title: str, version: int | None = None
    ) -> Conversation:
        """Give a conversation another title.

        Raises:
            VersionConflict: it is not the version that was changed any more.
        """
        return await self._change(conversation_id, ConversationRenamed(title, version))

    async def configure(
        self,
        conversation_id: ConversationId,
        settings: ConversationSettings,
        version: int | None = None,
    ) -> Conversation:
        """Set what is set for a conversation.

        Raises:
            InvalidRequest: a setting cannot be used.
            VersionConflict: it is not the version that was changed any more.
        """
        require_settings(settings)
        return await self._change(conversation_id, ConversationConfigured(settings, version))

    async def star(self, conversation_id: ConversationId, *, starred: bool) -> Conversation:
        """Give a conversation a star, or take it away."""
        return await self._change(conversation_id, ConversationStarred(starred))

    async def archive(self, conversation_id: ConversationId, *, archived: bool) -> Conversation:
        """Put a conversation away, or bring it back."""
        return await self._change(conversation_id, ConversationArchived(archived))

    async def pin(
        self, conversation_id: ConversationId, message_id: MessageId, *, pinned: bool
    ) -> Message:
        """Pin a message, or let it go.

        Raises:
            NotFound: there is no such message in this conversation.
        """
        await self._stream.append(conversation_id, [MessagePinned(message_id, pinned)])
        return (await self.state(conversation_id)).messages[message_id]

    async def trash(self, conversation_id: ConversationId) -> None:
        """Delete a conversation so that it can be restored for a while."""
        await self._stream.append(conversation_id, [ConversationTrashed()])

    async def restore(self, conversation_id: ConversationId) -> Conversation:
        """Undo the deletion of a conversation; of one that is not deleted, nothing changes."""
        return await self._change(conversation_id, ConversationRestored())

    async def purge(self, conversation_id: ConversationId) -> None:
        """Remove a conversation and everything that hangs on it, for good."""
        await self._stream.delete(conversation_id)

    async def purge_deleted(self, keep: timedelta) -> int:
        """Remove what was deleted so long ago that nobody can restore it; give how many.

        Raises:
            Unavailable: storage is out of reach; what was not removed is found again next time.
        """
        before = self._stream.clock.now() - keep
        gone = 0
        for conversation_id in await self._storage.deleted_before(before, limit=PURGED_AT_ONCE):
            try:
                await self._stream.delete(conversation_id, deleted_before=before)
            except NotFound:
                continue  # it was restored a moment ago, or another process was faster
            except ChatError as error:
                # One that cannot be removed must not keep the others.
                _log.warning("BestChat: %s stays deleted: %s", conversation_id, error.info.code)
                continue
            gone += 1
        return gone

    async def _change(self, conversation_id: ConversationId, event: Event) -> Conversation:
        await self._stream.append(conversation_id, [event])
        return await self.get(conversation_id)


def require_settings(settings: ConversationSettings) -> None:
    """Refuse settings that could not be used later.

    Raises:
        InvalidRequest: one is of the wrong form, or too long.
    """
    if settings.model is not None:
        ModelRef.parse(settings.model)
    others = settings.fallback_models or ()
    for text in others:
        ModelRef.parse(text)
    if settings.max_cost is not None:
        picodollars(settings.max_cost)
    if len(others) > MOST_FALLBACKS:
        raise InvalidRequest(
            f"At most {MOST_FALLBACKS} models can stand in.",
            hint="Name fewer.",
            field="settings.fallback_models",
        )
    if len(settings.system_prompt) > LONGEST_SYSTEM_PROMPT:
        raise InvalidRequest(
            f"Standing instructions may have {LONGEST_SYSTEM_PROMPT:,} characters at most.",
            hint="Attach what is longer to a message.",
            field="settings.system_prompt",
        )
