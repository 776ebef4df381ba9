"""What runs in the child process: a file comes in, its text goes out as JSON, and that was it."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from tempfile import TemporaryFile

import msgspec

from bestchat_server_ext.adapters.file_texts.kinds import read
from bestchat_server_ext.core.files import FileText

MEMORY = 1024**3
"""Bytes of address space; loading pyarrow takes a third of them."""
CPU_SECONDS = 60


def main(media_type: str, limit: int) -> None:
    """Read a file from the standard input."""
    _limit()
    with TemporaryFile() as file:  # PDF and Parquet are read from their ends
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.seek(0)
        try:
            said = read(media_type, file, limit)
        except MemoryError:
            said = FileText(note="it takes more memory to read than there is for it")
        except Exception as error:  # noqa: BLE001  whatever a damaged file makes a parser raise
            said = FileText(note=f"it could not be read ({type(error).__name__})")
    sys.stdout.buffer.write(msgspec.json.encode(said))
    sys.stdout.flush()
    os._exit(0)  # threads of a library must not hold up the answer


def _limit() -> None:
    with suppress(ImportError, OSError, ValueError):  # not on Windows, and not beyond a hard limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
