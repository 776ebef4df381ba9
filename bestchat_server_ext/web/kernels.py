"""A token and an address for every kernel that the server starts.

The token is made before the kernel, because it travels in the kernel's environment, and becomes
valid while the kernel starts: opening the database must not hold the kernel up. It is revoked
when the kernel is removed. A restart keeps environment and kernel, and so the token.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from typing import Any

from bestchat_server_ext.core.errors import ChatError
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.tokens import ENTROPY_BYTES, new_token
from bestchat_server_ext.web.door import Door

_log = logging.getLogger(__name__)


class KernelTokens:
    """Watches a kernel manager, and gives its kernels their credentials."""

    def __init__(self, door: Door, url: Callable[[], str], owner: Callable[[], OwnerId]) -> None:
        """Give kernels the address `url()`, and tokens that speak for `owner()`."""
        self._door = door
        self._url = url
        self._owner = owner
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def watch(self, kernel_manager: Any) -> None:  # noqa: ANN401  any MappingKernelManager
        """Wrap the two methods through which kernels come and go.

        They are wrapped on the instance, because the class is the administrator's to choose.
        """
        start, remove = kernel_manager.start_kernel, kernel_manager.remove_kernel

        async def start_kernel(**kwargs: Any) -> str:  # noqa: ANN401  passed through
            if kwargs.get("kernel_id") in kernel_manager:
                existing: str = await start(**kwargs)
                return existing
            token, owner = new_token(secrets.token_bytes(ENTROPY_BYTES)), self._owner()
            environ = kwargs.pop("env", None)
            environ = dict(os.environ if environ is None else environ)
            environ |= {"BESTCHAT_URL": self._url(), "BESTCHAT_TOKEN": token}
            kernel_id: str = await start(**kwargs, env=environ)
            self._tasks[kernel_id] = asyncio.create_task(self._add(token, owner, kernel_id))
            return kernel_id

        def remove_kernel(kernel_id: str) -> Any:  # noqa: ANN401  passed through
            if (adding := self._tasks.get(kernel_id)) is not None and not self._closed:
                self._tasks[kernel_id] = asyncio.create_task(self._revoke(kernel_id, adding))
            return remove(kernel_id)

        kernel_manager.start_kernel = start_kernel
        kernel_manager.remove_kernel = remove_kernel

    async def close(self) -> None:
        """Revoke all tokens: the server is stopping, and its kernels stop with it."""
        self._closed = True
        await asyncio.gather(
            *(self._revoke(kernel_id, task) for kernel_id, task in list(self._tasks.items()))
        )

    async def _add(self, token: str, owner: OwnerId, kernel_id: str) -> None:
        try:
            application = await self._door.application()
            await application.tokens.add_kernel_token(token, owner, kernel_id)
        except ChatError as error:
            _log.warning("BestChat: kernel %s has no token: %s", kernel_id, error)

    async def _revoke(self, kernel_id: str, adding: asyncio.Task[None]) -> None:
        await adding
        try:
            application = await self._door.application()
            await application.tokens.revoke_kernel(kernel_id)
        except ChatError as error:
            _log.warning("BestChat: the token of kernel %s stays: %s", kernel_id, error)
        self._tasks.pop(kernel_id, None)
