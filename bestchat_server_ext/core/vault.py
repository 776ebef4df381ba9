"""How a secret looks at rest, and what it is bound to.

An envelope: the secret is encrypted with a data key of its own, and that is wrapped by a master key
which is known by its id. So rotation wraps data keys anew, and never touches a secret::

    1 byte     version of this format
    12 + 48    nonce, then the wrapped data key
    12 + n     nonce, then the encrypted secret

Both layers authenticate what the secret belongs to. Moved into another row, it does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

import msgspec

from bestchat_server_ext.core.errors import InvalidRequest, KeyUnreadable

MASTER_KEYS = "BESTCHAT_MASTER_KEYS"
"""The variable that may hold master keys, as `id:base64,id:base64`: the first one seals."""

KEY_BYTES = 32
"""In a master key and in a data key: AES-256."""

NONCE_BYTES = 12
TAG_BYTES = 16

_VERSION = 1
_WRAPPED_END = 1 + NONCE_BYTES + KEY_BYTES + TAG_BYTES

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EXPECTED = f"Write id:key,id:key, where each key is {KEY_BYTES} random bytes in base64."


class Slot(msgspec.Struct, frozen=True):
    """Where a secret belongs."""

    owner: str
    """Whose it is; empty for the site's."""
    provider: str
    """What it opens."""
    record: str
    """The id of the row that it stands in."""

    def bound(self, *more: str) -> bytes:
        """What is authenticated along with the secret: unambiguous, whatever a name holds."""
        return msgspec.json.encode(["bestchat", _VERSION, *msgspec.structs.astuple(self), *more])


class Sealed(msgspec.Struct, frozen=True):
    """A secret at rest."""

    key_id: str
    """The master key that opens it."""
    data: bytes
    """The envelope."""


class Envelope(msgspec.Struct, frozen=True):
    """The parts of `Sealed.data`."""

    wrap_nonce: bytes
    """Of the wrapped data key."""
    wrapped: bytes
    """The data key, encrypted with the master key."""
    nonce: bytes
    """Of the secret."""
    body: bytes
    """The secret, encrypted with the data key."""

    def pack(self) -> bytes:
        """All of it as bytes."""
        version = _VERSION.to_bytes(1, "big")
        return version + self.wrap_nonce + self.wrapped + self.nonce + self.body

    @classmethod
    def unpack(cls, data: bytes) -> Envelope:
        """Take bytes apart.

        Raises:
            KeyUnreadable: they are no envelope, or one of a newer version.
        """
        if len(data) < _WRAPPED_END + NONCE_BYTES + TAG_BYTES or data[0] != _VERSION:
            raise unreadable()
        wrap_end, nonce_end = 1 + NONCE_BYTES, _WRAPPED_END + NONCE_BYTES
        return cls(
            data[1:wrap_end],
            data[wrap_end:_WRAPPED_END],
            data[_WRAPPED_END:nonce_end],
            data[nonce_end:],
        )


class MasterKey(msgspec.Struct, frozen=True):
    """What opens envelopes."""

    id: str
    """Its name, which stands beside every secret that it sealed."""
    secret: bytes
    """The key itself."""

    @classmethod
    def of(cls, secret: bytes) -> MasterKey:
        """A key of our own making, named by a fingerprint of itself."""
        return cls(hashlib.sha256(b"bestchat master key\0" + secret).hexdigest()[:12], secret)

    def __repr__(self) -> str:
        """Without the key."""
        return f"MasterKey({self.id!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Likewise, for libraries that print prettily."""
        return [("id", self.id)]


class VaultStatus(msgspec.Struct, frozen=True):
    """Where the master keys are."""

    place: str
    """What to call that place in front of people."""
    current: str | None
    """The id of the key that seals; none where none was made yet."""
    ids: tuple[str, ...]
    """The ids of all keys there are."""
    own: bool
    """Whether keys are made here, rather than by whoever configures the site."""
    notice: str = ""
    """What a person should know about that place."""


def unreadable(provider: str = "") -> KeyUnreadable:
    """The one error for a secret that does not open, whatever the reason."""
    whose = f"The stored key of {provider}" if provider else "A stored key"
    return KeyUnreadable(
        f"{whose} cannot be decrypted: it is damaged, or its master key is gone.",
        hint="Enter the key again; `bestchat keys status` shows which master keys there are.",
    )


def write_keys(keys: tuple[MasterKey, ...]) -> str:
    """Master keys as text, the one that seals first."""
    return ",".join(f"{key.id}:{base64.b64encode(key.secret).decode()}" for key in keys)


def read_keys(text: str, place: str) -> tuple[MasterKey, ...]:
    """Master keys from text; errors name the place, and nothing of what stands there.

    Raises:
        InvalidRequest: it cannot be read, or names a key twice.
    """
    keys = tuple(_read_key(item, place) for item in text.split(",") if item.strip())
    if len({key.id for key in keys}) < len(keys):
        raise InvalidRequest(f"{place} names a master key twice.", hint=_EXPECTED)
    return keys


def _read_key(item: str, place: str) -> MasterKey:
    name, _, encoded = item.strip().partition(":")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if _ID.fullmatch(name) is None or len(secret) != KEY_BYTES:
        raise InvalidRequest(f"{place} holds a master key that cannot be read.", hint=_EXPECTED)
    return MasterKey(name, secret)
