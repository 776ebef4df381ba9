"""How BestChat's own tokens look, and what is stored of them."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

PREFIX = "bc_"
"""How a token begins, so that it is recognised in a header or in a leak."""

ENTROPY_BYTES = 32
"""Random bytes in a token."""


def new_token(entropy: bytes) -> str:
    """A token out of `ENTROPY_BYTES` random bytes."""
    return PREFIX + urlsafe_b64encode(entropy).decode().rstrip("=")


def digest(token: str) -> bytes:
    """What is stored of a token: SHA-256 of all of it."""
    return hashlib.sha256(token.encode()).digest()
