"""Lists of models: what is known by heart, what providers tell, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.adapters.cache_memory import MemoryCache
from bestchat_server_ext.adapters.catalog_file import open_catalog
from bestchat_server_ext.adapters.provider_http import Connections, HttpProvider
from bestchat_server_ext.adapters.provider_scripted import ScriptedProvider
from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.api import models, providers
from bestchat_server_ext.bootstrap import Application, open_application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.errors import InvalidRequest, UnknownProvider
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId
from bestchat_server_ext.core.models import ModelFacts
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.endpoint import Address
from bestchat_server_ext.services import model_lists
from bestchat_server_ext.services.model_lists import ModelLists
from bestchat_server_ext.services.providers import ProviderEntry, ProviderRegistry
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.http_host import Call, Host

KEY = "sk-canary-0123456789"
DAY = 24 * 3600.0


class Variables(dict[str, str]):
    """An environment that a test changes: the port `secrets`."""


class At:
    """An endpoint that is a test's own host, whatever the catalogue says."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def address(self, _owner: OwnerId | None = None) -> Address:
        return Address(self._url, KEY)

    async def close(self) -> None:
        pass


def listing(*names: str, **more: Any) -> Callable[[Call], Awaitable[None]]:
    """How a host behaves that has these models."""
    body = json.dumps({"data": [{"id": name, **more} for name in names]}).encode()
    return lambda call: call.answer(200, body)


def names(found: tuple[ModelFacts, ...]) -> list[str]:
    return [facts.ref for facts in found]


class House:
    """A registry on the shipped catalogue, whose providers are all one host."""

    def __init__(self, host: Host, clock: ManualClock, database: Database, scripts: Path) -> None:
        self.host, self.clock = host, clock
        self.variables = Variables()
        self._database, self._scripts = database, scripts
        self._catalog = open_catalog()
        self._cache = MemoryCache(clock)
        self._made: list[ProviderRegistry] = []

    def registry(self, *wanted: str, site: SitePolicy | None = None) -> ProviderRegistry:
        entries = [ProviderEntry("scripted", ScriptedProvider(self._scripts, self.clock))]
        for name in wanted:
            facts = self._catalog.provider(name)
            assert facts is not None
            provider = HttpProvider(facts, At(self.host.url), connections=Connections())
            entries.append(
                ProviderEntry(name, provider, facts.key_name, facts.url_name, default=facts.default)
            )
        registry = ProviderRegistry(
            entries,
            self.variables,
            self._database.storage,
            "scripted/echo",
            site or SitePolicy(),
            ModelLists(self._catalog, self._cache),
        )
        self._made.append(registry)
        return registry

    async def close(self) -> None:
        for registry in self._made:
            await registry.close()


@pytest.fixture
async def house(data_dir: Path, scripts_dir: Path) -> AsyncIterator[House]:
    host = Host(listing("gpt-5-mini"))
    await host.start()
    database = await open_database(data_dir / "bestchat.sqlite3")
    house = House(host, ManualClock(), database, scripts_dir)
    yield house
    await house.close()
    await host.stop()
    await database.close()


