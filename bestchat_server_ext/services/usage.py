"""UsageService: what each attempt cost, written down without anybody waiting for it.

Entries are noted at once and written by a task of their own. Where storage is out of reach they
wait for the next one, so many and no more; what is lost is said in the log. A turn never fails or
takes longer for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from bestchat_server_ext.api.usage import Spending, SummarizeUsage, UsageRow, UsageSummary
from bestchat_server_ext.core.cost import Outcome, cost, dollars
from bestchat_server_ext.core.errors import (
    ChatError,
    InternalError,
    InvalidRequest,
    NotAllowed,
    Unavailable,
)
from bestchat_server_ext.core.ids import ConversationId, OwnerId, TurnId
from bestchat_server_ext.core.models import ModelRef, Prices, Usage
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.usage import UsageEntry, UsageStore, UsageSums

_log = logging.getLogger(__name__)

WAITING_LIMIT = 10_000
"""Entries that wait for storage at most: some megabytes."""

BATCH = 100
"""Entries that are written in one transaction."""

CLOSE_SECONDS = 6.0
"""How long writing the last entries may take: a little more than a write may have to wait."""


@contextmanager
def noting_failures(note: Callable[[Outcome, str | None], None]) -> Iterator[None]:
    """Note an attempt that breaks off after the provider was asked, whatever the reason.

    Everything is raised on. That it came to its end is for the caller to note.
    """
    try:
        yield
    except asyncio.CancelledError:
        note("cancelled", None)
        raise
    except NotAllowed:
        raise  # for want of a key or a permission: nothing was sent, and nothing is owed
    except ChatError as error:
        note("failed", error.info.code)
        raise
    except Exception:
        # A mistake, of ours or of a plugin: it costs what any other failure does.
        note("failed", InternalError.code)
        raise


class UsageService:
    """Notes what attempts cost, and adds it up."""

    def __init__(self, store: UsageStore, clock: Clock) -> None:
        """Work on these."""
        self._store = store
        self._clock = clock
        self._waiting: dict[str, UsageEntry] = {}
        self._writing: asyncio.Task[None] | None = None
        self._delayed = False
        self._dropped = 0
        self._unreadable: set[ModelRef] = set()

    # Writing.

    def note(  # noqa: PLR0913  all that is known of an attempt, by name
        self,
        *,
        owner: OwnerId,
        conversation_id: ConversationId,
        turn_id: TurnId,
        step: int,
        attempt: int,
        model: ModelRef,
        outcome: Outcome,
        usage: Usage,
        prices: Prices | None,
        at: datetime,
        error_code: str | None = None,
        estimated: bool = False,
    ) -> None:
        """Note an attempt that has ended, once; noting it again changes nothing.

        Never waits and never fails. To be called in the event loop.

        Args:
            owner: who pays.
            conversation_id: where it was.
            turn_id: the turn that it belongs to.
            step: the step of that turn, from 1.
            attempt: which attempt at that step, from 1.
            model: who was asked.
            outcome: how it ended.
            usage: its tokens; see `core.cost.spent`.
            prices: what is known of the model's prices.
            at: when it had ended.
            error_code: what went wrong, if something did.
            estimated: whether the tokens are an estimate.
        """
        picodollars = self._cost(model, outcome, usage, prices)
        entry = UsageEntry(
            owner=owner,
            conversation_id=conversation_id,
            turn_id=turn_id,
            step=step,
            attempt=attempt,
            at=at,
            model=model,
            outcome=outcome,
            error_code=error_code or None,
            usage=usage,
            estimated=estimated,
            picodollars=picodollars,
            prices_as_of=(prices and prices.as_of) or None,
        )
        if len(self._waiting) < WAITING_LIMIT:
            self._waiting[entry.id] = entry
        else:
            self._drop()
        self._begin_writing()

    def _cost(
        self, model: ModelRef, outcome: Outcome, usage: Usage, prices: Prices | None
    ) -> int | None:
        if outcome == "answered" and usage == Usage():
            return None  # nobody counted, which does not make an answer free
        try:
            return cost(usage, prices)
        except InvalidRequest as error:
            if model not in self._unreadable:
                self._unreadable.add(model)
                _log.warning("BestChat: the cost of %s is unknown: %s", model, error.info.text)
            return None

    def _drop(self) -> None:
        if not self._dropped:
            _log.warning(
                "BestChat: %d entries on usage wait for storage; newer ones are dropped",
                len(self._waiting),
            )
        self._dropped += 1

    def _begin_writing(self) -> asyncio.Task[None]:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="bestchat-usage")
        return self._writing

    async def _write(self) -> None:
        """Write what waits, the oldest first, until nothing does or storage is out of reach."""
        size = BATCH
        while batch := list(islice(self._waiting.values(), size)):
            try:
                await self._store.record(batch)
            except Unavailable as error:
                self._say_delayed(error)
                return
            except Exception as error:  # noqa: BLE001  one bad entry must not hold up all others
                if size > 1:
                    size = 1  # find out which it is
                    continue
                size = BATCH
                _log.error("BestChat: 1 entry on usage cannot be stored: %s", _reason(error))
            for entry in batch:
                del self._waiting[entry.id]
        self._delayed = False
        self._say_dropped()

    def _say_delayed(self, error: Unavailable) -> None:
        """Say once that entries wait, not with every one that comes."""
        if not self._delayed:
            self._delayed = True
            _log.warning("BestChat: usage waits for storage: %s", error.info.code)

    def _say_dropped(self) -> None:
        if self._dropped:
            _log.warning("BestChat: entries on usage that were dropped: %d", self._dropped)
            self._dropped = 0

    async def flush(self) -> None:
        """Write what waits, as far as storage is there."""
        if self._waiting:
            # Whoever asked may go away; the writing is everybody's.
            await asyncio.shield(self._begin_writing())

    async def close(self) -> None:
        """Write what waits. What cannot be written in time is dropped."""
        if self._waiting:
            writing = self._begin_writing()
            _, late = await asyncio.wait([writing], timeout=CLOSE_SECONDS)
            if late:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        self._dropped += len(self._waiting)
        self._waiting.clear()
        self._say_dropped()

    # Reading.

    async def spent(self, conversation_id: ConversationId) -> UsageSums:
        """What a conversation has cost, up to what was noted a moment ago.

        Raises:
            Unavailable: storage is out of reach.
        """
        await self.flush()
        return await self._store.spent(conversation_id)

    async def summary(self, owner: OwnerId, request: SummarizeUsage) -> UsageSummary:
        """Add up what an owner has spent, up to what was noted a moment ago.

        Raises:
            InvalidRequest: the period ends before it begins, or the cursor is none.
        """
        until = request.until or self._clock.now().astimezone(UTC).date()
        since = request.since or until.replace(day=1)
        if since > until:
            raise InvalidRequest(
                f"The period ends on {until}, before it begins on {since}.",
                hint="Let `since` be no later than `until`, which is today if left out.",
                field="since",
            )
        await self.flush()
        page = await self._store.summary(
            owner,
            datetime.combine(since, time(), UTC),
            _end_of(until),
            request.by,
            limit=request.limit,
            cursor=request.cursor,
        )
        rows = tuple(UsageRow(group.key, _spending(group.sums)) for group in page.groups)
        return UsageSummary(request.by, since, until, rows, _spending(page.total), page.cursor)


def _reason(error: Exception) -> str:
    """Why something failed, without what it was about."""
    return error.info.code if isinstance(error, ChatError) else origin(error)


def _end_of(day: date) -> datetime:
    """The first moment after a day; the last day there is has to do without its last one."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _spending(sums: UsageSums) -> Spending:
    nothing_known = 0 < sums.attempts == sums.unknown
    return Spending(
        attempts=sums.attempts,
        failed=sums.failed,
        cancelled=sums.cancelled,
        usage=sums.usage,
        cost=None if nothing_known else dollars(sums.picodollars),
        unknown_attempts=sums.unknown,
        estimated=sums.estimated,
        estimated_tokens=sums.estimated_tokens,
        estimated_cost=None if nothing_known else dollars(sums.estimated_picodollars),
    )
