r"""What every provider has to do, as tests: for the ones that ship, and for those of plugins.

Derive from `ProviderSuite`, give it your provider and requests, and pytest runs them::

    class TestMyProvider(ProviderSuite):
        @pytest.fixture
        async def provider(self):
            provider = MyProvider(...)
            yield provider
            await provider.close()

        @pytest.fixture
        def request_for(self):
            return lambda text: ModelRequest(ModelRef("mine", "model"), (user_message(text),))

Needs pytest-asyncio with `asyncio_mode = "auto"`.

Behind your provider stands a model, or something that answers like one: with some text in at least
one piece, a reason for the end, and usage. A model that is called `no-such-model-anywhere` is
missing there. If your provider speaks HTTP, `testing.http_host.Host` is such a thing, on a real
socket, and `testing.endpoint.FixedEndpoint` says where it is::

    async def answer(call: Call) -> None:
        if b"no-such-model-anywhere" in call.body:
            await call.answer(404, b"{}")
        else:
            await call.stream(b'data: {"text":"Hello"}\n\n', b"data: [DONE]\n\n")

    @pytest.fixture
    async def provider(self):
        host = Host(answer)
        await host.start()
        provider = MyProvider(FixedEndpoint(host.url, "a key"))
        yield provider
        await provider.close()
        await host.stop()

What the suite cannot see, and callers rely on all the same:

- Chunks that arrive together come together: whoever reads is woken once for all of them.
- Only errors of `core.errors` come out, with a text for a person; the key and the prompt are in
  none of them, nor in what they were raised from. What may pass is a `ProviderUnavailable`, what
  asks to wait a `RateLimited`: those are asked again, by whoever asked you. You try once.
- What had arrived before an error was given away before it is raised.
- Nothing blocks the event loop: libraries load in a thread, on first use.
- `facts` answers from memory, and `close` can be called on another loop than requests ran on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from bestchat_server_ext.core.errors import ChatError
from bestchat_server_ext.core.ids import MessageId, TurnId, uuid7
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelFacts,
    ModelRef,
    TextChunk,
    UsageChunk,
)
from bestchat_server_ext.core.reply import ReplyBuilder
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.provider import Provider

RequestFor = Callable[[str], ModelRequest]
"""Makes the request that asks a text."""

_AT = datetime(2026, 1, 1, tzinfo=UTC)


def user_message(text: str) -> Message:
    """A message of the user, the first of its conversation."""
    return Message(
        id=MessageId(uuid7(_AT, text.encode().ljust(10, b"-"))),
        parent_id=None,
        role="user",
        parts=(TextPart(text),),
        created_at=_AT,
        turn_id=TurnId(uuid7(_AT, b"a-turn-of-a-test")),
    )


class ProviderSuite:
    """The tests. Define the fixtures `provider` and `request_for`."""

    async def test_text_arrives_in_pieces_and_ends(
        self, provider: Provider, request_for: RequestFor
    ) -> None:
        """A question is answered with text, then a reason for the end, and with usage."""
        chunks: list[Chunk] = []
        async for together in provider.stream(request_for("Say something.")):
            assert together, "an empty batch wakes everybody for nothing"
            chunks += together
        assert any(isinstance(chunk, TextChunk) and chunk.text for chunk in chunks)
        assert sum(isinstance(chunk, FinishChunk) for chunk in chunks) == 1
        usage = [chunk.usage for chunk in chunks if isinstance(chunk, UsageChunk)]
        assert usage, "a step without usage cannot be accounted for"
        assert usage[-1].output_tokens > 0

    async def test_chunks_build_a_reply(self, provider: Provider, request_for: RequestFor) -> None:
        """What arrives is a whole reply."""
        builder = ReplyBuilder()
        async for together in provider.stream(request_for("Say something.")):
            for chunk in together:
                builder.add(chunk)
        reply = builder.finish()
        assert reply.finish_reason is not None
        assert "".join(part.text for part in reply.parts)

    async def test_closing_stops(self, provider: Provider, request_for: RequestFor) -> None:
        """After `aclose` nothing arrives, and the provider goes on answering others."""
        stream = provider.stream(request_for("Say something."))
        assert await anext(stream)
        await asyncio.wait_for(stream.aclose(), 5)
        assert [chunks async for chunks in stream] == []
        again = provider.stream(request_for("Say something."))
        assert await anext(again)
        await again.aclose()

    async def test_closing_before_the_first_chunk(
        self, provider: Provider, request_for: RequestFor
    ) -> None:
        """A stream that nobody read can be closed."""
        stream = provider.stream(request_for("Say something."))
        await stream.aclose()
        assert [chunks async for chunks in stream] == []

    async def test_cancelling_stops(self, provider: Provider, request_for: RequestFor) -> None:
        """Whoever waits for an answer can be cancelled, and the provider goes on answering."""
        waiting = asyncio.ensure_future(anext(provider.stream(request_for("Say something."))))
        await asyncio.sleep(0)
        if waiting.cancel():  # one that answers at once leaves nothing to cancel
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(waiting, 5)
        again = provider.stream(request_for("Say something."))
        assert await anext(again)
        await again.aclose()

    async def test_streams_are_independent(
        self, provider: Provider, request_for: RequestFor
    ) -> None:
        """Closing one of two streams leaves the other whole."""
        closed = provider.stream(request_for("Say something."))
        kept = provider.stream(request_for("Say something."))
        await anext(closed)
        await closed.aclose()
        chunks = [chunk async for together in kept for chunk in together]
        assert any(isinstance(chunk, FinishChunk) for chunk in chunks)

    async def test_errors_are_of_the_family(
        self, provider: Provider, request_for: RequestFor
    ) -> None:
        """A model that does not exist is answered, or refused with an error of ours."""
        request = request_for("Say something.")
        missing = ModelRef(request.model.provider, "no-such-model-anywhere")
        caught: ChatError | None = None
        try:
            async for _ in provider.stream(msgspec.structs.replace(request, model=missing)):
                pass
        except ChatError as error:
            caught = error
        assert caught is None or (caught.info.text and caught.info.code != "internal")

    async def test_models_and_facts_agree(
        self, provider: Provider, request_for: RequestFor
    ) -> None:
        """Every listed model belongs to this provider, and its facts are about itself."""
        name = request_for("").model.provider
        models = await provider.models()
        refs = [facts.ref for facts in models]
        assert len(set(refs)) == len(refs)
        for facts in models:
            ref = ModelRef.parse(facts.ref)
            assert isinstance(facts, ModelFacts)
            assert ref.provider == name
            assert provider.facts(ref.model).ref == facts.ref
            assert facts.ready or facts.todo, "what is missing has to be said"

    async def test_facts_of_a_stranger(self, provider: Provider, request_for: RequestFor) -> None:
        """Facts are given of any model, without asking anybody."""
        name = request_for("").model.provider
        facts = provider.facts("no/such:model")
        assert facts.ref == f"{name}/no/such:model"

    async def test_closing_twice(self, provider: Provider) -> None:
        """A provider that was closed can be closed again."""
        await provider.close()
        await provider.close()
