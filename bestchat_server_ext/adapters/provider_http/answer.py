"""The body of a response, read as a stream of chunks."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from bestchat_server_ext.adapters.provider_http.failures import BODY_LIMIT, read_up_to
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.models import Chunk
from bestchat_server_ext.core.wire.openai import OpenAIDecoder, error_of

if TYPE_CHECKING:
    import aiohttp

_TAIL_SECONDS = 0.05
"""How long to wait for the end of a body behind the end marker: a connection whose body was read
to its end serves the next request, which saves the time of a TLS handshake."""


class Answer:
    """Reads one streamed answer."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        """Begin at the start of a response's body."""
        import aiohttp

        self._response = response
        self._content = response.content
        self._cut = aiohttp.ClientPayloadError
        self._decoder = OpenAIDecoder()
        self._begun = False
        self._ended = False

    async def read(self) -> list[Chunk]:
        """The chunks that arrived together; none once the answer is whole.

        Raises:
            ProviderError: the answer is none, or ended before it was whole.
        """
        decoder = self._decoder
        while not self._ended:
            if decoder.error is not None:
                raise decoder.error
            data = await self._data()
            chunks = decoder.feed(data) if data else decoder.close()
            self._ended = decoder.done or not data
            if chunks:
                return chunks
        if decoder.error is not None:
            raise decoder.error
        if not (decoder.done or decoder.finished):
            raise errors.ProviderError("The provider's answer broke off.", hint="Try again.")
        return []

    async def drain(self) -> None:
        """Read what is left behind the end marker, if it comes at once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_TAIL_SECONDS):
                while await self._data():
                    pass

    async def _data(self) -> bytes:
        """What has arrived; nothing at the end of the body, however that came about."""
        try:
            data = await self._content.readany()
        except self._cut:
            # The public way to the bytes that came before the cut would raise again.
            data = self._content._read_nowait(-1)  # noqa: SLF001
        if not self._begun and data.strip():
            self._begun = True
            if data.lstrip()[:1] in {b"{", b"[", b"<"}:
                raise await self._document(data)
        return data

    async def _document(self, head: bytes) -> errors.ProviderError:
        """What to say of a body that is not a stream."""
        body = head + await read_up_to(self._response, BODY_LIMIT)
        said = error_of(self._response.status, body)
        if said.info.text.startswith("The provider says"):
            return said
        return errors.ProviderError(
            "The provider answered with a document and not with a stream.",
            hint="Check its URL; usually it ends in /v1.",
        )
