"""Tokens that people make: what they can do, and how they end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.api import system, tokens
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.access import EVERY_SCOPE, KERNEL_SCOPES, Caller, Scope
from bestchat_server_ext.core.errors import (
    InvalidRequest,
    LimitReached,
    NotAllowed,
    NotAuthenticated,
    NotFound,
)
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId, TokenId
from bestchat_server_ext.core.tokens import LIFETIME_MAX, digest, new_token
from bestchat_server_ext.services import tokens as service
from bestchat_server_ext.testing.clock import START, ManualClock

USER = Caller(LOCAL_OWNER, "user")
MAKER = frozenset({Scope.TOKENS, Scope.TURNS})


class Desk:
    """Where tokens are asked for, on whoever's behalf."""

    def __init__(self, house: Any) -> None:
        self.application = house.application
        self.clock: ManualClock = house.clock
        self.service: service.TokenService = house.application.tokens

    def client(self, caller: Caller = USER) -> InProcessClient:
        return InProcessClient(self.application, caller)

    async def make(
        self,
        caller: Caller = USER,
        scopes: Iterable[Scope] = (Scope.TURNS,),
        expires_in: int | None = None,
        name: str = "A name",
    ) -> tokens.NewToken:
        request = tokens.CreateToken(name, tuple(scopes), expires_in)
        return await self.client(caller).call(tokens.create, request)

    async def revoke(self, token_id: TokenId, caller: Caller = USER) -> tokens.TokenInfo:
        return await self.client(caller).call(tokens.revoke, tokens.RevokeToken(token_id))

    async def listed(self, caller: Caller = USER) -> list[tokens.TokenInfo]:
        page = await self.client(caller).call(tokens.list_, tokens.ListTokens(limit=200))
        assert page.cursor == ""
        return list(page.tokens)

    async def who(self, made: tokens.NewToken) -> Caller:
        return await self.application.authenticate(made.token)


@pytest.fixture
async def desk(build: Callable[..., Awaitable[Any]]) -> Desk:
    return Desk(await build())


async def test_a_token_speaks_for_who_made_it(desk: Desk) -> None:
    ada = Caller(OwnerId("ada"), "user")
    made = await desk.make(ada, [Scope.TURNS, Scope.MODELS_READ, Scope.TURNS])
    caller = await desk.who(made)
    scopes = frozenset({Scope.TURNS, Scope.MODELS_READ})
    assert caller == Caller(OwnerId("ada"), "token", scopes, made.id)
    assert made.scopes == tuple(sorted(scopes))
    with pytest.raises(NotAllowed):
        await desk.client(caller).call(system.whoami, system.WhoAmI())


async def test_it_is_shown_once_and_kept_as_a_hash(desk: Desk, data_dir: Any) -> None:
    made = await desk.make()
    (info,) = await desk.listed()
    for shown in (repr(made), str(made), f"{made!r}", repr(info), str(msgspec.to_builtins(info))):
        assert made.token not in shown
        assert str(digest(made.token)) not in shown
    assert set(info.__struct_fields__) == {
        *("id", "kind", "name", "scopes", "created_at", "expires_at", "revoked_at", "kernel_id")
    }
    files = [path.read_bytes() for path in data_dir.rglob("*") if path.is_file()]
    assert any(digest(made.token) in content for content in files)
    assert not any(made.token.encode() in content for content in files)


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\nb", "\u202edrowssap", " ", "\u200b", "x" * 101])
async def test_a_name_that_hides_something_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await desk.make(name=name)
    assert caught.value.info.field == "name"
    assert await desk.listed() == []


async def test_no_two_tokens_are_the_same(desk: Desk) -> None:
    made = [await desk.make() for _ in range(5)]
    assert len({item.token for item in made}) == len({item.id for item in made}) == len(made)


async def test_the_list_has_kernels_and_worthless_ones_and_nobody_elses(desk: Desk) -> None:
    first = await desk.make(name="  First ")
    await desk.service.add_kernel_token(new_token(b"k" * 32), LOCAL_OWNER, "kernel-1")
    await desk.make(Caller(OwnerId("ada"), "user"))
    desk.clock.advance(10)
    last = await desk.make(name="Last", expires_in=60)
    await desk.revoke(first.id)
    await desk.service.revoke_kernel("kernel-1")
    desk.clock.advance(60)
    listed = await desk.listed()
    assert [(item.kind, item.name, item.kernel_id) for item in listed] == [
        ("token", "Last", None),
        ("kernel", "", "kernel-1"),
        ("token", "First", None),
    ]
    ended = START + timedelta(seconds=10)
    assert [item.revoked_at for item in listed] == [None, ended, ended]
    ends = [ended + timedelta(minutes=1), START + service.KERNEL_LIFETIME, None]
    assert [item.expires_at for item in listed] == ends
    assert listed[0].id == last.id
    assert set(listed[1].scopes) == KERNEL_SCOPES


