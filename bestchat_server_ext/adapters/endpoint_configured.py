"""An endpoint that is simply there: its address and its key are configured."""

from __future__ import annotations

from bestchat_server_ext.core.errors import MissingKey
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.endpoint import Address
from bestchat_server_ext.ports.secrets import Secrets


class ConfiguredEndpoint:
    """Looks address and key up for each request: a key may be set after the first refusal."""

    def __init__(
        self,
        secrets: Secrets,
        *,
        url_name: str,
        key_name: str,
        default_url: str,
        label: str,
        site: SitePolicy = SitePolicy(),  # noqa: B008  it is frozen
    ) -> None:
        """Know where to look.

        Args:
            secrets: where the two are.
            url_name: name of the address, to which paths such as `/chat/completions` are added.
            key_name: name of the key.
            default_url: the address where none is configured. A key is insisted upon only there:
                a server of one's own need not want one.
            label: what the server is called in errors, for example OpenAI.
            site: which addresses are permitted.
        """
        self._secrets = secrets
        self._url_name = url_name
        self._key_name = key_name
        self._default_url = default_url
        self._label = label
        self._site = site

    async def address(self) -> Address:
        """Where to send the next request.

        Raises:
            MissingKey: the server wants a key and there is none.
            NotPermitted: the site does not permit the address.
        """
        url, key = self._secrets.get(self._url_name), self._secrets.get(self._key_name)
        if key is None and url is None:
            raise MissingKey(
                f"{self._label} needs a key.",
                hint=f"Set {self._key_name} in the environment of the process that runs BestChat.",
            )
        chosen = url or self._default_url
        self._site.require_url(chosen)
        return Address(chosen, key)

    async def close(self) -> None:
        """Nothing was started, so nothing stops."""
