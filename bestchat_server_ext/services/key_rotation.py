"""Master keys: how it stands with them, a new one, and an end to old ones.

All of it works while servers go on serving. A key that is read meanwhile opens, whichever master
key it is under, because the former one is kept; a key that is stored meanwhile is under the new
one, or is wrapped anew by whoever stored it. Nothing is dropped before somebody asks for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Literal

import msgspec

from bestchat_server_ext.core.errors import KeyUnreadable
from bestchat_server_ext.core.vault import VaultStatus
from bestchat_server_ext.ports.provider_configs import ProviderConfig, ProviderConfigs
from bestchat_server_ext.ports.vault import Vault

BATCH = 100
"""Keys that are read at a time."""

SWEEPS = 100
"""How often all keys are gone through at most: whoever stores one again and again, just before it
is moved, must not keep a rotation from ending."""


class KeysStatus(msgspec.Struct, frozen=True):
    """How it stands with keys at rest."""

    vault: VaultStatus
    """Where the master keys are."""
    stored: dict[str, int]
    """How many providers' keys are stored under each master key."""
    unreadable: tuple[ProviderConfig, ...] = ()
    """Those that do not open, although their master key is there."""

    def opens(self, key_id: str) -> int:
        """How many this master key opens."""
        damaged = sum(config.key_id == key_id for config in self.unreadable)
        return self.stored.get(key_id, 0) - damaged

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
    left: dict[str, int] = {}
    """How many are under each former master key all the same, besides those: others stored them
    meanwhile."""


class _Sweep(msgspec.Struct):
    """What going through all keys once came to."""

    moved: int = 0
    """How many were wrapped anew."""
    lost: int = 0
    """How many were changed by others first: what is there by now may still have to be moved."""
    unreadable: list[ProviderConfig] = msgspec.field(default_factory=list)
    """Those that do not open."""


async def opens(vault: Vault, config: ProviderConfig) -> bool:
    """Whether the key that is stored opens; it does where none is stored.

    Raises:
        Unavailable: the place of the master keys cannot be used.
    """
    if config.secret is None:
        return True
    try:
        await vault.open(config.secret, config.slot)
    except KeyUnreadable:
        return False
    return True


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
        vault, stored = await self._vault.status(), await self._configs.key_ids()
        damaged = [
            config
            async for config in self._sealed_otherwise("")
            if config.key_id in vault.ids and not await opens(self._vault, config)
        ]
        return KeysStatus(vault, stored, tuple(damaged))

    async def rotate(self) -> Rotation:
        """Replace the master key, where it is ours to do so, and bring all keys under the new one.

        Raises:
            Unavailable: the place of the master keys cannot be used.
        """
        status = await self._vault.rotate()
        current, moved, sweep = status.current or "", 0, _Sweep()
        for _ in range(SWEEPS):
            # Again until nothing is left: a key may have been stored behind our back.
            sweep = await self._sweep(current)
            moved += sweep.moved
            if not sweep.moved and not sweep.lost:
                break
        former = [name for name in status.ids if name != current]
        left = await self._left(former, sweep.unreadable)
        return Rotation(current, moved, tuple(sweep.unreadable), left)

    async def drop(self) -> tuple[str, ...]:
        """Forget the master keys that open nothing any more; give their ids.

        Raises:
            Unavailable: the place of the master keys cannot be used.
        """
        return await self._vault.drop(await self._configs.key_ids())

    async def _left(self, former: list[str], unreadable: list[ProviderConfig]) -> dict[str, int]:
        """How many keys are under these master keys, besides those that do not open."""
        stored = Counter(await self._configs.key_ids())
        stored.subtract(Counter(config.key_id or "" for config in unreadable))
        return {name: stored[name] for name in former if stored[name] > 0}

    async def _sweep(self, current: str) -> _Sweep:
        """Go through all keys once."""
        sweep = _Sweep()
        async for config in self._sealed_otherwise(current):
            try:
                outcome = await self._move(config)
            except KeyUnreadable:
                sweep.unreadable.append(config)
                continue
            sweep.moved += outcome == "moved"
            sweep.lost += outcome == "lost"
        return sweep

    async def _sealed_otherwise(self, key_id: str) -> AsyncIterator[ProviderConfig]:
        """All with a key under any other master key; a few are read at a time."""
        after = ""
        while batch := await self._configs.sealed_otherwise(key_id, after=after, limit=BATCH):
            after = batch[-1].id
            for config in batch:
                yield config

    async def _move(self, config: ProviderConfig) -> Literal["moved", "lost", "stays"]:
        if config.secret is None:
            return "stays"
        renewed = await self._vault.rewrap(config.secret, config.slot)
        if renewed == config.secret:
            return "stays"
        return "moved" if await self._configs.rewrap(config, renewed) else "lost"
