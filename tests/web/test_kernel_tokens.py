"""When the tokens of kernels are stored, how long they count, and what goes wrong meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import NotAuthenticated, Unavailable
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId, TokenId
from bestchat_server_ext.core.tokens import digest
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.services.tokens import KERNEL_LIFETIME, RENEWAL_PAUSE, TokenService
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.web.activity import Activity
from bestchat_server_ext.web.door import Door
from bestchat_server_ext.web.extension import JupyterAuthenticator
from bestchat_server_ext.web.kernels import KernelTokens

HOUR = 3600.0


class Manager:
    """As much of a kernel manager as is looked at."""

    def __init__(self) -> None:
        self.environs: dict[str, dict[str, str]] = {}

    def __contains__(self, kernel_id: object) -> bool:
        return kernel_id in self.environs

    def list_kernel_ids(self) -> list[str]:
        return list(self.environs)

    async def start_kernel(self, *, kernel_id: str, env: dict[str, str] | None = None) -> str:
        self.environs[kernel_id] = env or {}
        return kernel_id

    def remove_kernel(self, kernel_id: str) -> None:
        del self.environs[kernel_id]


class Store:
    """A store that can fail before it has done its work, or afterwards."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.before: dict[bytes, Exception] = {}
        self.after: dict[bytes, Exception] = {}
        self.renewals: list[list[str]] = []
        self.unrenewable: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def add(self, record: TokenRecord, **conditions: Any) -> None:
        if record.digest in self.before:
            raise self.before[record.digest]
        await self._inner.add(record, **conditions)
        if record.digest in self.after:
            raise self.after.pop(record.digest)

    async def renew(self, kernel_ids: list[str], until: Any) -> None:
        self.renewals.append(list(kernel_ids))
        if self.unrenewable is not None:
            raise self.unrenewable
        await self._inner.renew(kernel_ids, until)


