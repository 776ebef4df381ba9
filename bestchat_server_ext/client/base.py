"""What a face sees of BestChat, whichever door is behind it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol, TypeVar

import msgspec

from bestchat_server_ext.api.frames import DraftPosition, ServerFrame
from bestchat_server_ext.api.procedure import Procedure
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.ids import ConversationId

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response", bound=msgspec.Struct)


def encode_request(procedure: Procedure[Request, Response], request: Request) -> bytes:
    """A request as it travels, through either door.

    Raises:
        InvalidRequest: it holds what JSON or UTF-8 cannot express, such as half a surrogate pair.
    """
    try:
        return msgspec.json.encode(request)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"The request for {procedure.name} cannot be sent.",
            hint="It holds a value or a character that JSON has no form for.",
        ) from error


class Client(Protocol):
    """Calls procedures and follows conversations."""

    async def call(self, procedure: Procedure[Request, Response], request: Request) -> Response:
        """Carry out one procedure.

        Raises:
            ChatError: what went wrong, of the same class through every door.
        """
        ...

    def follow(
        self,
        conversation_id: ConversationId,
        after: int | None = None,
        draft: DraftPosition | None = None,
    ) -> AsyncGenerator[ServerFrame, None]:
        """Everything after event `after` (all of it as a snapshot, if none), then live.

        Ends when the conversation is deleted; close the generator to stop earlier.

        Raises:
            ChatError: the conversation cannot be followed, or not any more.
        """
        ...

    async def close(self) -> None:
        """Let go of connections, and of the services where they are in this process."""
        ...
