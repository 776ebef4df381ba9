"""What opening a database gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.ports.tokens import TokenStore


@dataclass(frozen=True)
class Database:
    """An open database, seen through the ports.

    Attributes:
        storage: its conversations.
        tokens: its tokens.
        close: lets go of all connections. May be called twice; whoever uses the database
            afterwards gets `Unavailable`.
        label: what it is called in front of people; never with a password in it.
        notices: what a person should know about it, one sentence each.
    """

    storage: Storage
    tokens: TokenStore
    close: Callable[[], Awaitable[None]]
    label: str = ""
    notices: tuple[str, ...] = ()
