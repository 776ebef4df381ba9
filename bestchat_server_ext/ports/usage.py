"""What was spent: one entry for each attempt to get an answer, and sums over them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from bestchat_server_ext.core.cost import Grouping, Outcome
from bestchat_server_ext.core.ids import ConversationId, OwnerId, TurnId, derived_id
from bestchat_server_ext.core.models import ModelRef, Usage


class UsageEntry(msgspec.Struct, frozen=True):
    """One attempt to get an answer, and what it cost. Of what was said it holds nothing."""

    owner: OwnerId
    """Who pays."""
    conversation_id: ConversationId
    """Where it was; it may have been deleted since."""
    turn_id: TurnId
    """The turn that it belongs to."""
    step: int
    """The step of that turn, from 1."""
    attempt: int
    """Which attempt at that step, from 1."""
    at: datetime
    """When it had ended, UTC."""
    model: ModelRef
    """Who was asked."""
    outcome: Outcome
    """How it ended."""
    error_code: str | None = None
    """What went wrong, if something did."""
    usage: Usage = Usage()
    """Its tokens."""
    estimated: bool = False
    """Whether they are an estimate of ours."""
    picodollars: int | None = None
    """What they cost; none where that is unknown."""
    prices_as_of: str | None = None
    """The day from which the prices are that it was computed with."""

    @property
    def id(self) -> str:
        """Names it: another entry for the same attempt would have the same name."""
        return derived_id(self.turn_id, "usage", self.step, self.attempt)


class UsageSums(msgspec.Struct, frozen=True):
    """Sums over entries, each exact."""

    attempts: int = 0
    """How many entries."""
    failed: int = 0
    """Of these: attempts that failed."""
    cancelled: int = 0
    """Of these: attempts that somebody stopped. The others brought an answer."""
    usage: Usage = Usage()
    """Tokens of all attempts."""
    picodollars: int = 0
    """Cost of all attempts where it is known."""
    unknown: int = 0
    """Attempts where it is not."""
    estimated: int = 0
    """Attempts whose tokens are estimated."""
    estimated_tokens: int = 0
    """Their tokens, in and out."""
    estimated_picodollars: int = 0
    """Their part of the known cost."""


class UsageGroup(msgspec.Struct, frozen=True):
    """The sums for one day, model or conversation."""

    key: str
    """A day as 2026-01-31, a model reference, or the id of a conversation."""
    sums: UsageSums


class UsagePage(msgspec.Struct, frozen=True):
    """One page of groups, and the sums over all of them, from one view of the database."""

    groups: tuple[UsageGroup, ...]
    """The newest days and conversations first, models by name."""
    total: UsageSums
    """All groups together, those of other pages included."""
    cursor: str = ""
    """What to ask for the next page with; empty on the last page."""


class UsageStore(Protocol):
    """Keeps entries."""

    async def record(self, entries: Sequence[UsageEntry]) -> None:
        """Keep entries, all or none of them; of one attempt the first entry stays.

        Raises:
            Unavailable: storage is out of reach; they may be recorded again.
        """
        ...

    async def spent(self, conversation_id: ConversationId) -> UsageSums:
        """Sums over all entries of a conversation.

        Raises:
            Unavailable: storage is out of reach.
        """
        ...

    async def summary(
        self,
        owner: OwnerId,
        since: datetime,
        until: datetime,
        by: Grouping,
        *,
        limit: int,
        cursor: str = "",
    ) -> UsagePage:
        """An owner's sums over the entries from `since` on and before `until`.

        Raises:
            InvalidRequest: the cursor is not one of such a list.
            Unavailable: storage is out of reach.
        """
        ...