class House:
    """A server with kernels, on a database that lives longer."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.service = TokenService(store, clock)
        application: Any = SimpleNamespace(
            tokens=self.service, authenticate=self.service.authenticate
        )

        async def build() -> Any:
            return application

        async def address() -> str:
            return "http://127.0.0.1:1/"

        async def owner() -> OwnerId:
            return LOCAL_OWNER

        self.door = Door(build)
        self.manager = Manager()
        self.kernels = KernelTokens(self.door, address, owner, frozenset)
        self.kernels.watch(self.manager)
        self._authenticator = JupyterAuthenticator(self.door, self.kernels, Activity({}))

    async def start(self, kernel_id: str) -> str:
        """Start a kernel; gives its token."""
        await self.manager.start_kernel(kernel_id=kernel_id)
        return self.manager.environs[kernel_id]["BESTCHAT_TOKEN"]

    async def end(self, kernel_id: str) -> None:
        self.manager.remove_kernel(kernel_id)
        await self.kernels.close(())

    async def come(self, token: str) -> Caller | None:
        """A kernel calls with its token."""
        request = SimpleNamespace(headers={"Authorization": f"Bearer {token}"}, path="/")
        handler: Any = SimpleNamespace(request=request)
        return await self._authenticator.caller(handler)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    database = await open_database(tmp_path / "bestchat.sqlite3")
    yield Store(database.tokens)
    await database.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def house(store: Store, clock: ManualClock) -> House:
    return House(store, clock)


def doubt() -> Unavailable:
    return Unavailable("The connection broke.", hint="It may have been written.")


async def test_a_write_that_did_its_work_and_failed_to_say_so_is_no_trouble(
    house: House, store: Store
) -> None:
    token = await house.start("kernel-1")
    store.after[digest(token)] = doubt()
    with pytest.raises(Unavailable):
        await house.come(token)
    for _ in range(2):
        caller = await house.come(token)
        assert caller is not None
        assert caller.kernel_id == "kernel-1"


async def test_what_was_written_in_doubt_ends_with_its_kernel(house: House, store: Store) -> None:
    token = await house.start("kernel-1")
    store.after[digest(token)] = doubt()
    with pytest.raises(Unavailable):
        await house.come(token)
    await house.end("kernel-1")
    with pytest.raises(NotAuthenticated):
        await house.come(token)


async def test_nobody_comes_in_while_a_token_is_being_revoked(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, other = await house.start("kernel-1"), await house.start("kernel-2")
    for one in (token, other):
        await house.come(one)
    revoke, may_revoke = store._inner.revoke, asyncio.Event()

    async def slowly(*args: Any, **kwargs: Any) -> Any:
        await may_revoke.wait()
        return await revoke(*args, **kwargs)

    monkeypatch.setattr(store._inner, "revoke", slowly)
    house.manager.remove_kernel("kernel-1")
    coming = asyncio.create_task(house.come(token))
    await store.find(digest(token))  # as long as a look at the database takes
    may_revoke.set()
    with pytest.raises(NotAuthenticated):
        await coming
    assert await house.come(other) is not None


@pytest.mark.parametrize("error", [doubt(), RuntimeError("canary")], ids=["known", "unknown"])
async def test_a_token_that_cannot_be_stored_is_no_business_of_other_kernels(
    house: House, store: Store, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    bad, early = await house.start("kernel-1"), await house.start("kernel-2")
    store.before[digest(bad)] = error
    assert await house.come(early) is not None
    house.kernels.settle_all()
    late = await house.start("kernel-3")
    for token in (early, late):
        assert await house.come(token) is not None
    with pytest.raises(type(error)):
        await house.come(bad)
    store.before.clear()
    assert await house.come(bad) is not None
    assert "canary" not in caplog.text


async def test_all_are_stored_once_the_database_is_open(house: House, store: Store) -> None:
    tokens = [await house.start(f"kernel-{number}") for number in range(3)]
    store.before[digest(tokens[1])] = doubt()
    await house.door.application()
    assert [await store.find(digest(token)) for token in tokens] == [None] * 3
    house.kernels.settle_all()
    await house.kernels.close(())
    kept = [await store.find(digest(token)) is not None for token in tokens]
    assert kept == [True, False, True]


async def test_calls_at_the_same_time_store_it_once(house: House) -> None:
    token = await house.start("kernel-1")
    callers = await asyncio.gather(*(house.come(token) for _ in range(5)))
    assert len({caller.token_id for caller in callers if caller is not None}) == 1


async def test_a_kernel_that_lives_keeps_its_token(house: House, clock: ManualClock) -> None:
    token = await house.start("kernel-1")
    for _ in range(5):
        assert await house.come(token) is not None
        clock.advance(20 * HOUR)


async def test_so_does_one_that_did_nothing_for_days(house: House, clock: ManualClock) -> None:
    """The machine may have been asleep; whoever calls first must not have to call twice."""
    token, other = await house.start("kernel-1"), await house.start("kernel-2")
    for one in (token, other):
        await house.come(one)
    clock.advance(72 * HOUR)
    callers = await asyncio.gather(house.come(token), house.come(other), house.come(token))
    assert None not in callers


async def test_a_token_that_a_killed_server_left_behind_expires(
    house: House, store: Store, clock: ManualClock
) -> None:
    """Its kernel may go on for a while, with another server on the same database."""
    token = await house.start("kernel-1")
    assert await house.come(token) is not None
    another = House(store, clock)
    clock.advance(KERNEL_LIFETIME.total_seconds() - 1)
    assert await another.come(token) is not None
    clock.advance(1)
    with pytest.raises(NotAuthenticated):
        await another.come(token)


async def test_a_server_that_knows_the_kernels_of_the_one_before_renews_their_tokens(
    house: House, store: Store, clock: ManualClock
) -> None:
    token = await house.start("kernel-1")
    await house.come(token)
    another = House(store, clock)
    another.manager.environs["kernel-1"] = {}
    clock.advance(72 * HOUR)
    assert await another.come(token) is not None


@pytest.mark.parametrize("late", [False, True], ids=["good", "expired"])
async def test_no_renewal_brings_a_revoked_token_back(
    house: House, clock: ManualClock, *, late: bool
) -> None:
    token = await house.start("kernel-1")
    caller = await house.come(token)
    assert caller is not None
    clock.advance((72 if late else 2) * HOUR)
    await house.service.revoke(TokenId(str(caller.token_id)))
    clock.advance(2 * HOUR)
    with pytest.raises(NotAuthenticated):
        await house.come(token)


async def test_it_is_renewed_now_and_then_and_again_after_a_failure(
    house: House, store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    token = await house.start("kernel-1")
    for _ in range(3):
        await house.come(token)
    assert store.renewals == [["kernel-1"]]
    clock.advance(RENEWAL_PAUSE.total_seconds())
    store.unrenewable = doubt()
    with caplog.at_level(logging.WARNING):
        assert await house.come(token) is not None  # it is good for hours to come
    assert "not renewed yet" in caplog.text
    store.unrenewable = None
    for _ in range(2):
        assert await house.come(token) is not None
    assert len(store.renewals) == 3
    caller = await house.come(token)
    assert caller is not None
    assert caller.expires_at == clock.now() + timedelta(days=1)


async def test_why_a_token_stays_is_said_whatever_the_reason(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def revoke(*_: Any, **__: Any) -> Any:
        raise RuntimeError("canary")

    await house.come(await house.start("kernel-1"))
    monkeypatch.setattr(store._inner, "revoke", revoke)
    await house.end("kernel-1")
    assert "the token of kernel kernel-1 stays: RuntimeError at " in caplog.text
    assert "canary" not in caplog.text
