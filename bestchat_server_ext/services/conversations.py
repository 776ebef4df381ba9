"""ConversationManager: create, read, list, rename, delete."""

from __future__ import annotations

from bestchat_server_ext.api.conversations import ConversationPage, CreateConversation
from bestchat_server_ext.core.conversation import Conversation, ConversationState, create
from bestchat_server_ext.core.errors import Conflict, InvalidRequest
from bestchat_server_ext.core.events import ConversationCreated, ConversationRenamed
from bestchat_server_ext.core.ids import ConversationId, OwnerId, is_new_id
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.services.stream import StreamService


class ConversationManager:
    """What can be done with conversations, apart from speaking in them."""

    def __init__(self, storage: Storage, stream: StreamService) -> None:
        """Work on these."""
        self._storage = storage
        self._stream = stream

    async def create(self, owner: OwnerId, request: CreateConversation) -> Conversation:
        """Begin a conversation; a client's own id makes it safe to ask twice.

        Raises:
            InvalidRequest: the client's id is not a UUIDv7.
            Conflict: that id is taken by something else.
        """
        chosen = request.conversation_id
        if chosen is not None and not is_new_id(chosen):
            raise InvalidRequest(
                "A conversation's id has to be a UUIDv7.",
                hint="Make one, or leave it out.",
                field="conversation_id",
            )
        conversation_id = chosen or ConversationId(self._stream.clock.new_id())
        event = ConversationCreated(owner, request.title, request.label)
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

    async def list(self, owner: OwnerId, limit: int, cursor: str) -> ConversationPage:
        """One page of an owner's conversations, the last changed first."""
        page = await self._storage.list_conversations(owner, limit=limit, cursor=cursor)
        return ConversationPage(page.items, page.cursor)

    async def rename(self, conversation_id: ConversationId, title: str) -> Conversation:
        """Give a conversation another title."""
        await self._stream.append(conversation_id, [ConversationRenamed(title)])
        return await self.get(conversation_id)

    async def delete(self, conversation_id: ConversationId) -> None:
        """Remove a conversation and everything that hangs on it."""
        await self._stream.delete(conversation_id)
