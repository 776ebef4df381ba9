"""Conversations: create, get, list, rename, delete."""

from __future__ import annotations

from typing import Annotated

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Empty, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.conversation import Conversation, ConversationState
from bestchat_server_ext.core.ids import ConversationId

Title = Annotated[str, msgspec.Meta(max_length=300)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=200)]


class CreateConversation(ApiRequest):
    """Begin a conversation."""

    title: Title = ""
    """What it is to be called; it gets its name from its first message otherwise."""
    label: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    """Where it comes from, for example a notebook's path."""
    conversation_id: ConversationId | None = None
    """An id made by the client (a UUIDv7), so that sending the request again creates no second
    conversation."""


class GetConversation(ApiRequest):
    """Read a whole conversation."""

    conversation_id: ConversationId
    """Which one."""


class ListConversations(ApiRequest):
    """Read the list of one's conversations."""

    limit: Limit = 50
    """How many at most."""
    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """The `cursor` of the page before; empty for the first page."""


class ConversationPage(msgspec.Struct, frozen=True):
    """One page of conversations, the last changed first."""

    conversations: tuple[Conversation, ...]
    """The conversations."""
    cursor: str
    """What to ask for the next page with; empty on the last page."""


class RenameConversation(ApiRequest):
    """Give a conversation another title."""

    conversation_id: ConversationId
    """Which one."""
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    """The new title."""


class DeleteConversation(ApiRequest):
    """Remove a conversation and everything that hangs on it, for good."""

    conversation_id: ConversationId
    """Which one."""


create = Procedure(
    name="conversations.create",
    summary="Begin a conversation.",
    request=CreateConversation,
    response=Conversation,
    scope=Scope.CONVERSATIONS_WRITE,
)
get = Procedure(
    name="conversations.get",
    summary="Read a whole conversation: the snapshot that events are applied to.",
    request=GetConversation,
    response=ConversationState,
    scope=Scope.CONVERSATIONS_READ,
    target="conversation_id",
)
list_ = Procedure(
    name="conversations.list",
    summary="List one's conversations, the last changed first.",
    request=ListConversations,
    response=ConversationPage,
    scope=Scope.CONVERSATIONS_READ,
)
rename = Procedure(
    name="conversations.rename",
    summary="Give a conversation another title.",
    request=RenameConversation,
    response=Conversation,
    scope=Scope.CONVERSATIONS_WRITE,
    target="conversation_id",
)
delete = Procedure(
    name="conversations.delete",
    summary="Remove a conversation and everything that hangs on it, for good.",
    request=DeleteConversation,
    response=Empty,
    scope=Scope.CONVERSATIONS_DELETE,
    target="conversation_id",
)
