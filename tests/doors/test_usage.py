"""Usage: written down behind everybody's back, and added up to the last digit."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bestchat_server_ext.api import conversations
from bestchat_server_ext.api import usage as api
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.access import KERNEL_SCOPES, Caller, Scope
from bestchat_server_ext.core.cost import Grouping
from bestchat_server_ext.core.errors import InvalidRequest, NotAllowed, Unavailable
from bestchat_server_ext.core.ids import LOCAL_OWNER, ConversationId, OwnerId, TurnId
from bestchat_server_ext.core.models import ModelRef, Prices, Usage
from bestchat_server_ext.ports.usage import UsageEntry, UsagePage
from bestchat_server_ext.services import usage as service
from bestchat_server_ext.services.usage import UsageService
from bestchat_server_ext.testing import usage_day
from bestchat_server_ext.testing.clock import START, ManualClock

NOTHING = api.Spending(0, 0, 0, Usage(), "0", 0, 0, 0, "0")
ids = ManualClock(origin=17)


def noted(**given: Any) -> dict[str, Any]:
    """What is known of one attempt at something new: it costs 0.000007 dollars."""
    return {
        "owner": LOCAL_OWNER,
        "conversation_id": ConversationId(ids.new_id()),
        "turn_id": TurnId(ids.new_id()),
        "step": 1,
        "attempt": 1,
        "model": ModelRef("a", "b"),
        "outcome": "answered",
        "usage": Usage(1, 2),
        "prices": Prices("1", "3"),
        "at": START,
    } | given


class Till:
    """Where attempts are noted and added up."""

    def __init__(self, house: Any) -> None:
        self.application = house.application
        self.clock: ManualClock = house.clock
        self.service: UsageService = house.application._services.usage

    def client(self, caller: Caller | None = None) -> Client:
        return InProcessClient(self.application, caller or Caller(LOCAL_OWNER, "user"))

    async def ask(self, caller: Caller | None = None, **request: Any) -> api.UsageSummary:
        return await self.client(caller).call(api.summary, api.SummarizeUsage(**request))


@pytest.fixture
async def till(build: Callable[..., Awaitable[Any]]) -> Till:
    return Till(await build())


class TestADay:
    """The scripted day, through every door."""

    @pytest.fixture
    async def client(self, till: Till, door: Callable[..., Awaitable[Client]]) -> Client:
        attempts = list(usage_day.attempts(LOCAL_OWNER))
        again = random.Random(7).sample(attempts, len(attempts))
        for attempt in (*attempts, *again):
            till.service.note(**attempt)
        till.service.note(**attempts[0] | {"owner": OwnerId("ada"), "turn_id": ids.new_id()})
        return await door(till.application)

    async def ask(self, client: Client, by: Grouping, **more: Any) -> api.UsageSummary:
        period = {"since": usage_day.DAY, "until": usage_day.NEXT_DAY} | more
        return await client.call(api.summary, api.SummarizeUsage(by, **period))

    async def test_by_model(self, client: Client) -> None:
        found = await self.ask(client, "model")
        assert {row.key: row.spending for row in found.rows} == {
            str(model): spending for model, spending in usage_day.BY_MODEL.items()
        }
        assert found.total == usage_day.TOTAL

    async def test_by_day(self, client: Client) -> None:
        found = await self.ask(client, "day")
        assert [(row.key, row.spending) for row in found.rows] == [
            (day.isoformat(), spending) for day, spending in usage_day.BY_DAY.items()
        ]
        assert found.total == usage_day.TOTAL

    async def test_by_conversation(self, client: Client) -> None:
        found = await self.ask(client, "conversation")
        costs = [Decimal(row.spending.cost or "NaN") for row in found.rows]
        assert (len(costs), sum(costs)) == (3, Decimal(usage_day.TOTAL.cost or "NaN"))
        assert sum(row.spending.attempts for row in found.rows) == 60
        assert found.total == usage_day.TOTAL

    async def test_one_day_of_it(self, client: Client) -> None:
        for day, spending in usage_day.BY_DAY.items():
            found = await self.ask(client, "day", since=day, until=day)
            assert found.total == spending
            assert [row.key for row in found.rows] == [day.isoformat()]

    async def test_page_by_page(self, client: Client) -> None:
        keys, cursor = list[str](), ""
        while True:
            page = await self.ask(client, "model", limit=3, cursor=cursor)
            assert page.total == usage_day.TOTAL
            keys += [row.key for row in page.rows]
            if not (cursor := page.cursor):
                break
        assert keys == [str(model) for model in usage_day.BY_MODEL]


class TestThePeriod:
    async def test_it_is_this_month_by_default(self, till: Till) -> None:
        till.clock.advance(timedelta(days=40, hours=5).total_seconds())
        month = datetime(2026, 2, 1, tzinfo=UTC)
        for at in (month, till.clock.now(), month - timedelta(microseconds=1)):
            till.service.note(**noted(at=at))
        found = await till.ask()
        assert (found.since, found.until) == (date(2026, 2, 1), date(2026, 2, 10))
        assert [row.key for row in found.rows] == ["2026-02-10", "2026-02-01"]
        assert found.total.cost == "0.000014"

    async def test_an_end_alone_means_its_month(self, till: Till) -> None:
        found = await till.ask(until=date(2025, 3, 15))
        assert (found.since, found.until) == (date(2025, 3, 1), date(2025, 3, 15))

    async def test_it_may_be_all_there_is(self, till: Till) -> None:
        till.service.note(**noted())
        found = await till.ask(since=date.min, until=date.max)
        assert found.total.attempts == 1

    async def test_it_ends_after_it_begins(self, till: Till) -> None:
        first, second = date(2026, 1, 1), date(2026, 1, 2)
        for until in (first, None):
            with pytest.raises(InvalidRequest) as caught:
                await till.ask(since=second, until=until)
            assert caught.value.info.field == "since"
        assert (await till.ask(since=first, until=first)).rows == ()

    async def test_where_nothing_was_spent_it_is_zero(self, till: Till) -> None:
        found = await till.ask()
        assert (found.rows, found.total, found.cursor) == ((), NOTHING, "")


class TestWhoseItIs:
    async def test_everybody_sees_their_own(self, till: Till) -> None:
        ada = OwnerId("ada")
        till.service.note(**noted(owner=ada))
        assert (await till.ask(since=date.min)).total == NOTHING
        mine = await till.ask(Caller(ada, "user"))
        assert mine.total.attempts == 1

    async def test_a_kernel_sees_its_owners(self, till: Till) -> None:
        till.service.note(**noted())
        kernel = Caller(LOCAL_OWNER, "kernel", KERNEL_SCOPES, kernel_id="k")
        assert (await till.ask(kernel)).total.attempts == 1

    async def test_a_token_without_that_scope_sees_nothing(self, till: Till) -> None:
        poor = Caller(LOCAL_OWNER, "token", frozenset(Scope) - {Scope.USAGE_READ})
        with pytest.raises(NotAllowed, match="usage:read"):
            await till.ask(poor)


class TestWhatItCosts:
    @pytest.mark.parametrize(
        ("given", "cost"),
        [
            ({}, "0.000007"),
            ({"prices": None}, None),
            ({"prices": Prices("1")}, None),
            ({"prices": Prices("1", "cheap")}, None),
            ({"prices": Prices("0", "0")}, "0"),
            # An answer without a count is not free; a failure without one is.
            ({"usage": Usage()}, None),
            ({"usage": Usage(), "outcome": "failed"}, "0"),
        ],
    )
    async def test_unknown_is_not_zero(
        self, till: Till, given: dict[str, Any], cost: str | None
    ) -> None:
        till.service.note(**noted(**given))
        total = (await till.ask()).total
        assert (total.cost, total.unknown_attempts) == (cost, int(cost is None))

    async def test_prices_that_cannot_be_read_are_told_once(
        self, till: Till, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(3):
            till.service.note(**noted(prices=Prices("cheap")))
        told = [record for record in caplog.records if record.name == service.__name__]
        assert len(told) == 1
        assert "a/b" in told[0].getMessage()

    async def test_it_outlives_its_conversation(self, till: Till) -> None:
        client = till.client()
        made = await client.call(
            conversations.create, conversations.CreateConversation(title="A secret title")
        )
        till.service.note(**noted(conversation_id=made.id))
        await client.call(conversations.delete, conversations.DeleteConversation(made.id))
        found = await till.ask(by="conversation")
        assert [(row.key, row.spending.cost) for row in found.rows] == [(made.id, "0.000007")]
        assert "secret" not in repr(found)


class Shaky:
    """A store that a test can take away, and that refuses some entries for good."""

    def __init__(self) -> None:
        self.kept: list[UsageEntry] = []
        self.batches: list[int] = []
        self.there = asyncio.Event()
        self.there.set()
        self.away = False
        self.refused: dict[str, Exception] = {}

    async def record(self, entries: Sequence[UsageEntry]) -> None:
        await self.there.wait()
        if self.away:
            raise Unavailable("The disk is full.")
        for entry in entries:
            if entry.turn_id in self.refused:
                raise self.refused[entry.turn_id]
        self.batches.append(len(entries))
        self.kept += entries

    async def summary(self, *_: Any, **__: Any) -> UsagePage:
        raise AssertionError("nobody adds up what this keeps")


@pytest.fixture
def store() -> Shaky:
    return Shaky()


@pytest.fixture
def usage(store: Shaky) -> UsageService:
    return UsageService(store, ManualClock())


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [item.getMessage() for item in caplog.records if item.name == service.__name__]


class TestWriting:
    """Nobody waits for it, and nothing is lost in silence."""

    async def test_noting_does_not_wait(self, usage: UsageService, store: Shaky) -> None:
        store.there.clear()
        usage.note(**noted())  # it is no coroutine
        usage.note(**noted())
        await asyncio.sleep(0)
        usage.note(**noted())
        assert store.kept == []
        store.there.set()
        await usage.flush()
        assert len(store.kept) == 3
        assert len(store.batches) == 2

    async def test_nobody_has_to_flush(self, usage: UsageService, store: Shaky) -> None:
        usage.note(**noted())
        assert usage._writing is not None
        await usage._writing
        assert len(store.kept) == 1

    async def test_what_storage_missed_is_written_with_the_next(
        self, usage: UsageService, store: Shaky, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.away = True
        for number in range(3):
            usage.note(**noted(step=number + 1))
            await usage.flush()
        assert store.kept == []
        assert said(caplog) == ["BestChat: usage waits for storage: unavailable"]
        store.away = False
        usage.note(**noted(step=4))
        await usage.flush()
        assert [entry.step for entry in store.kept] == [1, 2, 3, 4]
        store.away = True
        usage.note(**noted())
        await usage.flush()
        assert len(said(caplog)) == 2

    async def test_many_go_in_batches(self, usage: UsageService, store: Shaky) -> None:
        for _ in range(2 * service.BATCH + 1):
            usage.note(**noted())
        await usage.flush()
        assert store.batches == [service.BATCH, service.BATCH, 1]

    async def test_so_many_wait_and_no_more(
        self,
        usage: UsageService,
        store: Shaky,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "WAITING_LIMIT", 3)
        store.away = True
        for number in range(8):
            usage.note(**noted(step=number + 1))
            await usage.flush()
        store.away = False
        await usage.flush()
        assert [entry.step for entry in store.kept] == [1, 2, 3]
        assert said(caplog)[-1] == "BestChat: entries on usage that were dropped: 5"
        usage.note(**noted(step=9))
        await usage.flush()
        assert store.kept[-1].step == 9
        assert len(said(caplog)) == 3

    @pytest.mark.parametrize("error", [InvalidRequest("A secret."), KeyError("A secret.")])
    async def test_one_that_cannot_be_stored_holds_up_no_other(
        self,
        usage: UsageService,
        store: Shaky,
        caplog: pytest.LogCaptureFixture,
        error: Exception,
    ) -> None:
        entries = [noted(step=number + 1) for number in range(5)]
        store.refused = {entries[2]["turn_id"]: error}
        for entry in entries:
            usage.note(**entry)
        await usage.flush()
        assert [entry.step for entry in store.kept] == [1, 2, 4, 5]
        assert len(said(caplog)) == 1
        assert "cannot be stored" in caplog.text
        assert "secret" not in caplog.text

    async def test_closing_writes_what_waits(
        self, usage: UsageService, store: Shaky, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.away = True
        usage.note(**noted())
        await usage.flush()
        store.away = False
        await usage.close()
        assert len(store.kept) == 1
        await usage.close()
        assert len(said(caplog)) == 1

    async def test_closing_says_what_it_could_not_write(
        self, usage: UsageService, store: Shaky, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.away = True
        usage.note(**noted())
        usage.note(**noted())
        await usage.close()
        assert said(caplog)[-1] == "BestChat: entries on usage that were dropped: 2"

    async def test_closing_does_not_wait_for_ever(
        self,
        usage: UsageService,
        store: Shaky,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "CLOSE_SECONDS", 0.01)
        store.there.clear()
        usage.note(**noted())
        await usage.close()
        assert said(caplog) == ["BestChat: entries on usage that were dropped: 1"]

    async def test_the_application_writes_it_when_it_closes(self, build: Any) -> None:
        first = Till(await build())
        first.service.note(**noted())
        await first.application.close()
        second = Till(await build(origin=1))
        assert (await second.ask()).total.attempts == 1

    async def test_a_summary_knows_what_was_noted_a_moment_ago(self, till: Till) -> None:
        till.service.note(**noted())
        assert (await till.ask()).total.attempts == 1

    async def test_whoever_stops_asking_stops_no_writing(
        self, usage: UsageService, store: Shaky
    ) -> None:
        store.there.clear()
        usage.note(**noted())
        asking = asyncio.create_task(usage.flush())
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        store.there.set()
        assert usage._writing is not None
        await usage._writing
        assert len(store.kept) == 1
