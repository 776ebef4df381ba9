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
    InternalError,
    NotAuthenticated,
    Unavailable,
    from_info,
)
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.core.tokens import PREFIX, well_formed
from bestchat_server_ext.web.lines import Lines
from bestchat_server_ext.web.together import Together

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


FAILURE_SECONDS = 1.5
"""How long a failed opening counts. It may have taken seconds to fail, and is not to be repeated
for each of many who come one after another, least of all for strangers."""


class Door:
    """Opens the application at the first call, and again some time after a failure."""

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
        self.lines = Lines()
        """The WebSockets that are open behind it."""
        self.trouble: ErrorInfo | None = None
        """Why the application could not be opened when it was last wanted."""
        self._failed_at = 0.0
        self._opening = Together(self._open, "bestchat-opening")
        self._closed = False

    async def check(self) -> None:
        """Ask whether there is to be an application, without opening it.

        Raises:
            Disabled: the site has switched BestChat off.
        """
        if self._check is not None:
            await self._check()

    async def application(self) -> Application:
        """The application. Who wants it while it is being opened waits for that.

        Raises:
            Disabled: there is not to be one.
            Unavailable: its storage cannot be opened. A call some moments later tries again.
            ChatError: whatever else keeps it from being opened.
        """
        await self.check()
        if self._application is not None:
            return self._application
        if self._closed:
            raise Unavailable("The server is stopping.", hint="Start it again.")
        if self.trouble is not None and _now() - self._failed_at < FAILURE_SECONDS:
            raise from_info(self.trouble)
        return await self._opening()

    async def _open(self) -> Application:
        try:
            self._application = await self._build()
        except ChatError as error:
            if not isinstance(error, Disabled):
                _log.warning("BestChat cannot be opened: %s", error)
            self._note_failure(error)
            raise
        except Exception as error:
            _log.error("BestChat cannot be opened: %s", origin(error))
            mistake = InternalError()
            self._note_failure(mistake)
            raise mistake from error
        self.trouble = None
        return self._application

    def _note_failure(self, error: ChatError) -> None:
        self.trouble, self._failed_at = error.info, _now()

    @property
    def opened(self) -> Application | None:
        """The application, if it was wanted before."""
        return self._application

    async def close(self) -> None:
        """Close the application, if it was ever opened; it is not opened again."""
        self._closed = True
        self.lines.close()
        await self._opening.over()
        application, self._application = self._application, None
        if application is not None:
            await application.close()


def _now() -> float:
    return asyncio.get_running_loop().time()


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
        return await (await self._opened(token)).authenticate(token)

    async def _opened(self, token: str) -> Application:  # noqa: ARG002  for those who derive
        """The application. Why it cannot be opened is no business of somebody unknown."""
        try:
            return await self._door.application()
        except (Disabled, InternalError):  # these say nothing that is not for everybody
            raise
        except ChatError as error:
            raise Unavailable(
                "BestChat cannot be opened on this server.", hint="The server's log says why."
            ) from error
