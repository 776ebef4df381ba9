"""AesVault: seals, opens, wraps anew."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from bestchat_server_ext.core.errors import NotInstalled
from bestchat_server_ext.core.vault import (
    KEY_BYTES,
    NONCE_BYTES,
    Envelope,
    MasterKey,
    Sealed,
    Slot,
    VaultStatus,
    unreadable,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Keys = tuple[MasterKey, ...]

_WRAP = "data key"
"""What tells the two layers of an envelope apart."""


class Place(Protocol):
    """Somewhere where master keys are kept. All of it blocks."""

    @property
    def own(self) -> bool:
        """Whether keys are made here, rather than by whoever configures the site."""
        ...

    @property
    def label(self) -> str:
        """What to call it in front of people."""
        ...

    @property
    def notice(self) -> str:
        """What a person should know about it."""
        ...

    def exists(self) -> bool:
        """Whether there is such a place."""
        ...

    def read(self) -> Keys:
        """The keys there, the one that seals first."""
        ...

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        """Replace them; give what is there now."""
        ...


class Ring(Protocol):
    """Where master keys are. All of it may block."""

    def sealing(self) -> Place:
        """The place whose first key seals."""
        ...

    def places(self) -> Iterator[Place]:
        """All places there are, the quick ones first."""
        ...

    def noted(self) -> Sequence[str]:
        """What a person should know, without asking anybody."""
        ...


class AesVault:
    """The port `vault` on AES-256-GCM.

    Keys that were read once are remembered, so that what this process has sealed opens for as long
    as it runs; the place of the current one is read again for every secret that is sealed, because
    another process may have made a new one.
    """

    def __init__(self, ring: Ring) -> None:
        """Use these master keys; nothing is read yet."""
        self._ring = ring
        self._known: dict[str, MasterKey] = {}

    async def seal(self, secret: str, slot: Slot) -> Sealed:
        """Encrypt a secret under the current master key, making one if there is none.

        Raises:
            Unavailable: there is no safe place for a master key, or it cannot be used.
        """
        return await asyncio.to_thread(self._seal, secret, slot)

    async def open(self, sealed: Sealed, slot: Slot) -> str:
        """Decrypt a secret.

        Raises:
            KeyUnreadable: it is damaged, belongs elsewhere, or its master key is gone.
            Unavailable: the place of the master keys cannot be used.
        """
        return await asyncio.to_thread(self._open, sealed, slot)

    async def rewrap(self, sealed: Sealed, slot: Slot) -> Sealed:
        """The same secret under the current master key; as it was, if it is that already.

        Raises:
            KeyUnreadable, Unavailable: as for `open`.
        """
        return await asyncio.to_thread(self._rewrap, sealed, slot)

    async def rotate(self) -> VaultStatus:
        """Make a new master key the current one, where keys are made here.

        Raises:
            Unavailable: that cannot be done.
        """
        return await asyncio.to_thread(self._rotate)

    async def drop(self, needed: Collection[str]) -> tuple[str, ...]:
        """Forget master keys that are neither current nor needed; give their ids.

        Raises:
            Unavailable: that cannot be done.
        """
        return await asyncio.to_thread(self._drop, frozenset(needed))

    async def status(self) -> VaultStatus:
        """Where the master keys are; makes none.

        Raises:
            Unavailable: that place cannot be used.
        """
        return await asyncio.to_thread(self._status)

    def notices(self) -> tuple[str, ...]:
        """What a person should know about where the master keys are, one sentence each."""
        return tuple(self._ring.noted())

    # In a thread.

    def _seal(self, secret: str, slot: Slot) -> Sealed:
        key, data_key = self._current(), secrets.token_bytes(KEY_BYTES)
        wrap_nonce, wrapped = _wrap(key, data_key, slot)
        nonce = secrets.token_bytes(NONCE_BYTES)
        body = _cipher(data_key).encrypt(nonce, secret.encode(), slot.bound())
        return Sealed(key.id, Envelope(wrap_nonce, wrapped, nonce, body).pack())

    def _open(self, sealed: Sealed, slot: Slot) -> str:
        envelope = Envelope.unpack(sealed.data)
        data_key = self._unwrap(sealed.key_id, envelope, slot)
        return _opened(data_key, envelope.nonce, envelope.body, slot.bound(), slot).decode()

    def _rewrap(self, sealed: Sealed, slot: Slot) -> Sealed:
        key = self._current()
        if sealed.key_id == key.id:
            return sealed
        envelope = Envelope.unpack(sealed.data)
        data_key = self._unwrap(sealed.key_id, envelope, slot)
        wrap_nonce, wrapped = _wrap(key, data_key, slot)
        renewed = Envelope(wrap_nonce, wrapped, envelope.nonce, envelope.body)
        return Sealed(key.id, renewed.pack())

    def _rotate(self) -> VaultStatus:
        self._ring.sealing().change(lambda keys: (_new_key(), *keys))
        return self._status()

    def _drop(self, needed: frozenset[str]) -> tuple[str, ...]:
        current = self._current()
        dropped: list[str] = []

        def kept(keys: Keys) -> Keys:
            dropped.extend(key.id for key in keys if key.id not in needed | {current.id})
            return tuple(key for key in keys if key.id in needed | {current.id})

        for place in self._ring.places():
            if place.own:
                place.change(kept)
        return tuple(dropped)

    def _status(self) -> VaultStatus:
        place = self._ring.sealing()
        current = place.read()
        ids = [key.id for found in self._ring.places() for key in self._remembered(found.read())]
        return VaultStatus(
            place=place.label,
            current=current[0].id if current else None,
            ids=tuple(dict.fromkeys(ids)),
            own=place.own,
            notice=place.notice,
        )

    # Master keys.

    def _current(self) -> MasterKey:
        """The key that seals."""
        place = self._ring.sealing()
        keys = place.read() or place.change(lambda found: found or (_new_key(),))
        return self._remembered(keys)[0]

    def _find(self, key_id: str) -> MasterKey | None:
        for place in self._ring.places():
            if key_id in self._known:
                break
            self._remembered(place.read())
        return self._known.get(key_id)

    def _remembered(self, keys: Keys) -> Keys:
        self._known.update({key.id: key for key in keys})
        return keys

    def _unwrap(self, key_id: str, envelope: Envelope, slot: Slot) -> bytes:
        key = self._find(key_id)
        if key is None:
            raise unreadable(slot.provider)
        bound = slot.bound(_WRAP, key.id)
        return _opened(key.secret, envelope.wrap_nonce, envelope.wrapped, bound, slot)


def _new_key() -> MasterKey:
    return MasterKey.of(secrets.token_bytes(KEY_BYTES))


def _wrap(key: MasterKey, data_key: bytes, slot: Slot) -> tuple[bytes, bytes]:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce, _cipher(key.secret).encrypt(nonce, data_key, slot.bound(_WRAP, key.id))


def _opened(key: bytes, nonce: bytes, sealed: bytes, bound: bytes, slot: Slot) -> bytes:
    from cryptography.exceptions import InvalidTag

    with suppress(InvalidTag):
        return _cipher(key).decrypt(nonce, sealed, bound)
    raise unreadable(slot.provider)


def _cipher(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ModuleNotFoundError as error:
        raise NotInstalled(
            "Keys are encrypted by cryptography, which is not installed here.",
            hint="Run: pip install 'bestchat[lab]'",
        ) from error
    return AESGCM(key)
