"""Tokens: credentials for scripts and services, made, listed and revoked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.ids import TokenId
from bestchat_server_ext.core.tokens import LIFETIME_MAX, LIFETIME_MIN, NAME_MAX

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX)]
Scopes = Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=len(Scope))]
Lifetime = Annotated[int, msgspec.Meta(ge=LIFETIME_MIN, le=LIFETIME_MAX)]


class CreateToken(ApiRequest):
    """Make a token.

    It can do no more than the credential that it is made with, and if that expires, it expires no
    later. Revoking the one leaves the other as it is, so that a script can make its own successor
    and then let go of the token that it had.
    """

    name: Name
    """What it is called in the list; without control characters."""
    scopes: Scopes
    """What it may be used for: nothing that the credential it is made with may not."""
    expires_in: Lifetime | None = None
    """Seconds until it stops counting; without it, it counts until it is revoked."""


class NewToken(msgspec.Struct, frozen=True):
    """A token that was just made."""

    id: TokenId
    """Names it, in the list and when it is revoked."""
    token: str
    """The token itself. It is given this once, and stored nowhere."""
    name: str
    """What it is called."""
    scopes: tuple[str, ...]
    """What it may be used for, sorted."""
    created_at: datetime
    """When it was made, UTC."""
    expires_at: datetime | None
    """When it stops counting, UTC; never, if none."""

    def __repr__(self) -> str:
        """Without the token: what is printed and logged is read by many."""
        return f"NewToken(id={self.id!r}, name={self.name!r})"


class ListTokens(ApiRequest):
    """Read the list of one's tokens."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    """How many at most."""
    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """The `cursor` of the page before; empty for the first page."""


class TokenInfo(msgspec.Struct, frozen=True):
    """What is known of a token, apart from the token."""

    id: TokenId
    """Names it."""
    kind: str
    """`kernel` for the one that a kernel was started with, `token` for one that was made."""
    name: str
    """What it is called; empty for a kernel's."""
    scopes: tuple[str, ...]
    """What it may be used for, sorted."""
    created_at: datetime
    """When it was made, UTC."""
    expires_at: datetime | None
    """When it stops counting, UTC; never, if none."""
    revoked_at: datetime | None
    """When it was revoked, UTC."""
    kernel_id: str | None
    """The kernel that it was made for."""


class TokenList(msgspec.Struct, frozen=True):
    """One page of tokens, the newest first; revoked and expired ones stay in the list."""

    tokens: tuple[TokenInfo, ...]
    """The tokens."""
    cursor: str
    """What to ask for the next page with; empty on the last page."""


class RevokeToken(ApiRequest):
    """Make a token worthless, at once and for good.

    One that was revoked before, or has expired, stays as it is. Tokens that were made with this
    one stay good: after a leak, look at the list for what should not be there.
    """

    token_id: TokenId
    """Which one."""


create = Procedure(
    name="tokens.create",
    summary="Make a token; it is shown this once.",
    request=CreateToken,
    response=NewToken,
    scope=Scope.TOKENS,
)
list_ = Procedure(
    name="tokens.list",
    summary="List one's tokens, the newest first, those of kernels included.",
    request=ListTokens,
    response=TokenList,
    scope=Scope.TOKENS,
)
revoke = Procedure(
    name="tokens.revoke",
    summary="Make a token worthless, at once and for good.",
    request=RevokeToken,
    response=TokenInfo,
    scope=Scope.TOKENS,
    target="token_id",
)
