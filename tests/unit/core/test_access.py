from __future__ import annotations

import pytest

from bestchat_server_ext.core.access import (
    EVERY_SCOPE,
    KERNEL_SCOPES,
    Caller,
    Scope,
    Target,
    require,
)
from bestchat_server_ext.core.errors import NotAllowed, NotFound
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId

USER = Caller(LOCAL_OWNER, "user")
KERNEL = Caller(LOCAL_OWNER, "kernel", KERNEL_SCOPES, kernel_id="k1")
SCRIPT = Caller(LOCAL_OWNER, "token", frozenset({Scope.CONVERSATIONS_READ}))
STRANGER = Target(OwnerId("somebody else"))


@pytest.mark.parametrize("scope", Scope)
def test_a_user_may_do_everything_with_what_is_theirs(scope: Scope) -> None:
    require(USER, scope)
    require(USER, scope, Target(LOCAL_OWNER))
    require(USER, scope, Target(LOCAL_OWNER, "server"))
    require(USER, scope, Target(LOCAL_OWNER, "kernel", "k2"))


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("caller", [USER, KERNEL, SCRIPT])
def test_what_is_not_yours_does_not_exist(caller: Caller, scope: Scope) -> None:
    """Also without the scope: otherwise the answer would tell that there is something."""
    with pytest.raises(NotFound):
        require(caller, scope, STRANGER)


@pytest.mark.parametrize("scope", EVERY_SCOPE - SCRIPT.scopes)
def test_a_missing_scope_is_named(scope: Scope) -> None:
    for target in (None, Target(LOCAL_OWNER)):
        with pytest.raises(NotAllowed, match=scope.value):
            require(SCRIPT, scope, target)


def test_a_scope_is_enough_for_its_own_action() -> None:
    require(SCRIPT, Scope.CONVERSATIONS_READ, Target(LOCAL_OWNER))


def test_a_kernel_deletes_nothing() -> None:
    with pytest.raises(NotAllowed):
        require(KERNEL, Scope.CONVERSATIONS_DELETE, Target(LOCAL_OWNER))
    for scope in KERNEL_SCOPES:
        require(KERNEL, scope, Target(LOCAL_OWNER))


def test_a_kernel_decides_about_its_own_tools() -> None:
    require(KERNEL, Scope.APPROVALS, Target(LOCAL_OWNER, "kernel", "k1"))


@pytest.mark.parametrize(
    "target",
    [
        Target(LOCAL_OWNER, "kernel", "k2"),
        Target(LOCAL_OWNER, "kernel", None),
        Target(LOCAL_OWNER, "server"),
        Target(LOCAL_OWNER, "server", "k1"),
        Target(LOCAL_OWNER, "sandbox"),
        Target(LOCAL_OWNER, "browser"),
        Target(LOCAL_OWNER, "mcp"),
    ],
)
def test_a_kernel_decides_about_no_others(target: Target) -> None:
    with pytest.raises(NotAllowed):
        require(KERNEL, Scope.APPROVALS, target)


@pytest.mark.parametrize("kernel_id", [None, "k1"])
def test_a_token_without_a_kernel_yet_decides_about_none(kernel_id: str | None) -> None:
    unbound = Caller(LOCAL_OWNER, "kernel", KERNEL_SCOPES)
    with pytest.raises(NotAllowed):
        require(unbound, Scope.APPROVALS, Target(LOCAL_OWNER, "kernel", kernel_id))
