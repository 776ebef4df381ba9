"""Housekeeping: what is to be done now and then, whoever is there."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from bestchat_server_ext.core.errors import ChatError
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.services.conversations import PURGED_AT_ONCE, ConversationManager
from bestchat_server_ext.services.files import FileService

_log = logging.getLogger(__name__)

PURGE_SECONDS = 3600.0
"""How often it is looked for deleted conversations that nobody can restore any more."""


class Housekeeping:
    """Removes what was deleted long ago."""

    def __init__(
        self,
        conversations: ConversationManager,
        files: FileService,
        clock: Clock,
        keep_deleted: timedelta,
    ) -> None:
        """Work on these; what was deleted can be restored for `keep_deleted`."""
        self._conversations = conversations
        self._files = files
        self._clock = clock
        self._keep = keep_deleted
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="bestchat-housekeeping")

    async def close(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                gone = await self._conversations.purge_deleted(self._keep)
                await self._files.tidy()
            except ChatError as error:
                _log.warning("BestChat: deleted conversations stay: %s", error.info.code)
                gone = 0
            except Exception as error:  # noqa: BLE001  nothing else would ever be removed
                _log.error("BestChat: deleted conversations stay: %s", origin(error))
                gone = 0
            # A full batch: there may be more of them.
            await self._clock.sleep(0 if gone == PURGED_AT_ONCE else PURGE_SECONDS)
