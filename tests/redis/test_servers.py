"""Several servers as real processes on one PostgreSQL and one Redis, seen through their doors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.api import approvals, conversations, system, turns
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.ids import ConversationId, RequestId, TurnId
from bestchat_server_ext.testing.script import Action, Call, Say, Wait

REAPED_SECONDS = 15.0
"""Within what time the turn of a server that was killed is closed."""

WORDS = [f"word-{n} " for n in range(60)]
SLOW: list[Action] = [action for word in WORDS for action in (Say(word), Wait(0.05))]
"""An answer that takes three seconds."""


@dataclass
class Cluster:
    """Servers that share everything."""

    environ: dict[str, str]
    start_server: Callable[..., Awaitable[Any]]
    redis: Any

    async def start(self) -> Any:
        return await self.start_server(self.environ)


@pytest.fixture
async def cluster(
    postgres_url: str, start_redis: Any, start_server: Any, environ: dict[str, str]
) -> Cluster:
    redis = start_redis()
    shared = {"BESTCHAT_DATABASE_URL": postgres_url, "BESTCHAT_REDIS_URL": redis.url}
    return Cluster(environ | shared, start_server, redis)


@pytest.fixture
async def pair(cluster: Cluster) -> tuple[Any, Any]:
    one, other = await asyncio.gather(cluster.start(), cluster.start())
    for server in (one, other):
        await until_health(server, "ok")
    return one, other


async def until_health(server: Any, *states: str) -> system.Health:
    """Wait until a server says of Redis what is expected; by default that something is wrong."""
    async with asyncio.timeout(20):
        while True:
            health: system.Health = await server.client.call(system.health, system.GetHealth())
            if (health.redis in states) if states else (health.redis != "ok"):
                return health


async def begin(server: Any) -> ConversationId:
    made = await server.client.call(conversations.create, conversations.CreateConversation())
    return ConversationId(made.id)


async def ask(server: Any, talk: ConversationId, model: str, text: str = "Go.") -> TurnId:
    request = turns.StartTurn(
        conversation_id=talk, request_id=RequestId(f"{talk} {text}"), text=text, model=model
    )
    return TurnId((await server.client.call(turns.start, request)).turn_id)


async def state(server: Any, talk: ConversationId) -> ConversationState:
    found: ConversationState = await server.client.call(
        conversations.get, conversations.GetConversation(talk)
    )
    return found


async def answers(server: Any, talk: ConversationId) -> list[str]:
    messages = (await state(server, talk)).messages.values()
    return [message.text for message in messages if message.role == "assistant"]


class Heard:
    """What a client of one server has heard of a conversation; refuses holes and repetitions."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self.text, self.pieces = "", 0
        self._n = 0

    def take(self, frame: Any) -> None:
        if isinstance(frame, ev.Envelope):
            self.events.append(frame.event)
            if isinstance(frame.event, ev.StepStarted):
                self.text, self._n = "", 0
        elif isinstance(frame, ev.Delta):
            assert frame.first == self._n + 1, "neither a hole nor a repetition"
            self._n = frame.n
            self.text += frame.text
            self.pieces += 1

    async def follow(
        self, server: Any, talk: ConversationId, enough: Callable[[Heard], bool]
    ) -> Heard:
        """Follow from the first event on until that is enough."""
        async with asyncio.timeout(40), aclosing(server.client.follow(talk, 0)) as frames:
            async for frame in frames:
                self.take(frame)
                if enough(self):
                    return self
        raise AssertionError("it ended too early")


def has(*kinds: type) -> Callable[[Heard], bool]:
    return lambda heard: any(isinstance(event, kinds) for event in heard.events)


