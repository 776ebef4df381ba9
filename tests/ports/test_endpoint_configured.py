from __future__ import annotations

from collections.abc import Mapping

import pytest

from bestchat_server_ext.adapters.endpoint_configured import ConfiguredEndpoint
from bestchat_server_ext.adapters.secrets_env import EnvSecrets
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.errors import MissingKey, NotPermitted
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.provider_settings import Credential
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.endpoint import Address

FACTS = ProviderFacts(
    "openai",
    "OpenAI",
    "openai",
    base_url="https://usual.example/v1",
    key_name="OPENAI_API_KEY",
    url_name="OPENAI_BASE_URL",
)
ADA = OwnerId("ada")
NO_RULES = SitePolicy()


class Found:
    """Credentials that are simply there."""

    def __init__(self, found: Mapping[OwnerId | None, Credential], other: str = "") -> None:
        self._found = found
        self._other = other

    async def find(self, provider: str, owner: OwnerId | None) -> Credential:
        assert provider == "openai"
        return self._found[owner]

    async def renewed(
        self, provider: str, owner: OwnerId | None, refused: str
    ) -> Credential | None:
        assert (provider, refused) == ("openai", "old")
        found = self._found[owner]
        return Credential(self._other, found.base_url, found.source) if self._other else None


def endpoint(
    found: Credential, facts: ProviderFacts = FACTS, site: SitePolicy = NO_RULES, **given: str
) -> ConfiguredEndpoint:
    return ConfiguredEndpoint(facts, Found({ADA: found}), EnvSecrets(given), site)


@pytest.mark.parametrize(
    ("found", "address"),
    [
        (Credential("key"), Address("https://usual.example/v1", "key")),
        (Credential("key", "https://own"), Address("https://own", "key")),
        (Credential(None, "https://own"), Address("https://own", None)),
    ],
)
async def test_where_requests_go(found: Credential, address: Address) -> None:
    assert await endpoint(found).address(ADA) == address


async def test_each_owner_has_an_address_of_their_own() -> None:
    found = {ADA: Credential("hers"), None: Credential("ours")}
    made = ConfiguredEndpoint(FACTS, Found(found), EnvSecrets({}))
    assert [(await made.address(owner)).key for owner in (ADA, None)] == ["hers", "ours"]


async def test_a_key_is_insisted_upon_at_the_usual_place_only() -> None:
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        await endpoint(Credential()).address(ADA)
    keyless = ProviderFacts("openai", "Own", "openai", base_url="http://own", needs_key=False)
    assert await endpoint(Credential(), keyless).address(ADA) == Address("http://own", None)


async def test_a_usual_place_that_depends_on_the_environment() -> None:
    facts = ProviderFacts(
        "openai", "Cloud", "openai", base_url="{CLOUD}/v1", key_name="K", url_name="CLOUD_URL"
    )
    with pytest.raises(MissingKey, match="an address"):
        await endpoint(Credential("key"), facts).address(ADA)
    made = endpoint(Credential("key"), facts, CLOUD="https://there/")
    assert await made.address(ADA) == Address("https://there/v1", "key")


async def test_the_site_decides() -> None:
    site = SitePolicy(allowed_base_urls=("https://own",))
    made = endpoint(Credential("key", "https://own/v1"), site=site)
    assert (await made.address(ADA)).base_url == "https://own/v1"
    for found in (Credential("key"), Credential("key", "https://other")):
        with pytest.raises(NotPermitted):
            await endpoint(found, site=site).address(ADA)


async def test_after_a_refusal() -> None:
    found = {ADA: Credential("old", "https://own")}
    for other, expected in (("new", Address("https://own", "new")), ("", None)):
        made = ConfiguredEndpoint(FACTS, Found(found, other), EnvSecrets({}))
        assert await made.renewed(await made.address(ADA), ADA) == expected
    assert await made.renewed(Address("https://own", None), ADA) is None
