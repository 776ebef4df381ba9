from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bestchat_server_ext.core.access import (
    EVERY_SCOPE,
    KERNEL_SCOPES,
    Caller,
    Scope,
    Target,
    no_such_object,
    require,
    require_grant,
)
from bestchat_server_ext.core.errors import NotAllowed, NotFound
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId
from bestchat_server_ext.core.tools import Placement

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


@pytest.mark.parametrize("scope", sorted(EVERY_SCOPE - SCRIPT.scopes))
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


SCOPES = st.frozensets(st.sampled_from(Scope))
OWNERS = st.sampled_from([LOCAL_OWNER, OwnerId("ada"), OwnerId("")])
KERNELS = st.sampled_from([None, "k1", "k2"])
PLACEMENTS = st.sampled_from([None, *get_args(Placement)])
CALLERS = st.builds(
    Caller,
    owner=OWNERS,
    kind=st.sampled_from(["user", "kernel", "token"]),
    scopes=SCOPES,
    kernel_id=KERNELS,
)
TARGETS = st.builds(Target, owner=OWNERS, placement=PLACEMENTS, kernel_id=KERNELS)


def verdict(caller: Caller, scope: Scope, target: Target | None = None) -> type | None:
    try:
        require(caller, scope, target)
    except (NotAllowed, NotFound) as error:
        return type(error)
    return None


class TestWhateverIsAsked:
    @given(CALLERS, st.sampled_from(Scope), st.none() | TARGETS)
    def test_nothing_is_allowed_without_the_scope_or_to_others(
        self, caller: Caller, scope: Scope, target: Target | None
    ) -> None:
        foreign = target is not None and target.owner != caller.owner
        said = verdict(caller, scope, target)
        assert (said is NotFound) == foreign
        if scope not in caller.scopes:
            assert said is not None

    @given(CALLERS, st.sampled_from(Scope), TARGETS)
    def test_all_that_is_foreign_looks_like_nothing(
        self, caller: Caller, scope: Scope, target: Target
    ) -> None:
        assume(target.owner != caller.owner)
        with pytest.raises(NotFound) as caught:
            require(caller, scope, target)
        assert caught.value.info == no_such_object().info

    @given(CALLERS, st.sampled_from(Scope), st.none() | TARGETS, SCOPES)
    def test_more_scopes_never_allow_less(
        self, caller: Caller, scope: Scope, target: Target | None, more: frozenset[Scope]
    ) -> None:
        assume(verdict(caller, scope, target) is None)
        richer = msgspec.structs.replace(caller, scopes=caller.scopes | more)
        assert verdict(richer, scope, target) is None

    @given(CALLERS, st.sampled_from(Scope), st.none() | TARGETS)
    def test_a_kernel_may_never_do_more_than_its_user(
        self, caller: Caller, scope: Scope, target: Target | None
    ) -> None:
        kernel = msgspec.structs.replace(caller, kind="kernel")
        user = msgspec.structs.replace(caller, kind="user")
        if verdict(kernel, scope, target) is None:
            assert verdict(user, scope, target) is None

    @given(CALLERS, TARGETS)
    def test_a_kernel_approves_at_home_only(self, caller: Caller, target: Target) -> None:
        kernel = msgspec.structs.replace(caller, kind="kernel", scopes=KERNEL_SCOPES)
        if target.placement is None or verdict(kernel, Scope.APPROVALS, target) is not None:
            return
        assert target.placement == "kernel"
        assert target.kernel_id is not None
        assert target.kernel_id == kernel.kernel_id

    @given(CALLERS, SCOPES)
    def test_nobody_gives_what_they_do_not_have(
        self, caller: Caller, asked: frozenset[Scope]
    ) -> None:
        beyond = asked - caller.scopes
        if not beyond:
            require_grant(caller, asked)
            return
        with pytest.raises(NotAllowed) as caught:
            require_grant(caller, asked)
        assert caught.value.info.field == "scopes"
        for scope in beyond:
            assert scope.value in caught.value.info.text


def test_kernels_make_no_tokens_touch_no_keys_and_delete_nothing() -> None:
    denied = EVERY_SCOPE - KERNEL_SCOPES
    assert denied == {Scope.TOKENS, Scope.PROVIDERS_WRITE, Scope.CONVERSATIONS_DELETE}
