"""What every store of files has to do, as tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bestchat_server_ext.core.errors import NotFound
from bestchat_server_ext.core.ids import FileId
from bestchat_server_ext.ports.files import FileStore
from bestchat_server_ext.testing.clock import ManualClock

_clock = ManualClock(origin=13)


def _id() -> FileId:
    return FileId(_clock.new_id())


async def keep(store: FileStore, file_id: FileId, *pieces: bytes) -> None:
    """Keep a file."""
    writer = await store.begin(file_id)
    for piece in pieces:
        await writer.write(piece)
    await writer.finish()


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    """All pieces in one."""
    return b"".join([piece async for piece in pieces])


class FilesSuite:
    """The tests. Define the fixture `files`: an empty store."""

    @pytest.mark.parametrize("size", [0, 1, 1_000, 3_000_000], ids=str)
    async def test_what_was_kept_comes_back(self, files: FileStore, size: int) -> None:
        """Byte for byte, however it was cut on its way in."""
        file_id, whole = _id(), bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
        whole = whole[:size]
        cut = size // 3
        await keep(files, file_id, whole[:cut], b"", whole[cut:])
        assert await joined(files.read(file_id)) == whole

    async def test_a_part_can_be_read(self, files: FileStore) -> None:
        """From a byte, up to another that is not in it."""
        file_id = _id()
        await keep(files, file_id, b"0123456789")
        assert await joined(files.read(file_id, 2, 5)) == b"234"
        assert await joined(files.read(file_id, 7)) == b"789"
        assert await joined(files.read(file_id, 0, 10)) == b"0123456789"
        assert await joined(files.read(file_id, 4, 4)) == b""

    async def test_a_large_file_comes_in_pieces(self, files: FileStore) -> None:
        """Nobody gets it whole."""
        file_id = _id()
        await keep(files, file_id, *[b"x" * 1_000_000] * 8)
        sizes = [len(piece) async for piece in files.read(file_id)]
        assert sum(sizes) == 8_000_000
        assert max(sizes) < 4_000_000

    @pytest.mark.parametrize("size", [10, 12_000_000], ids=str)
    async def test_what_is_not_finished_is_not_there(self, files: FileStore, size: int) -> None:
        """Not before it is finished, and never if it is abandoned; then it may come again."""
        file_id = _id()
        writer = await files.begin(file_id)
        for _ in range(0, size, 1_000_000):
            await writer.write(b"x" * min(size, 1_000_000))
        with pytest.raises(NotFound):
            await joined(files.read(file_id))
        await writer.abandon()
        with pytest.raises(NotFound):
            await joined(files.read(file_id))
        await keep(files, file_id, b"again")
        assert await joined(files.read(file_id)) == b"again"

    async def test_files_come_at_the_same_time(self, files: FileStore) -> None:
        """Each of them whole."""
        ids = [_id() for _ in range(8)]
        await asyncio.gather(*(keep(files, file_id, *[file_id.encode()] * 1000) for file_id in ids))
        for file_id in ids:
            assert await joined(files.read(file_id)) == file_id.encode() * 1000

    async def test_a_deleted_file_is_gone(self, files: FileStore) -> None:
        """Deleting it once more changes nothing."""
        file_id, other = _id(), _id()
        await keep(files, file_id, b"x")
        await keep(files, other, b"y")
        await files.delete(file_id)
        await files.delete(file_id)
        with pytest.raises(NotFound):
            await joined(files.read(file_id))
        assert await joined(files.read(other)) == b"y"

    async def test_a_copy_outlives_its_original(self, files: FileStore) -> None:
        """And there is none of what is not there."""
        file_id, copy = _id(), _id()
        await keep(files, file_id, b"kept")
        await files.copy(file_id, copy)
        await files.delete(file_id)
        assert await joined(files.read(copy)) == b"kept"
        with pytest.raises(NotFound):
            await files.copy(file_id, _id())

    @pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "a/b", "C:\\x", "x" * 5000])
    async def test_only_ids_are_names(self, files: FileStore, name: str) -> None:
        """No path leads anywhere."""
        with pytest.raises(NotFound):
            await joined(files.read(FileId(name)))
        with pytest.raises(NotFound):
            await files.begin(FileId(name))
        with pytest.raises(NotFound):
            await files.delete(FileId(name))
