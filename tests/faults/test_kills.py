"""The server is killed at random moments of turns with tools, again and again, and goes on.

Seen from outside, through HTTP and a WebSocket that is not ours: what was told stays true, what was
begun is not begun twice, and every turn comes to an end that a person can go on from.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
import msgspec
import pytest

from bestchat_server_ext.core.conversation import ConversationState, Turn, create, reduce
from bestchat_server_ext.core.events import Envelope
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.testing.script import Action, Call, Say, Wait

KILLS = {"sqlite": 160, "postgres": 40}
TALKS = 3
"""Conversations that every kill hits."""
FRAMES = 75
"""About what is told of their turns, from the beginning to the end."""

_state = msgspec.json.Decoder(ConversationState)
_envelope = msgspec.json.Decoder(Envelope)

Broken = (aiohttp.ClientError, ConnectionError, TimeoutError)
"""What becomes of a request while the server is killed."""


class Late(Exception):
    """Somebody else was faster."""


@dataclass
class Talk:
    """A conversation, and what its client was told of it."""

    id: str
    model: str
    labels: list[str]
    turn_id: str = ""
    """What `turns.start` answered, if it did."""
    told: dict[int, Any] = field(default_factory=dict)
    """Every event, by its number."""
    heard: Counter[str] = field(default_factory=Counter)
    texts: dict[str, str] = field(default_factory=dict)
    """What was streamed of each message."""


class Witness:
    """Somebody with nothing but HTTP and a WebSocket, who approves whatever is asked."""

    def __init__(self, house: Any, session: aiohttp.ClientSession) -> None:
        self.house, self.session = house, session
        self.talks: dict[str, Talk] = {}
        self.frames = 0
        self.news = asyncio.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._line: Any = None

    async def call(self, procedure: str, **body: Any) -> Any:
        async with self.session.post(
            f"{self.house.url}bestchat/api/{procedure}",
            data=json.dumps(body),
            headers=self.house.headers,
        ) as response:
            answer = await response.json()
            if response.status == 409:
                raise Late(answer["error"]["text"])
            assert response.status == 200, f"{procedure}: {answer}"
            return answer

    async def connect(self) -> None:
        """A new line, on which all conversations are followed from where they were left."""
        self._line = await self.session.ws_connect(
            f"{self.house.url}bestchat/api/events", headers=self.house.headers, max_msg_size=0
        )
        await self.say(type="hello", protocol=1)
        for talk in self.talks.values():
            await self.follow(talk)
        self._spawn(self._listen(self._line))

    async def say(self, **frame: Any) -> None:
        with suppress(*Broken):
            await self._line.send_str(json.dumps(frame))

    async def follow(self, talk: Talk) -> None:
        self.talks[talk.id] = talk
        talk.texts.clear()  # streamed anew
        await self.say(type="subscribe", conversation_id=talk.id, after=max(talk.told, default=0))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, line: Any) -> None:
        async for message in line:
            frame = json.loads(message.data)
            assert frame["type"] not in {"error", "snapshot"}, frame
            async with self.news:
                self._take(frame)
                self.news.notify_all()

    def _take(self, frame: Any) -> None:
        talk = self.talks.get(frame.get("conversation_id", ""))
        if talk is None:
            return
        self.frames += 1
        if frame["type"] == "delta":
            key = frame["message_id"]
            talk.texts[key] = talk.texts.get(key, "") + frame["text"]
        elif frame["type"] == "event":
            seq = frame["seq"]
            assert seq == max(talk.told, default=0) + 1, "each event once and in order"
            talk.told[seq] = frame
            if frame["event"]["type"] == "turn_waiting":
                self._spawn(self.approve(talk))

    async def approve(self, talk: Talk) -> None:
        """Say yes to whatever waits. Somebody may have been faster, or the server died."""
        with suppress(*Broken, Late):
            pending = await self.call("approvals.list", conversation_id=talk.id)
            for item in pending["executions"]:
                await self.call("approvals.answer", execution_id=item["id"], verdict="approve")

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(30), self.news:
            await self.news.wait_for(true)

    async def close(self) -> None:
        if self._line is not None:
            await self._line.close()
        for task in list(self._tasks):
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, Broken):
                raise result


def steps(labels: list[str], dice: random.Random) -> list[tuple[Action, ...]]:
    """Three steps: two tools at once, one more, and an answer."""

    def speak(text: str) -> list[Action]:
        return [part for word in text.split(" ") for part in (Say(word + " "), Wait(0.004))]

    def use(label: str) -> Call:
        return Call("count_run", {"label": label, "seconds": dice.choice([0.0, 0.01, 0.03])})

    return [
        (*speak("Zuerst 👩‍👩‍👧‍👦 zwei auf einmal:"), use(labels[0]), use(labels[1])),
        (*speak("Noch e\u0301ines:"), use(labels[2])),
        (*speak("Das war alles 🇳🇴 fu\u0308r heute."),),
    ]


def _ending(talk: Talk) -> str:
    """How the turn that was last asked for has ended; empty as long as it has not."""
    ends = ("turn_finished", "turn_interrupted", "turn_failed", "turn_cancelled")
    told = (frame["event"] for frame in talk.told.values())
    mine = [it["type"] for it in told if it.get("turn_id") == talk.turn_id and it["type"] in ends]
    return str(mine[0]) if mine else ""


class Story:
    """One house, and all that happens in it."""

    def __init__(
        self, house: Any, witness: Witness, runs: Any, script: Any, dice: random.Random
    ) -> None:
        self.house, self.witness, self.runs, self.script = house, witness, runs, script
        self.dice = dice
        self.outcomes: Counter[str] = Counter()

    async def live(self) -> list[Talk]:
        """Begin some turns, and be killed while they run."""
        killed = asyncio.create_task(self._kill_some_time())
        begun = []
        for number in range(TALKS):
            name = f"{self.house.lives}-{number}"
            labels = [f"{name}-{place}" for place in "abc"]
            model = self.script(name, *steps(labels, self.dice), chunk=3)
            talk = Talk("", model, labels)
            with suppress(*Broken):
                talk.id = (await self.witness.call("conversations.create"))["id"]
                begun.append(talk)
                await self.witness.follow(talk)
                talk.turn_id = (await self.start(talk))["turn_id"]
        await killed
        return begun

    async def start(self, talk: Talk) -> Any:
        return await self.witness.call(
            "turns.start",
            conversation_id=talk.id,
            request_id=f"of {talk.id}",
            text="Los.",
            model=talk.model,
        )

    async def _kill_some_time(self) -> None:
        """After so many frames, or once nothing more comes; and then some milliseconds later."""
        wanted = self.witness.frames + self.dice.randint(0, FRAMES)
        with suppress(TimeoutError):
            async with asyncio.timeout(2), self.witness.news:
                await self.witness.news.wait_for(lambda: self.witness.frames >= wanted)
        await asyncio.sleep(self.dice.choice([0.0, 0.001, 0.003, 0.01, 0.03]))
        self.house.kill()

    async def come_back(self) -> None:
        await self.witness.close()
        await self.house.start()
        await self.witness.connect()

    async def settle_and_go_on(self, talk: Talk) -> None:
        turn = await self.settle(talk)
        await self.go_on(talk, interrupted=turn.state == "interrupted")

    async def settle(self, talk: Talk) -> Turn:
        """A turn comes to its end, and what its client knows of it is true."""
        talk.turn_id = (await self.start(talk))["turn_id"]  # a retry, or what was never heard of
        await self.witness.approve(talk)

        await self.witness.until(partial(_ending, talk))
        state = await self.check(talk)
        (turn,) = state.turns.values()
        assert turn.id == talk.turn_id
        assert turn.state in {"finished", "interrupted"}, turn
        self.outcomes[turn.state] += 1
        for execution in state.executions.values():
            self.check_runs(execution)
        names = {json.loads(item.call.arguments)["label"] for item in state.executions.values()}
        assert all(not self.runs(label) for label in set(talk.labels) - names)
        if turn.state == "finished":
            assert all(self.runs(label) == ["began", "ended"] for label in talk.labels)
        return turn

    def check_runs(self, execution: ToolExecution) -> None:
        left = self.runs(json.loads(execution.call.arguments)["label"])
        self.outcomes[f"call {execution.state}"] += 1
        match execution.state:
            case "done":
                assert left == ["began", "ended"]
            case "unknown":
                assert left in ([], ["began"], ["began", "ended"])
            case "failed" | "denied":
                assert left == []
            case _:
                raise AssertionError(f"a call that is still {execution.state}")

    async def check(self, talk: Talk) -> ConversationState:
        """Rows, events and what was told are one story."""
        replay = await self.witness.call("events.replay", conversation_id=talk.id, limit=1000)
        stored = {item["seq"]: item for item in replay["events"]}
        assert sorted(stored) == list(range(1, replay["seq"] + 1))
        for seq, frame in talk.told.items():
            assert {key: frame[key] for key in stored[seq]} == stored[seq], "what was told is true"
        envelopes = [_envelope.decode(json.dumps(stored[seq])) for seq in sorted(stored)]
        reduced = create(envelopes[0].conversation_id, envelopes[0])
        for envelope in envelopes[1:]:
            reduced = reduce(reduced, envelope)
        given = await self.witness.call("conversations.get", conversation_id=talk.id)
        state = _state.decode(json.dumps(given))
        assert state == reduced, "rows and events say the same"
        for message_id, heard in talk.texts.items():
            text = state.messages[message_id].text if message_id in state.messages else ""
            assert text.startswith(heard) or heard.startswith(text)
        return state

    async def go_on(self, talk: Talk, *, interrupted: bool) -> None:
        """Somebody has the turn gone on with, or asks again, until it is answered.

        Leases are short here, so that a machine which stalls for a moment interrupts it once more.
        """
        for attempt in range(5):
            body = {
                "conversation_id": talk.id,
                "request_id": f"again {attempt} {talk.id}",
                "model": "scripted/echo",
            }
            if interrupted and self.dice.random() < 0.5:
                self.outcomes["gone on with"] += 1
                ticket = await self.witness.call("turns.continue", **body, turn_id=talk.turn_id)
            else:
                ticket = await self.witness.call("turns.start", **body, text="Weiter?")
            talk.turn_id = ticket["turn_id"]
            ended = partial(_ending, talk)
            await self.witness.until(ended)
            assert ended() in {"turn_finished", "turn_interrupted"}
            if ended() == "turn_finished":
                break
            interrupted = True
        else:
            raise AssertionError("It was interrupted again and again.")
        await self.check(talk)
        del self.witness.talks[talk.id]
        await self.witness.say(type="unsubscribe", conversation_id=talk.id)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("house", ["sqlite", "postgres"], indirect=True)
async def test_nothing_is_lost_and_nothing_is_done_twice(
    house: Any,
    session: aiohttp.ClientSession,
    runs: Any,
    script: Any,
    dice: random.Random,
    share: Any,
    request: pytest.FixtureRequest,
) -> None:
    database = request.node.callspec.params["house"]
    wanted, kills = share(KILLS[database]), 0
    witness = Witness(house, session)
    story = Story(house, witness, runs, script, dice)
    await house.start()
    try:
        await witness.connect()
        while kills < wanted:
            talks = await story.live()
            kills += 1
            await story.come_back()
            if dice.random() < 0.15:  # and once more, while it puts things in order
                await asyncio.sleep(dice.random() * 0.8)
                house.kill()
                kills += 1
                await story.come_back()
            async with asyncio.TaskGroup() as group:
                for talk in talks:
                    group.create_task(story.settle_and_go_on(talk))
    finally:
        await witness.close()
        print(f"{database}: {kills} kills, {dict(sorted(story.outcomes.items()))}")
    assert story.outcomes["interrupted"] > 0
