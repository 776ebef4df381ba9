"""What opening a database gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bestchat_server_ext.ports.provider_configs import ProviderConfigs
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.ports.tokens import TokenStore
from bestchat_server_ext.ports.uploads import UploadStore
from bestchat_server_ext.ports.usage import UsageStore


@dataclass(frozen=True)
class Database:
    """An open database, seen through the ports.

    Attributes:
        storage: its conversations.
        tokens: its tokens.
        provider_configs: what is set for providers.
        usage: what was spent.
        uploads: what is known of attached files.
        close: lets go of all connections. May be called twice; whoever uses the database
            afterwards gets `Unavailable`.
        label: what it is called in front of people; never with a password in it.
        identity: the same for everybody who has opened this database, and for nobody else,
            however they have come here.
        notices: what a person should know about it, one sentence each.
    """

    storage: Storage
    tokens: TokenStore
    provider_configs: ProviderConfigs
    usage: UsageStore
    uploads: UploadStore
    close: Callable[[], Awaitable[None]]
    label: str = ""
    identity: str = ""
    notices: tuple[str, ...] = ()
