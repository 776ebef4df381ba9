"""What every handler needs: the application when it is first wanted, and who asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from tornado.web import RequestHandler

from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import (
    ChatError,
    Disabled,
    ErrorInfo,
    NotAuthenticated,
    Unavailable,
)
from bestchat_server_ext.core.tokens import PREFIX, well_formed

_log = logging.getLogger(__name__)


class Authenticator(Protocol):
    """Finds out who is behind a request."""

    async def caller(self, handler: RequestHandler) -> Caller | None:
        """The caller, or none where the request carries no credential.

        Raises:
            NotAuthenticated: it carries one that is not valid.
            Disabled: it carries one, but BestChat is switched off.
        """
        ...


class Door:
    """Opens the application at the first call, and again after a failure."""

    def __init__(
        self,
        build: Callable[[], Awaitable[Application]],
        check: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Remember how to build the application; nothing is opened yet.

        `check` raises `Disabled` where there is not to be one.
        """
        self._build = build
        self._check = check
        self._application: Application | None = None
        self.trouble: ErrorInfo | None = None
        """Why the application could not be opened when it was last wanted."""
        self._opening = asyncio.Lock()
        self._closed = False

    async def check(self) -> None:
        """Ask whether there is to be an application, without opening it.

        Raises:
            Disabled: the site has switched BestChat off.
        """
        if self._check is not None:
            await self._check()

    async def application(self) -> Application:
        """The application.

        Raises:
            Disabled: there is not to be one.
            Unavailable: its storage cannot be opened. The next call tries again.
        """
        await self.check()
        async with self._opening:
            if self._application is None:
                if self._closed:
                    raise Unavailable("The server is stopping.", hint="Start it again.")
                try:
                    self._application = await self._build()
                except ChatError as error:
                    self.trouble = error.info
                    raise
                self.trouble = None
            return self._application

    @property
    def opened(self) -> Application | None:
        """The application, if it was wanted before."""
        return self._application

    async def close(self) -> None:
        """Close the application, if it was ever opened; it is not opened again."""
        async with self._opening:
            self._closed = True
            application, self._application = self._application, None
        if application is not None:
            await application.close()


def bearer(handler: RequestHandler) -> str | None:
    """The BestChat token in a request's Authorization header, if there is one.

    Jupyter's own token travels in the same header; ours are told apart by their prefix.
    """
    kind, _, value = handler.request.headers.get("Authorization", "").partition(" ")
    value = value.strip()
    if kind.lower() in {"bearer", "token"} and value.startswith(PREFIX):
        return value
    return None


class TokenAuthenticator:
    """Knows callers by BestChat tokens, and by nothing else."""

    def __init__(self, door: Door) -> None:
        """Check tokens against the application behind a door."""
        self._door = door

    async def caller(self, handler: RequestHandler) -> Caller | None:
        """The caller behind the token in the request."""
        token = bearer(handler)
        if token is None:
            return None
        if not well_formed(token):
            raise NotAuthenticated("This is not a BestChat token.", hint="Copy all of it.")
        await self._door.check()
        return await (await self._opened()).authenticate(token)

    async def _opened(self) -> Application:
        """The application. Why it cannot be opened is no business of somebody unknown."""
        try:
            return await self._door.application()
        except Disabled:
            raise
        except ChatError as error:
            _log.warning("BestChat cannot be opened: %s", error)
            raise Unavailable(
                "BestChat cannot be opened on this server.", hint="The server's log says why."
            ) from error
