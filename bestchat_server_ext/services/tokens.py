"""BestChat's own credentials: made once, shown once, stored as a hash.

A token that a person makes can do no more than the credential it is made with, and does not
outlive it by expiry. It does outlive its revocation: whoever may make tokens may also replace the
one in use, and a script that does so must not pull the ground from under itself. That is why making
tokens is a scope of its own, which nobody gets unasked and kernels never.

Every check of a token asks the store: one that another process revoked must not count a moment
longer, which a cache could not promise.

The token of a kernel expires, and is renewed as long as the kernel lives: a server that is killed
revokes nothing, and what it leaves behind must not count forever.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from bestchat_server_ext.api.tokens import CreateToken, NewToken, TokenInfo, TokenList
from bestchat_server_ext.core.access import KERNEL_SCOPES, Caller, no_such_object, require_grant
from bestchat_server_ext.core.errors import InvalidRequest, NotAllowed, NotAuthenticated
from bestchat_server_ext.core.ids import OwnerId, TokenId
from bestchat_server_ext.core.tokens import ENTROPY_BYTES, digest, new_token, showable
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.tokens import TokenRecord, TokenStore

_log = logging.getLogger(__name__)

TOKEN_LIMIT = 100
"""Valid tokens of their own making that an owner may have; those of kernels do not count."""

KERNEL_LIFETIME = timedelta(days=1)
"""How long the token of a kernel counts after the server last knew the kernel to live."""

RENEWAL_PAUSE = timedelta(hours=1)
"""How long the tokens of living kernels are left alone between renewals."""


class TokenService:
    """Makes, checks, lists and revokes tokens."""

    def __init__(self, store: TokenStore, clock: Clock) -> None:
        """Work on these."""
        self._store = store
        self._clock = clock
        self._watchers: dict[TokenId, dict[object, Callable[[], None]]] = {}
        self._renewed_at: datetime | None = None

    # Kernels.

    async def add_kernel_token(self, token: str, owner: OwnerId, kernel_id: str) -> None:
        """Make a token count for a kernel, as long as it is renewed; adding it twice is no harm."""
        now = self._clock.now()
        record = TokenRecord(
            id=TokenId(self._clock.new_id()),
            owner=owner,
            kind="kernel",
            scopes=KERNEL_SCOPES,
            digest=digest(token),
            created_at=now,
            kernel_id=kernel_id,
            expires_at=now + KERNEL_LIFETIME,
        )
        await self._store.add(record)

    @property
    def renewal_due(self) -> bool:
        """Whether it is time to renew the tokens of living kernels."""
        last = self._renewed_at
        return last is None or self._clock.now() - last >= RENEWAL_PAUSE

    async def renew_kernels(self, kernel_ids: Collection[str]) -> None:
        """Let the tokens of kernels that live count for another while."""
        now = self._clock.now()
        await self._store.renew(kernel_ids, now + KERNEL_LIFETIME)
        self._renewed_at = now

    async def revoke_kernel(self, kernel_id: str) -> None:
        """Make the tokens of a kernel worthless."""
        for token_id in await self._store.revoke(self._clock.now(), kernel_id=kernel_id):
            self._tell(token_id)

    # People.

    async def create(self, caller: Caller, request: CreateToken) -> NewToken:
        """Make a token for the caller's owner, within what the caller has.

        Raises:
            InvalidRequest: the name would not be what it looks like.
            NotAllowed: it would do more than the caller may, or outlive the caller's own token.
            NotAuthenticated: the caller's own token has been revoked meanwhile.
            LimitReached: the owner has too many.
        """
        if not showable(request.name):
            raise InvalidRequest(
                "This name has characters that cannot be seen, or nothing else.",
                hint="Use letters, digits, signs and plain spaces.",
                field="name",
            )
        scopes = frozenset(request.scopes)
        require_grant(caller, scopes)
        now = self._clock.now()
        token = new_token(secrets.token_bytes(ENTROPY_BYTES))
        record = TokenRecord(
            id=TokenId(self._clock.new_id()),
            owner=caller.owner,
            kind="token",
            scopes=scopes,
            digest=digest(token),
            created_at=now,
            expires_at=await self._expiry(caller, now, request.expires_in),
            name=request.name.strip(),
        )
        await self._store.add(record, limit=TOKEN_LIMIT, made_with=caller.token_id)
        return NewToken(
            id=record.id,
            token=token,
            name=record.name,
            scopes=tuple(sorted(scopes)),
            created_at=now,
            expires_at=record.expires_at,
        )

    async def _expiry(self, caller: Caller, now: datetime, seconds: int | None) -> datetime | None:
        """When a new token ends: not after the one that it is made with."""
        wanted = None if seconds is None else now + timedelta(seconds=seconds)
        own = None if caller.token_id is None else await self._store.get(caller.token_id)
        if own is None or own.expires_at is None:
            return wanted
        if wanted is None or wanted > own.expires_at:
            left = int((own.expires_at - now).total_seconds())
            raise NotAllowed(
                "A token cannot outlive the one that it is made with.",
                hint=f"Set expires_in to at most {left}, or sign in as the user.",
                field="expires_in",
            )
        return wanted

    async def list(self, owner: OwnerId, limit: int, cursor: str) -> TokenList:
        """One page of an owner's tokens, the newest first."""
        page = await self._store.page(owner, limit=limit, cursor=cursor)
        return TokenList(tuple(map(_info, page.items)), page.cursor)

    async def revoke(self, token_id: TokenId) -> TokenInfo:
        """Make a token worthless; give what is known of it now.

        Raises:
            NotFound: there is no such token.
        """
        await self._store.revoke(self._clock.now(), token_id=token_id)
        record = await self._store.get(token_id)
        if record is None:
            raise no_such_object()
        # Also where it was worthless before: another process may have revoked it.
        self._tell(token_id)
        return _info(record)

    async def owner_of(self, token_id: TokenId) -> OwnerId | None:
        """Whose a token is; none if there is no such token."""
        record = await self._store.get(token_id)
        return None if record is None else record.owner

    # Whoever comes with one.

    async def authenticate(self, token: str) -> Caller:
        """Who comes with a token.

        It is looked up by its hash. How long that takes tells nothing of use: whoever could aim at
        a hash that begins like a stored one would still not know the token.

        Raises:
            NotAuthenticated: it is unknown, revoked or expired; which of them is not said.
        """
        record = await self._store.find(digest(token))
        if record is None or not record.good(self._clock.now()):
            raise NotAuthenticated(
                "This BestChat token is not valid.",
                hint="In a notebook, restart the kernel to get a new one; for a script, make a "
                "new one with tokens.create.",
            )
        return Caller(
            owner=record.owner,
            kind=record.kind,
            scopes=record.scopes,
            token_id=record.id,
            kernel_id=record.kernel_id,
            expires_at=record.expires_at,
        )

    def watch(self, token_id: TokenId, callback: Callable[[], None]) -> Callable[[], None]:
        """Be told, once, when this process revokes a token; gives what ends the watch.

        What another process revokes, and what expires, is not told: whoever holds a line open
        asks again from time to time. It also asks once after it began to watch, because the token
        may have been revoked since it was checked.
        """
        watchers, key = self._watchers.setdefault(token_id, {}), object()
        watchers[key] = callback

        def unwatch() -> None:
            watchers.pop(key, None)
            if not watchers and self._watchers.get(token_id) is watchers:
                del self._watchers[token_id]

        return unwatch

    def _tell(self, token_id: TokenId) -> None:
        """Call who watches a token. One that fails must not keep the others from hearing of it."""
        for callback in list(self._watchers.pop(token_id, {}).values()):
            try:
                callback()
            except Exception:  # noqa: BLE001  callbacks are not ours; what they do is logged
                _log.exception("BestChat: not everybody could be told of a revoked token")


def _info(record: TokenRecord) -> TokenInfo:
    return TokenInfo(
        id=record.id,
        kind=record.kind,
        name=record.name,
        scopes=tuple(sorted(record.scopes)),
        created_at=record.created_at,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
        kernel_id=record.kernel_id,
    )