async def test_it_counts_until_it_expires(desk: Desk) -> None:
    made = await desk.make(expires_in=60)
    assert made.expires_at == START + timedelta(seconds=60)
    desk.clock.advance(59.999)
    assert (await desk.who(made)).token_id == made.id
    desk.clock.advance(0.001)
    with pytest.raises(NotAuthenticated):
        await desk.who(made)


async def test_ten_years_or_for_ever(desk: Desk) -> None:
    long, always = await desk.make(expires_in=LIFETIME_MAX), await desk.make()
    assert long.expires_at is not None
    assert always.expires_at is None
    desk.clock.advance(LIFETIME_MAX)
    with pytest.raises(NotAuthenticated):
        await desk.who(long)
    assert (await desk.who(always)).token_id == always.id


async def test_worthless_tokens_are_told_apart_by_nobody(desk: Desk) -> None:
    revoked, expired = await desk.make(), await desk.make(expires_in=60)
    await desk.revoke(revoked.id)
    desk.clock.advance(60)
    said = []
    for token in (revoked.token, expired.token, new_token(b"x" * 32)):
        with pytest.raises(NotAuthenticated) as caught:
            await desk.application.authenticate(token)
        said.append(caught.value.info)
    assert said[0] == said[1] == said[2]
    assert "kernel" in said[0].hint
    assert "tokens.create" in said[0].hint


class TestWithAToken:
    """A token that may make others gives away nothing that it does not have."""

    async def test_it_gives_what_it_has_and_no_more(self, desk: Desk) -> None:
        maker = await desk.who(await desk.make(scopes=MAKER))
        made = await desk.make(maker, MAKER)
        assert (await desk.who(made)).scopes == MAKER
        for scope in EVERY_SCOPE - MAKER:
            with pytest.raises(NotAllowed, match=scope.value) as caught:
                await desk.make(maker, [scope, Scope.TURNS])
            assert caught.value.info.field == "scopes"
        assert len(await desk.listed()) == 2

    async def test_one_that_may_not_make_tokens_makes_none(self, desk: Desk) -> None:
        poor = await desk.who(await desk.make(scopes=EVERY_SCOPE - {Scope.TOKENS}))
        with pytest.raises(NotAllowed):
            await desk.make(poor)
        with pytest.raises(NotAllowed):
            await desk.listed(poor)
        assert poor.token_id is not None
        with pytest.raises(NotAllowed):
            await desk.revoke(poor.token_id, poor)
        assert len(await desk.listed()) == 1

    async def test_a_kernel_makes_none(self, desk: Desk) -> None:
        token = new_token(b"k" * 32)
        await desk.service.add_kernel_token(token, LOCAL_OWNER, "kernel-1")
        kernel = await desk.application.authenticate(token)
        with pytest.raises(NotAllowed):
            await desk.make(kernel)
        assert [item.kind for item in await desk.listed()] == ["kernel"]

    async def test_what_it_makes_expires_no_later(self, desk: Desk) -> None:
        maker = await desk.who(await desk.make(scopes=MAKER, expires_in=3600))
        desk.clock.advance(600.5)
        for lifetime in (3000, LIFETIME_MAX, None):
            with pytest.raises(NotAllowed, match="2999") as caught:
                await desk.make(maker, expires_in=lifetime)
            assert caught.value.info.field == "expires_in"
        made = await desk.make(maker, expires_in=2999)
        assert made.expires_at is not None
        assert made.expires_at <= START + timedelta(hours=1)

    async def test_one_that_never_expires_makes_others_that_never_do(self, desk: Desk) -> None:
        maker = await desk.who(await desk.make(scopes=MAKER))
        assert (await desk.make(maker)).expires_at is None

    async def test_one_that_was_revoked_after_it_was_let_in_makes_none(self, desk: Desk) -> None:
        """As if the revocation had come in the middle of the request."""
        maker = await desk.who(await desk.make(scopes=MAKER))
        assert maker.token_id is not None
        await desk.revoke(maker.token_id)
        with pytest.raises(NotAuthenticated):
            await desk.make(maker)
        assert len(await desk.listed()) == 1

    async def test_what_it_made_stays_when_it_is_revoked(self, desk: Desk) -> None:
        """It may even revoke itself: that is how a script replaces the token that it has."""
        maker = await desk.who(await desk.make(scopes=MAKER))
        successor = await desk.make(maker, MAKER)
        assert maker.token_id is not None
        await desk.revoke(maker.token_id, maker)
        assert (await desk.who(successor)).scopes == MAKER


