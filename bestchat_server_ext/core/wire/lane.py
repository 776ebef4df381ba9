"""What a format is to the code that carries it: paths, headers, bytes to send, bytes to read.

An adapter that moves bytes over HTTP works with any `Lane` and knows none by name. What sets the
servers of one format apart is data: fields of the lane, chosen where a provider is configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from bestchat_server_ext.core.errors import ProviderError
from bestchat_server_ext.core.models import Chunk, ModelFacts
from bestchat_server_ext.core.request import ModelRequest

KeyStyle = Literal["bearer", "x-api-key", "api-key"]
"""The header that carries a key: `Authorization: Bearer`, Anthropic's, or Azure's."""


class Decoder(Protocol):
    """Turns the bytes of one streamed answer into chunks."""

    done: bool
    """Whether the end marker was seen: whatever follows is not part of the answer."""
    finished: bool
    """Whether the model said why it stopped: the answer is whole, end marker or not."""
    error: ProviderError | None
    """What is wrong behind the last chunks: every further call raises it."""

    def feed(self, data: bytes) -> list[Chunk]:
        """Take bytes in any split; give the chunks that they complete.

        Raises:
            ProviderError: the provider put an error, or something unreadable, into the stream.
        """
        ...

    def close(self) -> list[Chunk]:
        """The body has ended: give what was still held back.

        Raises:
            ProviderError: as in `feed`.
        """
        ...


class Lane(Protocol):
    """One format, with what is particular to one kind of server."""

    @property
    def chat_path(self) -> str:
        """Where requests go (POST), behind the provider's URL."""
        ...

    @property
    def list_path(self) -> str:
        """Where the list of models is (GET), behind the provider's URL."""
        ...

    @property
    def accept(self) -> str:
        """The media type of a streamed answer."""
        ...

    def headers(self, key: str | None) -> Mapping[str, str]:
        """What every request carries beside its media types: the key, where there is one."""
        ...

    def encode(self, request: ModelRequest, facts: ModelFacts) -> bytes:
        """The body of the request for one step.

        Key order and white space are fixed: requests that share a beginning share its bytes.
        """
        ...

    def decoder(self) -> Decoder:
        """For the body of one answer."""
        ...

    def error_of(self, status: int, body: bytes, retry_after: float | None = None) -> ProviderError:
        """The error behind a response that is not a stream."""
        ...

    def models(self, provider: str, body: bytes) -> list[ModelFacts]:
        """What a list of models says, as references of `provider`.

        Raises:
            ProviderError: it is no list of models.
        """
        ...


def key_headers(style: KeyStyle, key: str | None) -> dict[str, str]:
    """The header that carries a key; none without a key."""
    if not key:
        return {}
    return {"Authorization": f"Bearer {key}"} if style == "bearer" else {style: key}
