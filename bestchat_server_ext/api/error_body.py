"""What an HTTP answer says when something went wrong."""

from __future__ import annotations

import msgspec

from bestchat_server_ext.core.errors import ErrorInfo


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success."""

    error: ErrorInfo
    """What went wrong."""
