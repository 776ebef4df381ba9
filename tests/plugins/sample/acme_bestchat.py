"""A provider that says the last message back, and a gateway that is nothing but facts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.errors import MissingKey
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelFacts,
    TextChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.credentials import Credentials
from bestchat_server_ext.ports.plugin import ProviderPlugin

PARROT = ProviderFacts(
    "parrot", "Parrot", "openai", key_name="PARROT_API_KEY", base_url="in this process"
)
GATEWAY = ProviderFacts(
    "acme", "ACME's gateway", "openai", key_name="ACME_API_KEY", url_name="ACME_BASE_URL"
)
POLLY = ModelFacts("parrot/polly", window=1000, tools=False)


class Parrot:
    """Keeps what the port `provider` demands."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        credential = await self._credentials.find("parrot", request.owner)
        if not credential.key:
            raise MissingKey("The parrot needs a key.", hint="Set PARROT_API_KEY.")
        words = request.messages[-1].text.split()
        for word in words:
            yield [TextChunk(f"{word} ")]
        usage = Usage(input_tokens=len(words), output_tokens=len(words))
        yield [FinishChunk("stop"), UsageChunk(usage)]

    async def models(self) -> Sequence[ModelFacts]:
        return [POLLY]

    def facts(self, model: str) -> ModelFacts:
        return POLLY if model == "polly" else ModelFacts(f"parrot/{model}", known=False)

    async def close(self) -> None:
        pass


def parrot() -> ProviderPlugin:
    return ProviderPlugin(PARROT, Parrot, (POLLY,))


def broken() -> ProviderPlugin:
    raise RuntimeError("sk-secret is not for the log")
