"""What all HTTP handlers share: bodies up to a limit in, answers out.

Tornado would keep a whole body in memory before anybody looks at it. So these handlers take bodies
piece by piece, and say no as soon as one is known to be too large. That is before the client has
sent all of it, and a connection that is closed then would take the answer with it. So what still
comes is thrown away for a while: most clients read the answer and hang up by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from tornado.http1connection import HTTP1Connection
from tornado.web import HTTPError, stream_request_body

from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.core.errors import ChatError, InvalidRequest, TooLarge
from bestchat_server_ext.web.answers import Answers
from bestchat_server_ext.web.door import Authenticator, Door
from bestchat_server_ext.web.errors import status_of

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of the largest request that is looked at."""

LINGER_SECONDS = 5.0
"""How long what is left of a body that was refused is thrown away, before hanging up."""


@stream_request_body
class DoorHandler(Answers):
    """A request that is received up to a limit, and an answer in JSON."""

    door: Door
    authenticator: Authenticator
    body: bytearray
    """What the request holds, once a method is called."""

    def initialize(self, door: Door, authenticator: Authenticator) -> None:
        """Take what the route gives."""
        self.door = door
        self.authenticator = authenticator
        self.body = bytearray()
        self._refused = False
        self._lingering: asyncio.TimerHandle | None = None

    # What comes in.

    async def prepare(self, **_: Any) -> None:  # noqa: ANN401  a host's own may have options
        """Look at what is known before the body has come."""
        error = await self.trouble()
        if self._finished:
            return
        if _exceeds(self.request.headers.get("Content-Length", "")):
            self.refuse_body(_TOO_LARGE)
        elif error is not None:
            self.refuse_later(error)

    async def trouble(self) -> ChatError | HTTPError | None:
        """What is wrong with the request as far as it has come.

        The host's own objections are among it: whether a browser may ask this, for example.
        """
        try:
            self.check()
            prepared = super().prepare()
            if prepared is not None:
                await prepared
        except (ChatError, HTTPError) as error:
            return error
        return None

    def check(self) -> None:
        """Refuse what cannot be right, whatever the body and whoever asks.

        Raises:
            HTTPError: another method is wanted.
            InvalidRequest: the body is packed.
        """
        self.require_method()
        packing = self.request.headers.get("Content-Encoding", "identity")
        if packing.strip().lower() not in {"", "identity"}:
            raise InvalidRequest(
                "The request's body is packed, and nobody unpacks it here.",
                hint="Send it without a Content-Encoding.",
                field="Content-Encoding",
            )

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Keep a piece of the body, or throw it away."""
        if not self._refused:
            self.body += chunk
            if len(self.body) > BODY_LIMIT:
                self.refuse_body(_TOO_LARGE)
        return None

    # What goes out.

    def refuse_later(self, error: ChatError | HTTPError) -> None:
        """Answer with what is wrong as soon as the body has come."""
        self._instead(partial(self._refuse, error))

    def _refuse(self, error: ChatError | HTTPError, *_: str) -> None:
        """Answer with what was wrong from the start, now that the body has come."""
        if isinstance(error, HTTPError):
            raise error
        self.send_error_info(error.info)

    @property
    def refused(self) -> bool:
        """Whether the answer was given before the body had come."""
        return self._refused

    def refuse_body(self, error: ChatError) -> None:
        """Say at once what is wrong, and throw away what comes of the body."""
        self._refused = True
        self.body.clear()
        self._instead(self._hang_up)
        self.set_header("Connection", "close")
        info = error.info
        answer = self.compose(ErrorBody(info), status_of(info))
        if "Expect" in self.request.headers:  # the client waits before it sends the body
            self.finish(answer)
            return
        self.set_header("Content-Length", str(len(answer)))
        self.write(answer)
        self.flush()
        # What is thrown away may have any size; Tornado would break into the answer otherwise.
        connection = cast("HTTP1Connection", self.request.connection)
        connection.set_max_body_size(2**63)
        loop = asyncio.get_running_loop()
        self._lingering = loop.call_later(LINGER_SECONDS, self._hang_up)

    def _hang_up(self, *_: str) -> None:
        if not self._finished:
            self.finish()

    def _instead(self, method: Callable[..., None]) -> None:
        """Have this called in place of the request's method, when all of the body has come."""
        setattr(self, str(self.request.method).lower(), method)

    def on_finish(self) -> None:
        """Wait for nothing any more."""
        self._stop_lingering()
        super().on_finish()

    def on_connection_close(self) -> None:
        """The client has gone."""
        self._stop_lingering()
        super().on_connection_close()

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None


_TOO_LARGE = TooLarge(
    f"The request's body is larger than {BODY_LIMIT} bytes.",
    hint="Send less at once; a text may have two million characters.",
)


def _exceeds(length: str) -> bool:
    """Whether a Content-Length is more than is looked at; one that is no number is Tornado's."""
    digits = length.strip().lstrip("0")
    many = len(digits) > len(str(BODY_LIMIT))
    return digits.isdecimal() and (many or int(digits) > BODY_LIMIT)
