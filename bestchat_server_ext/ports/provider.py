"""A provider: one request in, chunks out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import Chunk, ModelFacts
from bestchat_server_ext.core.request import ModelRequest


class Provider(Protocol):
    """Answers for all models behind one name."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Ask a model. Chunks that arrive together come together.

        Closing the iterator (`aclose`) closes the connection; nothing arrives after it.

        Raises:
            ChatError: whatever went wrong, while iterating. Chunks that arrived before it count.
        """
        ...

    async def models(self, owner: OwnerId | None = None) -> Sequence[ModelFacts]:
        """The models it is known to have. May ask the provider, if that costs nothing.

        It is asked for an owner; for the process itself, if none.
        """
        ...

    def facts(self, model: str) -> ModelFacts:
        """What is known of one model, without asking anybody."""
        ...

    async def close(self) -> None:
        """Let go of connections and child processes."""
        ...
