"""Server-sent events, as far as providers use them (WHATWG HTML, section 9.2).

Takes bytes in any split, gives the data of whole events. Tolerates what is seen in the wild: LF,
CRLF and CR line ends, comments as keep-alives, data over several lines, a byte order mark, and
UTF-8 cut in two between packets.
"""

from __future__ import annotations

from bestchat_server_ext.core.wire.refusals import endless

_BOM = b"\xef\xbb\xbf"
_LONGEST = 16 * 1024 * 1024
"""Bytes of one unfinished event; a body without line ends must not fill the memory."""


class SSEDecoder:
    """Cuts a stream of bytes into the data of its events."""

    def __init__(self) -> None:
        """Begin at the start of a stream."""
        self._rest = b""
        self._data: list[bytes] = []
        self._held = 0
        self._started = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they come; give the data of every event that they complete.

        Raises:
            ProviderError: one event is longer than any event of a chat can be.
        """
        buffer = self._rest + data
        if not self._started:
            if _BOM.startswith(buffer[:3]) and len(buffer) < len(_BOM):
                self._rest = buffer
                return []
            self._started = True
            buffer = buffer.removeprefix(_BOM)
        if b"\r" in buffer:
            # A carriage return at the very end may be half of a CRLF: leave it for next time.
            tail = b"\r" if buffer.endswith(b"\r") else b""
            body = buffer[: len(buffer) - len(tail)]
            buffer = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail
        *lines, self._rest = buffer.split(b"\n")
        events = self._take(lines)
        if len(self._rest) + self._held > _LONGEST:
            raise endless()
        return events

    def close(self) -> list[bytes]:
        """The stream has ended: give what stands there without an empty line behind it.

        The standard would drop it; providers that forget the last line end are common.
        """
        lines = [self._rest.removesuffix(b"\r"), b""]
        self._rest = b""
        return self._take(lines)

    def _take(self, lines: list[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
                self._held += len(line)
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data, self._held = [], 0
        return events
