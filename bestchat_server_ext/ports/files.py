"""Files: the bytes of what is attached, and what they say as text.

Bytes come in and go out piece by piece: nobody holds a whole file in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from bestchat_server_ext.core.files import FileText
from bestchat_server_ext.core.ids import FileId


class FileWriter(Protocol):
    """One file on its way in. Exactly one of `finish` and `abandon` ends it."""

    async def write(self, piece: bytes) -> None:
        """Take more of it; comes back when there is room for the next piece.

        Raises:
            Unavailable: it cannot be kept.
        """
        ...

    async def finish(self) -> None:
        """That was all: from now on it can be read, and not before.

        Raises:
            Unavailable: it cannot be kept.
        """
        ...

    async def abandon(self) -> None:
        """Forget what has come. Raises nothing."""
        ...


class FileStore(Protocol):
    """Where files are kept."""

    async def begin(self, file_id: FileId) -> FileWriter:
        """Take a file; one of that id that is there stays until the new one is finished.

        Raises:
            Unavailable: nothing can be kept.
        """
        ...

    def read(self, file_id: FileId, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """A file's bytes from `start` up to and not including `end`, piece by piece.

        Raises:
            NotFound: there is no such file; raised before the first piece.
            Unavailable: it cannot be read.
        """
        ...

    async def copy(self, file_id: FileId, to: FileId) -> None:
        """Keep a file once more, under another id.

        Raises:
            NotFound: there is no such file.
            Unavailable: it cannot be copied.
        """
        ...

    async def delete(self, file_id: FileId) -> None:
        """Remove a file, if it is there, and what a process that ended had of it.

        Raises:
            Unavailable: it cannot be removed.
        """
        ...


class TextReader(Protocol):
    """Finds out what files say."""

    async def read(self, media_type: str, pieces: AsyncIterator[bytes], limit: int) -> FileText:
        """The text of a file, or a summary of it.

        Whatever the file, it comes back within about a minute; what cannot be read gives no text,
        and a note that says why.

        Args:
            media_type: what it is; one of `file_types.READABLE`.
            pieces: its bytes.
            limit: characters after which to cut.

        Raises:
            ChatError: `pieces` raised it.
        """
        ...
