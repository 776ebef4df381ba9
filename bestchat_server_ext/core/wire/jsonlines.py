"""Newline-delimited JSON: one object on a line of its own.

Takes bytes in any split, gives whole lines; a line end inside of a JSON text is always escaped.
"""

from __future__ import annotations

from bestchat_server_ext.core.wire.refusals import endless

_LONGEST = 16 * 1024 * 1024
"""Bytes of one unfinished line; a body without line ends must not fill the memory."""


class JSONLinesDecoder:
    """Cuts a stream of bytes into lines. What is white space around them is left there."""

    def __init__(self) -> None:
        """Begin at the start of a stream."""
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; give every line that they complete.

        Raises:
            ProviderError: one line is longer than any piece of a chat can be.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            raise endless()
        return lines

    def close(self) -> list[bytes]:
        """The stream has ended: give what stands there without a line end behind it."""
        rest, self._rest = self._rest, b""
        return [rest]
