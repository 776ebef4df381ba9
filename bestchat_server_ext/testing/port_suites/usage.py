"""What every store of usage has to do, as tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone

import msgspec
import pytest

from bestchat_server_ext.core.cost import Grouping
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.ids import ConversationId, OwnerId, TurnId
from bestchat_server_ext.core.models import ModelRef, Usage
from bestchat_server_ext.ports.usage import (
    UsageEntry,
    UsageGroup,
    UsagePage,
    UsageStore,
    UsageSums,
)
from bestchat_server_ext.testing.clock import START, ManualClock

ADA = OwnerId("ada")
GROUPINGS: tuple[Grouping, ...] = ("day", "model", "conversation")
DAY = timedelta(days=1)
EVER = START - 1000 * DAY, START + 1000 * DAY

MODELS = tuple(
    map(
        ModelRef.parse, ["a-b/x", "a/b/x", "a/x", "a/x-1", "a/x.1", "a/é", "b/X", "b/x", "openai/x"]
    )
)
"""In the order of their bytes, provider by provider, which is the order of no dictionary."""
BY_NAME = sorted(MODELS, key=lambda model: (model.provider, model.model))

_clock = ManualClock(origin=9)
_conversations = tuple(ConversationId(_clock.new_id()) for _ in range(3))


def entry(**fields: object) -> UsageEntry:
    """An attempt at something new."""
    made = UsageEntry(
        owner=ADA,
        conversation_id=_conversations[0],
        turn_id=TurnId(_clock.new_id()),
        step=1,
        attempt=1,
        at=START,
        model=MODELS[0],
        outcome="answered",
        usage=Usage(10, 5, 4, 3, 2),
        picodollars=7,
    )
    return msgspec.structs.replace(made, **fields)


def day_of_work() -> list[UsageEntry]:
    """Every kind of attempt, over three days, on several models, in several conversations."""
    made = []
    for number in range(60):
        unknown, estimated = number % 7 == 0, number % 5 == 0
        made.append(
            entry(
                conversation_id=_conversations[number % 3],
                attempt=1 + number % 2,
                at=START + timedelta(hours=number, microseconds=number % 2),  # also at midnight
                model=MODELS[number % len(MODELS)],
                outcome=("answered", "failed", "answered", "cancelled")[number % 4],
                error_code="rate_limited" if number % 4 == 1 else None,
                usage=Usage(1000 + number, 10 * number, number, 2 * number, 3 * number),
                estimated=estimated,
                picodollars=None if unknown else number**7 + 1,
                prices_as_of=None if unknown else "2026-01-01",
            )
        )
    return made


def added(entries: Iterable[UsageEntry]) -> UsageSums:
    """The sums over entries, by the simplest means."""
    made, usage = list(entries), Usage()
    for item in made:
        usage += item.usage
    rough = [item for item in made if item.estimated]
    return UsageSums(
        attempts=len(made),
        failed=sum(item.outcome == "failed" for item in made),
        cancelled=sum(item.outcome == "cancelled" for item in made),
        usage=usage,
        picodollars=sum(item.picodollars or 0 for item in made),
        unknown=sum(item.picodollars is None for item in made),
        estimated=len(rough),
        estimated_tokens=sum(item.usage.input_tokens + item.usage.output_tokens for item in rough),
        estimated_picodollars=sum(item.picodollars or 0 for item in rough),
    )


def grouped(entries: Sequence[UsageEntry], by: Grouping) -> tuple[UsageGroup, ...]:
    """The groups of entries in their order, likewise."""
    groups: dict[str, list[UsageEntry]] = {}
    for item in entries:
        keys = {
            "day": item.at.date().isoformat(),
            "model": str(item.model),
            "conversation": item.conversation_id,
        }
        groups.setdefault(keys[by], []).append(item)
    order = [str(model) for model in BY_NAME] if by == "model" else sorted(groups, reverse=True)
    return tuple(UsageGroup(key, added(groups[key])) for key in order if key in groups)


async def everything(store: UsageStore, by: Grouping, owner: OwnerId = ADA) -> UsagePage:
    """An owner's sums, all on one page."""
    return await store.summary(owner, *EVER, by, limit=200)


