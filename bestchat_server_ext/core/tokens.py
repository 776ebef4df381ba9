"""How BestChat's own tokens look, and what is stored of them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from base64 import urlsafe_b64encode

PREFIX = "bc_"
"""How a token begins, so that it is recognised in a header or in a leak."""

ENTROPY_BYTES = 32
"""Random bytes in a token."""

LIFETIME_MIN = 60
"""Seconds that a token which expires lives at least."""

LIFETIME_MAX = 10 * 365 * 24 * 60 * 60
"""Seconds that a token which expires lives at most: ten years. One may also never expire."""

NAME_MAX = 100
"""Characters in the name of a token."""

_JOINERS = frozenset("\u200c\u200d")
"""Invisible, and yet part of how Persian and families of emoji are written."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})
"""Kinds of characters that steer whatever shows them (control, direction, half ones, new lines),
or of which nobody knows what they look like: private ones, and those that do not exist yet."""

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\U0001d159")
"""Letters and symbols that show nothing: fillers of Korean, a braille cell without dots, a note
without a head."""

_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


def new_token(entropy: bytes) -> str:
    """A token out of `ENTROPY_BYTES` random bytes."""
    return PREFIX + urlsafe_b64encode(entropy).decode().rstrip("=")


def well_formed(token: str) -> bool:
    """Whether a text can be a token at all."""
    return _FORM.fullmatch(token) is not None


def showable(name: str) -> bool:
    """Whether a token's name is what it looks like.

    Names stand in lists by which people decide what to revoke. One that reverses the text around
    it, steers a terminal or shows nothing at all could hide there: accents alone are nothing, too,
    nor is what only chooses between the looks of other characters.
    """
    kinds = {char: unicodedata.category(char) for char in name if char not in _JOINERS}
    shown = any(kind[0] in "LNPS" for char, kind in kinds.items() if char not in _BLANK)
    return shown and not _UNSEEN.intersection(kinds.values())


def digest(token: str) -> bytes:
    """What is stored of a token: SHA-256 of all of it."""
    return hashlib.sha256(token.encode()).digest()
