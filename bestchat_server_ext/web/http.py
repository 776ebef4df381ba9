"""One handler for all procedures, and two documents: health and OpenAPI."""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec
from tornado.web import HTTPError, RequestHandler

from bestchat_server_ext.api import system
from bestchat_server_ext.api.catalog import BY_NAME
from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.api.procedure import PROTOCOL, Procedure
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import (
    ChatError,
    ErrorInfo,
    InternalError,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    ProtocolMismatch,
    UnknownProcedure,
)
from bestchat_server_ext.dispatch.dispatcher import decode_request
from bestchat_server_ext.web.door import Authenticator, Door
from bestchat_server_ext.web.errors import status_of

_log = logging.getLogger(__name__)

PROTOCOL_HEADER = "X-BestChat-Protocol"

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of the largest request that is looked at."""


class DoorHandler(RequestHandler):
    """What the handlers share: JSON out, errors in one shape."""

    door: Door
    authenticator: Authenticator

    def initialize(self, door: Door, authenticator: Authenticator) -> None:
        """Take what the route gives."""
        self.door = door
        self.authenticator = authenticator

    def send(self, body: msgspec.Struct | dict[str, Any], status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        self.finish(msgspec.json.encode(body))

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
            self.send(ErrorBody(_framework_error(status_code).info), status_code)
        else:
            self.send_error_info(InternalError().info)


def _framework_error(status: int) -> ChatError:
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
            return NotFound("There is nothing at this address.")
        case 405:
            return InvalidRequest("This address takes another method.", hint="Use POST.")
        case _ if status < 500:  # noqa: PLR2004  HTTP statuses name themselves
            return InvalidRequest("The request cannot be used.")
        case _:
            return InternalError()


class ApiHandler(DoorHandler):
    """`POST bestchat/api/<topic>.<verb>`."""

    async def post(self, name: str) -> None:
        """Carry out a procedure."""
        try:
            procedure = self._procedure(name)
            self._check_protocol()
            caller = await self.authenticator.caller(self)
            if caller is None and procedure.scope is not None:
                raise NotAuthenticated(
                    "This call needs a credential.",
                    hint="Send Jupyter's token or a BestChat token in the Authorization header.",
                )
            body = self.request.body
            if len(body) > BODY_LIMIT:
                raise InvalidRequest(f"The request is larger than {BODY_LIMIT} bytes.")
            request = decode_request(procedure, body)
            self.send(await self._call(caller, procedure, request))
        except ChatError as error:
            self.send_error_info(error.info)

    async def _call(
        self, caller: Caller | None, procedure: Procedure[Any, Any], request: msgspec.Struct
    ) -> msgspec.Struct:
        application = await self.door.application()
        answer: msgspec.Struct = await application.dispatcher.call(caller, procedure, request)
        return answer

    def _procedure(self, name: str) -> Procedure[Any, Any]:
        procedure = BY_NAME.get(name)
        if procedure is None:
            raise UnknownProcedure(
                f"There is no procedure {name!r}.",
                hint="The OpenAPI document lists all of them.",
            )
        if procedure.stream:
            raise UnknownProcedure(
                f"{name} works over the WebSocket only.",
                hint="Connect to bestchat/api/events, or use events.replay.",
            )
        return procedure

    def _check_protocol(self) -> None:
        check_protocol(self.request.headers.get(PROTOCOL_HEADER, str(PROTOCOL)))


def check_protocol(spoken: str | int) -> None:
    """Refuse a client that is too far away, and say who has to move.

    Raises:
        ProtocolMismatch: more than one step of skew.
        InvalidRequest: it is not a number.
    """
    try:
        theirs = int(spoken)
    except ValueError:
        raise InvalidRequest("The protocol has to be a number.", field=PROTOCOL_HEADER) from None
    if abs(theirs - PROTOCOL) > 1:
        older = "client" if theirs < PROTOCOL else "server"
        raise ProtocolMismatch(
            f"The client speaks protocol {theirs}, the server {PROTOCOL}.",
            hint=f"Upgrade bestchat where the {older} runs.",
        )


class HealthHandler(DoorHandler):
    """`GET bestchat/api/health`: works without opening anything, and without a token."""

    async def get(self) -> None:
        """Say how the service is."""
        self.send(await self._health())

    async def _health(self) -> system.Health:
        short = system.Health(alive=True, protocol=PROTOCOL)
        try:
            caller = await self.authenticator.caller(self)
        except NotAuthenticated:
            return short
        except ChatError as error:
            return msgspec.structs.replace(short, storage="unavailable", error=error.info)
        if caller is None:
            return short
        if (trouble := self.door.trouble) is not None:
            return msgspec.structs.replace(
                short, version=version("bestchat"), storage="unavailable", error=trouble
            )
        if self.door.opened is None:
            return msgspec.structs.replace(short, version=version("bestchat"), storage="closed")
        try:
            return await self.door.opened.dispatcher.call(caller, system.health, system.GetHealth())
        except ChatError as error:
            return msgspec.structs.replace(short, storage="unavailable", error=error.info)


class OpenApiHandler(DoorHandler):
    """`GET bestchat/api/openapi.json`."""

    async def get(self) -> None:
        """Describe the API."""
        try:
            if await self.authenticator.caller(self) is None:
                raise NotAuthenticated("This document needs a credential.")
        except ChatError as error:
            self.send_error_info(error.info)
            return
        self.send(_document(self.request.path.removesuffix("/bestchat/api/openapi.json")))


@cache
def _document(server_url: str) -> dict[str, Any]:
    """Made at the first request for it: it reads the docstrings of all models."""
    from bestchat_server_ext.api.openapi import document

    return document(version("bestchat"), server_url)
