"""What all answers share: JSON, one shape of error, and logs that quote nobody."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

import msgspec
from tornado.web import HTTPError, RequestHandler

from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.core.errors import (
    ChatError,
    ErrorInfo,
    InternalError,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooLarge,
)
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.web.errors import status_of

log = logging.getLogger(__name__)


class Answers(RequestHandler):
    """Answers in JSON, whatever goes wrong."""

    def methods(self) -> list[str]:
        """What this address takes."""
        known = {name: name.lower() for name in self.SUPPORTED_METHODS}
        return [
            name
            for name, lower in known.items()
            if getattr(type(self), lower) is not getattr(RequestHandler, lower)
        ]

    def require_method(self) -> None:
        """Refuse a request that this address does not take.

        Raises:
            HTTPError: another method is wanted.
        """
        if self.request.method not in self.methods():
            raise HTTPError(405)

    def send(self, body: msgspec.Struct | dict[str, Any], status: int = 200) -> None:
        """Answer with JSON."""
        self.finish(self.compose(body, status))

    def compose(self, body: msgspec.Struct | dict[str, Any], status: int) -> bytes:
        """Set status and headers of such an answer; gives its bytes."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        return msgspec.json.encode(body)

    def send_error_info(self, info: ErrorInfo) -> None:
        """Answer with an error."""
        if info.retry_after is not None:
            self.set_header("Retry-After", str(int(info.retry_after) + 1))
        self.send(ErrorBody(info), status_of(info))

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401  Tornado's
        """Put what the framework found wrong into our shape."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, ChatError):
            self.send_error_info(error.info)
        elif isinstance(error, HTTPError):
            allowed = ", ".join(self.methods())
            if status_code == 405:  # noqa: PLR2004  HTTP statuses name themselves
                self.set_header("Allow", allowed)
            known = self._foreign_host() if status_code == 403 else None  # noqa: PLR2004  as above
            problem = known or _framework_error(status_code, allowed)
            self.send(ErrorBody(problem.info), status_code)
        else:
            self.send_error_info(InternalError().info)

    def _foreign_host(self) -> ChatError | None:
        """The error behind a 403 for the name by which this server was called, if it is one."""
        check_host = getattr(self, "check_host", None)  # a host's own
        if check_host is None or check_host():
            return None
        return NotAllowed(
            "This server does not answer to the name by which it was called.",
            hint="Call it as localhost, or set `allow_remote_access` or `local_hostnames` in "
            "Jupyter's configuration.",
        )

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Say where an exception came from.

        Tornado would add what it says and the address of the request. There may be a prompt in the
        one, and Jupyter's token in the other.
        """
        del typ, tb
        if value is None:
            return
        if not isinstance(value, HTTPError):
            log.error("BestChat: a request failed: %s", origin(value))
        elif value.log_message:  # others say no more than their status, as in Tornado
            log.warning(
                "BestChat: a request was refused with %d: %s", value.status_code, origin(value)
            )


def _framework_error(status: int, allowed: str) -> ChatError:
    """The error behind a status that Tornado or Jupyter chose."""
    match status:
        case 401:
            return NotAuthenticated("The request carries no valid credential.")
        case 403:
            return NotAllowed(
                "The request was refused.",
                hint="A browser's requests need the XSRF token; scripts send an Authorization "
                "header instead.",
            )
        case 404:
            return NotFound(
                "There is nothing at this address.",
                hint="The OpenAPI document lists all addresses.",
            )
        case 405:
            return InvalidRequest(
                "This address takes another method.", hint=f"Use {allowed}.", field="method"
            )
        case 413:
            return TooLarge("The request is too large.")
        case _ if status < 500:  # noqa: PLR2004  HTTP statuses name themselves
            return InvalidRequest(
                "The request cannot be used.",
                hint="The OpenAPI document describes what is taken.",
            )
        case _:
            return InternalError()
