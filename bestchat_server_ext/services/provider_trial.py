"""ProviderTrial: whether a provider's settings are right, found out by using them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec

from bestchat_server_ext.api.providers import CheckProvider, Verdict
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.errors import ChatError
from bestchat_server_ext.core.ids import MessageId, OwnerId, TurnId
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.request import ModelRequest, RequestOptions
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.services.provider_settings import ProviderSettingsService
from bestchat_server_ext.services.providers import ProviderRegistry

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


class ProviderTrial:
    """Asks a provider for next to nothing, and says how that went."""

    def __init__(
        self,
        registry: ProviderRegistry,
        settings: ProviderSettingsService,
        clock: Clock,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        """Work on these."""
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._limit_seconds = limit_seconds

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
        question = Message(
            id=MessageId(self._clock.new_id()),
            parent_id=None,
            role="user",
            parts=(TextPart("Say yes."),),
            created_at=self._clock.now(),
            turn_id=TurnId(self._clock.new_id()),
        )
        request = ModelRequest(
            ref, (question,), options=RequestOptions(max_output_tokens=_TOKENS), owner=owner
        )
        async with aclosing(self._registry.provider(ref).stream(request)) as answer:
            async for _ in answer:
                return


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
