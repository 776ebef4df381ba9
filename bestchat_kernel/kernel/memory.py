"""Which cell stands where, over a restart.

A restarted kernel is another process. It knows itself again by the key of its connection, which
Jupyter keeps over a restart, and by nothing else: a kernel that is started anew begins a new
conversation. The file holds ids, and nothing of what was said.
"""

from __future__ import annotations

import hashlib
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec

from bestchat_kernel.cells import CellKey, Cells, CellTables
from bestchat_server_ext.core.ids import ConversationId

_log = logging.getLogger(__name__)

_OLDEST_SECONDS = 30 * 24 * 3600
"""Age after which a file is taken to be of a kernel that was killed."""


class _Table(msgspec.Struct, frozen=True):
    parents: dict[str, str | None]
    questions: dict[str, str]
    answers: dict[str, str]
    cells: dict[str, str]


class _File(msgspec.Struct, frozen=True):
    current: str | None
    conversations: dict[str, _Table]


class Memory:
    """What one kernel keeps in a file while it lives."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        """Keep it in a folder, under a name that only kernels with this secret find."""
        name = hashlib.sha256(b"bestchat memory " + secret).hexdigest()[:32]
        self._path = folder / f"{name}.json"
        self._written: bytes | None = None

    def read(self) -> tuple[ConversationId | None, dict[ConversationId, Cells]]:
        """The conversation that was going on, and the cells of each one; empty at first."""
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return None, {}
        except (OSError, msgspec.MsgspecError) as error:
            _log.warning("What a kernel kept cannot be read: %s", type(error).__name__)
            return None, {}
        cells = {ConversationId(key): _cells(it) for key, it in file.conversations.items()}
        return ConversationId(file.current) if file.current else None, cells

    def write(self, current: ConversationId | None, cells: dict[ConversationId, Cells]) -> None:
        """Keep it. Where that is impossible, a restart begins a new conversation."""
        file = _File(current, {key: _table(found) for key, found in cells.items()})
        data = msgspec.json.encode(file)
        if data == self._written:
            return
        try:
            if self._written is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._sweep()
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(data)
            fresh.replace(self._path)
            self._written = data
        except OSError as error:
            _log.warning("A restart will not know this conversation: %s", error.strerror)

    def forget(self) -> None:
        """Take the file away: the kernel ends, and is not restarted."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        before = time.time() - _OLDEST_SECONDS
        for path in self._path.parent.glob("*.json"):
            with suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()


def _table(cells: Cells) -> _Table:
    parents, questions, answers, owners = cells.tables
    return _Table(
        {str(key): value for key, value in parents.items()},
        {str(key): value for key, value in questions.items()},
        {str(key): value for key, value in answers.items()},
        {message: str(key) for message, key in owners.items()},
    )


def _cells(table: _Table) -> Cells:
    tables = (table.parents, table.questions, table.answers, table.cells)
    return Cells(cast("CellTables", tables))  # a text is a key


class Occurrences:
    """Names cells for front ends that do not: by their source, and how often it came.

    In a chat, the same words said again are a new message. Only a restart begins to count anew,
    so that cells which are run again after it are known again.
    """

    def __init__(self) -> None:
        """Begin before the first cell."""
        self._seen: dict[str, int] = {}

    def key(self, source: str) -> CellKey:
        """The key of the cell that is run now."""
        self._seen[source] = self._seen.get(source, 0) + 1
        return self.last(source)

    def last(self, source: str) -> CellKey:
        """The key of the cell that had this source last."""
        number = self._seen.setdefault(source, 1)
        return f"{hashlib.sha256(source.encode()).hexdigest()[:24]}.{number}"
