"""How BestChat's own tokens look, and what is stored of them."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode

PREFIX = "bc_"
"""How a token begins, so that it is recognised in a header or in a leak."""

ENTROPY_BYTES = 32
"""Random bytes in a token."""

_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


def new_token(entropy: bytes) -> str:
    """A token out of `ENTROPY_BYTES` random bytes."""
    return PREFIX + urlsafe_b64encode(entropy).decode().rstrip("=")


def well_formed(token: str) -> bool:
    """Whether a text can be a token at all."""
    return _FORM.fullmatch(token) is not None


def digest(token: str) -> bytes:
    """What is stored of a token: SHA-256 of all of it."""
    return hashlib.sha256(token.encode()).digest()
