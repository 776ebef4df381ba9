"""Typed identifiers, and how they are made.

Every object of BestChat is named by a UUIDv7 (RFC 9562): sortable by creation time, so that
database indexes stay dense, and opaque to everyone outside.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NewType
from uuid import UUID

ConversationId = NewType("ConversationId", str)
MessageId = NewType("MessageId", str)
TurnId = NewType("TurnId", str)
ExecutionId = NewType("ExecutionId", str)
TokenId = NewType("TokenId", str)
FileId = NewType("FileId", str)
OwnerId = NewType("OwnerId", str)
RequestId = NewType("RequestId", str)
"""Made by the client, unique per owner; sending a request twice under one id acts once."""

LOCAL_OWNER = OwnerId("local")
"""The one owner there is wherever no identity provider gives names."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)  # floats of seconds would lose some
_MILLISECONDS = 48
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_FORM = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def uuid7(at: datetime, entropy: bytes) -> str:
    """Make a UUIDv7 from a moment and at least ten bytes of entropy.

    Time and randomness are arguments because core has neither a clock nor a dice.
    """
    milliseconds = ((at - _EPOCH) // _MILLISECOND) & ((1 << _MILLISECONDS) - 1)
    noise = int.from_bytes(entropy[:10], "big")
    random_a, random_b = (noise >> 62) & 0xFFF, noise & ((1 << 62) - 1)
    return str(UUID(int=milliseconds << 80 | _VERSION_7 | random_a << 64 | _VARIANT | random_b))


def derived_id(origin: str, *path: str | int) -> str:
    """Derive the id of something that `origin` brings forth exactly once.

    A turn that is taken up again after a crash derives the same ids again, so that writing the
    same answer twice is a primary key conflict and not a second answer. Keeps the time of
    `origin`, which must be a UUIDv7.
    """
    digest = blake2b(repr((origin, *path)).encode(), digest_size=10).digest()
    return uuid7(created_at(origin), digest)


def created_at(identifier: str) -> datetime:
    """The moment, in UTC and to the millisecond, at which a UUIDv7 was made."""
    return _EPOCH + (UUID(identifier).int >> 80) * _MILLISECOND


def is_id(text: str) -> bool:
    """Whether a text from outside has the form of one of our ids."""
    return _FORM.fullmatch(text) is not None


def is_new_id(text: str) -> bool:
    """Whether a text from outside can be the id of something new: a UUIDv7, as ours are."""
    return is_id(text) and UUID(text).version == 7  # noqa: PLR2004  the format's own number
