"""Locks beside the database and beside the master keys, where the file system has none."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bestchat_server_ext.adapters.storage_sql.file_locks import locked
from bestchat_server_ext.adapters.vault_aes.key_file import KeyFile
from bestchat_server_ext.core.errors import Unavailable

Lock = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture(params=[locked, lambda path: KeyFile(path).alone()], ids=["database", "keys"])
def lock(request: pytest.FixtureRequest) -> Lock:
    made: Lock = request.param
    return made


def test_one_at_a_time_and_free_again(tmp_path: Path, lock: Lock) -> None:
    for _ in range(2):
        with lock(tmp_path / "file"):
            pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_no_file_stands_in_for_a_lock(
    tmp_path: Path, lock: Lock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A process that is killed would leave it behind, and nobody could work there any more."""

    def flock(_fd: int, _operation: int) -> None:
        raise OSError(number, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(Unavailable), lock(tmp_path / "file"):
        pass
