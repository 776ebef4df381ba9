"""Why the server closes a WebSocket, and what a client does about it.

One table for the server, the clients and the documentation. A code that a client does not know
means the same as a line that broke: come back, with growing pauses.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bestchat_server_ext.core.errors import (
    ChatError,
    InvalidRequest,
    NotAuthenticated,
    ProtocolMismatch,
)

Again = Literal["yes", "when_needed", "no"]
"""Whether a client comes back: by itself, with growing pauses; once it has something to follow; or
not before somebody has changed something."""


class Closing(msgspec.Struct, frozen=True):
    """One reason to close a line."""

    code: int
    """The WebSocket's closing code."""
    name: str
    """The reason as it travels, unless a more exact one is known."""
    again: Again
    """Whether to come back."""
    meaning: str
    """One sentence for people."""


STOPPING = Closing(1001, "going_away", "yes", "The server is stopping.")
BAD_FRAME = Closing(
    4400, "bad_frame", "no", "The first frame was no hello: an error frame before it says more."
)
NOT_AUTHENTICATED = Closing(
    4401, "not_authenticated", "no", "The credential does not count any more, or never did."
)
SILENT = Closing(
    4408,
    "silent",
    "yes",
    "Nothing was heard of the client for a minute, or it did not read what it had asked for.",
)
IDLE = Closing(4409, "idle", "when_needed", "The client followed nothing for a while.")
PROTOCOL = Closing(
    4426, "protocol_mismatch", "no", "The two sides speak protocols that are too far apart."
)
TOO_MANY = Closing(
    4429,
    "limit_reached",
    "yes",
    "The owner has as many lines open as the site allows: an error frame before it says how many.",
)
UNAVAILABLE = Closing(
    4503, "unavailable", "yes", "Nobody could say any more whether the caller has their rights."
)

CLOSINGS: tuple[Closing, ...] = (
    STOPPING,
    BAD_FRAME,
    NOT_AUTHENTICATED,
    SILENT,
    IDLE,
    PROTOCOL,
    TOO_MANY,
    UNAVAILABLE,
)
"""All of them."""

BY_CODE: dict[int, Closing] = {closing.code: closing for closing in CLOSINGS}
"""By the number that a client is given."""


def refusal(code: int | None) -> ChatError | None:
    """The error that a closed line is to its client; none where the client comes back."""
    closing = BY_CODE.get(code or 0)
    if closing is None or closing.again != "no":
        return None
    match closing.code:
        case NOT_AUTHENTICATED.code:
            return NotAuthenticated(
                "The server does not take this token any more.",
                hint="Restart the kernel to get a new one; for a script, make a new one.",
            )
        case PROTOCOL.code:
            return ProtocolMismatch(closing.meaning, hint="Upgrade the older side.")
        case _:
            return InvalidRequest(closing.meaning, hint="Use the same version on both sides.")


CLOSE_SOME = "Close some tabs, notebooks or scripts, or raise the option `max_sockets`."
"""What to do about too many lines."""
