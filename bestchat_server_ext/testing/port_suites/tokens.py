"""What every token store has to do, as tests."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest

from bestchat_server_ext.core.access import EVERY_SCOPE, KERNEL_SCOPES
from bestchat_server_ext.core.errors import Conflict, InvalidRequest, NotFound
from bestchat_server_ext.core.ids import OwnerId, TokenId
from bestchat_server_ext.ports.tokens import TokenRecord, TokenStore
from bestchat_server_ext.testing.clock import START, ManualClock

_clock = ManualClock(origin=7)


def _record(name: str, **fields: object) -> TokenRecord:
    record = TokenRecord(
        id=TokenId(_clock.new_id()),
        owner=OwnerId("ada"),
        kind="kernel",
        scopes=KERNEL_SCOPES,
        digest=sha256(name.encode()).digest(),
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

    async def test_a_digest_is_kept_once(self, tokens: TokenStore) -> None:
        """Two tokens with one hash would be one token."""
        await tokens.add(_record("one"))
        with pytest.raises(Conflict):
            await tokens.add(_record("one"))

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
        assert await tokens.revoke(at, token_id=one.id) == 1
        assert await tokens.revoke(at + timedelta(hours=1), token_id=one.id) == 0
        assert await tokens.find(one.digest) == msgspec.structs.replace(one, revoked_at=at)
        assert await tokens.find(two.digest) == two

    async def test_all_tokens_of_a_kernel_are_revoked(self, tokens: TokenStore) -> None:
        """Only those that were still good are counted."""
        at = START + timedelta(hours=1)
        for record in (
            _record("one", kernel_id="kernel-1"),
            _record("two", kernel_id="kernel-1"),
            _record("expired", kernel_id="kernel-1", expires_at=at),
            _record("revoked", kernel_id="kernel-1", revoked_at=START),
            _record("other", kernel_id="kernel-2"),
            _record("none"),
        ):
            await tokens.add(record)
        assert await tokens.revoke(at, kernel_id="kernel-1") == 2
        assert await tokens.revoke(at, kernel_id="kernel-1") == 0
        other = await tokens.find(sha256(b"other").digest())
        assert other is not None
        assert other.revoked_at is None

    async def test_nothing_is_revoked_by_accident(self, tokens: TokenStore) -> None:
        """Naming neither token nor kernel does not mean all."""
        record = _record("one")
        await tokens.add(record)
        with pytest.raises(InvalidRequest):
            await tokens.revoke(START)
        assert await tokens.revoke(START, token_id=TokenId("no id")) == 0
        assert await tokens.find(record.digest) == record
