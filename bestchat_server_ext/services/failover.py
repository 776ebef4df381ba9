"""The one loop of attempts: retry, fallback, cooldown; `core.failover` decides.

Before the first piece of an answer, another attempt is seen in the conversation's events only.
After it, the next model continues where its facts say that it accepts the beginning of its own
answer; elsewhere the answer begins anew, and everybody sees that it does.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import msgspec

from bestchat_server_ext.core import failover
from bestchat_server_ext.core.conversation import Turn
from bestchat_server_ext.core.cost import Outcome, spent
from bestchat_server_ext.core.errors import (
    ChatError,
    ErrorInfo,
    RateLimited,
    from_info,
)
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import ModelRef, Prices
from bestchat_server_ext.core.reply import Reply, silence
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.turn import AttemptFailed
from bestchat_server_ext.ports.bus import Bus
from bestchat_server_ext.ports.cache import Cache
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.services.cached import cached, layout
from bestchat_server_ext.services.draft import Draft
from bestchat_server_ext.services.providers import ProviderRegistry
from bestchat_server_ext.services.usage import UsageService, noting_failures

_VERSION = 0
"""Records of failures have no version: the newest counts, and losing one is harmless."""


@dataclass
class Step:
    """One step as the loop sees it.

    Attributes:
        turn: the turn that it belongs to.
        owner: whose turn it is.
        request: what is asked, of the first model.
        draft: where the answer grows.
        first_delta: is called when its first piece is about to be published.
        report: stores that an attempt has failed, before the next one begins.
        fallbacks: who stands in where the conversation says so itself; none for what the
            configuration says.
        affordable: whether a model may stand in, where there is a limit of cost; none for all.
        tried: the models that were asked.
        failures: why each of them failed, the last time.
        retries: how often the present one was asked again.
        attempts: how many there were.
    """

    turn: Turn
    owner: OwnerId
    request: ModelRequest
    draft: Draft
    first_delta: Callable[[], None]
    report: Callable[[AttemptFailed], Awaitable[None]]
    fallbacks: tuple[str, ...] | None = None
    affordable: Callable[[ModelRef], Awaitable[bool]] | None = None
    tried: list[str] = field(default_factory=list)
    failures: dict[str, ChatError] = field(default_factory=dict)
    retries: int = 0
    attempts: int = 0


class FailoverService:
    """Gets a step answered, by whichever model can."""

    def __init__(
        self,
        providers: ProviderRegistry,
        bus: Bus,
        cache: Cache,
        clock: Clock,
        fallbacks: failover.Fallbacks,
        *,
        usage: UsageService | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Work on these; `fallbacks` is what the configuration says.

        Args:
            providers: who can be asked.
            bus: where pieces of answers go.
            cache: where it is remembered how models fare.
            clock: time.
            fallbacks: who stands in.
            usage: is told what every attempt cost.
            jitter: random numbers from 0 to 1.
        """
        self._providers = providers
        self._bus = bus
        self._cache = cache
        self._clock = clock
        self._fallbacks = fallbacks
        self._usage = usage
        self._jitter = jitter

    async def answer(self, step: Step) -> Reply:
        """Ask until there is an answer, or nobody left to ask.

        Raises:
            ChatError: why the last attempt failed. The draft has what had arrived.
        """
        ref = await self._first(step)
        while True:
            step.attempts += 1
            if str(ref) not in step.tried:
                step.tried.append(str(ref))
            try:
                return await self._attempt(step, ref)
            except ChatError as error:
                step.failures[str(ref)] = error
                await self._remember(step.owner, ref, error.info)
                ref = await self._next(step, ref, error)

    async def _attempt(self, step: Step, ref: ModelRef) -> Reply:
        """Ask one model once."""
        draft, before = step.draft, step.draft.current()
        request = _continuing(step, ref, before)
        # Looked up now: whoever is stopped in the midst of an answer cannot wait any more.
        prices = await self._providers.prices(step.owner, ref)
        note = partial(self._note, step, request, before, prices)
        chunks = self._providers.provider(ref).stream(request)
        with noting_failures(lambda how, code: note(draft.current(), how, code)):
            reply = await draft.fill(chunks, self._bus, self._clock, step.first_delta)
            _require_words(reply, draft.step)
        note(reply, "answered")
        await self._remember(step.owner, ref, None)
        return reply

    def _note(
        self,
        step: Step,
        request: ModelRequest,
        before: Reply,
        prices: Prices | None,
        reply: Reply,
        outcome: Outcome,
        code: str | None = None,
    ) -> None:
        """Write down what an attempt cost."""
        if self._usage is None:
            return
        usage, estimated = spent(request, _since(before, reply), outcome)
        self._usage.note(
            owner=step.owner,
            conversation_id=step.turn.conversation_id,
            turn_id=step.turn.id,
            step=step.draft.step,
            attempt=step.attempts,
            model=request.model,
            outcome=outcome,
            usage=usage,
            prices=prices,
            at=self._clock.now(),
            error_code=code,
            estimated=estimated,
        )

    # Who is next.

    async def _others(self, step: Step, cause: failover.Cause) -> list[str]:
        """Who may stand in, of those that can be asked at all."""
        own = step.fallbacks if cause == "outage" else None
        texts = self._fallbacks.of(cause) if own is None else own
        named = [ModelRef.parse(text) for text in texts]
        usable = await self._providers.usable(step.owner, named) if named else ()
        if step.affordable is None:
            return [str(ref) for ref in usable]
        return [str(ref) for ref in usable if await step.affordable(ref)]

    async def _first(self, step: Step) -> ModelRef:
        """The model that was chosen, unless it is being left alone and another one stands in."""
        chosen = step.request.model
        own = self._fallbacks.outage if step.fallbacks is None else step.fallbacks
        if not own or not await self._cools(step.owner, str(chosen)):
            return chosen
        others = await self._others(step, "outage")
        ready = [model for model in others if not await self._cools(step.owner, model)]
        if not ready:
            return chosen
        error = RateLimited(
            f"{chosen} has failed a moment ago, and is left alone for a while.",
            hint="Wait a little, or choose another model.",
        )
        step.tried.append(str(chosen))
        await step.report(AttemptFailed(step.draft.step, error.info, ready[0]))
        return ModelRef.parse(ready[0])

    async def _next(self, step: Step, ref: ModelRef, error: ChatError) -> ModelRef:
        """Who is asked after a failure, once it is time to.

        Raises:
            ChatError: why the chosen model failed, if nobody is.
        """
        others = await self._others(step, failover.cause_of(error.info))
        heard = step.draft.heard
        decision = failover.decide(
            error.info,
            heard,
            retries=step.retries,
            tried=step.tried,
            others=others,
            cooling=[model for model in others if await self._cools(step.owner, model)],
            jitter=self._jitter(),
        )
        if isinstance(decision, failover.GiveUp):
            raise _verdict(step, error)
        if isinstance(decision, failover.Retry):
            following, delay, step.retries = ref, decision.delay, step.retries + 1
        else:
            following, delay, step.retries = ModelRef.parse(decision.model), 0.0, 0
        kept = not heard.text or self._continues(step, following)
        await step.report(AttemptFailed(step.draft.step, error.info, str(following), kept))
        step.draft.begin_again(kept=kept)
        await self._clock.sleep(delay)
        return following

    def _continues(self, step: Step, ref: ModelRef) -> bool:
        """Whether a model goes on from what has arrived of the answer."""
        parts = step.draft.current().parts
        only_text = all(part.kind == "text" for part in parts)
        return only_text and bool(self._providers.facts(ref).prefill)

    # What is known of how models fare.

    async def _cools(self, owner: OwnerId, model: str) -> bool:
        return await cached(self._cache, _cooldown_key(owner, model), _VERSION, float) is not None

    async def _remember(self, owner: OwnerId, ref: ModelRef, error: ErrorInfo | None) -> None:
        """Keep how a request ended, and leave a model alone that keeps failing."""
        # A conversation that is too long, or a prompt or picture that is refused, says nothing of
        # the model.
        failed = error is not None and failover.blames_model(error)
        key = f"attempts/{layout(failover.Record)}:{owner}:{ref}"
        kept = await cached(self._cache, key, _VERSION, failover.Record)
        if not failed and kept is None:
            return
        record = (kept or failover.Record()).after(self._clock.now().timestamp(), failed=failed)
        encoded = msgspec.json.encode(record)
        await self._cache.put(key, _VERSION, encoded, seconds=failover.FAILURE_WINDOW)
        seconds = failover.cooldown_of(error) if error is not None else 0.0
        if failed and record.failing:
            seconds = max(seconds, failover.COOLDOWN)
        if seconds:
            await self._leave_alone(owner, str(ref), seconds)

    async def _leave_alone(self, owner: OwnerId, model: str, seconds: float) -> None:
        """Ask a model no more for a while; what was said of a longer while stands."""
        key, until = _cooldown_key(owner, model), self._clock.now().timestamp() + seconds
        kept = await cached(self._cache, key, _VERSION, float)
        if kept is None or kept < until:
            await self._cache.put(key, _VERSION, msgspec.json.encode(until), seconds=seconds)


