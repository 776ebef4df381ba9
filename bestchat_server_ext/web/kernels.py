"""A token and an address for every kernel that the server starts.

The token is made before the kernel, because it travels in the kernel's environment. While the
database is closed, it is stored when a BestChat token is first presented: a kernel that never chats
must not open it. It is revoked when the kernel is removed. A restart keeps environment and kernel,
and so the token.

What the server itself must know, and its kernels must not, is taken out of their environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.core.errors import ChatError, Disabled
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.tokens import ENTROPY_BYTES, new_token
from bestchat_server_ext.web.door import Door

_log = logging.getLogger(__name__)

WITHHELD = frozenset(
    {
        "BESTCHAT_DATABASE_URL",
        "BESTCHAT_REDIS_URL",
        "BESTCHAT_MASTER_KEYS",
        "BESTCHAT_URL",
        "BESTCHAT_TOKEN",
    }
)
"""Variables of the server that no kernel inherits: secrets, and the way to the server in whose
kernel or terminal this one may have been started."""


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What a kernel gets of the server's environment."""
    return {name: value for name, value in environ.items() if name not in WITHHELD}


def _withholding(update: Callable[..., None]) -> Callable[..., None]:
    """A kernel manager's `update_env`, for which a renamed session is no way around us.

    It passes all of the server's environment once more, and the next restart would use it.
    """

    def update_env(*, kernel_id: str, env: Mapping[str, str]) -> None:
        update(kernel_id=kernel_id, env=inherited(env))

    return update_env


class KernelTokens:
    """Watches a kernel manager, and gives its kernels their credentials."""

    def __init__(
        self,
        door: Door,
        address: Callable[[], Awaitable[str]],
        owner: Callable[[], OwnerId | None],
    ) -> None:
        """Give kernels the server's address, and tokens that speak for `owner()`.

        Nobody's kernels get neither.
        """
        self._door = door
        self._address = address
        self._owner = owner
        self._pending: dict[str, tuple[str, OwnerId]] = {}
        self._revoking: set[asyncio.Task[None]] = set()
        self._settling = asyncio.Lock()

    def watch(self, kernel_manager: Any) -> None:  # noqa: ANN401  any MappingKernelManager
        """Wrap the methods through which kernels come, change their environment and go.

        They are wrapped on the instance, because the class is the administrator's to choose.
        """
        start, remove = kernel_manager.start_kernel, kernel_manager.remove_kernel

        async def start_kernel(**kwargs: Any) -> str:  # noqa: ANN401  passed through
            if kwargs.get("kernel_id") in kernel_manager:
                existing: str = await start(**kwargs)
                return existing
            environ = kwargs.pop("env", None)
            environ = inherited(os.environ if environ is None else environ)
            owner = self._owner()
            environ |= await self._credentials(owner)
            kernel_id: str = await start(**kwargs, env=environ)
            if owner is None or (token := environ.get("BESTCHAT_TOKEN")) is None:
                return kernel_id
            self._pending[kernel_id] = token, owner
            if (opened := self._door.opened) is not None:
                await self._settle_now(opened)
            return kernel_id

        def remove_kernel(kernel_id: str) -> Any:  # noqa: ANN401  passed through
            self._end(kernel_id)
            return remove(kernel_id)

        kernel_manager.start_kernel = start_kernel
        kernel_manager.remove_kernel = remove_kernel
        if hasattr(kernel_manager, "update_env"):  # jupyter_client 8.5
            kernel_manager.update_env = _withholding(kernel_manager.update_env)

    async def _credentials(self, owner: OwnerId | None) -> dict[str, str]:
        """The variables that let a kernel in, or tell it that there is nothing to be let into."""
        try:
            await self._door.check()
        except Disabled:
            return {"BESTCHAT_ENABLED": "false"}
        if owner is None:
            return {}
        token = new_token(secrets.token_bytes(ENTROPY_BYTES))
        return {"BESTCHAT_URL": await self._address(), "BESTCHAT_TOKEN": token}

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
