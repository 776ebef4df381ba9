"""A folder through the suite of the port `files`; and what lies in the folder."""

from __future__ import annotations

import asyncio
import stat
import sys
from pathlib import Path

import pytest

from bestchat_server_ext.adapters.files_obstore import LocalFiles
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.ids import FileId
from bestchat_server_ext.ports.files import FileStore
from bestchat_server_ext.testing.port_suites.files import FilesSuite, joined, keep

ID = FileId("01900000-0000-7000-8000-000000000001")
OTHER = FileId("01900000-0000-7000-8000-000000000101")


class TestLocalFiles(FilesSuite):
    @pytest.fixture
    def files(self, tmp_path: Path) -> FileStore:
        return LocalFiles(tmp_path / "data" / "files")


def found(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_other_users_do_not_get_into_the_folder(tmp_path: Path) -> None:
    store = LocalFiles(tmp_path / "files")
    assert not (tmp_path / "files").exists()  # nothing is written before the first file
    await keep(store, ID, b"secret")
    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700


@pytest.mark.parametrize("megabytes", [0, 12])
async def test_nothing_stays_of_what_was_abandoned(tmp_path: Path, megabytes: int) -> None:
    writer = await LocalFiles(tmp_path).begin(ID)
    for _ in range(megabytes):
        await writer.write(b"x" * 1_000_000)
    assert bool(found(tmp_path)) == bool(megabytes)
    await writer.abandon()
    assert found(tmp_path) == []


async def test_what_a_dead_process_left_goes_with_its_file(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from bestchat_server_ext.adapters.files_obstore import LocalFiles\n"
        "async def main():\n"
        "    writer = await LocalFiles(Path(sys.argv[1])).begin(sys.argv[2])\n"
        "    for _ in range(12): await writer.write(b'x' * 1_000_000)\n"
        "    os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, tmp_path, ID)
    assert await process.wait() == 9
    assert found(tmp_path) == [f"{ID}#1"]
    await keep(LocalFiles(tmp_path), OTHER, b"stays")
    await LocalFiles(tmp_path).delete(ID)
    assert found(tmp_path) == [OTHER]


async def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("in the way", encoding="utf-8")
    with pytest.raises(Unavailable, match="cannot be read or written"):
        await keep(LocalFiles(tmp_path / "files"), ID, b"x")


async def test_another_process_reads_what_one_has_kept(tmp_path: Path) -> None:
    await keep(LocalFiles(tmp_path), ID, b"kept")
    assert await joined(LocalFiles(tmp_path).read(ID)) == b"kept"
