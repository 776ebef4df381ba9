"""What the decoders of all formats share: frames in, errors kept until the chunks are read."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.models import Chunk
from bestchat_server_ext.core.wire.refusals import UNREADABLE, unreadable

NUL, REPLACEMENT = "\0", "\ufffd"
"""What not every database can store, and what stands for it in text from a provider."""

_MOST_TOKENS = 2**53
_SURROGATES = re.compile(
    rb"\\(?:u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def count(value: float | None) -> int:
    """A number of tokens as a stranger wrote it; what cannot be one counts nothing."""
    return int(value) if value and 0 < value < _MOST_TOKENS else 0


class _Frames(Protocol):
    """Cuts a body into what holds one JSON text each."""

    def feed(self, data: bytes) -> list[bytes]: ...

    def close(self) -> list[bytes]: ...


class StreamDecoder(ABC):
    """Turns the bytes of one streamed answer into chunks; a format says what a frame means."""

    def __init__(self, frames: _Frames) -> None:
        """Begin at the start of a response body."""
        self._frames = frames
        self.done = False
        """Whether the end marker was seen: whatever follows is not part of the answer."""
        self.finished = False
        """Whether the model said why it stopped: the answer is whole, end marker or not."""
        self.error: errors.ProviderError | None = None
        """What is wrong behind the last chunks: every further call raises it."""

    @abstractmethod
    def _read(self, data: bytes, chunks: list[Chunk]) -> None:
        """Add what one frame says. What it raises of `UNREADABLE` becomes an error."""

    def feed(self, data: bytes) -> list[Chunk]:
        """Take bytes in any split; give the chunks that they complete.

        Chunks that stand before an error count, so an error that comes together with some is
        kept in `error` and raised by the next call.

        Raises:
            ProviderError: the provider put an error, or something unreadable, into the stream.
        """
        if self.error is not None:
            raise self.error
        return self._decode(self._frames.feed(data))

    def close(self) -> list[Chunk]:
        """The body has ended: give what was still held back.

        Raises:
            ProviderError: as in `feed`.
        """
        if self.error is not None:
            raise self.error
        return self._decode(self._frames.close())

    def _decode(self, frames: Iterable[bytes]) -> list[Chunk]:
        chunks: list[Chunk] = []
        try:
            for frame in frames:
                if self.done:
                    break
                if data := frame.strip():
                    self._decode_frame(data, chunks)
        except errors.ProviderError as error:
            self.error = error
            if not chunks:
                raise
        return chunks

    def _decode_frame(self, data: bytes, chunks: list[Chunk]) -> None:
        if data == b"[DONE]":  # OpenAI's, and of servers that imitate two formats at once
            self.done = True
            return
        try:
            self._read(data, chunks)
        except UNREADABLE as error:
            mended = _without_lone_surrogates(data)
            if mended == data:
                raise unreadable() from error
            self._decode_frame(mended, chunks)


def _without_lone_surrogates(data: bytes) -> bytes:
    """JSON without halves of characters, which servers send that count in UTF-16."""
    return _SURROGATES.sub(
        lambda match: rb"\ufffd" if match["lone"] is not None else match[0], data
    )
