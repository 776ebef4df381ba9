"""When somebody last used BestChat, for whoever stops servers that nobody uses.

Jupyter's idle shutdown and the cullers of JupyterHub read one time of last activity. A call that a
person means counts, and so does every running turn; an open WebSocket does not, nor what front ends
ask by themselves.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bestchat_server_ext.api.catalog import BY_NAME
from bestchat_server_ext.web.door import Door

LOOK_SECONDS = 10.0
"""How often running turns are looked for: far below the minutes after which servers are stopped."""

_MACHINERY = frozenset({"events", "system"})
"""Topics of calls that programs make by themselves: to come back after a lost line, to look
whether all is well."""


class Activity:
    """Writes the time of last activity down where Jupyter Server looks for it."""

    def __init__(self, times: dict[str, datetime]) -> None:
        """Write into `times`, which Jupyter keeps for all its extensions."""
        self._times = times
        self._watching: asyncio.Task[None] | None = None

    def note(self) -> None:
        """Something happens now."""
        self._times["bestchat"] = datetime.now(UTC)

    def note_call(self, path: str) -> None:
        """Somebody whom we know calls a procedure, or asks for something else."""
        procedure = BY_NAME.get(path.rpartition("/")[2])
        if procedure is not None and procedure.name.partition(".")[0] not in _MACHINERY:
            self.note()

    def watch(self, door: Door) -> None:
        """From now on, look for running turns again and again."""
        self._watching = asyncio.create_task(self._look(door), name="bestchat-activity")

    async def _look(self, door: Door) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if door.opened is not None and door.opened.running_turns:
                self.note()

    def close(self) -> None:
        """Stop looking."""
        if self._watching is not None:
            self._watching.cancel()
