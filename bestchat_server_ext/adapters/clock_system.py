"""The clock of the machine."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime

from bestchat_server_ext.core.ids import uuid7


class SystemClock:
    """Real time, and ids with real randomness."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)

    def new_id(self) -> str:
        """A new UUIDv7."""
        return uuid7(self.now(), os.urandom(10))
