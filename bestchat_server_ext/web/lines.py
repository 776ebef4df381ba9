"""All open WebSockets of one host: how many each owner has, and which of them are of no use.

A client that died says nothing, not even that it is gone: its lines are found by their silence. One
task looks after all lines; a timer for each would cost more than it finds.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from bestchat_server_ext.api import closing
from bestchat_server_ext.core.errors import LimitReached
from bestchat_server_ext.core.ids import OwnerId

SWEEP_SECONDS = 5.0
"""How often lines are looked at."""

HELLO_SECONDS = 10.0
"""How long a client may take to say hello."""

SILENCE_SECONDS = 60.0
"""How long nothing at all may be heard of a client: it answers pings by itself."""

IDLE_SECONDS = 300.0
"""How long a client may follow nothing."""


class Line(Protocol):
    """A WebSocket, as far as it can be of no use."""

    greeted: bool
    """Whether the client has said hello."""
    heard_at: float
    """When anything was last heard of the client, by the event loop's clock."""
    idle_since: float | None
    """Since when nothing is followed on it; none while something is."""

    def hang_up(self, why: closing.Closing) -> None:
        """Send nothing any more, and close."""
        ...


class Lines:
    """The open lines by their owners."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lines: dict[OwnerId, set[Line]] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def enter(self, owner: OwnerId, line: Line, most: int) -> None:
        """Count a new line.

        Raises:
            LimitReached: its owner has `most` already; it is not counted.
        """
        here = self._lines.setdefault(owner, set())
        if len(here) >= most:
            raise LimitReached(
                f"You have {most} WebSockets open here, and more are not allowed.",
                hint=closing.CLOSE_SOME,
            )
        here.add(line)
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep(), name="bestchat-lines")

    def leave(self, owner: OwnerId, line: Line) -> None:
        """Forget a line; also one that was never counted."""
        here = self._lines.get(owner, set())
        here.discard(line)
        if not here:
            self._lines.pop(owner, None)
        if not self._lines:
            self._stop()

    def close(self) -> None:
        """Hang up on everybody: the host is about to end."""
        for line in self._all():
            line.hang_up(closing.STOPPING)
        self._stop()

    def _all(self) -> list[Line]:
        return [line for here in self._lines.values() for line in here]

    def _stop(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
            for line in self._all():
                if (why := _useless(line, now)) is not None:
                    line.hang_up(why)


def _useless(line: Line, now: float) -> closing.Closing | None:
    """Why a line is to be let go, if it is."""
    idle = 0.0 if line.idle_since is None else now - line.idle_since
    if now - line.heard_at > SILENCE_SECONDS or (not line.greeted and idle > HELLO_SECONDS):
        return closing.SILENT
    return closing.IDLE if idle > IDLE_SECONDS else None
