"""What a kernel keeps over a restart."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from bestchat_kernel.cells import Cells, Place
from bestchat_kernel.kernel.memory import Memory, Occurrences
from bestchat_server_ext.core.ids import ConversationId

ONE = ConversationId("one")


def told() -> Cells:
    cells = Cells()
    cells.asked("a", "m1", None)
    cells.answered("a", "m2")
    cells.asked("b", "m3", "m2")
    return cells


def test_it_knows_after_a_restart_where_cells_stand(tmp_path: Path) -> None:
    Memory(tmp_path / "new", b"key").write(ONE, {ONE: told()})
    current, cells = Memory(tmp_path / "new", b"key").read()
    assert current == ONE
    assert cells[ONE].place("a") == Place(root=True)
    assert cells[ONE].place("b") == Place("m2")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_another_kernel_knows_nothing_of_it(tmp_path: Path) -> None:
    Memory(tmp_path, b"key").write(ONE, {ONE: told()})
    assert Memory(tmp_path, b"another").read() == (None, {})
    (path,) = tmp_path.iterdir()
    assert "key" not in path.name


def test_it_is_forgotten_when_the_kernel_ends(tmp_path: Path) -> None:
    memory = Memory(tmp_path, b"key")
    memory.write(ONE, {})
    memory.forget()
    memory.forget()
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_as_none(tmp_path: Path) -> None:
    memory = Memory(tmp_path, b"key")
    memory.write(ONE, {})
    (path,) = tmp_path.iterdir()
    path.write_text("{", encoding="utf-8")
    assert Memory(tmp_path, b"key").read() == (None, {})


def test_where_nothing_can_be_written_it_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    Memory(tmp_path / "file" / "folder", b"key").write(ONE, {})
    assert "A restart will not know this conversation" in caplog.text


def test_files_of_kernels_that_were_killed_go_after_a_month(tmp_path: Path) -> None:
    old, young = tmp_path / "old.json", tmp_path / "young.json"
    for path, days in ((old, 31), (young, 29)):
        path.write_text("{}", encoding="utf-8")
        then = time.time() - days * 24 * 3600
        os.utime(path, (then, then))
    Memory(tmp_path, b"key").write(ONE, {})
    assert not old.exists()
    assert young.exists()


def test_the_same_words_again_are_another_cell() -> None:
    first, second = Occurrences(), Occurrences()
    keys = [first.key("go on"), first.key("go on"), first.key("stop")]
    assert len(set(keys)) == 3
    assert first.last("go on") == keys[1]
    assert [second.key("go on"), second.key("go on"), second.key("stop")] == keys
    assert second.last("new") == second.last("new")
