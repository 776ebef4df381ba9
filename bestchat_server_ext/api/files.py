"""Files: attached to a conversation; announced here, sent and read at `files/<id>`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Empty, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.files import FileUpload
from bestchat_server_ext.core.ids import ConversationId, FileId

Files = Annotated[tuple[FileId, ...], msgspec.Meta(max_length=20)]
"""Files that go along with a message."""


class CreateFile(ApiRequest, kw_only=True):
    """Announce a file. Its bytes follow as the body of `PUT files/<id>`."""

    conversation_id: ConversationId
    """Where it belongs to."""
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    """What it is called; of a path, the last part counts."""
    size: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    """Its bytes, exactly."""
    file_id: FileId | None = None
    """An id made by the client, a UUIDv7: announcing the same file again changes nothing."""


class GetFile(ApiRequest):
    """Read what is known of a file."""

    file_id: FileId
    """Which one."""


class ListFiles(ApiRequest):
    """List the files of a conversation."""

    conversation_id: ConversationId
    """Whose."""


class FileList(msgspec.Struct, frozen=True):
    """The files of a conversation, the oldest first."""

    files: tuple[FileUpload, ...]
    """The files, those included that no message has."""


class DeleteFile(ApiRequest):
    """Remove a file before it is sent."""

    file_id: FileId
    """Which one."""


create = Procedure(
    name="files.create",
    summary="Announce a file; its bytes follow with PUT files/<id>.",
    request=CreateFile,
    response=FileUpload,
    scope=Scope.CONVERSATIONS_WRITE,
    target="conversation_id",
)
get = Procedure(
    name="files.get",
    summary="Read what is known of a file: what it is, and whether its text was read.",
    request=GetFile,
    response=FileUpload,
    scope=Scope.CONVERSATIONS_READ,
    target="file_id",
)
list_ = Procedure(
    name="files.list",
    summary="List the files of a conversation.",
    request=ListFiles,
    response=FileList,
    scope=Scope.CONVERSATIONS_READ,
    target="conversation_id",
)
delete = Procedure(
    name="files.delete",
    summary="Remove a file that no message has.",
    request=DeleteFile,
    response=Empty,
    scope=Scope.CONVERSATIONS_DELETE,
    target="file_id",
)
