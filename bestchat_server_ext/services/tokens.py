"""BestChat's own credentials: made once, shown once, stored as a hash."""

from __future__ import annotations

from bestchat_server_ext.core.access import KERNEL_SCOPES, Caller
from bestchat_server_ext.core.errors import NotAuthenticated
from bestchat_server_ext.core.ids import OwnerId, TokenId
from bestchat_server_ext.core.tokens import digest
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.tokens import TokenRecord, TokenStore


class TokenService:
    """Makes, checks and revokes tokens."""

    def __init__(self, store: TokenStore, clock: Clock) -> None:
        """Work on these."""
        self._store = store
        self._clock = clock

    async def add_kernel_token(self, token: str, owner: OwnerId, kernel_id: str) -> None:
        """Make a token count for a kernel, as long as that kernel lives."""
        record = TokenRecord(
            id=TokenId(self._clock.new_id()),
            owner=owner,
            kind="kernel",
            scopes=KERNEL_SCOPES,
            digest=digest(token),
            created_at=self._clock.now(),
            kernel_id=kernel_id,
        )
        await self._store.add(record)

    async def revoke_kernel(self, kernel_id: str) -> None:
        """Make the tokens of a kernel worthless."""
        await self._store.revoke(self._clock.now(), kernel_id=kernel_id)

    async def authenticate(self, token: str) -> Caller:
        """Who comes with a token.

        Raises:
            NotAuthenticated: it is unknown, revoked or expired; which of them is not said.
        """
        record = await self._store.find(digest(token))
        now = self._clock.now()
        good = (
            record is not None
            and record.revoked_at is None
            and (record.expires_at is None or now < record.expires_at)
        )
        if record is None or not good:
            raise NotAuthenticated(
                "This BestChat token is not valid.",
                hint="Restart the kernel to get a new one.",
            )
        return Caller(
            owner=record.owner,
            kind=record.kind,
            scopes=record.scopes,
            token_id=record.id,
            kernel_id=record.kernel_id,
        )
