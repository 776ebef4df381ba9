"""Who asks, and what they may do.

Two questions are kept apart. *Scopes* say what a credential is for, and a missing scope is said
openly (`NotAllowed`). *Ownership* says whose an object is, and somebody else's object looks
exactly like one that does not exist (`NotFound`).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

from bestchat_server_ext.core.errors import NotAllowed, NotFound
from bestchat_server_ext.core.ids import OwnerId, TokenId
from bestchat_server_ext.core.tools import Placement


class Scope(StrEnum):
    """What a credential may be used for."""

    CONVERSATIONS_READ = "conversations:read"
    CONVERSATIONS_WRITE = "conversations:write"
    CONVERSATIONS_DELETE = "conversations:delete"
    TURNS = "turns"
    APPROVALS = "approvals"
    MODELS_READ = "models:read"
    PROVIDERS_WRITE = "providers:write"
    SYSTEM_READ = "system:read"
    TOKENS = "tokens"
    USAGE_READ = "usage:read"


EVERY_SCOPE = frozenset(Scope)

KERNEL_SCOPES = EVERY_SCOPE - {Scope.CONVERSATIONS_DELETE, Scope.PROVIDERS_WRITE, Scope.TOKENS}
"""What the token of a kernel is for. Its approvals count only for its own tools: see `require`.

It makes no tokens: they would outlive the kernel, and what runs in it could leave one behind. Nor
does it touch providers' keys and addresses: what runs in it could send prompts somewhere else.
"""


class Caller(msgspec.Struct, frozen=True):
    """The authenticated user, kernel or token that asks."""

    owner: OwnerId
    """Whose conversations it sees."""
    kind: Literal["user", "kernel", "token"]
    """What kind of credential it came with."""
    scopes: frozenset[Scope] = EVERY_SCOPE
    """What that credential is for."""
    token_id: TokenId | None = None
    """The BestChat token it came with, if it came with one."""
    kernel_id: str | None = None
    """The kernel that the token was made for."""
    expires_at: datetime | None = None
    """When that token stops counting, UTC; never, if none."""


class Target(msgspec.Struct, frozen=True):
    """The object of an action, as far as access depends on it."""

    owner: OwnerId
    """Whose it is."""
    placement: Placement | None = None
    """For a tool execution: where it runs."""
    kernel_id: str | None = None
    """For an execution placed in a kernel: which one."""


def no_such_object() -> NotFound:
    """The one error for what does not exist and for what is somebody else's."""
    return NotFound("There is no such object.", hint="Check the id, or list what you have.")


def require(caller: Caller, scope: Scope, target: Target | None = None) -> None:
    """Allow an action, or say why not: the one policy function.

    Raises:
        NotAllowed: the credential was not made for this.
        NotFound: the object belongs to somebody else.
    """
    if target is not None and target.owner != caller.owner:
        raise no_such_object()
    if scope not in caller.scopes:
        raise NotAllowed(
            f"This {caller.kind} credential does not have the scope {scope.value!r}.",
            hint="Sign in as the user, or use a token with that scope.",
        )
    if scope is Scope.APPROVALS and target is not None and target.placement is not None:
        _require_own_tool(caller, target)


def require_grant(caller: Caller, scopes: frozenset[Scope]) -> None:
    """Allow a credential to be made with these scopes, or say why not.

    Raises:
        NotAllowed: the caller does not have all of them itself.
    """
    beyond = ", ".join(sorted(scopes - caller.scopes))
    if beyond:
        raise NotAllowed(
            f"This {caller.kind} credential cannot give what it does not have: {beyond}.",
            hint="Leave that out, or sign in as the user.",
            field="scopes",
        )


def _require_own_tool(caller: Caller, target: Target) -> None:
    """Code in a kernel could approve whatever it likes, so its word counts only at home."""
    if caller.kind != "kernel":
        return
    # A token that is not bound to a kernel yet is at home nowhere.
    at_home = caller.kernel_id is not None and target.kernel_id == caller.kernel_id
    if target.placement != "kernel" or not at_home:
        raise NotAllowed(
            "A kernel may decide only about tools that run in that kernel.",
            hint="Approve or reject this call in the panel, or with the user's own credentials.",
        )
