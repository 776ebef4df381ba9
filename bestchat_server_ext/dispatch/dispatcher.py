"""Scope, ownership, call: what every door goes through."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection
from contextlib import AbstractAsyncContextManager, aclosing
from functools import cache
from typing import Any, TypeVar

import msgspec

from bestchat_server_ext.api import events
from bestchat_server_ext.api.decoding import decode
from bestchat_server_ext.api.frames import Heartbeat, ServerFrame
from bestchat_server_ext.api.procedure import Procedure, TargetField
from bestchat_server_ext.core.access import Caller, Scope, Target, no_such_object, require
from bestchat_server_ext.core.errors import (
    ChatError,
    InternalError,
    NotAuthenticated,
)
from bestchat_server_ext.core.ids import ConversationId, ExecutionId, TokenId
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.dispatch.bindings import Bindings, Services
from bestchat_server_ext.ports.bus import Frame
from bestchat_server_ext.ports.storage import ObjectKind
from bestchat_server_ext.services.stream import OPEN

_log = logging.getLogger(__name__)

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response", bound=msgspec.Struct)


_KINDS: dict[TargetField, ObjectKind] = {
    "conversation_id": "conversation",
    "turn_id": "turn",
    "execution_id": "execution",
}


class Dispatcher:
    """Carries out procedures for callers."""

    def __init__(self, services: Services) -> None:
        """Bind the whole catalogue to these services."""
        self._services = services
        self._bindings = Bindings(services)

    async def call(
        self,
        caller: Caller | None,
        procedure: Procedure[Request, Response],
        request: Request,
    ) -> Response:
        """Carry out one procedure.

        Raises:
            ChatError: always one of the family; a mistake of ours becomes `InternalError`, with
                the details in the log.
        """
        try:
            allowed = await self._admit(caller, procedure, request)
            response = await self._bindings.body(procedure.name)(allowed, request)
        except ChatError:
            raise
        except Exception as error:
            _log.error("BestChat: %s failed: %s", procedure.name, origin(error))
            raise InternalError from error
        if not isinstance(response, procedure.response):
            raise InternalError
        return response

    async def subscribe(
        self,
        caller: Caller | None,
        request: events.SubscribeEvents,
        gate: AbstractAsyncContextManager[object] = OPEN,
    ) -> AsyncGenerator[Frame | ServerFrame, None]:
        """Follow a conversation until the reader stops; `gate` as in `StreamService.follow`.

        Raises:
            ChatError: as in `call`, also while following.
        """
        try:
            await self._admit(caller, events.subscribe, request)
            frames = self._services.stream.follow(
                request.conversation_id, request.after, request.draft, gate
            )
            async with aclosing(frames):
                async for frame in frames:
                    yield frame
        except ChatError:
            raise
        except Exception as error:
            _log.error("BestChat: %s failed: %s", events.subscribe.name, origin(error))
            raise InternalError from error

    async def _admit(
        self, caller: Caller | None, procedure: Procedure[Request, Response], request: Request
    ) -> Caller | None:
        """Check credential, scope and ownership, before anything else happens."""
        if procedure.scope is None:
            return caller
        if caller is None:
            raise NotAuthenticated(
                "This call needs a credential.",
                hint="Send Jupyter's token or a BestChat token in the Authorization header.",
            )
        require(caller, procedure.scope, await self._target(procedure, request))
        return caller

    async def heartbeat(
        self, caller: Caller, conversation_ids: Collection[ConversationId]
    ) -> Heartbeat:
        """How far these conversations have come; those that are gone, or not its own, are left out.

        Raises:
            NotAllowed: the caller may not follow conversations any more.
        """
        require(caller, Scope.CONVERSATIONS_READ)
        seqs = await self._services.storage.seqs(tuple(conversation_ids), caller.owner)
        return Heartbeat(seqs)

    async def _target(
        self, procedure: Procedure[Request, Response], request: Request
    ) -> Target | None:
        """What the request is about. Nothing tells a foreign object from a missing one."""
        if procedure.target is None:
            return None
        object_id = getattr(request, procedure.target)
        if object_id is None:
            return None
        if procedure.target == "token_id":
            return await self._target_token(TokenId(object_id))
        located = await self._services.storage.locate(_KINDS[procedure.target], object_id)
        if located is None:
            raise no_such_object()
        if procedure.scope is not Scope.APPROVALS:
            return Target(located.owner)
        state = await self._services.stream.state(located.conversation_id)
        execution = state.executions.get(ExecutionId(object_id))
        if execution is None:
            raise no_such_object()
        return Target(located.owner, execution.placement, execution.kernel_id)

    async def _target_token(self, token_id: TokenId) -> Target:
        owner = await self._services.tokens.owner_of(token_id)
        if owner is None:
            raise no_such_object()
        return Target(owner)


def decode_request(procedure: Procedure[Request, Response], body: bytes) -> Request:
    """Read a request as the procedure declares it.

    Raises:
        InvalidRequest: it does not fit; the field is named where there is one.
    """
    decoder: msgspec.json.Decoder[Request] = _decoder(procedure.request)
    return decode(body or b"{}", decoder, f"The request for {procedure.name}")


@cache
def _decoder(model: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(model)
