"""Retry, fallback, cooldown: what follows from a failed attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.failover import (
    COOLDOWN,
    FAILURE_WINDOW,
    FALLBACKS,
    LONGEST_COOLDOWN,
    RETRIES,
    Decision,
    FallBack,
    Fallbacks,
    GiveUp,
    Heard,
    Record,
    Retry,
    blames_model,
    cause_of,
    cooldown_of,
    decide,
)

ALL = Fallbacks(("b/out", "c/out"), ("b/long",), ("b/free",))
NOTHING = Heard()
DOWN = errors.ProviderUnavailable("down").info


def decided(
    error: errors.ErrorInfo, heard: Heard = NOTHING, fallbacks: Fallbacks = ALL, **given: object
) -> Decision:
    others = fallbacks.of(cause_of(error))
    facts: dict[str, object] = {"retries": RETRIES, "tried": ("a/x",), "others": others}
    return decide(error, heard, **(facts | given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (errors.ProviderUnavailable("down"), FallBack("b/out")),
        (errors.RateLimited("busy", retry_after=61.0), FallBack("b/out")),
        (errors.ProviderAuth("key"), FallBack("b/out")),
        (errors.ModelNotFound("who"), FallBack("b/out")),
        (errors.QuotaExceeded("credit"), FallBack("b/out")),
        (errors.ProviderError("bad request"), FallBack("b/out")),
        (errors.ContextOverflow("long"), FallBack("b/long")),
        (errors.ContentRefused("no"), FallBack("b/free")),
        (errors.Unavailable("our own storage"), GiveUp()),
        (errors.MissingKey("none"), GiveUp()),
        (errors.InternalError(), GiveUp()),
    ],
)
def test_each_failure_has_its_list(error: errors.ChatError, decision: Decision) -> None:
    assert decided(error.info) == decision


@pytest.mark.parametrize(
    "error",
    [
        errors.ProviderAuth("key"),
        errors.QuotaExceeded("credit"),
        errors.ProviderError("bad request"),
        errors.ContextOverflow("long"),
        errors.ContentRefused("no"),
        errors.ModelNotFound("who"),
        errors.RateLimited("busy", retry_after=60.1),
    ],
)
def test_what_will_fail_again_is_not_tried_again(error: errors.ChatError) -> None:
    assert decided(error.info, retries=0, fallbacks=Fallbacks()) == GiveUp()


def test_the_same_model_is_asked_twice_more_with_growing_jittered_delays() -> None:
    assert decided(DOWN, retries=0, jitter=0.0) == Retry(0.25)
    assert decided(DOWN, retries=0, jitter=1.0) == Retry(0.5)
    assert decided(DOWN, retries=1, jitter=1.0) == Retry(1.0)
    assert decided(DOWN, retries=2) == FallBack("b/out")
    assert decided(DOWN, retries=2, fallbacks=Fallbacks()) == GiveUp()


def test_a_provider_that_asks_for_a_minute_gets_it() -> None:
    assert decided(errors.RateLimited("busy", retry_after=60.0).info, retries=0) == Retry(60.0)


def test_half_a_call_is_never_continued() -> None:
    assert decided(DOWN, Heard(text=True, sealed=True), retries=0) == GiveUp()
    assert decided(DOWN, Heard(text=True), retries=0, jitter=1.0) == Retry(0.5)


def test_models_that_cool_come_last() -> None:
    assert decided(DOWN, cooling={"b/out"}) == FallBack("c/out")
    assert decided(DOWN, cooling={"b/out", "c/out"}) == FallBack("b/out")
    assert decided(DOWN, tried=("a/x", "b/out")) == FallBack("c/out")


def test_the_list_of_fallbacks_ends() -> None:
    many = Fallbacks(tuple(f"m/{number}" for number in range(FALLBACKS + 3)))
    tried = ["a/x"]
    while isinstance(decision := decided(DOWN, tried=tried, fallbacks=many), FallBack):
        tried.append(decision.model)
    assert len(tried) == 1 + FALLBACKS


@given(
    errors_seen=st.lists(
        st.sampled_from([DOWN, errors.RateLimited("b", retry_after=1.0).info]), max_size=60
    )
)
def test_every_chain_of_failures_ends(errors_seen: list[errors.ErrorInfo]) -> None:
    tried, retries, attempts = ["a/x"], 0, 1
    for error in errors_seen:
        match decided(error, retries=retries, tried=tried):
            case Retry():
                retries += 1
            case FallBack(model):
                tried.append(model)
                retries = 0
            case GiveUp():
                break
        attempts += 1
    assert attempts <= (1 + RETRIES) * (1 + len(ALL.outage))


def test_cooldown() -> None:
    assert cooldown_of(errors.RateLimited("b", retry_after=30.0).info) == 30.0
    assert cooldown_of(errors.RateLimited("b").info) == COOLDOWN
    assert cooldown_of(errors.RateLimited("b", retry_after=1e300).info) == LONGEST_COOLDOWN
    assert cooldown_of(errors.ProviderAuth("key").info) == COOLDOWN
    assert cooldown_of(errors.ContentRefused("no").info) == 0.0
    assert cooldown_of(DOWN) == 0.0


def test_what_was_asked_is_not_held_against_the_model() -> None:
    assert blames_model(DOWN)
    assert blames_model(errors.ProviderAuth("key").info)
    for error in (
        errors.ContextOverflow("long"),
        errors.ContentRefused("no"),
        errors.PicturesRefused("blind"),
        errors.Unavailable("storage"),
    ):
        assert not blames_model(error.info)


def test_a_model_that_mostly_fails_is_noticed_after_five_requests() -> None:
    record = Record()
    for moment in range(4):
        record = record.after(moment, failed=True)
        assert not record.failing
    assert record.after(4, failed=True).failing
    for moment in range(4, 8):
        record = record.after(moment, failed=False)
    assert not record.failing
    assert not record.after(FAILURE_WINDOW + 8, failed=True).failing
