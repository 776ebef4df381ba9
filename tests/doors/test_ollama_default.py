"""The model that answers when nobody has chosen one, and only an Ollama runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bestchat_server_ext.adapters.catalog_file import open_catalog
from bestchat_server_ext.adapters.provider_http import OllamaProvider
from bestchat_server_ext.adapters.secrets_env import EnvSecrets
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.services.model_lists import ModelLists
from bestchat_server_ext.services.providers import ProviderEntry, ProviderRegistry
from bestchat_server_ext.testing.endpoint import FixedEndpoint
from bestchat_server_ext.testing.http_host import Call, Host

ME = OwnerId("local")
TAGS = {
    "models": [
        {"name": "all-minilm:latest", "details": {"family": "bert"}, "capabilities": ["embedding"]},
        {"name": "llama3:8b", "details": {}, "capabilities": ["completion"]},
        {"name": "qwen3:4b", "details": {}, "capabilities": ["completion"]},
    ]
}


async def speak(call: Call) -> None:
    answer = {"version": "0.30.0"} if call.path == "/api/version" else TAGS
    await call.answer(200, json.dumps(answer).encode())


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host(speak)
    await host.start()
    yield host
    await host.stop()


Make = Callable[..., Awaitable[ProviderRegistry]]


@pytest.fixture
async def make(host: Host, tmp_path: Path) -> AsyncIterator[Make]:
    """Make registries around an Ollama that nobody has spoken of, but where it usually is."""
    database = await open_database(tmp_path / "data")
    catalog, made = open_catalog(), []

    async def registry(
        variables: dict[str, str] | None = None, *, site: SitePolicy | None = None
    ) -> ProviderRegistry:
        facts = catalog.provider("ollama")
        assert facts is not None
        ollama = OllamaProvider(facts, FixedEndpoint(host.url))
        entries = [
            ProviderEntry("ollama", ollama, "OLLAMA_API_KEY", "OLLAMA_HOST", present=ollama.present)
        ]
        if variables:
            entries.append(
                ProviderEntry("openai", ollama, "OPENAI_API_KEY", None, default="gpt-5-mini")
            )
        made.append(
            ProviderRegistry(
                entries,
                EnvSecrets(variables or {}),
                database.storage,
                site=site or SitePolicy(),
                lists=ModelLists(catalog),
            )
        )
        return made[-1]

    yield registry
    for one in made:
        await one.close()
    await database.close()


async def test_a_first_message_finds_it(make: Make) -> None:
    registry = await make()
    assert str(await registry.resolve(ME, None)) == "ollama/llama3:8b"


async def test_the_chooser_shows_it(make: Make) -> None:
    listed = await (await make()).list(ME)
    assert [facts.ref for facts in listed.models] == ["ollama/llama3:8b", "ollama/qwen3:4b"]
    assert listed.default == "ollama/llama3:8b"


async def test_nobody_else_looks_for_it(host: Host, make: Make) -> None:
    listed = await (await make()).list(ME, known_only=True)
    assert listed.default is None
    assert host.calls == []


async def test_a_provider_with_a_key_goes_first(host: Host, make: Make) -> None:
    registry = await make({"OPENAI_API_KEY": "sk-canary"})
    assert str(await registry.resolve(ME, None)) == "openai/gpt-5-mini"
    assert host.calls == []


async def test_the_site_has_a_say(make: Make) -> None:
    registry = await make(site=SitePolicy(allowed_models=("ollama/qwen*",)))
    assert str(await registry.resolve(ME, None)) == "ollama/qwen3:4b"


async def test_where_none_runs_three_ways_are_named(host: Host, make: Make) -> None:
    registry = await make()
    await host.stop()
    with pytest.raises(errors.NoModel) as caught:
        await registry.resolve(ME, None)
    for way in ("OPENAI_API_KEY", "Ollama", "bestchat models add"):
        assert way in caught.value.info.hint
