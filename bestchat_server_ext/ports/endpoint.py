"""Where an HTTP lane finds its server."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from bestchat_server_ext.core.ids import OwnerId


class Address(msgspec.Struct, frozen=True):
    """A server and the key to it."""

    base_url: str
    """URL that paths such as `/chat/completions` are appended to."""
    key: str | None
    """What goes into the Authorization header; none where the server wants none."""

    def __repr__(self) -> str:
        """Without the key, so that no log can show it."""
        return f"Address({self.base_url!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Likewise, for libraries that print prettily."""
        return [("base_url", self.base_url)]


class Endpoint(Protocol):
    """Gives the address of a server, starting it first if need be."""

    async def address(self, owner: OwnerId | None = None) -> Address:
        """Where to send the next request of an owner; of the process itself, if none.

        Raises:
            MissingKey: the server wants a key and there is none.
            ChatError: it could not be started.
        """
        ...

    async def renewed(self, refused: Address, owner: OwnerId | None = None) -> Address | None:
        """Another address, after a key was refused; none if trying again makes no sense.

        Raises:
            ChatError: as for `address`.
        """
        ...

    async def close(self) -> None:
        """Stop what was started."""
        ...
