"""What every vault has to do, as tests."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from bestchat_server_ext.core.errors import KeyUnreadable
from bestchat_server_ext.core.vault import Sealed, Slot
from bestchat_server_ext.ports.vault import Vault

SLOT = Slot("ada", "openai", "01900000-0000-7000-8000-000000000001")
CANARY = "sk-canary-\u00fcber-0123456789"


class VaultSuite:
    """The tests. Define the fixture `vault`: one that makes its master keys itself."""

    @pytest.mark.parametrize("secret", ["", "x", CANARY, "k" * 8192])
    async def test_what_is_sealed_opens(self, vault: Vault, secret: str) -> None:
        """Whatever it is, and however long."""
        assert await vault.open(await vault.seal(secret, SLOT), SLOT) == secret

    async def test_what_is_sealed_shows_nothing(self, vault: Vault) -> None:
        """Nor does it look the same twice."""
        one, two = await vault.seal(CANARY, SLOT), await vault.seal(CANARY, SLOT)
        assert CANARY.encode() not in one.data
        assert one.data != two.data
        assert one.key_id == two.key_id

    @pytest.mark.parametrize(
        "slot",
        [
            Slot("bob", SLOT.provider, SLOT.record),
            Slot("", SLOT.provider, SLOT.record),
            Slot(SLOT.owner, "anthropic", SLOT.record),
            Slot(SLOT.owner, SLOT.provider, SLOT.record[:-1] + "2"),
            Slot("adaopenai", "", SLOT.record),
        ],
    )
    async def test_what_is_sealed_opens_nowhere_else(self, vault: Vault, slot: Slot) -> None:
        """Somebody who can write to the database cannot move a key into a row of their own."""
        sealed = await vault.seal(CANARY, SLOT)
        with pytest.raises(KeyUnreadable):
            await vault.open(sealed, slot)
        await vault.rotate()
        with pytest.raises(KeyUnreadable):
            await vault.rewrap(sealed, slot)

    async def test_what_is_damaged_does_not_open(self, vault: Vault) -> None:
        """Wherever, and however much of it; and what it says tells nothing of the secret."""
        sealed = await vault.seal(CANARY, SLOT)
        data, broken = sealed.data, list[Sealed]()
        for place in range(0, len(data), 7):
            changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            broken.append(Sealed(sealed.key_id, changed))
        broken += [Sealed(sealed.key_id, data[:cut]) for cut in (0, 1, 12, 60, len(data) - 1)]
        broken += [Sealed(sealed.key_id, data + b"\0"), Sealed("another", data)]
        for item in broken:
            with pytest.raises(KeyUnreadable) as caught:
                await vault.open(item, SLOT)
            assert CANARY not in str(caught.value)
        assert await vault.open(sealed, SLOT) == CANARY

    async def test_after_a_rotation_both_open(self, vault: Vault) -> None:
        """What was sealed before, what is sealed afterwards, and what is wrapped anew."""
        old = await vault.seal(CANARY, SLOT)
        status = await vault.rotate()
        assert status.current not in {None, old.key_id}
        assert set(status.ids) == {status.current, old.key_id}
        renewed, new = await vault.rewrap(old, SLOT), await vault.seal(CANARY, SLOT)
        assert (renewed.key_id, new.key_id) == (status.current, status.current)
        for sealed in (old, renewed, new):
            assert await vault.open(sealed, SLOT) == CANARY
        assert await vault.rewrap(renewed, SLOT) == renewed

    async def test_what_is_not_needed_is_dropped(self, vault: Vault) -> None:
        """The current one never is."""
        one = await vault.seal(CANARY, SLOT)
        await vault.rotate()
        two = await vault.seal(CANARY, SLOT)
        status = await vault.rotate()
        assert await vault.drop([two.key_id]) == (one.key_id,)
        assert await vault.drop([two.key_id]) == ()
        left = await vault.status()
        assert (left.current, set(left.ids)) == (status.current, {status.current, two.key_id})
        assert await vault.open(two, SLOT) == CANARY

    async def test_nothing_is_made_by_looking(self, vault: Vault) -> None:
        """A report must not leave a key behind."""
        status = await vault.status()
        assert (status.current, status.ids) == (None, ())
        assert vault.notices() == ()

    async def test_of_many_at_once_all_seal_alike(self, vault: Vault) -> None:
        """There is one master key, also where there was none a moment ago."""
        seals = (vault.seal(CANARY, SLOT) for _ in range(8))
        sealed = await asyncio.gather(*seals)
        assert len({item.key_id for item in sealed}) == 1
        assert all([await vault.open(item, SLOT) == CANARY for item in sealed])

    async def test_nothing_of_a_key_is_printed(self, vault: Vault) -> None:
        """Not by accident, and not by a debugger."""
        sealed = await vault.seal(CANARY, SLOT)
        status = await vault.status()
        for value in (vault, status, msgspec.json.encode(status)):
            assert CANARY not in repr(value)
        assert sealed.key_id in repr(status)
