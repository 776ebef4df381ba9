"""ProviderTrial: whether a provider's settings are right, found out by using them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import msgspec

from bestchat_server_ext.api.providers import CheckProvider, Verdict
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.cost import Outcome, spent
from bestchat_server_ext.core.errors import ChatError, ProviderError
from bestchat_server_ext.core.ids import ConversationId, MessageId, OwnerId, TurnId
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import ModelRef, Prices, RequestOptions
from bestchat_server_ext.core.reply import ReplyBuilder
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.services.provider_settings import ProviderSettingsService
from bestchat_server_ext.services.providers import ProviderRegistry
from bestchat_server_ext.services.usage import UsageService, noting_failures

LIMIT_SECONDS = 10.0
"""How long a trial takes at most."""

_TOKENS = 16
"""Fewer are refused by some models. The first piece of the answer ends the trial anyway."""

_CODES: tuple[tuple[type[ChatError], str], ...] = (
    (errors.KeyUnreadable, "key_unreadable"),
    (errors.MissingKey, "missing_key"),
    (errors.NotPermitted, "not_permitted"),
    (errors.ProviderAuth, "key_refused"),
    (errors.ModelNotFound, "model_missing"),
    (errors.QuotaExceeded, "no_credit"),
    (errors.RateLimited, "rate_limited"),
    (errors.ProviderUnavailable, "unreachable"),
)
"""What an error of a lane means here; the first that fits."""

_UNREACHED = frozenset(
    {"missing_key", "key_unreadable", "not_permitted", "no_model", "unreachable", "timed_out"}
)
_KEY_TAKEN = frozenset({"ok", "model_missing", "no_credit", "rate_limited"})


@dataclass
class _Question:
    """What a provider is asked, and what it has answered so far.

    Attributes:
        owner: who pays.
        turn_id: an id of its own, as no turn asks.
        request: what is sent.
        prices: of the model, as far as they are known.
        reply: what has arrived.
    """

    owner: OwnerId
    turn_id: TurnId
    request: ModelRequest
    prices: Prices | None
    reply: ReplyBuilder = field(default_factory=ReplyBuilder)


class ProviderTrial:
    """Asks a provider for next to nothing, and says how that went."""

    def __init__(
        self,
        registry: ProviderRegistry,
        settings: ProviderSettingsService,
        clock: Clock,
        limit_seconds: float = LIMIT_SECONDS,
        *,
        usage: UsageService | None = None,
    ) -> None:
        """Work on these; `usage` is told what a trial cost."""
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._usage = usage

    async def run(self, owner: OwnerId, request: CheckProvider) -> Verdict:
        """Try a provider out. Whatever it makes of that is a verdict and no error.

        Raises:
            InvalidRequest: the request makes no sense.
            UnknownProvider: there is no such provider.
        """
        self._registry.provider(ModelRef(request.provider, ""))
        named = self._settings.model_of(request.provider, request.model)
        asked: list[ModelRef] = []
        try:
            async with asyncio.timeout(self._limit_seconds):
                ref = named or await self._some_model(owner, request.provider)
                if ref is None:
                    return _verdict("no_model", "There is no model to ask.", "Name one.", "")
                asked.append(ref)
                await self._ask(owner, ref)
        except TimeoutError:
            text = f"There was no answer within {self._limit_seconds:.0f} seconds."
            return _verdict("timed_out", text, "See whether it is busy, and try again.", *asked)
        except ChatError as error:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), "failed")
            return _verdict(code, error.info.text, error.info.hint, *asked)
        return _verdict("ok", f"{ref} answers.", "", ref)

    async def _some_model(self, owner: OwnerId, provider: str) -> ModelRef | None:
        """The provider's default, else any that it says it has."""
        default = await self._settings.default_model(owner, provider)
        if default is not None:
            return default
        listed = await self._registry.provider(ModelRef(provider, "")).models(owner)
        return next((ModelRef.parse(facts.ref) for facts in listed if facts.ready), None)

    async def _ask(self, owner: OwnerId, ref: ModelRef) -> None:
        self._settings.require_permitted(ref)
        question = await self._question(owner, ref)
        with noting_failures(partial(self._note, question)):
            await self._first_piece(question)
        self._note(question, "answered")

    async def _question(self, owner: OwnerId, ref: ModelRef) -> _Question:
        turn_id = TurnId(self._clock.new_id())
        message = Message(
            id=MessageId(self._clock.new_id()),
            parent_id=None,
            role="user",
            parts=(TextPart("Say yes."),),
            created_at=self._clock.now(),
            turn_id=turn_id,
        )
        request = ModelRequest(
            ref, (message,), options=RequestOptions(max_output_tokens=_TOKENS), owner=owner
        )
        return _Question(owner, turn_id, request, await self._registry.prices(owner, ref))

    async def _first_piece(self, question: _Question) -> None:
        """Ask, and wait for the answer to begin; what comes after is nobody's concern.

        Raises:
            ChatError: it does not.
        """
        request = question.request
        async with aclosing(self._registry.provider(request.model).stream(request)) as answer:
            async for together in answer:
                for chunk in together:
                    question.reply.add(chunk)
                if together:
                    return
        raise ProviderError(
            f"{request.model} was reached, and sent no answer.",
            hint="See whether the address and the model are those of a model that chats.",
        )

    def _note(self, question: _Question, outcome: Outcome, code: str | None = None) -> None:
        """Write down what it cost, in a conversation of its own: there is no other."""
        if self._usage is None:
            return
        reply = question.reply.partial()
        # It was left after its first piece, so that no report in it is the last word.
        cut: Outcome = "failed" if outcome == "failed" else "cancelled"
        usage, estimated = spent(question.request, reply, cut)
        self._usage.note(
            owner=question.owner,
            conversation_id=ConversationId(self._clock.new_id()),
            turn_id=question.turn_id,
            step=1,
            attempt=1,
            model=question.request.model,
            outcome=outcome,
            usage=usage,
            prices=question.prices,
            at=self._clock.now(),
            error_code=code,
            estimated=estimated,
        )


def _verdict(code: str, text: str, hint: str, ref: ModelRef | str = "") -> Verdict:
    return msgspec.convert(
        {
            "code": code,
            "text": text,
            "hint": hint,
            "model": str(ref),
            "reached": code not in _UNREACHED,
            "key_accepted": True
            if code in _KEY_TAKEN
            else False
            if code == "key_refused"
            else None,
            "model_exists": True if code == "ok" else False if code == "model_missing" else None,
        },
        Verdict,
    )
