"""An endpoint for tests: simply there."""

from __future__ import annotations

from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.ports.endpoint import Address


class FixedEndpoint:
    """Where a test's own host is, and the key to it."""

    def __init__(self, url: str, key: str | None = None, renewed: str | None = None) -> None:
        """Know where; `renewed` is the key that follows when the first one was refused."""
        self._url = url
        self._key = key
        self._renewed = renewed
        self.owners: list[OwnerId | None] = []
        """Who asked."""

    async def address(self, owner: OwnerId | None = None) -> Address:
        """Where, and with the first key."""
        self.owners.append(owner)
        return Address(self._url, self._key)

    async def renewed(self, refused: Address, owner: OwnerId | None = None) -> Address | None:
        """With the second key, if there is one and it was not that which was refused."""
        self.owners.append(owner)
        if self._renewed is None or refused.key == self._renewed:
            return None
        return Address(self._url, self._renewed)

    async def close(self) -> None:
        """Nothing was started."""
