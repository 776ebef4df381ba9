"""A procedure: one typed operation of the API, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import msgspec

from bestchat_server_ext.core.access import Scope

PROTOCOL = 1
"""Grows with every change that an older client has to know about; one step of skew works."""

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response", bound=msgspec.Struct)

TargetField = Literal["conversation_id", "turn_id", "execution_id", "token_id", "file_id"]


@dataclass(frozen=True)
class Procedure(Generic[Request, Response]):
    """One operation.

    Attributes:
        name: `topic.verb`; also its path below `bestchat/api/`.
        summary: one sentence for the documentation.
        request: model of what it takes.
        response: model of what it gives.
        scope: what a credential must be for; none for what needs no credential at all.
        target: the field of the request that names the object it is about. The dispatcher
            checks that the object is the caller's before anything else happens.
        stream: whether it gives many responses, over the WebSocket.
    """

    name: str
    summary: str
    request: type[Request]
    response: type[Response]
    scope: Scope | None
    target: TargetField | None = None
    stream: bool = False

    @property
    def topic(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


class ApiRequest(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all requests: a misspelt field is an error and not a silent default."""


class Empty(msgspec.Struct, frozen=True):
    """Nothing, said in a way that can grow."""
