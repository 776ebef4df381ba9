"""Conversations: begin, find, arrange, copy and remove them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Empty, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.conversation import Conversation, ConversationState
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.ids import ConversationId, MessageId
from bestchat_server_ext.core.search import Hit

Title = Annotated[str, msgspec.Meta(max_length=300)]
Label = Annotated[str, msgspec.Meta(max_length=1000)]
Version = Annotated[int, msgspec.Meta(ge=1)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=200)]


class CreateConversation(ApiRequest):
    """Begin a conversation."""

    title: Title = ""
    """What it is to be called; it gets its name from its first message otherwise."""
    label: Label = ""
    """Where it comes from, for example a notebook's path."""
    conversation_id: ConversationId | None = None
    """An id made by the client (a UUIDv7), so that sending the request again creates no second
    conversation."""
    settings: ConversationSettings = ConversationSettings()
    """What is to be set for it."""


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
    starred: bool | None = None
    """Only those with a star, or only those without; all if left out."""
    archived: bool | None = False
    """Those that were put away, or those that were not; null for both."""
    deleted: bool = False
    """The deleted ones that can still be restored, in place of the others."""
    label: Label | None = None
    """Only those that come from here; all if left out."""


class ConversationPage(msgspec.Struct, frozen=True):
    """One page of conversations, the last changed first; without the messages that wait in them."""

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
    version: Version | None = None
    """The version that the change was made to: a conflict if there is a newer one. None takes
    whichever there is."""


class ConfigureConversation(ApiRequest):
    """Set what is set for a conversation."""

    conversation_id: ConversationId
    """Which one."""
    settings: ConversationSettings
    """All its settings from now on."""
    version: Version | None = None
    """The version that the change was made to: a conflict if there is a newer one. None takes
    whichever there is."""


class StarConversation(ApiRequest):
    """Give a conversation a star, or take it away."""

    conversation_id: ConversationId
    """Which one."""
    starred: bool = True
    """Whether it is to have one."""


class ArchiveConversation(ApiRequest):
    """Put a conversation away, or bring it back."""

    conversation_id: ConversationId
    """Which one."""
    archived: bool = True
    """Whether it is to be put away."""


class DeleteConversation(ApiRequest):
    """Remove a conversation and everything that hangs on it."""

    conversation_id: ConversationId
    """Which one."""
    forever: bool = False
    """Whether at once and for good. If not, it can be restored for a while."""


class RestoreConversation(ApiRequest):
    """Undo the deletion of a conversation."""

    conversation_id: ConversationId
    """Which one."""


class ForkConversation(ApiRequest):
    """Begin a conversation with what another one says up to a message."""

    conversation_id: ConversationId
    """The other one."""
    message_id: MessageId | None = None
    """The last message to take along; the newest if left out."""
    title: Title = ""
    """What the new one is to be called; as the other one if left out."""


class SearchConversations(ApiRequest):
    """Find conversations by what is said in them."""

    query: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    """Words, or their beginnings, that have to stand in one message or in the title."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    """How many at most."""


class SearchResult(msgspec.Struct, frozen=True):
    """Conversations in which something was found, the last said first."""

    hits: tuple[Hit, ...]
    """One for each conversation."""


ExportFormat = Literal["json", "markdown", "notebook"]
"""What a conversation can be written as."""
ImportFormat = Literal["json", "jupyter-ai"]
"""What a conversation can be made of."""


class ExportConversation(ApiRequest):
    """Write a conversation into a file's text."""

    conversation_id: ConversationId
    """Which one."""
    format: ExportFormat = "json"
    """`json` has everything, and can be imported; `markdown` is to be read; `notebook` has the code
    in cells."""
    message_id: MessageId | None = None
    """The last message of the branch to write; the newest if left out. `json` has all branches."""


class ExportedFile(msgspec.Struct, frozen=True):
    """A file's text."""

    name: str
    """What to call it."""
    media_type: str
    """What it is."""
    content: str
    """The text."""


class ImportConversation(ApiRequest):
    """Make a conversation of a file's text."""

    content: Annotated[str, msgspec.Meta(min_length=1)]
    """The text."""
    format: ImportFormat = "json"
    """`json` is our own export, `jupyter-ai` a `.chat` file."""
    title: Title = ""
    """What it is to be called; as in the file if left out."""


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
configure = Procedure(
    name="conversations.configure",
    summary="Set a conversation's model, fallbacks, standing instructions and limit of cost.",
    request=ConfigureConversation,
    response=Conversation,
    scope=Scope.CONVERSATIONS_WRITE,
    target="conversation_id",
)
star = Procedure(
    name="conversations.star",
    summary="Give a conversation a star, or take it away.",
    request=StarConversation,
    response=Conversation,
    scope=Scope.CONVERSATIONS_WRITE,
    target="conversation_id",
)
archive = Procedure(
    name="conversations.archive",
    summary="Put a conversation away, or bring it back.",
    request=ArchiveConversation,
    response=Conversation,
    scope=Scope.CONVERSATIONS_WRITE,
    target="conversation_id",
)
fork = Procedure(
    name="conversations.fork",
    summary="Begin a conversation with what another one says up to a message.",
    request=ForkConversation,
    response=Conversation,
    scope=Scope.CONVERSATIONS_WRITE,
    target="conversation_id",
)
search = Procedure(
    name="conversations.search",
    summary="Find conversations by what is said in them.",
    request=SearchConversations,
    response=SearchResult,
    scope=Scope.CONVERSATIONS_READ,
)
export = Procedure(
    name="conversations.export",
    summary="Write a conversation as JSON, Markdown or a notebook.",
    request=ExportConversation,
    response=ExportedFile,
    scope=Scope.CONVERSATIONS_READ,
    target="conversation_id",
)
import_ = Procedure(
    name="conversations.import",
    summary="Make a conversation of an export, or of jupyter-ai's `.chat` file.",
    request=ImportConversation,
    response=Conversation,
    scope=Scope.CONVERSATIONS_WRITE,
)
restore = Procedure(
    name="conversations.restore",
    summary="Undo the deletion of a conversation.",
    request=RestoreConversation,
    response=Conversation,
    scope=Scope.CONVERSATIONS_DELETE,
    target="conversation_id",
)
delete = Procedure(
    name="conversations.delete",
    summary="Remove a conversation; for a while that can be undone.",
    request=DeleteConversation,
    response=Empty,
    scope=Scope.CONVERSATIONS_DELETE,
    target="conversation_id",
)
