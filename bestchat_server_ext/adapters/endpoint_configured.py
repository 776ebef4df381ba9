"""An endpoint that is simply there: its address and its key are configured."""

from __future__ import annotations

from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.errors import MissingKey
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.provider_settings import Credential
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.credentials import Credentials
from bestchat_server_ext.ports.endpoint import Address
from bestchat_server_ext.ports.secrets import Secrets


class ConfiguredEndpoint:
    """Looks address and key up for each request: a key may be set after the first refusal."""

    def __init__(
        self,
        facts: ProviderFacts,
        credentials: Credentials,
        secrets: Secrets,
        site: SitePolicy = SitePolicy(),  # noqa: B008  it is frozen
    ) -> None:
        """Know where to look.

        Args:
            facts: what is known of the provider. A key is insisted upon only at its usual place:
                a server of one's own need not want one.
            credentials: finds what an owner has stored, and what stands in the environment.
            secrets: the environment, for usual places that depend on it.
            site: which addresses are permitted.
        """
        self._facts = facts
        self._credentials = credentials
        self._secrets = secrets
        self._site = site

    async def address(self, owner: OwnerId | None = None) -> Address:
        """Where to send the next request of an owner; of the process itself, if none.

        It is empty where litellm knows better.

        Raises:
            MissingKey: the server wants a key and there is none, or none that can be decrypted.
            NotPermitted: the site does not permit the address.
            Unavailable: what is stored is out of reach, or a command gives no key.
        """
        return self._address(await self._credentials.find(self._facts.name, owner))

    async def renewed(self, refused: Address, owner: OwnerId | None = None) -> Address | None:
        """Another address, after a key was refused; none if trying again makes no sense.

        Raises:
            ChatError: as for `address`.
        """
        if refused.key is None:
            return None
        found = await self._credentials.renewed(self._facts.name, owner, refused.key)
        return None if found is None else self._address(found)

    def _address(self, found: Credential) -> Address:
        facts = self._facts
        chosen = facts.whole(found.base_url) if found.base_url else facts.url(self._secrets.get)
        if chosen is None and facts.lane == "litellm":
            chosen = self._elsewhere()
        unknown = found.key is None and found.base_url is None and facts.needs_key
        if unknown or chosen is None:
            names = " and ".join(facts.missing(self._secrets.get)) or facts.url_name or "its URL"
            raise MissingKey(
                f"{facts.label} needs {'a key' if unknown else 'an address'}.",
                hint=f"Store it in the settings, or set {names} in the environment of the process "
                "that runs BestChat.",
            )
        self._site.require_url(chosen)
        return Address(chosen, found.key)

    def _elsewhere(self) -> str | None:
        """No address, as litellm has its own; none at all as long as a variable for that lacks."""
        needed = [item.name for item in self._facts.other_names if item.needed]
        return "" if all(map(self._secrets.get, needed)) else None

    async def close(self) -> None:
        """Nothing was started, so nothing stops."""
