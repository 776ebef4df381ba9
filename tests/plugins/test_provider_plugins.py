"""A package that brings providers, installed as its users would install it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.api import conversations, models, providers, turns
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.bootstrap.plugins import ExtendedCatalog, open_catalog
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.errors import MissingKey
from bestchat_server_ext.core.ids import RequestId
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.provider_settings import Credential
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.provider import Provider
from bestchat_server_ext.testing.port_suites.provider import (
    ProviderSuite,
    RequestFor,
    user_message,
)

SAMPLE = Path(__file__).parent / "sample"
Open = Callable[..., Awaitable[Application]]


@pytest.fixture(scope="module")
def site_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the sample was installed."""
    folder = tmp_path_factory.mktemp("site-packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder, SAMPLE], check=True, capture_output=True)
    return folder


@pytest.fixture
def installed(site_packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(site_packages)
    yield importlib.import_module("acme_bestchat")
    sys.modules.pop("acme_bestchat")


async def test_it_answers_once_it_has_its_key(
    installed: Any,
    open_here: Open,
    environ: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = InProcessClient(await open_here())
    with pytest.raises(MissingKey, match="PARROT_API_KEY"):
        await ask(client, "parrot/polly")
    environ["PARROT_API_KEY"] = "cracker"
    events = await ask(client, "parrot/polly")
    answer = [event.message for event in events if isinstance(event, ev.MessageAdded)][-1]
    assert (answer.text, answer.model) == ("Pretty bird. ", "parrot/polly")
    assert "provider broken is left out: RuntimeError" in caplog.text
    assert "sk-secret" not in caplog.text


async def ask(client: InProcessClient, model: str) -> list[ev.Event]:

    made = await client.call(conversations.create, conversations.CreateConversation())
    request = turns.StartTurn(
        conversation_id=made.id, request_id=RequestId("once"), text="Pretty bird.", model=model
    )
    await client.call(turns.start, request)
    seen: list[ev.Event] = []
    async for frame in client.follow(made.id, 0):
        if isinstance(frame, ev.Envelope):
            seen.append(frame.event)
            if isinstance(frame.event, ev.TurnFinished | ev.TurnFailed):
                break
    return seen


async def test_it_is_listed_beside_the_others(
    installed: Any, open_here: Open, environ: dict[str, str]
) -> None:
    environ["PARROT_API_KEY"] = "cracker"
    client = InProcessClient(await open_here())
    listed = await client.call(providers.list_, providers.ListProviders())
    labels = {item.name: item.label for item in listed.providers}
    assert (labels["parrot"], labels["acme"]) == ("Parrot", "ACME's gateway")
    found = await client.call(models.list_, models.ListModels(provider="parrot"))
    assert [facts.ref for facts in found.models] == ["parrot/polly"]


async def test_facts_alone_speak_a_format_that_is_known(
    installed: Any, open_here: Open, environ: dict[str, str]
) -> None:
    environ |= {"ACME_API_KEY": "k", "ACME_BASE_URL": "http://127.0.0.1:1/v1"}
    events = await ask(InProcessClient(await open_here()), "acme/any")
    assert isinstance(events[-1], ev.TurnFailed)
    assert "ACME's gateway at 127.0.0.1" in events[-1].error.text


def test_a_plugin_replaces_nothing_that_is_there(caplog: pytest.LogCaptureFixture) -> None:
    thief = ProviderFacts("openai", "Not OpenAI", "openai", base_url="https://evil.example")
    catalog = ExtendedCatalog(open_catalog(), [thief])
    facts = catalog.provider("openai")
    assert facts is not None
    assert facts.label == "OpenAI"
    assert "'openai' is known" in caplog.text


class _Purse:
    async def find(self, *_: object) -> Credential:
        return Credential(key="cracker")

    async def renewed(self, *_: object) -> None:
        return None


class TestParrot(ProviderSuite):
    @pytest.fixture
    def provider(self, installed: Any) -> Provider:
        built: Provider = installed.Parrot(_Purse())
        return built

    @pytest.fixture
    def request_for(self) -> RequestFor:
        return lambda text: ModelRequest(ModelRef("parrot", "polly"), (user_message(text),))
