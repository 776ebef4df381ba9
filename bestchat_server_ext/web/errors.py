"""An error's kind as an HTTP status: the only place where the two meet."""

from __future__ import annotations

from bestchat_server_ext.core.errors import ErrorInfo, Kind, NotAuthenticated, TooLarge

_STATUS: dict[Kind, int] = {
    "invalid": 400,
    "denied": 403,
    "missing": 404,
    "conflict": 409,
    "limited": 429,
    "upstream": 502,
    "unavailable": 503,
    "bug": 500,
}

_SPECIAL = {NotAuthenticated.code: 401, TooLarge.code: 413}
"""Where HTTP is more exact than our kinds are."""


def status_of(info: ErrorInfo) -> int:
    """The status to answer with."""
    return _SPECIAL.get(info.code, _STATUS[info.kind])
