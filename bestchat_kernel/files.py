"""Text files that go along with a prompt, under a budget."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from bestchat_kernel.attachment import Attachment
from bestchat_server_ext.core.errors import InvalidRequest

BUDGET = 50_000
"""Characters of one file that are sent: about 12,000 tokens."""

_BYTES_PER_CHARACTER = 4
"""At most, in UTF-8."""


def attached(path: str) -> Attachment:
    """A file's text; of a long one, its beginning, with a mark that says so.

    Args:
        path: as the user wrote it; from the kernel's working directory, `~` is home.

    Raises:
        InvalidRequest: there is no such file, it cannot be read, or it is no text.
    """
    try:
        data, size = _beginning(Path(path).expanduser())
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path cannot be used"
        raise InvalidRequest(
            f"{path[:200]!r} cannot be attached: {reason}.",
            hint="Paths begin at the kernel's working directory.",
            field="--attach",
        ) from error
    text = _text(data, path, whole=size <= len(data))
    if len(text) > BUDGET or size > len(data):
        text = f"{text[:BUDGET]}\n… [cut here: the file has {size:,} bytes]"
    return Attachment(path, text, kind="file")


def _beginning(file: Path) -> tuple[bytes, int]:
    """The first bytes of a file, and how many it has."""
    status = file.stat()
    # To open a pipe waits for somebody who writes into it.
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no ordinary file")
    with file.open("rb") as opened:
        return opened.read(BUDGET * _BYTES_PER_CHARACTER), status.st_size


def _text(data: bytes, path: str, *, whole: bool) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # A file that was cut may end in half a character.
        if whole or error.start < len(data) - _BYTES_PER_CHARACTER:
            raise _no_text(path) from None
        text = data[: error.start].decode("utf-8-sig")
    if "\0" in text:
        raise _no_text(path)
    return text


def _no_text(path: str) -> InvalidRequest:
    return InvalidRequest(
        f"{path[:200]!r} is no text in UTF-8.",
        hint="Only text files can be attached; a picture goes along with --image.",
        field="--attach",
    )
