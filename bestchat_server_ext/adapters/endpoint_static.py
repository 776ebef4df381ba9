"""An endpoint that is simply there: an address from the configuration, and perhaps a key."""

from __future__ import annotations

from bestchat_server_ext.core.errors import MissingKey
from bestchat_server_ext.ports.endpoint import Address


class StaticEndpoint:
    """Gives one address; says which variable is missing where a key is needed."""

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        key_name: str | None = None,
        label: str = "This provider",
    ) -> None:
        """Know the address.

        Args:
            base_url: URL that paths such as `/chat/completions` are appended to.
            key: what the server wants to see; none where there is none.
            key_name: the variable that holds the key; none where the server needs no key.
            label: what the server is called in errors, for example OpenAI.
        """
        self._address = Address(base_url, key or None)
        self._key_name = key_name
        self._label = label

    async def address(self) -> Address:
        """Where to send the next request.

        Raises:
            MissingKey: the server wants a key and there is none.
        """
        if self._address.key is None and self._key_name is not None:
            raise MissingKey(
                f"{self._label} needs a key.",
                hint=(
                    f"Set {self._key_name} in the environment of the process that runs BestChat, "
                    "then start it again."
                ),
            )
        return self._address

    async def close(self) -> None:
        """Nothing was started, so nothing stops."""