async def test_a_turn_of_another_server_is_followed_and_cancelled(
    cluster: Cluster, pair: tuple[Any, Any], script: Any, redis_contents: Any
) -> None:
    here, there = pair
    talk = await begin(there)
    turn_id = await ask(there, talk, script("slow", (*SLOW, Wait(3600))))
    early = asyncio.create_task(Heard().follow(here, talk, has(ev.TurnCancelled)))
    await Heard().follow(here, talk, lambda heard: "word-20 " in heard.text)
    # Late, in the middle of the answer, and it does not begin in the middle.
    late = await Heard().follow(here, talk, lambda heard: "word-25 " in heard.text)
    assert late.text.startswith("word-0 word-1 word-2 ")
    assert late.pieces > 1
    await here.client.call(turns.cancel, turns.CancelTurn(turn_id))
    heard = await early
    assert heard.pieces > 10, "it was heard while it streamed"
    (stored,) = await answers(here, talk)
    assert stored.startswith(heard.text)
    assert (await state(there, talk)).turns[turn_id].state == "cancelled"
    # What stays in Redis has an end, and is no secret of ours.
    found = redis_contents(cluster.redis.url)
    assert found, "the conversation's state at least"
    for key, (contents, milliseconds) in found.items():
        assert key.startswith("bestchat:")
        assert 0 < milliseconds <= 3600 * 1000
        for secret in (here.token, there.token, cluster.environ["BESTCHAT_DATABASE_URL"]):
            assert secret.encode() not in contents


async def test_a_killed_server_is_survived_by_its_turns(
    cluster: Cluster, pair: tuple[Any, Any], script: Any, postgres_url: str
) -> None:
    here, there = pair
    running, waiting = await begin(there), await begin(there)
    tool = (Say("Let me see. "), Call("add", {"a": 2, "b": 3}))
    paused = await ask(there, waiting, script("tool", tool, (Say("Five."),)))
    await Heard().follow(here, waiting, has(ev.TurnWaiting))
    turn_id = await ask(there, running, script("long", (Say("kept "), Wait(3600))))
    await Heard().follow(here, running, lambda heard: heard.text == "kept ")
    database = await open_database(postgres_url, pool_size=1)
    async with asyncio.timeout(10):
        while not (await database.storage.partial(turn_id)).parts:
            pass  # once a second
    await database.close()
    killed_at = time.monotonic()
    await there.kill()
    await Heard().follow(here, running, has(ev.TurnInterrupted))
    assert time.monotonic() - killed_at < REAPED_SECONDS
    assert await answers(here, running) == ["kept "]
    assert (await state(here, running)).turns[turn_id].state == "interrupted"
    # The one that waits was nobody's, and is taken up by whoever is given the answer.
    (execution,) = (
        await here.client.call(approvals.list_, approvals.ListApprovals(waiting))
    ).executions
    assert (await state(here, waiting)).turns[paused].state == "waiting"
    await here.client.call(approvals.answer, approvals.AnswerApproval(execution.id, "approve"))
    await Heard().follow(here, waiting, has(ev.TurnFinished))
    assert await answers(here, waiting) == ["Let me see. ", "Five."]


async def test_redis_goes_and_comes_back(
    cluster: Cluster, pair: tuple[Any, Any], script: Any
) -> None:
    here, there = pair
    talk, slow = await begin(there), script("slow", (*SLOW,))
    await ask(there, talk, slow)
    following = asyncio.create_task(Heard().follow(here, talk, has(ev.TurnFinished)))
    await Heard().follow(here, talk, lambda heard: "word-5 " in heard.text)
    cluster.redis.kill()
    health = await until_health(here)
    assert health.redis.endswith("cannot be reached.")
    assert any("nothing is lost" in notice for notice in health.notices)
    heard = await following
    assert await answers(here, talk) == ["".join(WORDS)]
    assert heard.text == "".join(WORDS)[: len(heard.text)]
    # Without Redis, Stop reaches the other server too, and so does everything that is stored.
    endless = script("endless", (Say("kept "), Wait(3600)))
    turn_id = await ask(there, talk, endless, "Again.")
    cancelled = asyncio.create_task(Heard().follow(here, talk, has(ev.TurnCancelled)))
    await here.client.call(turns.cancel, turns.CancelTurn(turn_id))
    await cancelled
    # Readers who were there all the time hear answers live again.
    last = await begin(there)
    live = asyncio.create_task(Heard().follow(here, last, has(ev.TurnFinished)))
    cluster.redis.start()
    for server in pair:
        assert not (await until_health(server, "ok")).notices
    await ask(there, last, slow)
    heard = await live
    assert heard.pieces > 10
    assert heard.text == "".join(WORDS)
