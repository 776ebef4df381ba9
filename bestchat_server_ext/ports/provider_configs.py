"""What is stored for providers: settings in the clear, keys encrypted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol

import msgspec

from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.provider_settings import ProviderSettings
from bestchat_server_ext.core.vault import Sealed, Slot

SITE = OwnerId("")
"""The owner of what is stored for everybody."""


class ProviderConfig(msgspec.Struct, frozen=True):
    """What is stored for one provider of one owner."""

    id: str
    """Names it: a UUIDv7."""
    owner: OwnerId
    """Whose it is; `SITE` for the site's."""
    provider: str
    """Which provider."""
    settings: ProviderSettings
    """What is stored in the clear."""
    version: int
    """How often it was changed, beginning with 1."""
    updated_at: datetime
    """When it was last changed, UTC."""
    key_id: str | None = None
    """The master key that opens `sealed`; none where no key is stored."""
    sealed: bytes | None = None
    """The key, encrypted; none where no key is stored."""
    last_four: str = ""
    """What may be shown of the key."""

    @property
    def slot(self) -> Slot:
        """What its key is bound to."""
        return Slot(self.owner, self.provider, self.id)

    @property
    def secret(self) -> Sealed | None:
        """The key, encrypted; none where no key is stored."""
        if self.key_id is None or self.sealed is None:
            return None
        return Sealed(self.key_id, self.sealed)

    @property
    def speaks(self) -> bool:
        """Whether it says where to send requests, or with what."""
        return self.secret is not None or bool(self.settings.key_command or self.settings.base_url)

    def __repr__(self) -> str:
        """Without what is sealed."""
        return f"ProviderConfig({self.owner!r}, {self.provider!r}, version={self.version})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Likewise, for libraries that print prettily."""
        return [("owner", self.owner), ("provider", self.provider), ("version", self.version)]


class ProviderConfigs(Protocol):
    """Keeps them."""

    async def find(
        self, owners: Collection[OwnerId], provider: str | None = None
    ) -> tuple[ProviderConfig, ...]:
        """What is stored for these owners, for one provider or for all, in no special order."""
        ...

    async def put(self, config: ProviderConfig, *, rekeyed: bool) -> None:
        """Store one in the place of the version before it; version 1 in the place of none.

        Args:
            config: what to store.
            rekeyed: whether its key is another one. If not, what is sealed stays as it is stored,
                because it may have been wrapped anew since it was read.

        Raises:
            Conflict: another version is there, or it is gone.
        """
        ...

    async def forget(self, owner: OwnerId, provider: str) -> bool:
        """Delete one; say whether there was one."""
        ...

    async def sealed_otherwise(
        self, key_id: str, *, after: str, limit: int
    ) -> tuple[ProviderConfig, ...]:
        """Those with a key under any other master key, of all owners, by id after `after`."""
        ...

    async def rewrap(self, config: ProviderConfig, sealed: Sealed) -> bool:
        """Replace what is sealed, if it is still as in `config`; say whether it was.

        It is no new version: to its owner nothing has changed.
        """
        ...

    async def key_ids(self) -> dict[str, int]:
        """How many keys are stored under each master key."""
        ...