def _cooldown_key(owner: OwnerId, model: str) -> str:
    # Per owner: one's wrong key must not keep others from a model that works for them.
    return f"cooldown:{owner}:{model}"


def _require_words(reply: Reply, step: int) -> None:
    if (silent := silence(reply, step)) is not None:
        raise silent


def _verdict(step: Step, last: ChatError) -> ChatError:
    """Why there is no answer: what the chosen model failed for, and that others did too."""
    chosen = str(step.request.model)
    first = step.failures.get(chosen, last)
    stood_in = [
        f"{model} ({error.info.code})" for model, error in step.failures.items() if model != chosen
    ]
    if first is last or not stood_in:
        return last
    hint = f"{first.info.hint} Those that stood in failed too: {', '.join(stood_in)}."
    return from_info(msgspec.structs.replace(first.info, hint=hint.strip()))


def _since(before: Reply, reply: Reply) -> Reply:
    """What an attempt has added to a reply that had begun before it."""
    known = len(before.parts)
    if not known:
        return reply
    last = reply.parts[known - 1]
    rest = last.text[len(before.parts[-1].text) :]
    added = (msgspec.structs.replace(last, text=rest), *reply.parts[known:])
    parts = tuple(part for part in added if part.text or part.signature)
    return msgspec.structs.replace(reply, parts=parts)


def _continuing(step: Step, ref: ModelRef, before: Reply) -> ModelRequest:
    """The request to a model, with what has arrived of the answer as its beginning."""
    request = msgspec.structs.replace(step.request, model=ref)
    said = "".join(part.text for part in before.parts if part.kind == "text").rstrip()
    if not said:
        return request
    beginning = Message(
        id=step.draft.message_id,
        parent_id=None,
        role="assistant",
        parts=(TextPart(said),),
        created_at=step.turn.started_at,
        turn_id=step.turn.id,
        step=step.draft.step,
        partial=True,
    )
    return msgspec.structs.replace(request, messages=(*request.messages, beginning))
