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
from bestchat_server_ext.adapters.redis import bus as bus_module
from bestchat_server_ext.adapters.redis.bus import JOIN_SECONDS
from bestchat_server_ext.adapters.redis.payload import MARK_BYTES, MAX_BYTES, pack
from bestchat_server_ext.adapters.redis.server import PATIENCE_SECONDS
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.events import Delta
from bestchat_server_ext.core.ids import ConversationId, MessageId, TurnId
from bestchat_server_ext.ports.bus import DraftTold, DraftWanted, Frame, Lagged, Subscription

Open = Callable[..., Awaitable[RedisBus]]

NOBODY = b"0" * MARK_BYTES
"""The mark of a sender that nobody knows."""

SLACK_SECONDS = 1.5
"""What a busy machine may add to a time limit."""


def said(*words: str, topic: str = "topic") -> list[Frame]:
    return [Frame(DraftWanted(ConversationId(topic), MessageId(word))) for word in words]


async def hear(subscription: Subscription) -> list[str]:
    frames: Sequence[Frame] = await asyncio.wait_for(subscription.get(), 10)
    wanted = [frame.item for frame in frames if isinstance(frame.item, DraftWanted)]
    return [str(item.message_id) for item in wanted]


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


async def test_a_dead_line_is_noticed_however_much_there_is_to_say(
    start_redis: Any, open_bus: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PING_SECONDS", 0.1)
    redis = start_redis()
    bus = await open_bus(redis.url)
    redis.freeze()
    began = time.monotonic()
    n = 0
    while bus.everywhere:
        n += 1
        bus._listener.join(f"topic {n}")  # more often than it would be asked whether it is there
        await asyncio.sleep(0.01)
        assert time.monotonic() - began < 2 * SLACK_SECONDS
    redis.thaw()


async def test_what_does_not_fit_into_the_outbox_is_said_to_be_lost(
    redis_url: str, open_bus: Open
) -> None:
    here, there = await open_bus(redis_url), await open_bus(redis_url, capacity=5)
    one, other = await here.subscribe("one"), await here.subscribe("other")
    for _ in range(6):  # without a pause, so that none can have gone out
        await there.publish("one", said("x", topic="one"))
    await there.publish("other", said("fits", topic="other"))
    await until_lagged(one)
    assert await hear(other) == ["fits"]
    one = await here.subscribe("one")
    await there.publish("one", said("next", topic="one"))
    assert await hear(one) == ["next"]


async def test_what_cannot_be_read_counts_as_lost(
    redis_url: str, open_bus: Open, caplog: pytest.LogCaptureFixture
) -> None:
    bus = await open_bus(redis_url)
    key = bus._server.key("topic")
    with Redis.from_url(redis_url) as newer:
        for payload in (
            b"",
            b"short",
            NOBODY + b'[{"type":"of the future"}]',
            NOBODY + b"[" * 200_000,
            NOBODY + b'["\xff\xfe"]',
            NOBODY + b"[" + b" " * MAX_BYTES + said("long")[0].json + b"]",
        ):
            subscription = await bus.subscribe("topic")
            newer.publish(key, payload)
            await until_lagged(subscription)
    assert caplog.text == "", "that is no reason to give the line up"
    await there_is_news(bus, key, redis_url)


async def there_is_news(bus: RedisBus, key: str, redis_url: str) -> None:
    """Whatever came before, what can be read is heard."""
    subscription = await bus.subscribe("topic")
    with Redis.from_url(redis_url) as other:
        other.publish(key, pack(NOBODY, said("news")))
    assert await hear(subscription) == ["news"]


async def test_what_is_too_long_to_send_counts_as_lost(redis_url: str, open_bus: Open) -> None:
    here, there = await open_bus(redis_url), await open_bus(redis_url)
    subscription = await here.subscribe("topic")
    long = said("x" * MAX_BYTES)
    assert pack(NOBODY, long) == pack(NOBODY, ())
    await there.publish("topic", long)
    await until_lagged(subscription)


async def test_whatever_hearing_leads_to_the_listener_comes_back(
    redis_url: str,
    open_bus: Open,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = await open_bus(redis_url)
    subscription = await bus.subscribe("topic")
    states: list[str] = []

    def fail(topic: str, payload: bytes) -> list[Frame]:
        monkeypatch.undo()
        raise ZeroDivisionError(payload)

    def lost() -> None:
        states.append(bus._server.state)
        tell_lost()

    tell_lost = bus._listener._lost
    monkeypatch.setattr(bus._listener, "_lost", lost)
    monkeypatch.setattr(bus_module, "unpack", fail)
    key = bus._server.key("topic")
    with Redis.from_url(redis_url) as other:
        other.publish(key, NOBODY + b"a secret")
    await until_lagged(subscription)
    await until(lambda: bus.everywhere)
    assert "ZeroDivisionError" in caplog.text
    assert "a secret" not in caplog.text
    await there_is_news(bus, key, redis_url)


async def test_what_is_of_another_conversation_is_not_heard(redis_url: str, open_bus: Open) -> None:
    bus = await open_bus(redis_url)
    key = bus._server.key("topic")
    here, there = ConversationId("topic"), ConversationId("elsewhere")
    delta = Delta(there, TurnId("turn"), MessageId("answer"), 0, "text", 1, 1, "theirs")
    told = DraftTold(DraftWanted(here), MessageId("answer"), (delta,))
    with Redis.from_url(redis_url) as other:
        for frames in (said("a", topic=there), [Frame(delta)], [Frame(told)]):
            subscription = await bus.subscribe("topic")
            other.publish(key, pack(NOBODY, [*said("before"), *frames]))
            with pytest.raises(Lagged):
                await hear(subscription)
    await there_is_news(bus, key, redis_url)


async def test_what_cannot_be_sent_does_not_hold_up_the_rest(
    redis_url: str, open_bus: Open
) -> None:
    here, there = await open_bus(redis_url), await open_bus(redis_url)
    subscription = await here.subscribe("topic")
    await there.publish("topic", said("half of a letter: \ud800"))
    await until_lagged(subscription)
    subscription = await here.subscribe("topic")
    await there.publish("topic", said("next"))
    assert await hear(subscription) == ["next"]


async def test_a_redis_that_lets_nothing_be_published_is_not_well(
    start_redis: Any, open_bus: Open, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    redis = start_redis()
    rights = ["+@connection", "+subscribe", "+unsubscribe"]
    with Redis.from_url(redis.url) as admin:
        admin.acl_setuser("mute", enabled=True, passwords=["+x"], commands=rights, channels=["*"])
        bus = await open_bus(redis.url.replace("//", "//mute:x@"))
        assert bus._server.state == "ok"
        for _ in range(3):
            await bus.publish("topic", said("a"))
            await until(lambda: bus._server.state != "ok")
        assert bus._server.key("*") in bus._server.state, "for what names rights are needed"
        await until(lambda: bus._outbox._broken)
        assert caplog.text.count("does not pass on") == 1
        admin.acl_setuser("mute", enabled=True, commands=["+@all"], keys=["*"])
    await until(lambda: bus._server.state == "ok")


RIGHTS = (
    "+@connection +publish +subscribe +unsubscribe +info"
    " +evalsha +eval +script +hget +hset +pexpire +del"
)


async def test_the_rights_that_the_guide_names_are_enough(start_redis: Any, open_bus: Open) -> None:
    redis = start_redis()
    names = (await open_bus(redis.url))._server.key("*")
    with Redis.from_url(redis.url) as admin:
        admin.execute_command(
            *("ACL", "SETUSER", "chat", "on", ">x", f"~{names}", f"&{names}", *RIGHTS.split())
        )
    url = redis.url.replace("//", "//chat:x@")
    here, there = await open_bus(url), await open_bus(url)
    subscription = await here.subscribe("topic")
    await there.publish("topic", said("a"))
    assert await hear(subscription) == ["a"]
    cache = RedisCache(here._server)
    await cache.put("key", 1, b"value", seconds=60)
    assert await cache.get("key", 1) == b"value"
    await cache.drop("key")
    assert await cache.get("key", 1) is None
    assert there._server.state == "ok"


async def test_joining_again_at_once_loses_nothing(redis_url: str, open_bus: Open) -> None:
    here, there = await open_bus(redis_url), await open_bus(redis_url)
    for n in range(50):
        (await here.subscribe("topic")).close()
        subscription = await here.subscribe("topic")
        await there.publish("topic", said(str(n)))
        assert await hear(subscription) == [str(n)]
        subscription.close()
    assert here._topics == {}
    began = time.monotonic()
    await here.close()  # while there is still something to say
    assert time.monotonic() - began < SLACK_SECONDS


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
