"""The services in this very process: same procedures, no network."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

import msgspec

from bestchat_server_ext.api.events import SubscribeEvents
from bestchat_server_ext.api.frames import DraftPosition, ServerFrame
from bestchat_server_ext.api.procedure import Procedure
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.base import encode_request
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.ids import LOCAL_OWNER, ConversationId
from bestchat_server_ext.dispatch.dispatcher import decode_request
from bestchat_server_ext.ports.bus import DraftTold, DraftWanted, Frame

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response", bound=msgspec.Struct)

LOCAL_CALLER = Caller(owner=LOCAL_OWNER, kind="user")
"""Who asks where everything happens in one process of one user."""


class InProcessClient:
    """Calls the dispatcher directly."""

    def __init__(self, application: Application, caller: Caller = LOCAL_CALLER) -> None:
        """Ask an application, as `caller`. Closing the client closes the application."""
        self._application = application
        self._caller = caller

    async def call(self, procedure: Procedure[Request, Response], request: Request) -> Response:
        """Carry out one procedure; the request is checked as if it had come over the wire."""
        checked = decode_request(procedure, encode_request(procedure, request))
        return await self._application.dispatcher.call(self._caller, procedure, checked)

    async def follow(
        self,
        conversation_id: ConversationId,
        after: int | None = None,
        draft: DraftPosition | None = None,
    ) -> AsyncGenerator[ServerFrame, None]:
        """Follow a conversation."""
        request = SubscribeEvents(conversation_id, after, draft)
        frames = self._application.dispatcher.subscribe(self._caller, request)
        async with aclosing(frames):
            async for frame in frames:
                item = frame.item if isinstance(frame, Frame) else frame
                if not isinstance(item, DraftWanted | DraftTold):  # these never leave services
                    yield item

    async def close(self) -> None:
        """Close the application."""
        await self._application.close()
