"""What requests to providers are sent with, and for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.provider_settings import Credential


class Credentials(Protocol):
    """Finds keys and addresses."""

    async def find(self, provider: str, owner: OwnerId | None) -> Credential:
        """What a request for an owner is sent with; without an owner, for the process itself.

        Looked up anew each time: a key may be stored after the first refusal.

        Raises:
            KeyUnreadable: a key is stored, and cannot be decrypted.
            Unavailable: what is stored is out of reach, or a command gives no key.
        """
        ...

    async def renewed(
        self, provider: str, owner: OwnerId | None, refused: str
    ) -> Credential | None:
        """Another one, after a provider refused that key; none if there is no other.

        Raises:
            Unavailable: a command gives no key.
        """
        ...


class KeyCommands(Protocol):
    """Runs the commands that print keys."""

    async def run(self, command: Sequence[str]) -> str:
        """What a command printed.

        Raises:
            Unavailable: it cannot be run, failed, or took too long; nothing that it printed is
                repeated.
        """
        ...
