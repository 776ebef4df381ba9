"""Clocks that differ: a server's, by which leases are kept, and this machine's.

The difference is looked at when a database is opened. Leases last for seconds, so that what a
clock gains or loses meanwhile does not matter; one that is set while BestChat runs does, until the
next start.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

CLOCK_TOLERANCE = timedelta(seconds=2)
"""How far clocks may be apart before people are told."""


def utc_now() -> datetime:
    """What this machine takes for the present."""
    return datetime.now(UTC)


def clock_difference(connection: Connection, now: Callable[[], datetime]) -> timedelta:
    """How far the server's clock is ahead of this machine's, as far as that can be told.

    What the way there and back may account for is none.
    """
    before = now()
    there: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    after = now()
    if before <= there <= after:
        return timedelta()
    return there - (after if there > after else before)


def clock_notices(label: str, ahead: timedelta) -> tuple[str, ...]:
    """What a person should know about clocks that differ."""
    if abs(ahead) <= CLOCK_TOLERANCE:
        return ()
    late = "behind" if ahead > timedelta() else "ahead of"
    notice = (
        f"The clock of this machine is {abs(ahead).total_seconds():.0f} seconds {late} that of the "
        f"database {label}. Turns are safe from that, but times are shown wrong: set the clock."
    )
    return (notice,)
