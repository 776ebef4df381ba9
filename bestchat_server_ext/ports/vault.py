"""Where secrets are encrypted and decrypted, and where the master keys for that are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from bestchat_server_ext.core.vault import Sealed, Slot, VaultStatus


class Vault(Protocol):
    """Seals secrets, each into the place that it belongs to."""

    async def seal(self, secret: str, slot: Slot) -> Sealed:
        """Encrypt a secret under the current master key, making one if there is none.

        Raises:
            Unavailable: there is no safe place for a master key, or it cannot be used.
        """
        ...

    async def open(self, sealed: Sealed, slot: Slot) -> str:
        """Decrypt a secret.

        Raises:
            KeyUnreadable: it is damaged, belongs elsewhere, or its master key is gone.
            Unavailable: the place of the master keys cannot be used.
        """
        ...

    async def rewrap(self, sealed: Sealed, slot: Slot) -> Sealed:
        """The same secret under the current master key; as it was, if it is that already.

        Raises:
            KeyUnreadable, Unavailable: as for `open`.
        """
        ...

    async def rotate(self) -> VaultStatus:
        """Make a new master key the current one, where keys are made here; say how it is now.

        The former ones go on opening what they sealed.

        Raises:
            Unavailable: that cannot be done.
        """
        ...

    async def drop(self, needed: Collection[str]) -> tuple[str, ...]:
        """Forget master keys that are neither current nor needed; give their ids.

        Raises:
            Unavailable: that cannot be done.
        """
        ...

    async def status(self) -> VaultStatus:
        """Where the master keys are; makes none.

        Raises:
            Unavailable: that place cannot be used.
        """
        ...

    def notices(self) -> tuple[str, ...]:
        """What a person should know about where the master keys are, one sentence each."""
        ...