class UsageSuite:
    """The tests. Define the fixture `usage`: an empty store."""

    async def test_nothing_adds_up_to_nothing(self, usage: UsageStore) -> None:
        """Which is no error."""
        await usage.record([])
        for by in GROUPINGS:
            assert await everything(usage, by) == UsagePage((), UsageSums())

    @pytest.mark.parametrize("by", GROUPINGS)
    async def test_groups_are_added_up(self, usage: UsageStore, by: Grouping) -> None:
        """Each exactly, in order, and all of them together."""
        entries = day_of_work()
        await usage.record(entries)
        await usage.record([entry(owner=OwnerId("bob"))])
        found = await everything(usage, by)
        assert found.groups == grouped(entries, by)
        assert found.total == added(entries)
        assert found.cursor == ""

    @pytest.mark.parametrize("by", GROUPINGS)
    @pytest.mark.parametrize("limit", [1, 2, 3])
    async def test_groups_come_in_pages(self, usage: UsageStore, by: Grouping, limit: int) -> None:
        """Each page knows the total of all."""
        entries = day_of_work()
        await usage.record(entries)
        seen, cursor = list[UsageGroup](), ""
        while True:
            page = await usage.summary(ADA, *EVER, by, limit=limit, cursor=cursor)
            assert len(page.groups) <= limit
            assert page.total == added(entries)
            seen += page.groups
            if not (cursor := page.cursor):
                break
        assert tuple(seen) == grouped(entries, by)

    async def test_an_attempt_counts_once(self, usage: UsageStore) -> None:
        """However often it is recorded, alone or among others; what was first stays."""
        first, second = entry(), entry()
        await usage.record([first])
        await usage.record([first, second, second])
        await usage.record([msgspec.structs.replace(first, picodollars=1000)])
        assert (await everything(usage, "day")).total == added([first, second])

    async def test_each_attempt_of_each_step_counts(self, usage: UsageStore) -> None:
        """They belong to the same turn."""
        turn_id = TurnId(_clock.new_id())
        places = [(1, 1), (1, 2), (2, 1), (11, 1), (1, 11)]
        entries = [entry(turn_id=turn_id, step=step, attempt=attempt) for step, attempt in places]
        await usage.record(entries)
        assert (await everything(usage, "day")).total.attempts == len(places)

    async def test_a_period_begins_and_ends(self, usage: UsageStore) -> None:
        """Its first moment belongs to it, and its end does not."""
        tick = timedelta(microseconds=1)
        inside = [entry(at=at) for at in (START, START + tick, START + DAY - tick)]
        await usage.record([*inside, entry(at=START - tick), entry(at=START + DAY)])
        for by in GROUPINGS:
            page = await usage.summary(ADA, START, START + DAY, by, limit=5)
            assert page.total == added(inside)
            assert [group.sums for group in page.groups] == [added(inside)]

    async def test_days_are_those_of_utc(self, usage: UsageStore) -> None:
        """Whatever the zone in which a moment is given."""
        for hours in (-11, 0, 13):
            zone = timezone(timedelta(hours=hours))
            late = datetime(2026, 3, 29, 23, 59, 59, 999999, tzinfo=START.tzinfo)
            await usage.record([entry(at=late.astimezone(zone))])
        page = await everything(usage, "day")
        assert [group.key for group in page.groups] == ["2026-03-29"]

    async def test_the_largest_numbers_add_up(self, usage: UsageStore) -> None:
        """Past what 64 bits hold, to the last digit."""
        most = 2**63 - 1
        tokens = Usage(*[2**53 - 1] * 5)
        entries = [entry(picodollars=most, usage=tokens, estimated=True) for _ in range(40)]
        await usage.record(entries)
        for item in range(0, 1100, 100):  # the tokens alone need a thousand
            await usage.record([entry(usage=tokens, picodollars=item) for _ in range(100)])
        total = (await everything(usage, "day")).total
        assert total.picodollars == 40 * most + 100 * sum(range(0, 1100, 100))
        assert total.estimated_picodollars == 40 * most
        assert total.usage == Usage(*[1140 * (2**53 - 1)] * 5)
        assert total.estimated_tokens == 80 * (2**53 - 1)

    @pytest.mark.parametrize(
        ("by", "cursor"),
        [
            ("day", "yesterday"),
            ("day", "2026-02-30"),
            ("day", "a/x"),
            ("model", "a"),
            ("model", "/x"),
            ("conversation", "2026-01-01"),
            ("conversation", "' OR 1=1 --"),
        ],
    )
    async def test_a_cursor_of_another_list_is_refused(
        self, usage: UsageStore, by: Grouping, cursor: str
    ) -> None:
        """It would show something, and not what was meant."""
        await usage.record([entry()])
        with pytest.raises(InvalidRequest) as caught:
            await usage.summary(ADA, *EVER, by, limit=1, cursor=cursor)
        assert caught.value.info.field == "cursor"
