"""Master keys in a file of mode 0600 beside the database."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bestchat_server_ext.core.errors import ChatError, InvalidRequest, Unavailable
from bestchat_server_ext.core.vault import MasterKey, read_keys, write_keys

LOCK_SECONDS = 20.0
"""How long to wait for other processes that make or change the file."""

_OTHERS = 0o077
_SIZE_LIMIT = 64 * 1024

Keys = tuple[MasterKey, ...]


class KeyFile:
    """The file. All of it blocks."""

    own = True

    def __init__(self, path: Path) -> None:
        """Know the file; nothing is read or made yet."""
        self.path = path
        self.label = f"the file {path}"
        self.notice = (
            f"Provider keys at rest are protected by the file {path}, beside the database: that is "
            "care and no wall. A keyring of the operating system, or BESTCHAT_MASTER_KEYS, keeps "
            "the master key elsewhere."
        )

    def exists(self) -> bool:
        """Whether it is there."""
        return self.path.exists()

    def read(self) -> Keys:
        """The keys in it, the one that seals first; none if it is not there.

        Raises:
            Unavailable: others may read it, or it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                self._require_private(os.fstat(file.fileno()))
                text = file.read(_SIZE_LIMIT).decode("ascii")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise self._useless(error) from error
        try:
            return read_keys(text, self.label)
        except InvalidRequest as error:
            raise Unavailable(error.info.text, hint="Bring a copy of the file back.") from error

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        """Replace what is in it, as the only process that does; give what is in it now.

        Whoever reads meanwhile sees all of the one or all of the other.

        Raises:
            Unavailable: it cannot be written, or others may read it.
        """
        with self.alone():
            before = self.read()
            after = change(before)
            if not after:
                self.path.unlink(missing_ok=True)
            elif after != before:
                self._write(after)
            return after

    def _require_private(self, status: os.stat_result) -> None:
        if sys.platform != "win32" and stat.S_IMODE(status.st_mode) & _OTHERS:
            raise Unavailable(
                f"The master keys in {self.path} are not used: others may read or write that file.",
                hint=f"If nobody did, run: chmod 600 {self.path}",
            )

    def _write(self, keys: Keys) -> None:
        scratch = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(write_keys(keys).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(self.path)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise self._useless(error) from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only process that makes or changes master keys.

        Raises:
            Unavailable: another process takes too long, or there can be no lock.
        """
        from filelock import FileLock, Timeout

        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Not by the mere existence of a file, where there are no locks: a killed process would
            # leave it behind for ever.
            lock = FileLock(
                f"{self.path}.lock", timeout=LOCK_SECONDS, mode=0o600, fallback_to_soft=False
            )
            lock.acquire()
        except (OSError, Timeout) as error:
            raise self._useless(error) from error
        try:
            yield
        finally:
            lock.release()

    def _useless(self, error: Exception) -> ChatError:
        why = getattr(error, "strerror", None) or type(error).__name__
        return Unavailable(
            f"The master keys in {self.path} cannot be used: {why}.",
            hint="Check who owns the file and its folder, or set BESTCHAT_MASTER_KEYS.",
        )
