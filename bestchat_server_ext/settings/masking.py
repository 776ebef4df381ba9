"""Values as people may see them."""

from __future__ import annotations

HIDDEN = "***"


def masked(address: str) -> str:
    """An address without its password, and without query and fragment, which may hold one too.

    Whatever stands before the last `@` is taken for credentials: better one host too few in a
    report than one half of a password with a `/` in it. A sole user name stays out as well,
    because some hosts take a token there.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    shown = f"{user}:{HIDDEN}@" if colon else HIDDEN + "@"
    ends = [place.index(sign) for sign in "?#" if sign in place]
    if ends:
        place = place[: min(ends) + 1] + "…"
    return scheme + separator + (shown if at else "") + place
