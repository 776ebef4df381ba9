"""ExchangeService: conversations made of others, written into files, and read from them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import assert_never

import msgspec

from bestchat_server_ext.api.conversations import (
    ExportConversation,
    ExportedFile,
    ForkConversation,
    ImportConversation,
)
from bestchat_server_ext.core import export
from bestchat_server_ext.core.conversation import (
    Conversation,
    ConversationState,
    create,
    no_such_message,
    require_undeleted,
)
from bestchat_server_ext.core.copying import copied
from bestchat_server_ext.core.errors import LimitReached
from bestchat_server_ext.core.events import ConversationCreated, Event, MessageAdded
from bestchat_server_ext.core.ids import ConversationId, MessageId, OwnerId
from bestchat_server_ext.core.importing import from_json, from_jupyter_ai
from bestchat_server_ext.core.messages import require_pictures
from bestchat_server_ext.services.conversations import require_settings
from bestchat_server_ext.services.files import FileService
from bestchat_server_ext.services.stream import StreamService

MOST_MESSAGES = 10_000
"""Messages that a file may hold which is imported."""


class ExchangeService:
    """Copies what was said, here or to and from files."""

    def __init__(self, stream: StreamService, files: FileService) -> None:
        """Work on these."""
        self._stream = stream
        self._files = files

    async def fork(self, owner: OwnerId, request: ForkConversation) -> Conversation:
        """Begin a conversation with what another one says up to a message.

        Raises:
            NotFound: there is no such message in it.
            Conflict: it was deleted.
        """
        state = await self._stream.state(request.conversation_id)
        require_undeleted(state.conversation)
        leaf = _leaf(state, request.message_id)
        began = ConversationCreated(
            owner,
            request.title or state.conversation.title,
            state.conversation.label,
            state.conversation.settings,
            state.conversation.id,
        )
        conversation_id = self._new_id()
        branch = state.branch(leaf)
        said = copied(branch, conversation_id)
        fork = await self._begin(conversation_id, [began, *map(MessageAdded, said)])
        await self._files.copy(branch, fork)
        return fork

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
        # A large file would hold up everybody.
        events = await asyncio.to_thread(_imported, owner, conversation_id, request)
        return await self._begin(conversation_id, events)

    async def _begin(
        self, conversation_id: ConversationId, events: Sequence[Event]
    ) -> Conversation:
        appended = await self._stream.append(conversation_id, events)
        first, last = appended.envelopes[0], appended.envelopes[-1]
        made = create(conversation_id, first).conversation
        return msgspec.structs.replace(made, seq=last.seq, updated_at=last.at)

    def _new_id(self) -> ConversationId:
        return ConversationId(self._stream.clock.new_id())


def _imported(
    owner: OwnerId, conversation_id: ConversationId, request: ImportConversation
) -> list[Event]:
    """What begins a conversation that a file holds.

    Raises:
        InvalidRequest: the text is not what it is said to be.
        LimitReached: it holds too many messages.
    """
    match request.format:
        case "json":
            found = from_json(request.content)
        case "jupyter-ai":
            found = from_jupyter_ai(request.content, conversation_id)
        case _:
            assert_never(request.format)
    if len(found.messages) > MOST_MESSAGES:
        raise LimitReached(
            f"At most {MOST_MESSAGES:,} messages can be imported, not {len(found.messages):,}.",
            hint="Leave some of them out.",
        )
    require_settings(found.settings)
    for message in found.messages:
        require_pictures(message.parts)
    title = (request.title or found.title)[:300]
    began = ConversationCreated(owner, title, settings=found.settings)
    said = copied(found.messages, conversation_id)
    return [began, *map(MessageAdded, said)]


def _file(state: ConversationState, ending: str, media_type: str, content: str) -> ExportedFile:
    return ExportedFile(export.file_name(state, ending), media_type, content)


def _leaf(state: ConversationState, named: MessageId | None) -> MessageId | None:
    """The message that was named, else the newest; none where nothing was said."""
    if named is not None and named not in state.messages:
        raise no_such_message()
    return named or state.newest
