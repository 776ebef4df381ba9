"""What every token store has to do, as tests."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest

from bestchat_server_ext.core.access import EVERY_SCOPE, KERNEL_SCOPES
from bestchat_server_ext.core.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    NotAuthenticated,
    NotFound,
)
from bestchat_server_ext.core.ids import OwnerId, TokenId
from bestchat_server_ext.ports.tokens import TokenPage, TokenRecord, TokenStore
from bestchat_server_ext.testing.clock import START, ManualClock

_clock = ManualClock(origin=7)


def _record(secret: str, **fields: object) -> TokenRecord:
    record = TokenRecord(
        id=TokenId(_clock.new_id()),
        owner=OwnerId("ada"),
        kind="kernel",
        scopes=KERNEL_SCOPES,
        digest=sha256(secret.encode()).digest(),
        created_at=START,
    )
    return msgspec.structs.replace(record, **fields)


class TokensSuite:
    """The tests. Define the fixture `tokens`: an empty store."""

    async def test_a_record_is_found_by_its_digest(self, tokens: TokenStore) -> None:
        """It comes back as it was."""
        plain = _record("plain", kind="token", scopes=EVERY_SCOPE)
        full = _record(
            "full",
            kernel_id="kernel-1",
            name="Nächtlich 🌙",
            expires_at=START + timedelta(days=1, microseconds=1),
            revoked_at=START + timedelta(hours=1),
        )
        await tokens.add(plain)
        await tokens.add(full)
        assert await tokens.find(plain.digest) == plain
        assert await tokens.find(full.digest) == full

    async def test_an_unknown_digest_finds_nothing(self, tokens: TokenStore) -> None:
        """Whatever its length."""
        await tokens.add(_record("one"))
        assert await tokens.find(sha256(b"two").digest()) is None
        assert await tokens.find(b"") is None

    async def test_a_record_is_found_by_its_id(self, tokens: TokenStore) -> None:
        """Revoked ones too; what is no id finds nothing."""
        record = _record("one", revoked_at=START)
        await tokens.add(record)
        assert await tokens.get(record.id) == record
        for unknown in ("", "no id", _clock.new_id()):
            assert await tokens.get(TokenId(unknown)) is None

    @pytest.mark.parametrize(
        "fields",
        [{"owner": OwnerId("bob")}, {"kind": "token"}, {"kernel_id": "kernel-2"}],
        ids=lambda fields: next(iter(fields)),
    )
    async def test_a_digest_is_kept_once(
        self, tokens: TokenStore, fields: dict[str, object]
    ) -> None:
        """Two tokens with one hash would be one token, and somebody else's."""
        kept = _record("one", kernel_id="kernel-1")
        await tokens.add(kept)
        with pytest.raises(Conflict):
            await tokens.add(_record("one", **({"kernel_id": "kernel-1"} | fields)))
        assert await tokens.find(kept.digest) == kept

    @pytest.mark.parametrize("gone", [{}, {"revoked_at": START}], ids=["good", "revoked"])
    async def test_adding_one_twice_is_no_harm(
        self, tokens: TokenStore, gone: dict[str, object]
    ) -> None:
        """Its first commit may have been one although nobody was told; nothing is brought back."""
        kept = _record("one", kernel_id="kernel-1", **gone)
        await tokens.add(kept)
        again = _record("one", kernel_id="kernel-1", created_at=START + timedelta(hours=1))
        await tokens.add(again, limit=1)
        assert await tokens.find(kept.digest) == kept
        assert await tokens.get(again.id) is None

    async def test_a_token_is_bound_to_its_kernel(self, tokens: TokenStore) -> None:
        """Once it is known."""
        record = _record("one")
        await tokens.add(record)
        await tokens.bind_kernel(record.id, "kernel-1")
        found = await tokens.find(record.digest)
        assert found == msgspec.structs.replace(record, kernel_id="kernel-1")

    @pytest.mark.parametrize("token_id", ["no id", _clock.new_id()])
    async def test_binding_an_unknown_token_is_refused(
        self, tokens: TokenStore, token_id: str
    ) -> None:
        """It would open nothing, and its kernel would wonder."""
        with pytest.raises(NotFound):
            await tokens.bind_kernel(TokenId(token_id), "kernel-1")

    async def test_one_token_is_revoked(self, tokens: TokenStore) -> None:
        """The others stay good, and revoking again revokes nothing."""
        one, two = _record("one"), _record("two")
        await tokens.add(one)
        await tokens.add(two)
        at = START + timedelta(hours=1)
        assert await tokens.revoke(at, token_id=one.id) == (one.id,)
        assert await tokens.revoke(at + timedelta(hours=1), token_id=one.id) == ()
        assert await tokens.find(one.digest) == msgspec.structs.replace(one, revoked_at=at)
        assert await tokens.find(two.digest) == two

    async def test_all_tokens_of_a_kernel_are_revoked(self, tokens: TokenStore) -> None:
        """Only those that were still good are given."""
        at = START + timedelta(hours=1)
        good = _record("one", kernel_id="kernel-1"), _record("two", kernel_id="kernel-1")
        for record in (
            *good,
            _record("expired", kernel_id="kernel-1", expires_at=at),
            _record("revoked", kernel_id="kernel-1", revoked_at=START),
            _record("other", kernel_id="kernel-2"),
            _record("none"),
        ):
            await tokens.add(record)
        revoked = await tokens.revoke(at, kernel_id="kernel-1")
        assert sorted(revoked) == sorted(record.id for record in good)
        assert await tokens.revoke(at, kernel_id="kernel-1") == ()
        other = await tokens.find(sha256(b"other").digest())
        assert other is not None
        assert other.revoked_at is None

    async def test_the_tokens_of_kernels_are_renewed(self, tokens: TokenStore) -> None:
        """Expired ones as well, but none that was revoked, and none is shortened."""
        hours = [START + timedelta(hours=hour) for hour in range(4)]
        one, expired, long, revoked, forever, other, script = (
            _record("one", kernel_id="kernel-1", expires_at=hours[2]),
            _record("expired", kernel_id="kernel-1", expires_at=hours[0]),
            _record("long", kernel_id="kernel-2", expires_at=hours[3] + timedelta(hours=1)),
            _record("revoked", kernel_id="kernel-1", expires_at=hours[2], revoked_at=hours[1]),
            _record("forever", kernel_id="kernel-1"),
            _record("other", kernel_id="kernel-3", expires_at=hours[2]),
            _record("script", kernel_id="kernel-1", kind="token", expires_at=hours[2]),
        )
        for record in (one, expired, long, revoked, forever, other, script):
            await tokens.add(record)
        await tokens.renew(["kernel-1", "kernel-2"], hours[3])
        await tokens.renew([], hours[3])
        for record in (one, expired):
            renewed = msgspec.structs.replace(record, expires_at=hours[3])
            assert await tokens.get(record.id) == renewed
        for record in (long, revoked, forever, other, script):
            assert await tokens.get(record.id) == record

    async def test_a_kernels_token_that_has_expired_is_revoked(self, tokens: TokenStore) -> None:
        """Otherwise somebody could renew it; it is not given, because it was not good any more."""
        at = START + timedelta(hours=2)
        one = _record("one", kernel_id="kernel-1", expires_at=START + timedelta(hours=1))
        await tokens.add(one)
        assert await tokens.revoke(at, token_id=one.id) == ()
        await tokens.renew(["kernel-1"], at + timedelta(hours=1))
        assert await tokens.get(one.id) == msgspec.structs.replace(one, revoked_at=at)
        script = _record("script", kind="token", expires_at=at)
        await tokens.add(script)
        assert await tokens.revoke(at, token_id=script.id) == ()
        assert await tokens.get(script.id) == script

    async def test_nothing_is_revoked_by_accident(self, tokens: TokenStore) -> None:
        """Naming neither token nor kernel does not mean all."""
        record = _record("one")
        await tokens.add(record)
        with pytest.raises(InvalidRequest):
            await tokens.revoke(START)
        assert await tokens.revoke(START, token_id=TokenId("no id")) == ()
        assert await tokens.find(record.digest) == record

    async def test_the_limit_counts_what_is_good(self, tokens: TokenStore) -> None:
        """Of that owner and that kind; revoked and expired ones make room."""
        for record in (
            _record("one", kind="token"),
            _record("expired", kind="token", expires_at=START),
            _record("revoked", kind="token", revoked_at=START),
            _record("kernel"),
            _record("other", kind="token", owner=OwnerId("bob")),
        ):
            await tokens.add(record)
        two, three = _record("two", kind="token"), _record("three", kind="token")
        await tokens.add(two, limit=2)
        with pytest.raises(LimitReached):
            await tokens.add(three, limit=2)
        assert await tokens.get(three.id) is None
        await tokens.revoke(START, token_id=two.id)
        await tokens.add(three, limit=2)

    async def test_the_limit_holds_when_all_come_at_once(self, tokens: TokenStore) -> None:
        """Nobody counts before another has written."""
        records = [_record(f"{number}", kind="token") for number in range(8)]
        adding = (tokens.add(record, limit=3) for record in records)
        results = await asyncio.gather(*adding, return_exceptions=True)
        refused = [result for result in results if result is not None]
        assert {type(error) for error in refused} == {LimitReached}
        kept = await tokens.page(OwnerId("ada"), limit=10)
        assert (len(refused), len(kept.items)) == (5, 3)

    @pytest.mark.parametrize("gone", ["revoked_at", "expires_at"])
    async def test_only_a_good_token_makes_another(self, tokens: TokenStore, gone: str) -> None:
        """It may have been good when it was looked at."""
        good, bad = _record("good"), _record("bad", **{gone: START})
        await tokens.add(good)
        await tokens.add(bad)
        for creator in (bad.id, TokenId(_clock.new_id())):
            refused = _record("refused")
            with pytest.raises(NotAuthenticated):
                await tokens.add(refused, made_with=creator)
            assert await tokens.find(refused.digest) is None
        made = _record("made")
        await tokens.add(made, made_with=good.id)
        assert await tokens.find(made.digest) == made

    async def test_an_owners_tokens_are_listed(self, tokens: TokenStore) -> None:
        """The newest first, page by page; of the same moment, the greater id."""
        mine = [_record(f"{n}", created_at=START + timedelta(seconds=n // 2)) for n in range(5)]
        mine.append(_record("gone", kind="token", created_at=START, revoked_at=START))
        for record in (*mine, _record("other", owner=OwnerId("bob"))):
            await tokens.add(record)
        expected = sorted(mine, key=lambda record: (record.created_at, record.id), reverse=True)
        for limit in (1, 2, 6, 7):
            seen, cursor = list[TokenRecord](), ""
            while True:
                page = await tokens.page(OwnerId("ada"), limit=limit, cursor=cursor)
                assert len(page.items) <= limit
                seen += page.items
                if not (cursor := page.cursor):
                    break
            assert seen == expected
        assert await tokens.page(OwnerId("nobody"), limit=5) == TokenPage(())

    async def test_a_cursor_of_ones_own_making_is_refused(self, tokens: TokenStore) -> None:
        """Also one that names somebody else's token: it looks as if there were none."""
        theirs = _record("theirs", owner=OwnerId("bob"))
        await tokens.add(_record("mine"))
        await tokens.add(theirs)
        said = set()
        for cursor in ("made up", "' OR 1=1 --", _clock.new_id(), theirs.id):
            with pytest.raises(InvalidRequest) as caught:
                await tokens.page(OwnerId("ada"), limit=1, cursor=cursor)
            said.add(str(caught.value))
        assert len(said) == 1
