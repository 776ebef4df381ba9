"""System: is it well, and who am I."""

from __future__ import annotations

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.errors import ErrorInfo


class GetHealth(ApiRequest):
    """Ask how the service is."""


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the service is. Without a credential only the first two fields are there."""

    alive: bool
    """Whether it answers: always true in an answer."""
    protocol: int
    """The protocol that it speaks."""
    version: str = ""
    """Its version."""
    storage: str = ""
    """`ok`, `closed` before first use, or what is wrong."""
    error: ErrorInfo | None = None
    """What is wrong and what to do about it."""
    running_turns: int = 0
    """Turns that run in this process."""


class WhoAmI(ApiRequest):
    """Ask what the server takes the caller for."""


class Identity(msgspec.Struct, frozen=True):
    """The caller as the server sees it."""

    owner: str
    """Whose conversations it sees."""
    kind: str
    """`user`, `kernel` or `token`."""
    scopes: tuple[str, ...]
    """What its credential may be used for, sorted."""


health = Procedure(
    name="system.health",
    summary="Say how the service is; needs no credential for the short answer.",
    request=GetHealth,
    response=Health,
    scope=None,
)
whoami = Procedure(
    name="system.whoami",
    summary="Say what the server takes the caller for.",
    request=WhoAmI,
    response=Identity,
    scope=Scope.SYSTEM_READ,
)
