"""The line is cut at random bytes, in either direction, and the text comes out as it is stored."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from bestchat_server_ext.api import conversations, turns
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core.ids import RequestId
from bestchat_server_ext.testing.cutting_proxy import CuttingProxy
from bestchat_server_ext.testing.reader import StrictReader
from bestchat_server_ext.testing.script import Action, Say, Think, Wait

CUTS = 1000
READERS = 10

# Families joined by invisible joiners, flags made of two letters, marks that combine, in more than
# one order, letters outside the basic plane, wide ones, right to left, and what JSON has to escape.
TEXT = (
    "👩‍👩‍👧‍👦🏳️‍🌈🧑🏽‍🚀 🇳🇴🇯🇵 e\u0301a\u0308o\u0323\u0302 \U0001d518\U0001d52b\U00020000 "
    '漢字かな交じり文 שָׁלוֹם नमस्ते ﷽ \ufeff\u2028\r\n\t| "\\" \U0010fffd '
)


class Hasty:
    """A clock that makes pauses a hundred times shorter."""

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


def answer(dice: random.Random) -> tuple[Action, ...]:
    """The text in pieces of odd sizes, cut wherever a character ends, some of them as thoughts."""
    actions: list[Action] = []
    at = 0
    while at < len(TEXT):
        size = dice.randint(1, 5)
        kind = Say if dice.random() < 0.9 else Think
        actions += [kind(TEXT[at : at + size], size), Wait(dice.choice([0.0, 0.02, 0.06]))]
        at += size
    return tuple(actions)


@pytest.mark.timeout(600)
async def test_what_is_read_equals_what_is_stored(
    house: Any, script: Any, dice: random.Random, share: Any
) -> None:
    each = share(CUTS) // READERS
    await house.start()
    async with AsyncExitStack() as stack:

        async def client_at(port: int) -> RemoteClient:
            url = f"http://127.0.0.1:{port}/"
            client = RemoteClient(url, house.token, clock=Hasty(), dice=dice)
            stack.push_async_callback(client.close)
            return client

        direct = await client_at(house.port)
        made = await direct.call(conversations.create, conversations.CreateConversation())
        proxies, lines = [], []
        for _ in range(READERS):
            proxy = CuttingProxy("127.0.0.1", house.port, random.Random(dice.random()), each)
            stack.push_async_callback(proxy.stop)
            reader = StrictReader(made.id)
            await reader.read(direct, frames=2)  # so that it waits for events, and no snapshot
            lines.append((reader, await client_at(await proxy.start())))
            proxies.append(proxy)
        answers = 0
        while any(proxy.cuts < each for proxy in proxies):
            model = script(f"answer{answers}", answer(dice))
            request = turns.StartTurn(
                conversation_id=made.id,
                request_id=RequestId(f"r{answers}"),
                text=TEXT,
                model=model,
            )
            for reader, _ in lines:
                reader.events.clear()
            await direct.call(turns.start, request)
            await read(lines)
            answers += 1
        stored = await direct.call(conversations.get, conversations.GetConversation(made.id))
    spoken = [item for item in stored.messages.values() if item.step]
    assert len(spoken) == answers
    for message in spoken:
        assert "".join(getattr(part, "text", "") for part in message.parts) == TEXT
    for reader, _ in lines:
        assert reader.state == stored
    assert sum(proxy.cuts for proxy in proxies) == each * READERS
    print(f"{each * READERS} cuts in {answers} answers")


async def read(lines: Sequence[tuple[StrictReader, RemoteClient]]) -> None:
    """Read until everybody has seen the turn end."""
    reading = [asyncio.create_task(reader.read(client)) for reader, client in lines]
    _, late = await asyncio.wait(reading, timeout=60)
    for task in late:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=bool(late))
    assert not late, [(reader.seq, reader.position, reader.ended) for reader, _ in lines]
