"""Master keys: how it stands with them, a new one, and an end to old ones.

All of it works while servers go on serving. A key that is read meanwhile opens, whichever master
key it is under, because the former one is kept; a key that is stored meanwhile is under the new
one, or is wrapped anew by whoever stored it. Nothing is dropped before somebody asks for it.
"""

from __future__ import annotations

import msgspec

from bestchat_server_ext.core.errors import KeyUnreadable
from bestchat_server_ext.core.vault import VaultStatus
from bestchat_server_ext.ports.provider_configs import ProviderConfig, ProviderConfigs
from bestchat_server_ext.ports.vault import Vault

BATCH = 100
"""Keys that are read at a time."""


class KeysStatus(msgspec.Struct, frozen=True):
    """How it stands with keys at rest."""

    vault: VaultStatus
    """Where the master keys are."""
    stored: dict[str, int]
    """How many providers' keys are stored under each master key."""

    @property
    def lost(self) -> dict[str, int]:
        """How many are stored under master keys that are gone."""
        return {name: count for name, count in self.stored.items() if name not in self.vault.ids}


class Rotation(msgspec.Struct, frozen=True):
    """What a rotation did."""

    current: str
    """The master key that seals now."""
    moved: int
    """How many providers' keys were wrapped anew."""
    unreadable: tuple[ProviderConfig, ...]
    """What could not be wrapped anew, as it does not open; it stays as it is."""


class KeyRotation:
    """Looks after master keys."""

    def __init__(self, configs: ProviderConfigs, vault: Vault) -> None:
        """Work on these."""
        self._configs = configs
        self._vault = vault

    async def status(self) -> KeysStatus:
        """How it stands; changes nothing.

        Raises:
            Unavailable: the place of the master keys cannot be used.
        """
        return KeysStatus(await self._vault.status(), await self._configs.key_ids())

    async def rotate(self) -> Rotation:
        """Replace the master key, where it is ours to do so, and bring all keys under the new one.

        Raises:
            Unavailable: the place of the master keys cannot be used.
        """
        status = await self._vault.rotate()
        current, moved = status.current or "", 0
        while True:
            # Again until nothing is left: a key may have been stored behind our back.
            count, unreadable = await self._sweep(current)
            moved += count
            if not count:
                return Rotation(current, moved, unreadable)

    async def drop(self) -> tuple[str, ...]:
        """Forget the master keys that open nothing any more; give their ids.

        Raises:
            Unavailable: the place of the master keys cannot be used.
        """
        return await self._vault.drop(await self._configs.key_ids())

    async def _sweep(self, current: str) -> tuple[int, tuple[ProviderConfig, ...]]:
        """Go through all keys once; give how many were moved, and which ones do not open."""
        moved, after = 0, ""
        unreadable: list[ProviderConfig] = []
        while batch := await self._configs.sealed_otherwise(current, after=after, limit=BATCH):
            after = batch[-1].id
            for config in batch:
                try:
                    moved += await self._move(config)
                except KeyUnreadable:
                    unreadable.append(config)
        return moved, tuple(unreadable)

    async def _move(self, config: ProviderConfig) -> bool:
        if config.secret is None:
            return False
        renewed = await self._vault.rewrap(config.secret, config.slot)
        return renewed != config.secret and await self._configs.rewrap(config, renewed)
