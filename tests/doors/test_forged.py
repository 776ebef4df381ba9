"""What somebody else may have put on the bus or into the cache."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.adapters.cache_memory import MemoryCache
from bestchat_server_ext.api.frames import CaughtUp, ServerFrame
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import ProviderAuth
from bestchat_server_ext.core.failover import Fallbacks
from bestchat_server_ext.core.ids import ConversationId, OwnerId
from bestchat_server_ext.core.models import Chunk, ModelFacts
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.bus import Frame
from bestchat_server_ext.services.providers import ProviderEntry
from bestchat_server_ext.testing.clock import ManualClock

Build = Callable[..., Awaitable[Any]]
Begin = Callable[[Any], Awaitable[Any]]


class Refusing:
    """A provider that accepts no key."""

    def __init__(self) -> None:
        self.asked = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        self.asked += 1
        raise ProviderAuth(f"wrong key for {request.model}")
        yield []

    async def models(self) -> Sequence[ModelFacts]:
        return ()

    def facts(self, model: str) -> ModelFacts:
        return ModelFacts(f"refusing/{model}")

    async def close(self) -> None:
        pass


class ForgedCache(MemoryCache):
    """A cache whose values somebody else may have changed."""

    forge: Callable[[bytes], bytes] | None = None
    always = False

    async def get(self, key: str, version: int) -> bytes | None:
        kept = await super().get(key, version)
        return self.forge(kept) if kept is not None and self.forge is not None else kept

    async def drop(self, key: str) -> None:
        if not self.always:
            self.forge = None
        await super().drop(key)


def another(**fields: Any) -> Callable[[bytes], bytes]:
    """Have a state say something else of its conversation."""

    def forge(kept: bytes) -> bytes:
        state = msgspec.json.decode(kept, type=ConversationState)
        conversation = msgspec.structs.replace(state.conversation, **fields)
        return msgspec.json.encode(msgspec.structs.replace(state, conversation=conversation))

    return forge


UNREADABLE = [b'{"nonsense":1}', b"[" * 200_000, b'{"conversation":"\xff"}', b"", b"nan"]


@pytest.mark.parametrize(
    "forge",
    [
        *(lambda _, value=value: value for value in UNREADABLE),
        another(owner=OwnerId("bob")),
        another(id=ConversationId("another")),
        another(seq=99_999),
    ],
)
async def test_a_state_in_the_cache_that_is_not_so_is_read_from_storage(
    build: Build, begin: Begin, forge: Callable[[bytes], bytes]
) -> None:
    clock = ManualClock()
    cache = ForgedCache(clock)
    written = await build(clock=clock, cache=cache)
    talk = await begin(InProcessClient(written.application))
    read = await build(clock=clock, cache=cache)  # whoever writes has the state at hand
    true = await talk.seen_by(InProcessClient(read.application)).state()
    cache.forge = forge
    later = await build(clock=clock, cache=cache)
    assert await talk.seen_by(InProcessClient(later.application)).state() == true
    assert cache.forge is None, "what is wrong was dropped"


@pytest.mark.parametrize("value", UNREADABLE)
async def test_what_is_unreadable_of_how_models_fared_is_forgotten(
    build: Build, begin: Begin, value: bytes
) -> None:
    clock = ManualClock()
    cache = ForgedCache(clock)
    one = Refusing()
    others, fallbacks = [ProviderEntry("one", one)], Fallbacks(outage=("scripted/echo",))
    house = await build(clock=clock, cache=cache, others=others, fallbacks=fallbacks)
    talk = await begin(InProcessClient(house.application))
    await talk.ask("one/x")
    await talk.until(ev.TurnFinished)

    cache.forge = lambda _: value
    cache.always = True
    await talk.ask("one/x", "Again.")
    await talk.until(ev.TurnFinished, count=2)
    assert len(await talk.answers()) == 2
    assert one.asked == 2, "nothing that can be read says that it is to be left alone"


class TestFrames:
    @pytest.fixture
    async def house(self, build: Build) -> Any:
        return await build(bus=MemoryBus())

    async def listen(self, talk: Any, heard: list[ServerFrame | Frame]) -> asyncio.Task[None]:
        """Follow a conversation until a turn has ended; it is there when this returns."""
        there = asyncio.Event()

        async def follow() -> None:
            async with aclosing(talk.client.follow(talk.id, 0)) as frames:
                async for frame in frames:
                    heard.append(frame)
                    if isinstance(frame, CaughtUp):
                        there.set()
                    if isinstance(frame, ev.Envelope) and isinstance(frame.event, ev.TurnFinished):
                        return

        following = asyncio.create_task(follow())
        await there.wait()
        return following

    async def test_another_conversation_is_not_heard(self, house: Any, begin: Begin) -> None:
        client = InProcessClient(house.application)
        ours, theirs = await begin(client), await begin(client)
        await theirs.ask("scripted/echo", "A secret.")
        await theirs.until(ev.TurnFinished)
        heard: list[Any] = []
        following = await self.listen(ours, heard)
        envelopes = await house.stream.events_after(theirs.id, 0, 100)
        for seq in (2, 50):
            forged = msgspec.structs.replace(envelopes[-1], seq=seq)
            await house.stream.bus.publish(ours.id, [Frame(forged)])
        await ours.ask("scripted/echo", "Ours.")
        await ours.until(ev.TurnFinished)
        await asyncio.wait_for(following, 10)
        assert envelopes_of(heard, theirs.id) == []

    async def test_a_number_that_is_too_high_blinds_nobody(self, house: Any, begin: Begin) -> None:
        talk = await begin(InProcessClient(house.application))
        heard: list[Any] = []
        following = await self.listen(talk, heard)
        last = (await house.stream.events_after(talk.id, 0, 100))[-1]
        forged = msgspec.structs.replace(last, seq=99_999)
        await house.stream.bus.publish(talk.id, [Frame(forged)])
        await talk.ask("scripted/echo")
        await talk.until(ev.TurnFinished)
        stored = await house.stream.events_after(talk.id, 0, 100)
        await asyncio.wait_for(following, 10)
        assert envelopes_of(heard, talk.id) == [envelope.seq for envelope in stored]


def envelopes_of(heard: list[Any], conversation_id: ConversationId) -> list[int]:
    return [
        frame.seq
        for frame in heard
        if isinstance(frame, ev.Envelope) and frame.conversation_id == conversation_id
    ]
