"""The body of a response, read as a stream of chunks."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from bestchat_server_ext.adapters.provider_http.failures import BODY_LIMIT, read_up_to
from bestchat_server_ext.adapters.provider_http.pacing import Pacer
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.models import Chunk
from bestchat_server_ext.core.wire.lane import Lane
from bestchat_server_ext.core.wire.refusals import unreadable

if TYPE_CHECKING:
    import aiohttp

_TAIL_SECONDS = 0.05
"""How long to wait for the end of a body behind the end marker: a connection whose body was read
to its end serves the next request, which saves the time of a TLS handshake."""

_PAGE, _JSON = frozenset({b"<"}), frozenset({b"<", b"{", b"["})
"""How bodies begin that are no stream: of a format that is JSON itself, and of any other."""


class Answer:
    """Reads one streamed answer."""

    def __init__(
        self, response: aiohttp.ClientResponse, lane: Lane, pacer: Pacer, patience: float
    ) -> None:
        """Begin at the start of a response's body.

        Args:
            response: the response, its body not read yet.
            lane: the format that the server speaks.
            pacer: holds the connection back.
            patience: seconds for which the server may send without saying anything.
        """
        import aiohttp

        self.waiting_since: float | None = None
        """Since when nothing has come, by the loop's clock; none while nobody waits for it."""
        self._response = response
        self._content = response.content
        self._cut, self._silent = aiohttp.ClientPayloadError, aiohttp.SocketTimeoutError
        self._lane = lane
        self._pacer = pacer
        self._patience = patience
        self._decoder = lane.decoder()
        self._begun = False
        self._ended = False
        connection = response.connection
        if connection is not None and connection.protocol is not None:
            connection.protocol.read_timeout = None  # see `silence`

    def give_up(self) -> None:
        """Let whoever waits for more hear that the server has fallen silent."""
        self._content.set_exception(self._silent())

    async def read(self) -> list[Chunk]:
        """The chunks that arrived together; none once the answer is whole.

        Raises:
            ProviderError: the answer is none, or ended before it was whole.
            TimeoutError: the server kept sending, and said nothing.
        """
        decoder, loop = self._decoder, asyncio.get_running_loop()
        silent = loop.time() + self._patience
        while not self._ended:
            if decoder.error is not None:
                raise decoder.error
            data = await self._data()
            chunks = decoder.feed(data) if data else self._rest()
            self._ended = decoder.done or not data
            if chunks:
                return chunks
            if loop.time() >= silent:
                raise TimeoutError
            await asyncio.sleep(0)  # what is there already is read without waiting
        if decoder.error is not None:
            raise decoder.error
        if not (decoder.done or decoder.finished):
            raise _broke_off()
        return []

    def _rest(self) -> list[Chunk]:
        """What stands at the end of a body; half a piece there means that it was cut."""
        try:
            return self._decoder.close()
        except errors.ProviderError as error:
            if error.info.text == unreadable().info.text:
                raise _broke_off() from None
            raise

    async def drain(self) -> None:
        """Read what is left behind the end marker, if it comes at once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_TAIL_SECONDS):
                while await self._data():
                    pass

    async def _data(self) -> bytes:
        """What has arrived; nothing at the end of the body, however that came about."""
        if self._begun and not (self._decoder.finished or self._decoder.done):
            self._wait_for_more()
        try:
            data = await self._everything()
        except self._cut:
            # The public way to the bytes that came before the cut would raise again.
            data = self._content._read_nowait(-1)  # noqa: SLF001
        if not self._begun and data.strip():
            self._begun = True
            stream = self._lane.accept == "text/event-stream"
            if data.lstrip()[:1] in (_JSON if stream else _PAGE):
                raise await self._document(data)
        return data

    async def _everything(self) -> bytes:
        """All that is there, once something is.

        A packet can hold many pieces of a body, and a piece is a token. aiohttp goes to the parser
        and to the connection behind every one that it takes out, which costs as much as decoding
        it; so they are joined in its buffer first. Should that be elsewhere one day, it is only
        slower.
        """
        content = self._content
        self.waiting_since = asyncio.get_running_loop().time()
        first = await content.read(1)
        self.waiting_since = None
        pieces = getattr(content, "_buffer", None)
        if isinstance(pieces, deque) and len(pieces) > 1:
            joined = b"".join(pieces)
            pieces.clear()
            pieces.append(joined)
        return first + content.read_nowait() if first else first

    def _wait_for_more(self) -> None:
        """Let packets gather. At the end of a body, the connection may serve somebody else."""
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            self._pacer.hold(connection.transport)

    async def _document(self, head: bytes) -> errors.ProviderError:
        """What to say of a body that is not a stream."""
        body = head + await read_up_to(self._response, BODY_LIMIT)
        said = self._lane.error_of(self._response.status, body)
        if said.info.text.startswith("The provider says"):
            return said
        return errors.ProviderError(
            "The provider answered with a document and not with a stream.",
            hint="Check its URL; usually it ends in /v1.",
        )


def _broke_off() -> errors.ProviderUnavailable:
    return errors.ProviderUnavailable("The provider's answer broke off.", hint="Try again.")
