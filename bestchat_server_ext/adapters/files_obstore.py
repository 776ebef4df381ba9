"""LocalFiles: the port `files` on a folder, through obstore.

obstore works in threads of its own, so that no disk holds up the event loop. The same calls speak
to S3: another store in place of `LocalStore`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestchat_server_ext.core.errors import NotFound, NotInstalled, Unavailable
from bestchat_server_ext.core.ids import FileId, is_id

if TYPE_CHECKING:
    from obstore.store import LocalStore

_PART = 1024 * 1024
"""Bytes that are written at a time."""
_PIECE = 256 * 1024
"""Bytes that are read at a time, about."""


class LocalFiles:
    """Files in a folder, each under its id."""

    def __init__(self, folder: Path) -> None:
        """Use this folder; it is made when the first file comes."""
        self._folder = folder
        self._opened: LocalStore | None = None

    async def begin(self, file_id: FileId) -> LocalFile:
        """Take a file; see the port."""
        store = await self._store()
        import obstore

        return LocalFile(obstore.open_writer_async(store, _key(file_id), buffer_size=_PART))

    async def read(
        self, file_id: FileId, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """A file's bytes, piece by piece; see the port."""
        store = await self._store()
        import obstore

        if end is not None and end <= start:
            return
        chosen: Any = {"offset": start} if end is None else (start, end)
        with _errors():
            # Nothing can be asked of an empty file but all of it.
            options: Any = {} if start == 0 and end is None else {"range": chosen}
            found = await obstore.get_async(store, _key(file_id), options=options)
            async for piece in found.stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    async def copy(self, file_id: FileId, to: FileId) -> None:
        """Keep a file once more; see the port."""
        store = await self._store()
        import obstore

        with _errors():
            await obstore.copy_async(store, _key(file_id), _key(to))

    async def delete(self, file_id: FileId) -> None:
        """Remove a file, if it is there, and what a process that ended had of it."""
        store, key = await self._store(), _key(file_id)
        import obstore

        with _errors():
            await asyncio.to_thread(_remove_unfinished, self._folder / key)
            with suppress(FileNotFoundError):
                await obstore.delete_async(store, key)

    async def _store(self) -> LocalStore:
        if self._opened is None:
            with _errors():
                self._opened = await asyncio.to_thread(_open, self._folder)
        return self._opened


class LocalFile:
    """A file on its way in. Until it is finished, it lies under another name."""

    def __init__(self, writer: Any) -> None:  # noqa: ANN401  obstore is loaded late
        """Write through this."""
        self._writer = writer

    async def write(self, piece: bytes) -> None:
        """Take more of it."""
        with _errors():
            await self._writer.write(piece)

    async def finish(self) -> None:
        """That was all."""
        with _errors():
            await self._writer.close()

    async def abandon(self) -> None:
        """Forget what has come: a writer that nobody closes removes it when it goes."""
        self._writer = None


def _open(folder: Path) -> LocalStore:
    try:
        from obstore.store import LocalStore
    except ModuleNotFoundError as error:
        raise NotInstalled(
            "Attaching files needs obstore, which is not installed here.",
            hint="Run: pip install 'bestchat[lab]'",
        ) from error
    # Other users of the machine get no further than this folder.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LocalStore(folder)


def _remove_unfinished(path: Path) -> None:
    """Remove what came of a file and was not finished: obstore numbers it, and never lists it."""
    for unfinished in path.parent.glob(f"{path.name}#*"):
        unfinished.unlink(missing_ok=True)


def _key(file_id: FileId) -> str:
    """Where a file lies. The end of an id is random, so that no folder holds too many."""
    if not is_id(file_id):
        raise NotFound("There is no such file.")
    return f"{file_id[-2:]}/{file_id}"


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what obstore raises into errors of ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("There is no such file.", hint="It may have been deleted.") from error
    except (OSError, ValueError) as error:
        raise _unavailable() from error
    except Exception as error:
        if not type(error).__module__.startswith("obstore"):
            raise
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable(
        "Attached files cannot be read or written.",
        hint="Look whether the disk of `data_dir` is full, read-only or out of reach.",
    )
