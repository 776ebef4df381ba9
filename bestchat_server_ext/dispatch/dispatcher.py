"""Scope, ownership, call: what every door goes through."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
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
    NotFound,
)
from bestchat_server_ext.core.files import FileUpload
from bestchat_server_ext.core.ids import ConversationId, ExecutionId, FileId, OwnerId, TokenId
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.dispatch.bindings import Bindings, Services
from bestchat_server_ext.ports.bus import Frame
from bestchat_server_ext.ports.storage import ObjectKind
from bestchat_server_ext.services.files import Receiving
from bestchat_server_ext.services.stream import OPEN

_log = logging.getLogger(__name__)

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response", bound=msgspec.Struct)


_KINDS: dict[TargetField, ObjectKind] = {
    "conversation_id": "conversation",
    "turn_id": "turn",
    "execution_id": "execution",
    "file_id": "file",
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
        with _mistakes(procedure.name):
            allowed = await self._admit(caller, procedure, request)
            response = await self._bindings.body(procedure.name)(allowed, request)
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
        with _mistakes(events.subscribe.name):
            await self._admit(caller, events.subscribe, request)
            frames = self._services.stream.follow(
                request.conversation_id, request.after, request.draft, gate
            )
            async with aclosing(frames):
                async for frame in frames:
                    yield frame

    async def receive(self, caller: Caller | None, file_id: FileId, size: int | None) -> Receiving:
        """Begin to take the bytes of a file that was announced; `size` if it is known.

        Raises:
            ChatError: as in `call`.
        """
        with _mistakes("PUT files"):
            owner = await self._admit_file(caller, Scope.CONVERSATIONS_WRITE, file_id)
            return await self._services.files.receive(file_id, owner, size)

    async def stored(self, caller: Caller | None, file_id: FileId) -> FileUpload:
        """A file whose bytes are there; `bytes_of` gives them.

        Raises:
            ChatError: as in `call`.
        """
        with _mistakes("GET files"):
            await self._admit_file(caller, Scope.CONVERSATIONS_READ, file_id)
            upload = await self._services.files.get(file_id)
        if upload.state != "stored":
            raise NotFound("The bytes of this file have not come.", hint="Send them with PUT.")
        return upload

    def bytes_of(self, upload: FileUpload, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a file that `stored` gave, from `start` up to and not including `end`."""
        return self._services.files.bytes_of(upload.id, start, end)

    async def _admit_file(self, caller: Caller | None, scope: Scope, file_id: FileId) -> OwnerId:
        """Check credential, scope and ownership; gives the owner."""
        allowed = _known(caller)
        located = await self._services.storage.locate("file", file_id)
        if located is None:
            raise no_such_object()
        require(allowed, scope, Target(located.owner))
        return located.owner

    async def _admit(
        self, caller: Caller | None, procedure: Procedure[Request, Response], request: Request
    ) -> Caller | None:
        """Check credential, scope and ownership, before anything else happens."""
        if procedure.scope is None:
            return caller
        known = _known(caller)
        require(known, procedure.scope, await self._target(procedure, request))
        return known

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


def _known(caller: Caller | None) -> Caller:
    if caller is None:
        raise NotAuthenticated(
            "This call needs a credential.",
            hint="Send Jupyter's token or a BestChat token in the Authorization header.",
        )
    return caller


@contextmanager
def _mistakes(name: str) -> Iterator[None]:
    """Let nothing out but errors of the family; the details of a mistake of ours are logged."""
    try:
        yield
    except ChatError:
        raise
    except Exception as error:
        _log.error("BestChat: %s failed: %s", name, origin(error))
        raise InternalError from error


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
