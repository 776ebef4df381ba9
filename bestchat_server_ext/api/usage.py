"""Usage: what was spent, on which days, on which models, in which conversations."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.cost import Grouping
from bestchat_server_ext.core.models import Usage


class SummarizeUsage(ApiRequest):
    """Add up what was spent in a period. Days are those of UTC."""

    by: Grouping = "day"
    """What to add it up for."""
    since: date | None = None
    """The first day; without it, the first of the month in which the period ends."""
    until: date | None = None
    """The last day; without it, today."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    """How many rows at most."""
    cursor: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    """The `cursor` of the page before; empty for the first page."""


class Spending(msgspec.Struct, frozen=True):
    """What a number of requests to models cost."""

    attempts: int
    """How many requests there were: also those that were repeated, or failed."""
    failed: int
    """Of these: how many failed."""
    cancelled: int
    """Of these: how many somebody stopped. The others brought an answer."""
    usage: Usage
    """Their tokens."""
    cost: str | None
    """US dollars, as an exact decimal number, for all requests whose cost is known; null where
    there were requests and the cost of none is."""
    unknown_attempts: int
    """Requests whose cost is unknown. If there are any, the real cost is higher than `cost`."""
    estimated: int
    """Requests whose tokens are estimated, because the provider did not report them."""
    estimated_tokens: int
    """The tokens of these, in and out."""
    estimated_cost: str | None
    """The part of `cost` that rests on estimates; null where `cost` is."""


class UsageRow(msgspec.Struct, frozen=True):
    """What was spent on one day, on one model or in one conversation."""

    key: str
    """A day as 2026-01-31, a model reference, or the id of a conversation, which may have been
    deleted since."""
    spending: Spending
    """The sums."""


class UsageSummary(msgspec.Struct, frozen=True):
    """One page of rows. Days and conversations begin with the newest; models go by name."""

    by: Grouping
    """What was added up for."""
    since: date
    """The first day."""
    until: date
    """The last day."""
    rows: tuple[UsageRow, ...]
    """What there is a sum for; days without any request have no row."""
    total: Spending
    """The whole period, whatever is on this page."""
    cursor: str
    """What to ask for the next page with; empty on the last page."""


summary = Procedure(
    name="usage.summary",
    summary="Add up one's own tokens and costs by day, model or conversation.",
    request=SummarizeUsage,
    response=UsageSummary,
    scope=Scope.USAGE_READ,
)
