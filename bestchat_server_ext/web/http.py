"""One handler for all procedures, and two documents: health and OpenAPI."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from bestchat_server_ext.api import system
from bestchat_server_ext.api.catalog import BY_NAME
from bestchat_server_ext.api.procedure import PROTOCOL, Procedure
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import (
    ChatError,
    InvalidRequest,
    NotAuthenticated,
    ProtocolMismatch,
    UnknownProcedure,
)
from bestchat_server_ext.dispatch.dispatcher import decode_request
from bestchat_server_ext.web.handler import DoorHandler

PROTOCOL_HEADER = "X-BestChat-Protocol"

_NUMBER = re.compile(r"-?[0-9]{1,9}")
_BEYOND = 10**9


class ApiHandler(DoorHandler):
    """`POST bestchat/api/<topic>.<verb>`."""

    def check(self) -> None:
        """Refuse what cannot be right, whatever the body and whoever asks.

        Raises:
            UnknownProcedure: there is none of that name.
            ChatError: as for all requests, or the protocols do not fit.
        """
        self._procedure(*self.path_args)
        super().check()
        check_protocol(self.request.headers.get(PROTOCOL_HEADER, str(PROTOCOL)))

    async def post(self, name: str) -> None:
        """Carry out a procedure."""
        try:
            procedure = self._procedure(name)
            caller = await self.authenticator.caller(self)
            if caller is None and procedure.scope is not None:
                raise NotAuthenticated(
                    "This call needs a credential.",
                    hint="Send Jupyter's token or a BestChat token in the Authorization header.",
                )
            request = self._decode(procedure)
            self.send(await self._call(caller, procedure, request))
        except ChatError as error:
            self.send_error_info(error.info)

    def _decode(self, procedure: Procedure[Any, Any]) -> msgspec.Struct:
        """The request. What it calls itself matters only where it is something else than JSON."""
        try:
            request: msgspec.Struct = decode_request(procedure, bytes(self.body))
        except InvalidRequest as error:
            kind = self.request.headers.get("Content-Type", "")
            if not kind or "json" in kind.lower() or error.info.field:
                raise
            raise InvalidRequest(
                error.info.text, hint=f"It came as {kind[:100]!r}; send a JSON object in UTF-8."
            ) from error
        return request

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
                f"There is no procedure {name[:100]!r}.",
                hint="The OpenAPI document lists all of them.",
            )
        if procedure.stream:
            raise UnknownProcedure(
                f"{name} works over the WebSocket only.",
                hint="Connect to bestchat/api/events, or use events.replay.",
            )
        return procedure


def check_protocol(spoken: str | int) -> None:
    """Refuse a client that is too far away, and say who has to move.

    Raises:
        ProtocolMismatch: more than one step of skew.
        InvalidRequest: it is not a number, or none that a protocol will ever have.
    """
    theirs = int(spoken) if isinstance(spoken, int) or _NUMBER.fullmatch(spoken) else _BEYOND
    if abs(theirs) >= _BEYOND:
        raise InvalidRequest(
            "The protocol has to be a number, and a small one.",
            hint=f"This server speaks protocol {PROTOCOL}.",
            field=PROTOCOL_HEADER if isinstance(spoken, str) else "protocol",
        )
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
