"""Messages: say one differently, have one answered again, pin one."""

from __future__ import annotations

from bestchat_server_ext.api.files import Files
from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.api.turns import Images, Text, TurnRequest, TurnTicket
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.ids import ConversationId, MessageId
from bestchat_server_ext.core.messages import Message


class EditMessage(TurnRequest, kw_only=True):
    """Say a user message differently: a branch of its own, beside the former one."""

    message_id: MessageId
    """The user message that is said differently; it stays as it is."""
    text: Text
    """What the user says instead."""
    images: Images | None = None
    """The pictures that go along instead; those of the former message if left out."""
    files: Files | None = None
    """The files that go along instead; those of the former message if left out."""


class RegenerateAnswer(TurnRequest, kw_only=True):
    """Have a user message answered again: a branch of its own, beside the former answer."""

    message_id: MessageId
    """The user message, or any message of the answer."""


class PinMessage(ApiRequest):
    """Pin a message, or let it go."""

    conversation_id: ConversationId
    """Where it is."""
    message_id: MessageId
    """Which one."""
    pinned: bool = True
    """Whether it is to be pinned."""


edit = Procedure(
    name="messages.edit",
    summary="Say a user message differently, and have it answered, as a branch of its own.",
    request=EditMessage,
    response=TurnTicket,
    scope=Scope.TURNS,
    target="conversation_id",
)
regenerate = Procedure(
    name="messages.regenerate",
    summary="Have a user message answered again, as a branch of its own.",
    request=RegenerateAnswer,
    response=TurnTicket,
    scope=Scope.TURNS,
    target="conversation_id",
)
pin = Procedure(
    name="messages.pin",
    summary="Pin a message, so that it stays in view and in every request; or let it go.",
    request=PinMessage,
    response=Message,
    scope=Scope.CONVERSATIONS_WRITE,
    target="conversation_id",
)
