"""ChildTextReader: plain text at once; for each other file a child process, with limits."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from bestchat_server_ext.adapters.file_texts.kinds import read
from bestchat_server_ext.core import file_types
from bestchat_server_ext.core.files import FileText

SECONDS = 60.0
"""How long reading a file may take."""
AT_ONCE = 2
"""Files that are read at the same time; others wait."""
_WIDEST = 4
"""Bytes of the longest character."""
_MODULE = "bestchat_server_ext.adapters.file_texts.child"
_KEPT = frozenset(
    {
        *("PATH", "HOME", "LANG", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "SYSTEMROOT"),
    }
)
"""Variables that a child gets: no provider's key is among them."""

TOO_LONG = FileText(note="reading it took too long")
BROKEN = FileText(note="it could not be read; it may be damaged")


class ChildTextReader:
    """Reads files in processes of their own.

    Plain `subprocess` with threads rather than asyncio's: those children are tied to one event
    loop, and on some loops only the main thread may have any.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        """Give each file so long."""
        self._seconds = seconds
        self._free = asyncio.Semaphore(AT_ONCE)

    async def read(self, media_type: str, pieces: AsyncIterator[bytes], limit: int) -> FileText:
        """The text of a file; see the port."""
        if media_type in file_types.AS_THEY_ARE:
            return await self._read_as_it_is(media_type, pieces, limit)
        async with self._free:
            starting = asyncio.ensure_future(asyncio.to_thread(_start, media_type, limit))
            try:
                async with asyncio.timeout(self._seconds):
                    return await _exchange(await asyncio.shield(starting), pieces)
            except TimeoutError:
                return TOO_LONG
            finally:
                # Whoever stops waiting while it starts must not leave it behind.
                await asyncio.to_thread(_end, await starting)

    async def _read_as_it_is(
        self, media_type: str, pieces: AsyncIterator[bytes], limit: int
    ) -> FileText:
        head, enough = io.BytesIO(), _WIDEST * (limit + 2)
        try:
            async with asyncio.timeout(self._seconds):
                async for piece in pieces:
                    head.write(piece)
                    if head.tell() >= enough:
                        break
        except TimeoutError:
            return TOO_LONG
        head.seek(0)
        return await asyncio.to_thread(read, media_type, head, limit)


def _start(media_type: str, limit: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  the command is fixed, and a media type is one of ours
        [sys.executable, "-P", "-m", _MODULE, media_type, str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(os.environ),
        start_new_session=True,
    )


async def _exchange(child: subprocess.Popen[bytes], pieces: AsyncIterator[bytes]) -> FileText:
    assert child.stdin is not None  # noqa: S101  asked for above
    assert child.stdout is not None  # noqa: S101
    try:
        async for piece in pieces:
            await asyncio.to_thread(child.stdin.write, piece)
        await asyncio.to_thread(child.stdin.close)
    except BrokenPipeError:
        pass  # it has seen enough, or has died: its answer tells
    answer = await asyncio.to_thread(child.stdout.read)
    try:
        return msgspec.json.decode(answer, type=FileText)
    except msgspec.MsgspecError:
        return BROKEN


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child, whatever it is doing; who waits for it comes back then."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError, ValueError):  # something in it was never read
                pipe.close()


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """The variables of a child: what Python needs, and the way to this package."""
    kept = {name: value for name, value in own.items() if name in _KEPT or name.startswith("LC_")}
    root = str(Path(__file__).parents[3])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [root, kept.get("PYTHONPATH", "")]))
    return kept
