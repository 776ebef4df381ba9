"""A token and an address for every kernel that the server starts.

The token is made before the kernel, because it travels in the kernel's environment. While the
database is closed, it is only kept in mind: a kernel that never chats must not open it. It is
stored once the database is open, or else when it is presented. It is revoked when the kernel is
removed. A restart keeps environment and kernel, and so the token.

It expires a day after this server last knew the kernel to live, and is renewed before somebody who
comes with a token is looked at. So nothing is good forever that a killed server left behind, and no
timer has to be right about a laptop that was asleep.

What the server itself must know, and its kernels must not, is taken out of their environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.core.environment import inherited
from bestchat_server_ext.core.errors import ChatError, Disabled
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.core.tokens import ENTROPY_BYTES, new_token
from bestchat_server_ext.web.door import Door
from bestchat_server_ext.web.together import Together

_log = logging.getLogger(__name__)


class _Pending(NamedTuple):
    """A token that was given out and is not stored yet."""

    token: str
    owner: OwnerId
    store: Together[None]


class KernelTokens:
    """Watches a kernel manager, and gives its kernels their credentials."""

    def __init__(
        self,
        door: Door,
        address: Callable[[], Awaitable[str]],
        owner: Callable[[], Awaitable[OwnerId | None]],
        withheld: Callable[[], frozenset[str]],
    ) -> None:
        """Give kernels the server's address, and tokens that speak for `owner()`.

        Nobody's kernels get neither, and none gets the variables `withheld()`.
        """
        self._door = door
        self._address = address
        self._owner = owner
        self._withheld = withheld
        self._living: Callable[[], Collection[str]] = tuple
        self._pending: dict[str, _Pending] = {}
        self._renewing = Together(self._renew, "bestchat-renewal")
        self._storing: set[asyncio.Task[None]] = set()
        self._revoking: set[asyncio.Task[None]] = set()

    def watch(self, kernel_manager: Any) -> None:  # noqa: ANN401  any MappingKernelManager
        """Wrap the methods through which kernels come, change their environment and go.

        They are wrapped on the instance, because the class is the administrator's to choose.
        """
        start, remove = kernel_manager.start_kernel, kernel_manager.remove_kernel
        self._living = kernel_manager.list_kernel_ids

        async def start_kernel(**kwargs: Any) -> str:  # noqa: ANN401  passed through
            if kwargs.get("kernel_id") in kernel_manager:
                existing: str = await start(**kwargs)
                return existing
            environ = kwargs.pop("env", None)
            owner = await self._owner()
            credentials = await self._credentials(owner)
            environ = self._inherited(os.environ if environ is None else environ) | credentials
            kernel_id: str = await start(**kwargs, env=environ)
            if owner is None or (token := environ.get("BESTCHAT_TOKEN")) is None:
                return kernel_id
            store = Together(partial(self._store, kernel_id), "bestchat-kernel-token")
            self._pending[kernel_id] = _Pending(token, owner, store)
            if self._door.opened is not None:
                await self._store_now(kernel_id)
            return kernel_id

        def remove_kernel(kernel_id: str) -> Any:  # noqa: ANN401  passed through
            self._end(kernel_id)
            return remove(kernel_id)

        kernel_manager.start_kernel = start_kernel
        kernel_manager.remove_kernel = remove_kernel
        if hasattr(kernel_manager, "update_env"):  # jupyter_client 8.5
            kernel_manager.update_env = self._withholding(kernel_manager.update_env)

    def _inherited(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What a kernel gets of the server's environment."""
        return inherited(environ, self._withheld())

    def _withholding(self, update: Callable[..., None]) -> Callable[..., None]:
        """A kernel manager's `update_env`, for which a renamed session is no way around us.

        It passes all of the server's environment once more, and the next restart would use it.
        """

        def update_env(*, kernel_id: str, env: Mapping[str, str]) -> None:
            update(kernel_id=kernel_id, env=self._inherited(env))

        return update_env

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

    async def settle(self, token: str) -> None:
        """Make a token count that somebody comes with, if it is one of a kernel that lives.

        One of a kernel that has just ended must not, so what is being revoked is waited for. Else
        it is no matter here what becomes of the tokens of other kernels.

        Raises:
            ChatError: it was not stored yet, and cannot be now.
        """
        if self._revoking:
            await asyncio.wait(self._revoking)
        for pending in list(self._pending.values()):
            if secrets.compare_digest(pending.token, token):
                await pending.store()
        if (await self._door.application()).tokens.renewal_due:
            await self._renewing()

    def settle_all(self) -> None:
        """The database is open now: store what was kept in mind until then."""
        for kernel_id in self._pending:
            _start(self._store_now(kernel_id), self._storing)

    async def _store(self, kernel_id: str) -> None:
        """Store the token of a kernel; where that fails, it is kept for the next time."""
        if (pending := self._pending.get(kernel_id)) is None:
            return
        tokens = (await self._door.application()).tokens
        await tokens.add_kernel_token(pending.token, pending.owner, kernel_id)
        if self._pending.pop(kernel_id, None) is None:  # it has ended meanwhile
            await tokens.revoke_kernel(kernel_id)

    async def _store_now(self, kernel_id: str) -> None:
        """As `_store`, where a kernel must start even if its token cannot be stored yet."""
        if (pending := self._pending.get(kernel_id)) is None:
            return
        try:
            await pending.store()
        except Exception as error:  # noqa: BLE001  a kernel is worth more than its token
            _log.warning("BestChat: a kernel's token is not stored yet: %s", _said(error))

    async def _renew(self) -> None:
        """Let no token of a living kernel expire; where that fails, the next call tries again."""
        try:
            application = await self._door.application()
            await application.tokens.renew_kernels(self._living())
        except ChatError as error:
            _log.warning("BestChat: the tokens of kernels are not renewed yet: %s", error)

    def _end(self, kernel_id: str) -> None:
        """A kernel is gone, and its token with it.

        It may be stored even if it is still pending: a write can do its work and fail to say so.
        """
        self._pending.pop(kernel_id, None)
        if self._door.opened is not None:
            _start(self._revoke(self._door.opened, kernel_id), self._revoking)

    async def _revoke(self, application: Application, kernel_id: str) -> None:
        try:
            await application.tokens.revoke_kernel(kernel_id)
        except Exception as error:  # noqa: BLE001  nobody waits for this; it is logged
            _log.warning("BestChat: the token of kernel %s stays: %s", kernel_id, _said(error))

    async def close(self, kernel_ids: Iterable[str]) -> None:
        """Revoke the tokens of all kernels: the server is stopping, and they stop with it."""
        for kernel_id in kernel_ids:
            self._end(kernel_id)
        if working := self._storing | self._revoking:
            await asyncio.wait(working)


def _start(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _said(error: Exception) -> str:
    """What a log may know of an error: all that we say ourselves, and of others the place."""
    return str(error) if isinstance(error, ChatError) else origin(error)
