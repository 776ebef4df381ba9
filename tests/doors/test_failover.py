"""A provider fails; the turn goes on, and every reader ends with one whole answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any

import pytest

from bestchat_server_ext.api.frames import CaughtUp, DraftPosition, Snapshot
from bestchat_server_ext.api.usage import SummarizeUsage
from bestchat_server_ext.api.usage import summary as summarize
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import (
    ChatError,
    ContentRefused,
    ContextOverflow,
    PicturesRefused,
    ProviderAuth,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from bestchat_server_ext.core.failover import Fallbacks
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelFacts,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.services.providers import ProviderEntry
from bestchat_server_ext.testing.clock import ManualClock

Build = Callable[..., Awaitable[Any]]
Begin = Callable[[Any], Awaitable[Any]]
Part = Chunk | ChatError | asyncio.Event

DOWN = ProviderUnavailable("The provider is down.")
DONE = FinishChunk("stop")


class Puppet:
    """A provider whose attempts a test has laid out, one list of parts for each."""

    def __init__(self, *attempts: Sequence[Part], prefill: bool = False) -> None:
        self._attempts = list(attempts)
        self._prefill = prefill
        self.requests: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        self.requests.append(request)
        for part in self._attempts.pop(0):
            if isinstance(part, ChatError):
                raise part
            if isinstance(part, asyncio.Event):
                await part.wait()
            else:
                yield [part]

    async def models(self) -> Sequence[ModelFacts]:
        return ()

    def facts(self, model: str) -> ModelFacts:
        return ModelFacts(f"puppet/{model}", prefill=self._prefill)

    async def close(self) -> None:
        assert not self._attempts, "not asked as often as laid out"


@pytest.fixture
async def clock() -> AsyncIterator[ManualClock]:
    """A clock that goes on by itself, by a tenth of a second, whenever somebody waits for it."""
    clock = ManualClock()

    async def run() -> None:
        while True:
            await clock.until_sleeping()
            clock.advance(0.1)
            await asyncio.sleep(0)

    running = asyncio.create_task(run())
    yield clock
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
def stage(build: Build, begin: Begin, clock: ManualClock) -> Callable[..., Awaitable[Any]]:
    """A conversation with puppets behind it."""

    async def put_up(*, fallbacks: Fallbacks | None = None, **puppets: Puppet) -> Any:
        others = [ProviderEntry(name, puppet) for name, puppet in puppets.items()]
        house = await build(clock=clock, others=others, fallbacks=fallbacks or Fallbacks())
        return await begin(InProcessClient(house.application))

    return put_up


def to(*models: str) -> Fallbacks:
    return Fallbacks(outage=models)


async def answered(talk: Any, model: str = "one/x") -> tuple[Message, list[ev.AttemptFailed]]:
    """Ask; give the answer, and what had failed before it."""
    await talk.ask(model)
    seen = await talk.until(ev.TurnFinished, ev.TurnFailed)
    assert isinstance(seen[-1], ev.TurnFinished), seen[-1]
    failed = [event for event in seen if isinstance(event, ev.AttemptFailed)]
    last = [event.message for event in seen if isinstance(event, ev.MessageAdded)][-1]
    return last, failed


async def test_the_same_model_is_asked_again_and_nobody_notices(
    stage: Any, clock: ManualClock
) -> None:
    one = Puppet([DOWN], [RateLimited("busy", retry_after=7.0)], [TextChunk("Hello."), DONE])
    message, failed = await answered(await stage(one=one))
    assert (message.text, message.model) == ("Hello.", "one/x")
    assert [(item.model, item.next_model, item.kept) for item in failed] == [
        ("one/x", "one/x", True),
        ("one/x", "one/x", True),
    ]
    assert clock.monotonic() >= 7.5, "it waits as long as it is asked to"
    assert len({request.messages for request in one.requests}) == 1


async def test_another_model_stands_in_and_is_named(stage: Any) -> None:
    one, two = Puppet([ProviderAuth("wrong key")]), Puppet([TextChunk("Hello."), DONE])
    talk = await stage(fallbacks=to("two/y"), one=one, two=two)
    message, failed = await answered(talk)
    assert (message.text, message.model) == ("Hello.", "two/y")
    assert [(item.model, item.next_model, item.error.code) for item in failed] == [
        ("one/x", "two/y", "provider_auth")
    ]
    turn = await talk.turn(message.turn_id)
    assert (turn.model, turn.fallback) == ("one/x", "two/y")


@pytest.mark.parametrize("error", [ContextOverflow("too long"), ContentRefused("no")])
async def test_what_is_too_long_or_refused_has_a_list_of_its_own(
    stage: Any, error: ChatError
) -> None:
    lists = Fallbacks(("none/z",), ("two/long",), ("two/free",))
    two = Puppet([TextChunk("Hello."), DONE])
    message, _ = await answered(await stage(fallbacks=lists, one=Puppet([error]), two=two))
    assert message.model == ("two/long" if isinstance(error, ContextOverflow) else "two/free")


async def test_without_anybody_left_the_first_cause_is_the_failure(stage: Any) -> None:
    talk = await stage(
        fallbacks=to("missing/provider"), one=Puppet([ProviderError("The request is wrong.")])
    )
    await talk.ask("one/x")
    failed = (await talk.until(ev.TurnFailed))[-1]
    assert failed.error.text == "The request is wrong."


async def test_a_model_that_accepts_a_beginning_goes_on_from_it(stage: Any) -> None:
    one = Puppet([TextChunk("Once upon "), DOWN], [TextChunk(" a time."), DONE], prefill=True)
    talk = await stage(one=one)
    message, failed = await answered(talk)
    assert message.text == "Once upon a time.", "white space at the seam stands once"
    assert [item.kept for item in failed] == [True]
    beginning = one.requests[1].messages[-1]
    assert (beginning.role, beginning.text) == ("assistant", "Once upon")


async def test_a_model_that_does_not_begins_anew_and_everybody_sees_it(stage: Any) -> None:
    one = Puppet([TextChunk("Once upon "), DOWN], [DOWN], [DOWN])
    two = Puppet([TextChunk("There was "), TextChunk("a king."), DONE])
    talk = await stage(fallbacks=to("two/y"), one=one, two=two)
    message, failed = await answered(talk)
    assert (message.text, message.model) == ("There was a king.", "two/y")
    assert [item.kept for item in failed] == [False, True, True]
    assert two.requests[0].messages[-1].role == "user"


async def test_what_was_heard_before_a_vain_new_beginning_is_kept(stage: Any) -> None:
    talk = await stage(one=Puppet([TextChunk("Once upon"), DOWN], [DOWN], [DOWN]))
    await talk.ask("one/x")
    assert isinstance((await talk.until(ev.TurnFailed))[-1], ev.TurnFailed)
    assert await talk.answers() == ["Once upon"]


@pytest.mark.parametrize(
    "part",
    [ToolCallChunk(0, "call", "add", '{"a": 1'), ReasoningChunk("Hm.", signature="seal")],
)
async def test_half_a_call_or_sealed_reasoning_is_never_switched(stage: Any, part: Chunk) -> None:
    talk = await stage(fallbacks=to("two/y"), one=Puppet([TextChunk("So "), part, DOWN]))
    await talk.ask("one/x")
    failed = (await talk.until(ev.TurnFailed))[-1]
    assert failed.error.code == "provider_unavailable"
    assert (await talk.answers()) == ["So "], "what had arrived is kept"


async def test_the_next_turn_leaves_a_failing_model_alone_for_a_while(
    stage: Any, clock: ManualClock
) -> None:
    one = Puppet([ProviderAuth("wrong key")], [TextChunk("Back."), DONE])
    two = Puppet([TextChunk("First."), DONE], [TextChunk("Second."), DONE])
    talk = await stage(fallbacks=to("two/y"), one=one, two=two)
    assert (await answered(talk))[0].text == "First."
    await talk.ask("one/x", "Again.")
    await talk.until(ev.TurnFinished, count=2)
    assert (await talk.answers())[-1] == "Second."
    assert len(one.requests) == 1, "it was not asked"
    clock.advance(60)
    await talk.ask("one/x", "And now?")
    await talk.until(ev.TurnFinished, count=3)
    assert (await talk.answers())[-1] == "Back."


async def test_a_model_that_refuses_pictures_is_still_asked_for_words(
    build: Build, begin: Begin
) -> None:
    blind = PicturesRefused("This model cannot look at pictures.")
    one = Puppet(*[[blind]] * 5, [TextChunk("Words."), DONE])
    two = Puppet(*[[TextChunk("A swallow."), DONE]] * 5)
    others = [ProviderEntry("one", one), ProviderEntry("two", two)]
    house = await build(others=others, fallbacks=to("two/y"))
    talk = await begin(InProcessClient(house.application))
    for count in range(1, 7):
        await talk.ask("one/x", f"Question {count}.")
        await talk.until(ev.TurnFinished, count=count)
    assert (await talk.answers())[-2:] == ["A swallow.", "Words."]


async def test_the_chosen_models_failure_is_told_and_those_of_stand_ins_named(stage: Any) -> None:
    lists = Fallbacks(overflow=("two/y",))
    one, two = Puppet([ContextOverflow("Too long.")]), Puppet([ProviderAuth("Wrong key of two.")])
    talk = await stage(fallbacks=lists, one=one, two=two)
    await talk.ask("one/x")
    error = (await talk.until(ev.TurnFailed))[-1].error
    assert (error.code, error.text) == ("context_overflow", "Too long.")
    assert "two/y (provider_auth)" in error.hint


@pytest.mark.parametrize(
    ("end", "model"), [("content_filter", "two/free"), ("stop", "two/out"), ("unknown", "two/out")]
)
async def test_silence_is_a_failure_that_others_can_make_good(
    stage: Any, end: Any, model: str
) -> None:
    lists = Fallbacks(("two/out",), (), ("two/free",))
    two = Puppet([TextChunk("Hello."), DONE])
    message, failed = await answered(
        await stage(fallbacks=lists, one=Puppet([FinishChunk(end)]), two=two)
    )
    assert (message.text, message.model) == ("Hello.", model)
    assert len(failed) == 1


async def test_the_beginning_that_went_furthest_is_kept(stage: Any) -> None:
    one = Puppet([TextChunk("Once upon a time"), DOWN], [TextChunk("Th"), DOWN], [DOWN])
    talk = await stage(one=one)
    await talk.ask("one/x")
    await talk.until(ev.TurnFailed)
    assert await talk.answers() == ["Once upon a time"]


@pytest.mark.parametrize(
    "pieces",
    [
        ("\n\na time",),
        ("\n", "\na time"),
        ("", "\n", "", "\n", "a time"),
        ("a time",),
        ("\na time",),
    ],
)
async def test_the_seam_is_the_same_however_a_continuation_arrives(
    stage: Any, pieces: tuple[str, ...]
) -> None:
    rest = [*map(TextChunk, pieces), DONE]
    one = Puppet([TextChunk("Once upon\n\n"), DOWN], rest, prefill=True)
    message, _ = await answered(await stage(one=one))
    assert message.text == "Once upon\n\na time"


async def test_half_a_surrogate_pair_keeps_no_lease_from_being_renewed(
    build: Build, begin: Begin
) -> None:
    rest = asyncio.Event()
    one = Puppet([TextChunk("a\ud83d"), rest, TextChunk("b"), DONE])
    house = await build(others=[ProviderEntry("one", one)])
    talk = await begin(InProcessClient(house.application))
    ticket = await talk.ask("one/x")
    await talk.until_text("a\ufffd")
    await house.turns._renew()
    kept = await house.turns._wheel.storage.partial(ticket.turn_id)
    assert kept is not None
    assert kept.parts[0].text == "a\ufffd"
    rest.set()
    await talk.until(ev.TurnFinished)
    assert await talk.answers() == ["a\ufffdb"]


async def test_an_answer_without_end_is_ended(stage: Any) -> None:
    page = TextChunk("x" * 100_000)
    talk = await stage(one=Puppet([*[page] * 30, asyncio.Event()]))
    await talk.ask("one/x")
    assert "does not end" in (await talk.until(ev.TurnFailed))[-1].error.text


async def test_what_one_attempt_has_counted_is_not_counted_for_the_next(
    build: Build, begin: Begin, clock: ManualClock
) -> None:
    one = Puppet(
        [UsageChunk(Usage(input_tokens=1000)), TextChunk("Once"), DOWN],
        [DOWN],
        [TextChunk(" upon"), DONE],
        prefill=True,
    )
    house = await build(clock=clock, others=[ProviderEntry("one", one)])
    client = InProcessClient(house.application)
    await answered(await begin(client))
    spent = await client.call(summarize, SummarizeUsage(by="model"))
    (row,) = spent.rows
    # The first was charged; the second brought nothing; what the last one read is an estimate.
    assert 1000 < row.spending.usage.input_tokens < 1100
    assert row.spending.estimated == 2


async def test_stop_is_heard_while_waiting_for_the_next_attempt(build: Build, begin: Begin) -> None:
    busy = Puppet([RateLimited("busy", retry_after=50.0)])
    house = await build(clock=ManualClock(), others=[ProviderEntry("one", busy)])
    talk = await begin(InProcessClient(house.application))
    ticket = await talk.ask("one/x")
    await talk.until(ev.AttemptFailed)
    await talk.cancel(ticket.turn_id)
    assert isinstance((await talk.until(ev.TurnCancelled))[-1], ev.TurnCancelled)


async def heard_by(
    talk: Any,
    after: int | None,
    draft: DraftPosition | None,
    caught_up: asyncio.Event | None = None,
) -> str:
    """What a reader ends with who puts together what arrives, from where it stands."""
    text, whole, attempt = "", "", 1
    async with aclosing(talk.client.follow(talk.id, after, draft)) as frames:
        async for frame in frames:
            match frame:
                case Snapshot():
                    text = ""
                case CaughtUp() if caught_up is not None:
                    caught_up.set()
                case ev.Delta(text=piece, attempt=number):
                    text = piece if number > attempt else text + piece
                    attempt = number
                case ev.Envelope(event=ev.AttemptFailed(kept=False)):
                    text = ""
                case ev.Envelope(event=ev.MessageAdded(message=message)):
                    whole = message.text
                case ev.Envelope(event=ev.TurnFinished()):
                    assert text in {"", whole}
                    return text or whole
    raise AssertionError("the stream ended")


async def test_readers_early_late_and_returning_end_with_the_same_text(stage: Any) -> None:
    broken, resumed = asyncio.Event(), asyncio.Event()
    one = Puppet([TextChunk("Once upon a time"), broken, DOWN], [DOWN], [DOWN])
    two = Puppet([TextChunk("There was"), resumed, TextChunk(" a king."), DONE])
    talk = await stage(fallbacks=to("two/y"), one=one, two=two)
    caught_up = [asyncio.Event() for _ in range(3)]
    early = asyncio.create_task(heard_by(talk, None, None, caught_up[0]))
    await caught_up[0].wait()
    ticket = await talk.ask("one/x")
    await talk.until_text("Once upon a time")
    message_id = (await first_delta(talk)).message_id
    seq = (await talk.state()).conversation.seq
    broken.set()
    await talk.until(ev.AttemptFailed, count=3)
    await talk.until_text("There was")
    late = asyncio.create_task(heard_by(talk, None, None, caught_up[1]))
    # Who was away meanwhile knows a piece of an answer that was taken back.
    position = DraftPosition(message_id, 0, 1)
    back = asyncio.create_task(heard_by(talk, seq, position, caught_up[2]))
    for each in caught_up:
        await each.wait()
    resumed.set()
    assert await asyncio.gather(early, late, back) == ["There was a king."] * 3
    assert (await talk.turn(ticket.turn_id)).state == "finished"


async def test_a_reader_who_comes_between_the_event_and_the_new_beginning(stage: Any) -> None:
    """It is given the event with the snapshot, and still the pieces that were taken back."""
    broken = asyncio.Event()
    one = Puppet([TextChunk("Once upon a time"), broken, DOWN], [DOWN], [DOWN])
    two = Puppet([TextChunk("There was a king."), DONE])
    talk = await stage(fallbacks=to("two/y"), one=one, two=two)
    stream = talk.client._application._services.stream
    really, readers, caught_up = stream.append, [], asyncio.Event()

    async def append(conversation_id: Any, events: Any, **more: Any) -> Any:
        first = any(isinstance(event, ev.AttemptFailed) and not event.kept for event in events)
        appended = await really(conversation_id, events, **more)
        if first:
            readers.append(asyncio.create_task(heard_by(talk, None, None, caught_up)))
            await caught_up.wait()
            await talk.until_text("Once upon a time")
        return appended

    stream.append = append
    await talk.ask("one/x")
    await talk.until_text("Once upon a time")
    broken.set()
    await talk.until(ev.TurnFinished)
    assert await asyncio.gather(*readers) == ["There was a king."]


async def first_delta(talk: Any) -> ev.Delta:
    async with aclosing(talk.client.follow(talk.id)) as frames:
        async for frame in frames:
            if isinstance(frame, ev.Delta):
                return frame
    raise AssertionError("there was none")
