"""ExchangeService: conversations made of others, written into files, and read from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from bestchat_server_ext.api.conversations import (
    ExportConversation,
    ExportedFile,
    ForkConversation,
    ImportConversation,
)
from bestchat_server_ext.core import export
from bestchat_server_ext.core.conversation import Conversation, ConversationState, no_such_message
from bestchat_server_ext.core.copying import copied
from bestchat_server_ext.core.events import ConversationCreated, Event, MessageAdded
from bestchat_server_ext.core.ids import ConversationId, MessageId, OwnerId
from bestchat_server_ext.core.importing import from_json, from_jupyter_ai
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.services.conversations import require_settings
from bestchat_server_ext.services.stream import StreamService


class ExchangeService:
    """Copies what was said, here or to and from files."""

    def __init__(self, stream: StreamService) -> None:
        """Work on this."""
        self._stream = stream

    async def fork(self, owner: OwnerId, request: ForkConversation) -> Conversation:
        """Begin a conversation with what another one says up to a message.

        Raises:
            NotFound: there is no such message in it.
        """
        state = await self._stream.state(request.conversation_id)
        leaf = _leaf(state, request.message_id)
        began = ConversationCreated(
            owner,
            request.title or state.conversation.title,
            state.conversation.label,
            state.conversation.settings,
            state.conversation.id,
        )
        return await self._begin(self._new_id(), began, state.branch(leaf))

    async def export(self, request: ExportConversation) -> ExportedFile:
        """Write a conversation into a file's text.

        Raises:
            NotFound: there is no such message in it.
        """
        state = await self._stream.state(request.conversation_id)
        leaf = _leaf(state, request.message_id)
        match request.format:
            case "json":
                content = export.to_json(state, self._stream.clock.now())
                return _file(state, ".json", "application/json", content)
            case "markdown":
                return _file(state, ".md", "text/markdown", export.to_markdown(state, leaf))
            case "notebook":
                content = export.to_notebook(state, leaf)
                return _file(state, ".ipynb", "application/x-ipynb+json", content)
            case _:
                assert_never(request.format)

    async def import_(self, owner: OwnerId, request: ImportConversation) -> Conversation:
        """Make a conversation of a file's text.

        Raises:
            InvalidRequest: the text is not what it is said to be.
        """
        conversation_id = self._new_id()
        match request.format:
            case "json":
                found = from_json(request.content)
            case "jupyter-ai":
                found = from_jupyter_ai(request.content, conversation_id)
            case _:
                assert_never(request.format)
        require_settings(found.settings)
        title = (request.title or found.title)[:300]
        began = ConversationCreated(owner, title, settings=found.settings)
        return await self._begin(conversation_id, began, found.messages)

    async def _begin(
        self,
        conversation_id: ConversationId,
        began: ConversationCreated,
        messages: Iterable[Message],
    ) -> Conversation:
        said = copied(messages, conversation_id)
        events: list[Event] = [began, *map(MessageAdded, said)]
        await self._stream.append(conversation_id, events)
        return (await self._stream.state(conversation_id)).conversation

    def _new_id(self) -> ConversationId:
        return ConversationId(self._stream.clock.new_id())


def _file(state: ConversationState, ending: str, media_type: str, content: str) -> ExportedFile:
    return ExportedFile(export.file_name(state, ending), media_type, content)


def _leaf(state: ConversationState, named: MessageId | None) -> MessageId | None:
    """The message that was named, else the newest; none where nothing was said."""
    if named is not None and named not in state.messages:
        raise no_such_message()
    return named or state.newest
