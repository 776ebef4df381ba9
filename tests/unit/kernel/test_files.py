from __future__ import annotations

import os
from pathlib import Path

import pytest

from bestchat_kernel.files import BUDGET, attached
from bestchat_server_ext.core.errors import InvalidRequest


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"\xef\xbb\xbfone\ntwo")
    file = attached(str(path))
    assert (file.name, file.summary, file.kind) == (str(path), "one\ntwo", "file")


@pytest.mark.parametrize("letter", ["a", "ä", "日", "😀"])
@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_of_a_long_file_the_beginning_is_read(tmp_path: Path, letter: str, more: int) -> None:
    path = tmp_path / "long.txt"
    path.write_text("x" * more + letter * 5 * BUDGET, encoding="utf-8")
    text = attached(str(path)).summary
    assert text.startswith("x" * more + letter * (BUDGET - more) + "\n… [cut here: the file has ")


@pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfe", b"a\xc3", b"x" * 300_000 + b"\xff" * 9])
def test_what_is_no_text(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "binary"
    path.write_bytes(data if len(data) < 9 else b"\xff" + data)
    with pytest.raises(InvalidRequest, match="no text in UTF-8"):
        attached(str(path))


@pytest.mark.parametrize("path", ["", "nothing.txt", ".", "a\0b", "~nobody-has-this-name/x"])
def test_what_cannot_be_read(path: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be attached"):
        attached(path)


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InvalidRequest, match="no ordinary file"):
        attached(str(path))


def test_a_device_has_no_end_and_is_not_read() -> None:
    with pytest.raises(InvalidRequest, match="no ordinary file"):
        attached("/dev/zero")
