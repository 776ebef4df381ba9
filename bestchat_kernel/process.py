"""The one session of this process, which its magics and functions share."""

from __future__ import annotations

import os
from functools import cache

from bestchat_kernel.loop import at_exit
from bestchat_kernel.replay import Replay
from bestchat_kernel.session import ChatSession


@cache
def session() -> ChatSession:
    """The session, made on first use and closed when the process ends."""
    made = ChatSession(os.environ)
    at_exit(made.close)
    return made


@cache
def replay() -> Replay:
    """What stands before it."""
    return Replay(session(), os.environ)
