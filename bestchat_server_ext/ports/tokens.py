"""BestChat's own credentials. Only their hashes are stored."""

from __future__ import annotations

from collections.abc import Collection
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

    def good(self, at: datetime) -> bool:
        """Whether it counts at a moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class TokenPage(msgspec.Struct, frozen=True):
    """One page of a list of tokens, the newest first."""

    items: tuple[TokenRecord, ...]
    """The records."""
    cursor: str = ""
    """What to ask for the next page with; empty on the last page."""


class TokenStore(Protocol):
    """Keeps token records."""

    async def add(
        self,
        record: TokenRecord,
        *,
        limit: int | None = None,
        made_with: TokenId | None = None,
    ) -> None:
        """Keep a new one.

        One that is there already for the same owner, kind and kernel is left as it is: whoever
        could not learn whether it was kept may add it once more, under another id. The conditions
        are not asked then.

        The conditions are checked in the transaction that keeps it, as of its `created_at`, so
        that requests at the same time cannot get past them together.

        Args:
            record: what to keep.
            limit: how many good ones of its kind its owner may have, this one included.
            made_with: the token that it was made with, which must be good itself.

        Raises:
            Conflict: its id is taken, or its digest is that of a token of another owner, kind or
                kernel.
            LimitReached: its owner has as many as there may be.
            NotAuthenticated: the token that it was made with is not good any more.
        """
        ...

    async def get(self, token_id: TokenId) -> TokenRecord | None:
        """The record of that id, revoked and expired ones included."""
        ...

    async def page(self, owner: OwnerId, *, limit: int, cursor: str = "") -> TokenPage:
        """An owner's tokens of all kinds, the newest first, revoked and expired ones included.

        Raises:
            InvalidRequest: the cursor was not given out by this method to this owner.
        """
        ...

    async def find(self, digest: bytes) -> TokenRecord | None:
        """The record of the token with that hash, revoked and expired ones included."""
        ...

    async def bind_kernel(self, token_id: TokenId, kernel_id: str) -> None:
        """Say for which kernel a token was made, once that is known."""
        ...

    async def renew(self, kernel_ids: Collection[str], until: datetime) -> None:
        """Let the tokens of kernels count until then.

        Also those that have expired: a machine may have been asleep. None that was revoked comes
        back, and none counts for less long than before.
        """
        ...

    async def revoke(
        self, at: datetime, *, token_id: TokenId | None = None, kernel_id: str | None = None
    ) -> tuple[TokenId, ...]:
        """Revoke one token, or all of a kernel; give those that were still good.

        Those of kernels are revoked even if they have expired, so that nobody renews them.
        """
        ...
