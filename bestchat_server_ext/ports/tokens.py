"""BestChat's own credentials. Only their hashes are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

import msgspec

from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.ids import OwnerId, TokenId


class TokenRecord(msgspec.Struct, frozen=True):
    """What is known of a token, apart from the token."""

    id: TokenId
    """Names it."""
    owner: OwnerId
    """For whom it speaks."""
    kind: Literal["kernel", "token"]
    """What it was made for."""
    scopes: frozenset[Scope]
    """What it may be used for."""
    digest: bytes
    """SHA-256 of the whole token: it has 256 bits of entropy, so no salt is needed."""
    created_at: datetime
    """When it was made, UTC."""
    kernel_id: str | None = None
    """The kernel it was made for."""
    expires_at: datetime | None = None
    """When it stops counting, UTC; never, if none."""
    revoked_at: datetime | None = None
    """When it was revoked, UTC."""
    name: str = ""
    """What its owner calls it."""


class TokenStore(Protocol):
    """Keeps token records."""

    async def add(self, record: TokenRecord) -> None:
        """Keep a new one."""
        ...

    async def find(self, digest: bytes) -> TokenRecord | None:
        """The record of the token with that hash, revoked and expired ones included."""
        ...

    async def bind_kernel(self, token_id: TokenId, kernel_id: str) -> None:
        """Say for which kernel a token was made, once that is known."""
        ...

    async def revoke(
        self, at: datetime, *, token_id: TokenId | None = None, kernel_id: str | None = None
    ) -> int:
        """Revoke one token, or all of a kernel; say how many were still good."""
        ...
