"""A token and an address for every kernel that the server starts.

The token is made before the kernel, because it travels in the kernel's environment. While the
database is closed, it is stored when a BestChat token is first presented: a kernel that never chats
must not open it. It is revoked when the kernel is removed. A restart keeps environment and kernel,
and so the token.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from bestchat_server_ext.bootstrap import Application
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
        self._pending: dict[str, tuple[str, OwnerId]] = {}
        self._revoking: set[asyncio.Task[None]] = set()
        self._settling = asyncio.Lock()

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
            self._pending[kernel_id] = token, owner
            if (opened := self._door.opened) is not None:
                await self._settle_now(opened)
            return kernel_id

        def remove_kernel(kernel_id: str) -> Any:  # noqa: ANN401  passed through
            self._end(kernel_id)
            return remove(kernel_id)

        kernel_manager.start_kernel = start_kernel
        kernel_manager.remove_kernel = remove_kernel

    async def settle(self, application: Application) -> None:
        """Store the tokens that were given out and not stored yet.

        Raises:
            ChatError: storage is out of reach; they are kept for the next time.
        """
        async with self._settling:
            for kernel_id, (token, owner) in list(self._pending.items()):
                await application.tokens.add_kernel_token(token, owner, kernel_id)
                if self._pending.pop(kernel_id, None) is None:  # it has ended meanwhile
                    await application.tokens.revoke_kernel(kernel_id)

    async def _settle_now(self, application: Application) -> None:
        """As `settle`, where a kernel must start even if its token cannot be stored yet."""
        try:
            await self.settle(application)
        except ChatError as error:
            _log.warning("BestChat: a kernel's token is not stored yet: %s", error)

    def _end(self, kernel_id: str) -> None:
        """A kernel is gone, and its token with it."""
        if self._pending.pop(kernel_id, None) is not None or self._door.opened is None:
            return  # it was never stored, or `settle` is at it and will revoke it
        task = asyncio.create_task(self._revoke(self._door.opened, kernel_id))
        self._revoking.add(task)
        task.add_done_callback(self._revoking.discard)

    async def _revoke(self, application: Application, kernel_id: str) -> None:
        try:
            await application.tokens.revoke_kernel(kernel_id)
        except ChatError as error:
            _log.warning("BestChat: the token of kernel %s stays: %s", kernel_id, error)

    async def close(self, kernel_ids: Iterable[str]) -> None:
        """Revoke the tokens of all kernels: the server is stopping, and they stop with it."""
        for kernel_id in kernel_ids:
            self._end(kernel_id)
        await asyncio.gather(*self._revoking, return_exceptions=True)