async def test_there_are_at_most_a_hundred(desk: Desk) -> None:
    """Valid ones of one's own making: others and kernels' do not count."""
    await desk.make(Caller(OwnerId("ada"), "user"))
    await desk.service.add_kernel_token(new_token(b"k" * 32), LOCAL_OWNER, "kernel-1")
    await desk.make(expires_in=60)
    desk.clock.advance(60)
    making = (desk.make() for _ in range(service.TOKEN_LIMIT + 3))
    made = await asyncio.gather(*making, return_exceptions=True)
    refused = [item for item in made if isinstance(item, LimitReached)]
    good = [item for item in made if isinstance(item, tokens.NewToken)]
    assert (len(good), len(refused)) == (service.TOKEN_LIMIT, 3)
    assert service.TOKEN_LIMIT == 100
    await desk.revoke(good[0].id)
    await desk.make()
    with pytest.raises(LimitReached, match="Revoke one"):
        await desk.make()


class TestRevoking:
    async def test_it_counts_at_once_and_once(self, desk: Desk) -> None:
        made = await desk.make()
        revoked = await desk.revoke(made.id)
        assert revoked.revoked_at == START
        with pytest.raises(NotAuthenticated):
            await desk.who(made)
        desk.clock.advance(60)
        assert await desk.revoke(made.id) == revoked

    async def test_an_expired_one_stays_as_it_is(self, desk: Desk) -> None:
        made = await desk.make(expires_in=60)
        desk.clock.advance(60)
        assert (await desk.revoke(made.id)).revoked_at is None

    async def test_somebody_elses_looks_like_none(self, desk: Desk) -> None:
        """Also to who may not revoke at all."""
        made = await desk.make()
        nobody = TokenId(desk.clock.new_id())
        for scopes in (EVERY_SCOPE, frozenset[Scope]()):
            other = Caller(OwnerId("ada"), "token", scopes)
            said = []
            for token_id in (made.id, nobody, TokenId("no id")):
                with pytest.raises(NotFound) as caught:
                    await desk.revoke(token_id, other)
                said.append(caught.value.info)
            assert all(info == said[0] for info in said)
        assert (await desk.who(made)).token_id == made.id

    async def test_a_revocation_elsewhere_counts_at_once(self, desk: Desk, build: Any) -> None:
        """Another process has the same database and nothing else in common."""
        made = await desk.make()
        elsewhere = Desk(await build(origin=1))
        assert (await elsewhere.who(made)).token_id == made.id
        await desk.revoke(made.id)
        with pytest.raises(NotAuthenticated):
            await elsewhere.who(made)


class TestWatching:
    async def test_whoever_watches_is_told_once(self, desk: Desk) -> None:
        made, other = await desk.make(), await desk.make()
        told: list[str] = []
        desk.service.watch(made.id, lambda: told.append("one"))
        desk.service.watch(made.id, lambda: told.append("two"))
        desk.service.watch(other.id, lambda: told.append("other"))
        await desk.revoke(made.id)
        assert told == ["one", "two"]
        await desk.revoke(made.id)
        assert told == ["one", "two"]

    async def test_whoever_stops_watching_is_not_told(self, desk: Desk) -> None:
        made = await desk.make()
        told: list[str] = []

        def tell() -> None:
            told.append("told")

        stops = [desk.service.watch(made.id, tell) for _ in range(2)]
        stops[0]()
        stops[0]()
        await desk.revoke(made.id)
        assert told == ["told"]
        stops[1]()
        assert desk.service._watchers == {}

    async def test_nothing_is_left_of_watches_that_have_ended(self, desk: Desk) -> None:
        made = await desk.make()
        stop = desk.service.watch(made.id, lambda: None)
        stop()
        assert desk.service._watchers == {}

    async def test_the_end_of_a_kernel_is_told(self, desk: Desk) -> None:
        callers = []
        for number in range(2):
            token = new_token(bytes([number]) * 32)
            await desk.service.add_kernel_token(token, LOCAL_OWNER, f"kernel-{number}")
            callers.append(await desk.application.authenticate(token))
        told: list[str | None] = []
        for caller in callers:
            assert caller.token_id is not None
            kernel_id = caller.kernel_id
            desk.service.watch(caller.token_id, lambda gone=kernel_id: told.append(gone))
        await desk.service.revoke_kernel("kernel-1")
        assert told == ["kernel-1"]

    async def test_what_another_process_revoked_is_told_when_it_is_revoked_here(
        self, desk: Desk, build: Any
    ) -> None:
        made, told = await desk.make(), list[str]()
        elsewhere = Desk(await build(origin=1))
        elsewhere.service.watch(made.id, lambda: told.append("told"))
        await desk.revoke(made.id)
        assert told == []
        await elsewhere.revoke(made.id)
        assert told == ["told"]

    async def test_one_that_fails_keeps_nobody_from_hearing(
        self, desk: Desk, caplog: pytest.LogCaptureFixture
    ) -> None:
        made, told = await desk.make(), list[str]()

        def fail() -> None:
            raise RuntimeError("the line is gone")

        desk.service.watch(made.id, fail)
        desk.service.watch(made.id, lambda: told.append("told"))
        with caplog.at_level(logging.ERROR):
            revoked = await desk.revoke(made.id)
        assert (told, revoked.revoked_at) == (["told"], START)
        assert "the line is gone" in caplog.text
        assert made.token not in caplog.text