class TestLists:
    async def test_what_a_provider_tells_is_completed(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        house.host.behave = listing("brand-new", "text-embedding-3-small", "gpt-5-mini")
        listed = await house.registry("openai").list(LOCAL_OWNER, name="openai")
        assert names(listed.models) == ["openai/gpt-5-mini", "openai/brand-new"]
        known, new = listed.models
        assert known.prices is not None
        assert known.tools
        assert new.prices is None
        assert listed.left_out == ()

    async def test_the_window_is_the_servers_business(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        house.host.behave = listing("gpt-5-mini", context_length=8192)
        (facts,) = (await house.registry("openai").list(LOCAL_OWNER, name="openai")).models
        assert (facts.window, facts.output_limit) == (8192, 128_000)

    async def test_a_prefix_of_the_list_is_no_part_of_the_name(self, house: House) -> None:
        house.variables["GEMINI_API_KEY"] = KEY
        house.host.behave = listing("models/gemini-flash-latest")
        (facts,) = (await house.registry("gemini").list(LOCAL_OWNER, name="gemini")).models
        assert facts.ref == "gemini/gemini-flash-latest"
        assert facts.prices is not None

    async def test_who_has_no_list_has_the_catalogues(self, house: House) -> None:
        house.variables["COHERE_API_KEY"] = KEY
        listed = await house.registry("cohere").list(LOCAL_OWNER, name="cohere")
        assert "cohere/command-a-03-2025" in names(listed.models)
        assert house.host.calls == []

    async def test_all_configured_ones_are_in_it_and_no_others(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        listed = await house.registry("openai", "mistral").list(LOCAL_OWNER)
        assert names(listed.models) == ["scripted/echo", "openai/gpt-5-mini"]
        assert listed.left_out == ()

    async def test_what_the_site_does_not_permit_is_not_in_it(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        house.host.behave = listing("gpt-5-mini", "brand-new")
        registry = house.registry("openai", site=SitePolicy(("openai/b*",)))
        listed = await registry.list(LOCAL_OWNER)
        assert names(listed.models) == ["openai/brand-new"]


class TestLeftOut:
    async def test_who_does_not_answer_in_time(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(model_lists, "ANSWER_SECONDS", 0.01)
        never = asyncio.Event()

        async def wait(_: Call) -> None:
            await never.wait()

        house.host.behave = wait
        house.variables |= {"OPENAI_API_KEY": KEY, "COHERE_API_KEY": KEY}
        listed = await house.registry("openai", "cohere").list(LOCAL_OWNER)
        assert {ref.partition("/")[0] for ref in names(listed.models)} == {"scripted", "cohere"}
        (reason,) = listed.left_out
        assert reason.provider == "openai"
        assert "did not list" in reason.reason

    async def test_who_refuses(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        said = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}).encode()
        house.host.behave = lambda call: call.answer(401, said)
        listed = await house.registry("openai").list(LOCAL_OWNER)
        assert names(listed.models) == ["scripted/echo"]
        assert [reason.provider for reason in listed.left_out] == ["openai"]
        assert KEY not in str(listed)

    async def test_a_server_that_nobody_has_started_is_not_missed(self, house: House) -> None:
        await house.host.stop()
        listed = await house.registry("ollama").list(LOCAL_OWNER)
        assert listed.left_out == ()

    async def test_one_that_was_asked_for_is(self, house: House) -> None:
        """Somebody has pointed there."""
        await house.host.stop()
        house.variables["OLLAMA_HOST"] = house.host.url
        listed = await house.registry("ollama").list(LOCAL_OWNER)
        assert [reason.provider for reason in listed.left_out] == ["ollama"]

    async def test_whose_address_the_site_does_not_permit(self, house: House) -> None:
        house.variables |= {"COHERE_API_KEY": KEY, "OPENAI_API_KEY": KEY}
        site = SitePolicy(allowed_base_urls=("https://api.openai.com/",))
        listed = await house.registry("cohere", "openai", "ollama", site=site).list(
            LOCAL_OWNER, known_only=True
        )
        assert {ref.partition("/")[0] for ref in names(listed.models)} == {"scripted", "openai"}
        assert [reason.provider for reason in listed.left_out] == ["cohere"]

    async def test_who_is_not_set_up_says_what_is_missing(self, house: House) -> None:
        registry = house.registry("databricks")
        listed = await registry.list(LOCAL_OWNER, name="databricks")
        assert listed.models == ()
        (reason,) = listed.left_out
        assert "DATABRICKS_TOKEN and DATABRICKS_HOST" in reason.reason

    async def test_nobody_is_an_error(self, house: House) -> None:
        with pytest.raises(UnknownProvider, match="scripted") as caught:
            await house.registry().list(LOCAL_OWNER, name="nobody")
        assert caught.value.info.field == "provider"


class TestNames:
    async def test_what_cannot_be_shown_is_left_out(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        house.host.behave = listing("good", "x\x1b[2J", "y" * 201, "", "z\n", "a\u202eb")
        listed = await house.registry("openai").list(LOCAL_OWNER, name="openai")
        assert names(listed.models) == ["openai/good"]

    async def test_numbers_that_are_none(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        house.host.behave = listing("good", context_length=10**15)
        (facts,) = (await house.registry("openai").list(LOCAL_OWNER, name="openai")).models
        assert facts.window is None

    async def test_a_list_has_an_end(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(model_lists, "LISTED_MAX", 10)
        house.variables["OPENAI_API_KEY"] = KEY
        house.host.behave = listing(*(f"model-{number}" for number in range(30)))
        listed = await house.registry("openai").list(LOCAL_OWNER, name="openai")
        assert len(listed.models) == 10


class TestKept:
    async def asked(self, house: House, registry: ProviderRegistry, name: str = "openai") -> int:
        """How often the host has been asked, after one more list."""
        assert (await registry.list(LOCAL_OWNER, name=name)).models
        return len(house.host.calls)

    async def test_for_a_day(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        registry = house.registry("openai")
        assert await self.asked(house, registry) == 1
        house.clock.advance(DAY - 1)
        assert await self.asked(house, registry) == 1
        house.clock.advance(2)
        assert await self.asked(house, registry) == 2

    async def test_for_a_key(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        registry = house.registry("openai")
        assert await self.asked(house, registry) == 1
        house.variables["OPENAI_API_KEY"] = "another"
        assert await self.asked(house, registry) == 2

    async def test_for_a_minute_where_it_is_a_server_of_ones_own(self, house: House) -> None:
        house.variables["VLLM_BASE_URL"] = house.host.url
        registry = house.registry("vllm")
        assert await self.asked(house, registry, "vllm") == 1
        house.clock.advance(61)
        assert await self.asked(house, registry, "vllm") == 2

    async def test_no_failure_is(self, house: House) -> None:
        house.variables["OPENAI_API_KEY"] = KEY
        registry = house.registry("openai")
        house.host.behave = lambda call: call.answer(500, b"")
        assert (await registry.list(LOCAL_OWNER, name="openai")).models == ()
        house.host.behave = listing("gpt-5-mini")
        assert (await registry.list(LOCAL_OWNER, name="openai")).models


class TestKnownOnly:
    async def test_nobody_is_asked(self, house: House) -> None:
        house.variables |= {"OPENAI_API_KEY": KEY, "OLLAMA_HOST": house.host.url}
        listed = await house.registry("openai", "ollama").list(LOCAL_OWNER, known_only=True)
        assert {"scripted/echo", "openai/gpt-5-mini"} <= set(names(listed.models))
        assert house.host.calls == []

    async def test_what_was_told_lately_is_known(self, house: House) -> None:
        house.variables["VLLM_BASE_URL"] = house.host.url
        house.host.behave = listing("own-model")
        registry = house.registry("vllm")
        before = await registry.list(LOCAL_OWNER, known_only=True, name="vllm")
        await registry.list(LOCAL_OWNER, name="vllm")
        after = await registry.list(LOCAL_OWNER, known_only=True, name="vllm")
        assert (names(before.models), names(after.models)) == ([], ["vllm/own-model"])
        assert len(house.host.calls) == 1

    async def test_elsewhere_the_providers_own_models_say_nothing(self, house: House) -> None:
        house.variables["OPENAI_BASE_URL"] = house.host.url
        listed = await house.registry("openai").list(LOCAL_OWNER, known_only=True)
        assert names(listed.models) == ["scripted/echo"]


@pytest.fixture
async def client(environ: dict[str, str]) -> AsyncIterator[InProcessClient]:
    environ |= {"OPENAI_API_KEY": KEY, "VLLM_BASE_URL": "http://gpu.example:8000/v1"}
    options = {"allowed_base_urls": ("https://api.openai.com/", "http://gpu.example:8000/")}
    opened: Application = await open_application(environ, options)
    client = InProcessClient(opened)
    yield client
    await client.close()


class TestGet:
    async def ask(self, client: InProcessClient, model: str) -> ModelFacts:
        return await client.call(models.get, models.GetModel(model))

    async def test_what_is_known(self, client: InProcessClient) -> None:
        facts = await self.ask(client, "openai/gpt-5-mini")
        assert facts.window
        assert facts.prices is not None
        assert facts.prices.as_of

    async def test_an_unknown_name_is_no_error(self, client: InProcessClient) -> None:
        facts = await self.ask(client, "openai/brand-new")
        assert (facts.ref, facts.known) == ("openai/brand-new", False)

    async def test_an_unknown_provider_is(self, client: InProcessClient) -> None:
        with pytest.raises(UnknownProvider) as caught:
            await self.ask(client, "nobody/x")
        assert caught.value.info.field == "model"
        with pytest.raises(InvalidRequest):
            await self.ask(client, "gpt-5-mini")

    async def test_what_a_server_told_lately_is_known(self, house: House) -> None:
        house.variables["VLLM_BASE_URL"] = house.host.url
        house.host.behave = listing("own-model", max_model_len=4096)
        registry = house.registry("vllm")
        assert (await registry.model(LOCAL_OWNER, "vllm/own-model")).known is False
        await registry.list(LOCAL_OWNER, name="vllm")
        assert (await registry.model(LOCAL_OWNER, "vllm/own-model")).window == 4096


class TestProviders:
    async def test_each_says_how_it_is_set_up(self, client: InProcessClient) -> None:
        listed = await client.call(providers.list_, providers.ListProviders())
        every = {item.name: item for item in listed.providers}
        assert list(every) == [facts.name for facts in open_catalog().providers()]
        openai, vllm, azure = every["openai"], every["vllm"], every["azure"]
        assert (openai.configured, openai.source, openai.variable) == (
            True,
            "environment",
            "OPENAI_API_KEY",
        )
        assert (openai.default, openai.redirected) == ("openai/gpt-5-mini", False)
        assert (vllm.configured, vllm.variable, vllm.redirected) == (True, "VLLM_BASE_URL", True)
        assert (azure.configured, azure.source, azure.variable) == (False, "", "")
        assert azure.needs == ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT")
        assert every["scripted"].needs == ()
        assert KEY not in str(listed)

    async def test_each_says_whether_the_site_permits_it(self, client: InProcessClient) -> None:
        listed = await client.call(providers.list_, providers.ListProviders())
        permitted = {item.name for item in listed.providers if item.permitted}
        assert {"openai", "vllm", "local", "scripted"} <= permitted
        assert permitted.isdisjoint({"anthropic", "mistral", "ollama"})

    async def test_keys_that_a_site_does_not_permit_set_nothing_up(
        self, environ: dict[str, str]
    ) -> None:
        secrets = [name for facts in open_catalog().providers() for name in facts.secret_names]
        opened = await open_application(
            environ | dict.fromkeys(secrets, KEY), {"allow_user_keys": False}
        )
        client = InProcessClient(opened)
        listed = await client.call(providers.list_, providers.ListProviders())
        await client.close()
        assert {item.variable for item in listed.providers} == {""}
