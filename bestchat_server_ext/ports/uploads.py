"""Uploads: what is known of attached files; their bytes are elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from bestchat_server_ext.core.files import FileState, FileText, FileUpload
from bestchat_server_ext.core.ids import ConversationId, FileId, OwnerId


class UploadStore(Protocol):
    """Files by id.

    What is let go of is gone for everybody, and stays on a list until its bytes are removed, so
    that no crash in between leaves bytes that nobody knows of.
    """

    async def add(self, upload: FileUpload, owner: OwnerId, *, quota: int | None = None) -> None:
        """Announce a file.

        Args:
            upload: the file.
            owner: whose conversation it belongs to.
            quota: bytes that the owner's files may have together, this one included.

        Raises:
            Conflict: its id is taken.
            NotFound: there is no such conversation.
            LimitReached: it does not fit into the quota.
        """
        ...

    async def find(self, ids: Collection[FileId]) -> dict[FileId, FileUpload]:
        """Those of these files that there are."""
        ...

    async def of(self, conversation_id: ConversationId) -> tuple[FileUpload, ...]:
        """The files of a conversation, the oldest first."""
        ...

    async def advance(
        self, file_id: FileId, before: FileState, after: FileState, media_type: str = ""
    ) -> None:
        """Say how far a file's bytes have come.

        Raises:
            Conflict: they had not come as far as `before`, or farther.
        """
        ...

    async def expect_stalled(
        self, before: datetime, *, but: Collection[FileId]
    ) -> tuple[FileId, ...]:
        """Expect again what was announced before a moment and is still on its way; gives those.

        Args:
            before: the moment.
            but: files that are left alone.
        """
        ...

    async def set_text(self, file_id: FileId, said: FileText) -> None:
        """Keep what a file says; of one that is gone, nothing is kept."""
        ...

    async def text(self, file_id: FileId) -> FileText | None:
        """What a file says; none as long as nobody has read it."""
        ...

    async def let_go(self, file_id: FileId) -> None:
        """Remove a file that no message has.

        Raises:
            NotFound: there is no such file.
            Conflict: a message has it.
        """
        ...

    async def let_go_unsent(self, before: datetime) -> None:
        """Remove all files that were announced before a moment and that no message has."""
        ...

    async def gone(self, *, limit: int) -> tuple[FileId, ...]:
        """Files that are gone, alone or with their conversation, whose bytes may still be there."""
        ...

    async def forget(self, ids: Collection[FileId]) -> None:
        """The bytes of these files, which are gone, have been removed."""
        ...
