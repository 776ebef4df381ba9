"""What goes wrong between us and Redis: nobody waits for it, or misses anything unawares."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from redis import Redis

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.adapters.redis import RedisBus, RedisCache, RedisServer, listener
from bestchat_server_ext.adapters.redis.bus import JOIN_SECONDS
from bestchat_server_ext.adapters.redis.server import PATIENCE_SECONDS
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.ports.bus import DraftWanted, Frame, Lagged, Subscription

Open = Callable[..., Awaitable[RedisBus]]

SLACK_SECONDS = 1.5
"""What a busy machine may add to a time limit."""


def said(*words: str) -> list[Frame]:
    return [Frame(DraftWanted(ConversationId(word))) for word in words]


async def hear(subscription: Subscription) -> list[str]:
    frames: Sequence[Frame] = await asyncio.wait_for(subscription.get(), 10)
    return [frame.item.conversation_id for frame in frames if isinstance(frame.item, DraftWanted)]


async def until_lagged(subscription: Subscription) -> None:
    while await _try(subscription) is not None:
        pass


@pytest.fixture
async def open_bus(reach: Any, until: Any) -> AsyncIterator[Open]:
    """One more process on a Redis; it has reached it, if it runs."""
    opened: list[RedisBus] = []

    async def open_one(url: str, *, runs: bool = True, **options: Any) -> RedisBus:
        bus = RedisBus(reach(url), MemoryBus(), **options)
        opened.append(bus)
        bus.open()
        if runs:
            await until(lambda: bus.everywhere)
        return bus

    yield open_one
    for bus in opened:
        await bus.close()


async def test_listeners_start_again_after_redis_was_away(
    start_redis: Any, open_bus: Open, until: Any
) -> None:
    redis = start_redis()
    here, there = await open_bus(redis.url), await open_bus(redis.url)
    listening = await here.subscribe("topic")
    await there.publish("topic", said("before"))
    assert await hear(listening) == ["before"]
    redis.kill()
    await until(lambda: not here.everywhere)
    assert here._server.state.endswith("cannot be reached.")
    # Without it, those in the same process go on hearing each other.
    await here.publish("topic", said("nearby"))
    assert await hear(listening) == ["nearby"]
    await there.publish("topic", said("lost, or late"))
    redis.start()
    await until_lagged(listening)
    assert here._server.state == "ok"
    heard: list[str] | None = None
    while not heard or "after" not in heard:  # some may be lost, and said to be, a while longer
        again = await here.subscribe("topic")
        await there.publish("topic", said("after"))
        heard = await _try(again)
        again.close()


async def _try(subscription: Subscription) -> list[str] | None:
    try:
        return await hear(subscription)
    except Lagged:
        return None


async def test_a_redis_that_is_not_there_keeps_nobody_waiting(
    free_port: Callable[[], int], open_bus: Open
) -> None:
    bus = await open_bus(f"redis://127.0.0.1:{free_port()}", runs=False)
    began = time.monotonic()
    subscription = await bus.subscribe("topic")
    for _ in range(100):
        await bus.publish("topic", said("a"))
        assert await hear(subscription) == ["a"]
        assert await RedisCache(bus._server).get("key", 1) is None
    await bus.close()
    assert time.monotonic() - began < SLACK_SECONDS


async def test_a_redis_that_hangs_keeps_nobody_waiting_for_long(
    start_redis: Any, open_bus: Open, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = start_redis()
    bus = await open_bus(redis.url)
    cache = RedisCache(bus._server)
    await cache.put("key", 1, b"value", seconds=60)
    redis.freeze()
    began = time.monotonic()
    assert await cache.get("key", 1) is None
    for _ in range(100):  # after the first, nobody asks for a while
        assert await cache.get("key", 1) is None
    assert time.monotonic() - began < PATIENCE_SECONDS + SLACK_SECONDS
    began = time.monotonic()
    subscription = await bus.subscribe("topic")
    assert time.monotonic() - began < JOIN_SECONDS + SLACK_SECONDS
    await bus.publish("topic", said("a"))
    assert await hear(subscription) == ["a"]
    redis.thaw()
    await until_lagged(subscription)  # it had begun before Redis let it join


async def test_a_line_that_has_gone_dead_is_noticed(
    start_redis: Any, open_bus: Open, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PING_SECONDS", 0.1)
    redis = start_redis()
    bus = await open_bus(redis.url)
    for _ in range(5):  # one that is silent is alive as long as it answers
        await asyncio.sleep(0.1)
        assert bus.everywhere
    redis.freeze()
    await until(lambda: not bus.everywhere)
    redis.thaw()
    await until(lambda: bus.everywhere)


async def test_what_does_not_fit_into_the_outbox_is_said_to_be_lost(
    redis_url: str, open_bus: Open
) -> None:
    here, there = await open_bus(redis_url), await open_bus(redis_url, capacity=5)
    one, other = await here.subscribe("one"), await here.subscribe("other")
    for _ in range(6):  # without a pause, so that none can have gone out
        await there.publish("one", said("x"))
    await there.publish("other", said("fits"))
    await until_lagged(one)
    assert await hear(other) == ["fits"]
    one = await here.subscribe("one")
    await there.publish("one", said("next"))
    assert await hear(one) == ["next"]


async def test_what_cannot_be_read_counts_as_lost(redis_url: str, open_bus: Open) -> None:
    bus = await open_bus(redis_url)
    key = bus._server.key("topic")
    with Redis.from_url(redis_url) as newer:
        for payload in (b"", b"short", b"0" * 16 + b'[{"type":"of the future"}]'):
            subscription = await bus.subscribe("topic")
            newer.publish(key, payload)
            await until_lagged(subscription)


async def test_joining_again_at_once_loses_nothing(redis_url: str, open_bus: Open) -> None:
    here, there = await open_bus(redis_url), await open_bus(redis_url)
    for n in range(50):
        (await here.subscribe("topic")).close()
        subscription = await here.subscribe("topic")
        await there.publish("topic", said(str(n)))
        assert await hear(subscription) == [str(n)]
        subscription.close()
    assert here._topics == {}


async def test_who_sits_beside_the_speaker_hears_once(redis_url: str, open_bus: Open) -> None:
    here, there = await open_bus(redis_url), await open_bus(redis_url)
    beside = await here.subscribe("topic")
    await here.publish("topic", said("one"))
    await here._outbox.sent()  # it has come back from Redis by the time that the other one speaks
    await there.publish("topic", said("two"))
    heard: list[str] = []
    while "two" not in heard:
        heard += await hear(beside)
    assert heard == ["one", "two"]


async def test_what_is_published_last_still_goes_out(redis_url: str, open_bus: Open) -> None:
    here, there = await open_bus(redis_url), await open_bus(redis_url)
    subscription = await here.subscribe("topic")
    await there.publish("topic", said("good bye"))
    await there.close()
    assert await hear(subscription) == ["good bye"]


async def test_a_password_that_is_wrong_is_said_and_not_shown(
    start_redis: Any, open_bus: Open, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    redis = start_redis("--requirepass", "right")
    wrong = redis.url.replace("//", "//:wrong-one@")
    bus = await open_bus(wrong, runs=False)
    await until(lambda: "password" in bus._server.state)
    right = await open_bus(redis.url.replace("//", "//:right@"))
    assert right._server.state == "ok"
    assert "wrong-one" not in bus._server.state + caplog.text


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:no-port", "redis://127.0.0.1?no_such_option=1", "http://127.0.0.1"]
)
def test_an_address_that_cannot_be_used(url: str, reach: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        RedisServer(url, "", reach)
    assert caught.value.info.field == "redis_url"
    assert url not in str(caught.value)
