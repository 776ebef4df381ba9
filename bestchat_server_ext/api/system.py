"""System: is it well, who am I, and how is it configured."""

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
    database: str = ""
    """What the database is called, without a password."""
    redis: str = ""
    """`ok` where several servers tell each other what happens, else what is wrong; empty where no
    Redis is configured."""
    notices: tuple[str, ...] = ()
    """What a person should know about it, one sentence each."""


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


DEFAULT_ORIGIN = "default"
"""The origin of what nobody has set."""


class ListOptions(ApiRequest):
    """Read how the service is configured."""


class Option(msgspec.Struct, frozen=True):
    """One option as it is in force."""

    name: str
    """Its name, as in `c.BestChat.<name>`."""
    value: str
    """Its value as text, without passwords; empty if it is not set."""
    origin: str
    """Where the value comes from: `default`, a file's path, the name of a variable, or the
    server's own configuration."""
    description: str
    """What it does."""


class OptionList(msgspec.Struct, frozen=True):
    """All options, in the order of the documentation."""

    options: tuple[Option, ...]
    """The options."""


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
options = Procedure(
    name="system.options",
    summary="Say how the service is configured, and where each value comes from.",
    request=ListOptions,
    response=OptionList,
    scope=Scope.SYSTEM_READ,
)
