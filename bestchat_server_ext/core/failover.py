"""What happens after an attempt to get an answer has failed: once more, another model, or the end.

*Retry* asks the same model again, *fallback* asks the next one, *cooldown* leaves a model alone for
a while. The numbers are those that LiteLLM's router has proven.

Once a piece of the answer was seen, going on is a matter of honesty. Where the next model accepts
the beginning of its own answer, it continues from there; elsewhere the answer visibly begins anew.
Inside a tool call or signed reasoning there is no going on: half a call cannot be continued, and
another model's signature would be refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from bestchat_server_ext.core.errors import (
    ContentRefused,
    ContextOverflow,
    ErrorInfo,
    ModelNotFound,
    PicturesRefused,
    ProviderAuth,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
)

RETRIES = 2
"""How often the same model is asked again."""

FALLBACKS = 5
"""How many other models are asked in one step, at most."""

FIRST_DELAY = 0.5
"""Seconds before the first retry; each further one waits twice as long."""

LONGEST_WAIT = 60.0
"""Seconds that a provider may ask to wait; who asks for more is left alone."""

COOLDOWN = 5.0
"""Seconds for which a model is left alone after a failure that will come again."""

LONGEST_COOLDOWN = 3600.0
"""Seconds beyond which no provider's word keeps a model from being tried again."""

FAILURE_WINDOW = 60.0
"""Seconds over which the share of failures is judged."""

FEWEST_REQUESTS = 5
"""Requests in that time below which their share of failures says nothing."""

_AGAIN = frozenset({ProviderUnavailable.code, RateLimited.code})
"""Failures that may have passed a moment later; a key, a quota or a bad request stays as it is."""

_COOLING = frozenset({RateLimited.code, ProviderAuth.code, ModelNotFound.code})
"""Failures that the next request would meet as well."""

_OF_WHAT_WAS_ASKED = frozenset({ContextOverflow.code, ContentRefused.code, PicturesRefused.code})
"""Failures that another request to the same model would not meet."""

Cause = Literal["outage", "overflow", "refused"]


class Fallbacks(msgspec.Struct, frozen=True):
    """Which models stand in, by what the first one failed for."""

    outage: tuple[str, ...] = ()
    """Model references for a provider that is down, busy, or has no valid key."""
    overflow: tuple[str, ...] = ()
    """Model references for a conversation that is too long for the model."""
    refused: tuple[str, ...] = ()
    """Model references for a prompt that the provider's content policy refused."""

    def of(self, cause: Cause) -> tuple[str, ...]:
        """The list for a cause."""
        match cause:
            case "outage":
                return self.outage
            case "overflow":
                return self.overflow
            case "refused":
                return self.refused


class Heard(msgspec.Struct, frozen=True):
    """What had arrived of the answer when the attempt failed."""

    text: bool = False
    """Some text."""
    sealed: bool = False
    """A piece of a tool call, or reasoning that carries a signature."""


class Retry(msgspec.Struct, frozen=True):
    """Ask the same model again."""

    delay: float
    """Seconds to wait first."""


class FallBack(msgspec.Struct, frozen=True):
    """Ask another model."""

    model: str
    """Its model reference."""


class GiveUp(msgspec.Struct, frozen=True):
    """Report the failure."""


Decision = Retry | FallBack | GiveUp


def cause_of(error: ErrorInfo) -> Cause:
    """Which list of fallbacks a failure asks for."""
    if error.code == ContextOverflow.code:
        return "overflow"
    if error.code == ContentRefused.code:
        return "refused"
    return "outage"


def decide(
    error: ErrorInfo,
    heard: Heard,
    *,
    retries: int,
    tried: Sequence[str],
    others: Sequence[str],
    cooling: Collection[str] = (),
    jitter: float = 0.0,
) -> Decision:
    """Decide after a failed attempt.

    Args:
        error: why it failed.
        heard: what had arrived.
        retries: how often this model was asked again before.
        tried: the models that were asked in this step, this one included.
        others: the models that may stand in after such a failure, the first one first.
        cooling: models that are left alone at the moment.
        jitter: a random number from 0 to 1, so that many do not come back at the same moment.
    """
    if heard.sealed or error.kind != "upstream":
        return GiveUp()
    wait = error.retry_after
    patient = wait is None or wait <= LONGEST_WAIT
    if error.code in _AGAIN and retries < RETRIES and patient:
        backoff = FIRST_DELAY * 2**retries * (0.5 + jitter / 2)
        return Retry(max(backoff, wait or 0.0))
    if len(set(tried)) > FALLBACKS:
        return GiveUp()
    left = [model for model in others if model not in tried]
    ready = [model for model in left if model not in cooling]
    return FallBack((ready or left)[0]) if left else GiveUp()


def blames_model(error: ErrorInfo) -> bool:
    """Whether a failure says something of the model, and not of what it was asked."""
    return error.kind == "upstream" and error.code not in _OF_WHAT_WAS_ASKED


def cooldown_of(error: ErrorInfo) -> float:
    """Seconds for which a model is left alone after this failure alone; zero for not at all."""
    if error.code not in _COOLING and error.code != QuotaExceeded.code:
        return 0.0
    return min(max(COOLDOWN, error.retry_after or 0.0), LONGEST_COOLDOWN)


class Record(msgspec.Struct, frozen=True):
    """How a model has fared lately: the ends of its requests, the oldest first."""

    ends: tuple[tuple[float, bool], ...] = ()
    """Moments in seconds, and whether the request failed."""

    def after(self, moment: float, *, failed: bool) -> Record:
        """With one more end."""
        recent = tuple(end for end in self.ends if end[0] > moment - FAILURE_WINDOW)
        return Record((*recent, (moment, failed)))

    @property
    def failing(self) -> bool:
        """Whether more than half of the requests failed, and there were enough of them to say."""
        failures = sum(failed for _, failed in self.ends)
        return len(self.ends) >= FEWEST_REQUESTS and 2 * failures > len(self.ends)
