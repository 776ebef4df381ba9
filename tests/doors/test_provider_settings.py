"""Providers' keys through the services: stored, found, tried out, forgotten; and which one wins."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application as TornadoApplication
from tornado.web import RequestHandler

from bestchat_server_ext.api import models, providers, usage
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.access import KERNEL_SCOPES, Caller
from bestchat_server_ext.core.errors import (
    ChatError,
    Conflict,
    InvalidRequest,
    KeyUnreadable,
    MissingKey,
    NoModel,
    NotPermitted,
    Unavailable,
    UnknownProvider,
)
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId
from bestchat_server_ext.core.models import ModelRef, TextChunk, Usage, UsageChunk
from bestchat_server_ext.core.provider_settings import Credential, KeyCommand
from bestchat_server_ext.ports.provider_configs import SITE
from bestchat_server_ext.services.provider_settings import ProviderSettingsService
from bestchat_server_ext.services.provider_trial import ProviderTrial

OpenHere = Callable[..., Awaitable[Application]]

KEY = "sk-canary-0123456789-wxyz"
BOB = OwnerId("bob")
OWN = "https://own.example/v1"


def stored_in(application: Application) -> ProviderSettingsService:
    return application._services.provider_settings


async def configure(application: Application, **given: Any) -> providers.StoredProvider:
    request = providers.ConfigureProvider(**({"provider": "openai"} | given))
    return await InProcessClient(application).call(providers.configure, request)


async def found(application: Application, owner: OwnerId | None = LOCAL_OWNER) -> Credential:
    return await stored_in(application).find("openai", owner)


async def give_site(application: Application, **given: Any) -> None:
    request = providers.ConfigureProvider("openai", **given)
    await stored_in(application).store(SITE, request)


class TestStoring:
    async def test_a_key_goes_in_and_its_end_comes_out(self, application: Application) -> None:
        made = await configure(application, key=f" {KEY}\n", base_url=OWN)
        assert (made.has_key, made.last_four, made.base_url, made.version) == (True, "wxyz", OWN, 1)
        assert await found(application) == Credential(KEY, OWN, "user")
        listed = await stored_in(application).stored(LOCAL_OWNER)
        assert listed == {"openai": made}
        assert KEY not in repr(listed) + str(made)

    async def test_what_is_left_out_stays(self, application: Application) -> None:
        await configure(application, key=KEY, base_url=OWN)
        made = await configure(application, default_model="openai/gpt-x")
        assert (made.last_four, made.base_url, made.version) == ("wxyz", OWN, 2)
        assert (await found(application)).key == KEY
        made = await configure(application, key="", base_url="")
        assert (made.has_key, made.base_url, made.default_model) == (False, "", "openai/gpt-x")
        assert await found(application) == Credential()

    async def test_what_is_forgotten_is_gone(self, application: Application) -> None:
        await configure(application, key=KEY)
        client = InProcessClient(application)
        for _ in range(2):
            await client.call(providers.forget, providers.ForgetProvider("openai"))
        assert await found(application) == Credential()
        assert await stored_in(application).stored(LOCAL_OWNER) == {}

    async def test_who_has_not_seen_the_newest_version_changes_nothing(
        self, application: Application
    ) -> None:
        await configure(application, version=0, key=KEY)
        for stale in (0, 2):
            with pytest.raises(Conflict) as caught:
                await configure(application, version=stale, key="sk-another-one")
            assert caught.value.info.field == "version"
        assert (await found(application)).key == KEY
        assert (await configure(application, version=1, key="sk-another-one")).version == 2

    async def test_changes_without_a_version_all_get_through(
        self, application: Application
    ) -> None:
        await configure(application, key=KEY)
        models = [f"openai/model-{number}" for number in range(4)]
        made = await asyncio.gather(
            *(configure(application, default_model=model) for model in models)
        )
        assert sorted(item.version for item in made) == [2, 3, 4, 5]
        assert (await found(application)).key == KEY

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"provider": "nobody"}, "provider"),
            ({"key": "sk canary"}, "key"),
            ({"key": "canary\u200b"}, "key"),
            ({"key": " "}, "key"),
            ({"key": "ü" * 8000}, "key"),
            ({"base_url": "canary"}, "base_url"),
            ({"base_url": "https://ada:canary@own.example"}, "base_url"),
            ({"provider": "local", "key": "sk-canary"}, "key"),
            ({"provider": "local", "base_url": OWN}, "base_url"),
            ({"default_model": "anthropic/claude"}, "default_model"),
            ({"default_model": "openai"}, "default_model"),
        ],
    )
    async def test_what_cannot_be_used(
        self, application: Application, given: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(InvalidRequest) as caught:
            await configure(application, **given)
        assert caught.value.info.field == field
        assert isinstance(caught.value, UnknownProvider) == (field == "provider")
        assert "canary" not in str(caught.value)
        assert await stored_in(application).stored(LOCAL_OWNER) == {}

    @pytest.mark.parametrize("elsewhere", ["https://evil.example/v1", "http://own.example/v1", ""])
    async def test_a_stored_key_follows_nobody_to_another_server(
        self, application: Application, elsewhere: str
    ) -> None:
        """Whoever may change settings could otherwise have it sent to themselves."""
        await configure(application, key=KEY, base_url=OWN)
        with pytest.raises(InvalidRequest) as caught:
            await configure(application, base_url=elsewhere)
        assert caught.value.info.field == "key"
        assert await found(application) == Credential(KEY, OWN, "user")
        await configure(application, base_url="https://own.example/v2")
        await configure(application, base_url=elsewhere, key="sk-for-elsewhere")
        assert (await found(application)).key == "sk-for-elsewhere"

    async def test_an_unencrypted_way_is_pointed_out(self, application: Application) -> None:
        made = await configure(application, key=KEY, base_url="http://far.example/v1")
        assert "far.example" in made.notices[0]
        made = await configure(application, key=KEY, base_url="http://127.0.0.1:8/v1")
        assert made.notices == ()

    async def test_the_sites_rules(self, open_here: OpenHere) -> None:
        application = await open_here(
            allowed_base_urls=["https://own.example/"], allowed_models=["openai/gpt-*"]
        )
        await configure(application, base_url=OWN, default_model="openai/gpt-x")
        for given in ({"base_url": "https://evil.example"}, {"default_model": "openai/other"}):
            with pytest.raises(NotPermitted):
                await configure(application, **given)

    async def test_no_keys_of_ones_own(self, application: Application, open_here: OpenHere) -> None:
        """They are not used either, and may still be forgotten."""
        await configure(application, key=KEY)
        strict = await open_here(allow_user_keys=False)
        with pytest.raises(NotPermitted):
            await configure(strict, key=KEY)
        assert await found(strict) == Credential()
        await InProcessClient(strict).call(providers.forget, providers.ForgetProvider("openai"))
        assert await found(application) == Credential()

    async def test_on_a_database_for_several_servers(
        self, open_here: OpenHere, postgres_url: str, environ: dict[str, str]
    ) -> None:
        application = await open_here(database_url=postgres_url)
        with pytest.raises(Unavailable, match="BESTCHAT_MASTER_KEYS"):
            await configure(application, key=KEY)
        await configure(application, default_model="openai/gpt-x")
        environ["BESTCHAT_MASTER_KEYS"] = "one:" + "A" * 43 + "="
        application = await open_here(database_url=postgres_url)
        assert (await configure(application, key=KEY)).version == 2
        assert (await found(application)).key == KEY
        request = providers.ConfigureProvider("openai")
        with pytest.raises(NotPermitted):
            await stored_in(application).store(LOCAL_OWNER, request, KeyCommand(("date",)))

    async def test_how_keys_are_kept_is_said(self, application: Application) -> None:
        from bestchat_server_ext.api import system

        client = InProcessClient(application)
        assert (await client.call(system.health, system.GetHealth())).notices == ()
        await configure(application, key=KEY)
        (notice,) = (await client.call(system.health, system.GetHealth())).notices
        assert "master.key" in notice


class TestWhichOneWins:
    async def test_the_users_then_the_environments_then_the_sites(
        self, open_here: OpenHere, environ: dict[str, str]
    ) -> None:
        application = await open_here()
        assert await found(application) == Credential()
        await give_site(application, key="sk-of-the-site")
        assert await found(application) == Credential("sk-of-the-site", None, "site")
        environ["OPENAI_API_KEY"] = "sk-of-the-environment"
        assert await found(application) == Credential("sk-of-the-environment", None, "environment")
        await configure(application, key=KEY)
        assert await found(application) == Credential(KEY, None, "user")
        for owner in (BOB, None):
            assert (await found(application, owner)).source == "environment"
        assert (await stored_in(application).outlook(LOCAL_OWNER)).sources["openai"] == "user"
        assert await stored_in(application).source(BOB, "openai") == "environment"

    async def test_no_key_goes_to_an_address_that_is_trusted_less(
        self, open_here: OpenHere, environ: dict[str, str]
    ) -> None:
        """Or anybody could have the site's key sent to a server of theirs."""
        application = await open_here()
        environ["OPENAI_API_KEY"] = "sk-of-the-environment"
        await give_site(application, key="sk-of-the-site", base_url="https://site.example")
        await configure(application, base_url="https://evil.example")
        assert await found(application) == Credential(None, "https://evil.example", "user")

    async def test_a_users_key_goes_where_the_environment_points(
        self, open_here: OpenHere, environ: dict[str, str]
    ) -> None:
        environ["OPENAI_BASE_URL"] = "https://gateway.example"
        application = await open_here()
        assert await found(application) == Credential(
            None, "https://gateway.example", "environment"
        )
        await give_site(application, key="sk-of-the-site")
        assert await found(application) == Credential(
            "sk-of-the-site", "https://gateway.example", "site"
        )
        await configure(application, key=KEY)
        assert await found(application) == Credential(KEY, "https://gateway.example", "user")

    async def test_a_default_model_alone_is_no_credential(self, application: Application) -> None:
        await configure(application, default_model="openai/gpt-x")
        assert await found(application) == Credential()


OVERWRITE = """
UPDATE provider_configs
SET sealed = (SELECT sealed FROM provider_configs WHERE provider = 'anthropic')
WHERE provider = 'openai'
"""
"""Puts one provider's key into another's row."""


class TestUnreadable:
    async def spoil(self, data_dir: Path, change: str) -> None:
        with closing(sqlite3.connect(data_dir / "bestchat.sqlite3")) as file, file:
            file.execute(change)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE provider_configs SET sealed = x'00' WHERE provider = 'openai'",
            "UPDATE provider_configs SET key_id = 'gone' WHERE provider = 'openai'",
            "UPDATE provider_configs SET id = lower(hex(randomblob(16))) WHERE provider = 'openai'",
            OVERWRITE,
        ],
    )
    async def test_that_provider_needs_its_key_again_and_nothing_else_fails(
        self, application: Application, data_dir: Path, environ: dict[str, str], change: str
    ) -> None:
        await configure(application, key=KEY)
        await configure(application, provider="anthropic", key="sk-ant-0123456789")
        await self.spoil(data_dir, change)
        environ["OPENAI_API_KEY"] = "sk-of-somebody-else"
        stored = stored_in(application)
        with pytest.raises(KeyUnreadable):  # and never silently at another's cost
            await found(application)
        assert await stored.unreadable(LOCAL_OWNER) == {"openai"}
        assert (await stored.find("anthropic", LOCAL_OWNER)).key == "sk-ant-0123456789"
        request = providers.CheckProvider("openai", "openai/gpt-x")
        verdict = await InProcessClient(application).call(providers.test, request)
        assert (verdict.code, verdict.reached) == ("key_unreadable", False)
        await configure(application, key=KEY)
        assert (await found(application)).key == KEY
        assert await stored.unreadable(LOCAL_OWNER) == frozenset()


class TestCommands:
    @pytest.fixture
    def counting(self, tmp_path: Path) -> KeyCommand:
        """A command that prints another key each time."""
        path = tmp_path / "count"
        path.write_text("0")
        code = (
            "import sys, pathlib; p = pathlib.Path(sys.argv[1]); n = int(p.read_text()) + 1\n"
            "p.write_text(str(n)); print(f'key-{n}')"
        )
        return KeyCommand((sys.executable, "-c", code, str(path)), seconds=0.0)

    async def give(self, application: Application, command: KeyCommand) -> ProviderSettingsService:
        stored = stored_in(application)
        request = providers.ConfigureProvider("openai", base_url=OWN)
        made = await stored.store(LOCAL_OWNER, request, command)
        assert (made.has_key, made.key_command) == (False, True)
        return stored

    async def test_it_prints_the_key(self, application: Application, counting: KeyCommand) -> None:
        await self.give(application, counting)
        assert [(await found(application)).key for _ in range(2)] == ["key-1", "key-2"]

    async def test_a_key_is_kept_for_a_while_and_not_after_a_refusal(
        self, application: Application, counting: KeyCommand
    ) -> None:
        command = KeyCommand(counting.arguments, seconds=1000)
        stored = await self.give(application, command)
        asked = await asyncio.gather(*(found(application) for _ in range(5)))
        assert {item.key for item in asked} == {"key-1"}
        assert (await stored.renewed("openai", LOCAL_OWNER, "key-1")) == Credential(
            "key-2", OWN, "user"
        )
        assert (await found(application)).key == "key-2"
        # Somebody else's refusal came late: there is a newer key already.
        assert (await stored.renewed("openai", LOCAL_OWNER, "key-1")).key == "key-2"

    async def test_a_stored_key_that_is_refused_is_not_tried_again(
        self, application: Application
    ) -> None:
        await configure(application, key=KEY)
        assert await stored_in(application).renewed("openai", LOCAL_OWNER, KEY) is None

    async def test_a_key_takes_the_place_of_a_command(
        self, application: Application, counting: KeyCommand
    ) -> None:
        await self.give(application, counting)
        made = await configure(application, key=KEY)
        assert (made.has_key, made.key_command) == (True, False)
        assert (await found(application)).key == KEY
        made = await stored_in(application).store(
            LOCAL_OWNER, providers.ConfigureProvider("openai"), counting
        )
        assert (made.has_key, made.last_four) == (False, "")

    async def test_its_key_follows_nobody_either(
        self, application: Application, counting: KeyCommand
    ) -> None:
        await self.give(application, counting)
        with pytest.raises(InvalidRequest):
            await configure(application, base_url="https://evil.example")

    async def test_one_that_hangs_keeps_no_other_waiting(self, application: Application) -> None:
        hanging, entered, gate = KeyCommand(("hang",)), asyncio.Event(), asyncio.Event()

        class Commands:
            async def run(self, command: Sequence[str]) -> str:
                if tuple(command) == hanging.arguments:
                    entered.set()
                    await gate.wait()
                return f"key-of-{command[0]}"

        stored = stored_in(application)
        stored._commands = Commands()
        await stored.store(BOB, providers.ConfigureProvider("openai"), hanging)
        await self.give(application, KeyCommand(("quick",)))
        waiting = asyncio.create_task(found(application, BOB))
        try:
            await entered.wait()
            async with asyncio.timeout(5):
                assert (await found(application)).key == "key-of-quick"
        finally:
            gate.set()
        assert (await waiting).key == "key-of-hang"

    async def test_what_is_no_key_is_said(self, application: Application) -> None:
        command = KeyCommand((sys.executable, "-c", "print('canary and more')"))
        await self.give(application, command)
        with pytest.raises(Unavailable) as caught:
            await found(application)
        assert "canary" not in str(caught.value)

    def test_none_can_be_set_over_the_api(self) -> None:
        """Whoever holds a token could otherwise run what they like."""
        assert set(providers.ConfigureProvider.__struct_fields__) == {
            "provider",
            "key",
            "base_url",
            "default_model",
            "version",
        }


def name_of(key: str) -> str:
    """Something that depends on a key: the key itself would be left out of a list."""
    return key[-3:]


class Host:
    """A provider's server that answers as it is told, and says its visitors' key back."""

    def __init__(self) -> None:
        self.status, self.error = 200, {"message": "No."}
        self.pieces = ["Yes."]
        self.keys: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        host = self

        class Chat(RequestHandler):
            async def post(self) -> None:
                key = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
                host.keys.append(key)
                await host.gate.wait()
                self.set_status(host.status)
                if host.status != 200:
                    error = {**host.error, "message": f"{host.error['message']} Your key: {key}"}
                    self.finish(json.dumps({"error": error}))
                    return
                self.set_header("Content-Type", "text/event-stream")
                for piece in host.pieces:
                    chunk = {"choices": [{"index": 0, "delta": {"content": piece}}]}
                    self.write(f"data: {json.dumps(chunk)}\n\n")
                self.finish("data: [DONE]\n\n")

        class Models(RequestHandler):
            def get(self) -> None:
                key = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
                self.finish({"data": [{"id": f"model-for-{name_of(key)}"}]})

        paths = [("/v1/chat/completions", Chat), ("/v1/models", Models)]
        self.server = HTTPServer(TornadoApplication(paths))
        socket, port = bind_unused_port()
        self.server.add_socket(socket)
        self.url = f"http://127.0.0.1:{port}/v1"


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    made = Host()
    yield made
    made.gate.set()
    made.server.stop()
    await made.server.close_all_connections()


async def info(application: Application) -> providers.ProviderInfo:
    client = InProcessClient(application)
    listed = await client.call(providers.list_, providers.ListProviders())
    return next(item for item in listed.providers if item.name == "openai")


class TestUse:
    """What is stored is what a chat goes on with."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        del environ["BESTCHAT_DEFAULT_MODEL"]
        return environ

    async def resolved(self, application: Application, named: str | None = None) -> str:
        registry = application._services.providers
        return str(await registry.resolve(LOCAL_OWNER, named, probe=False))

    async def test_a_stored_key_is_enough(self, application: Application) -> None:
        with pytest.raises(MissingKey):
            await self.resolved(application, "openai/gpt-x")
        await configure(application, key=KEY)
        assert await self.resolved(application, "openai/gpt-x") == "openai/gpt-x"
        registry = application._services.providers
        refs = (ModelRef("openai", "gpt-x"),)
        assert await registry.usable(LOCAL_OWNER, refs) == refs
        assert await registry.usable(BOB, refs) == ()

    async def test_the_default_that_was_named(self, application: Application) -> None:
        await configure(application, key=KEY)
        assert (await self.resolved(application)) == (await info(application)).default
        await configure(application, default_model="openai/mine")
        assert await self.resolved(application) == "openai/mine"
        await configure(application, key=KEY, base_url=OWN)
        assert await self.resolved(application) == "openai/mine"
        await configure(application, default_model="")
        with pytest.raises(NoModel):  # elsewhere, nobody knows which models there are
            await self.resolved(application)

    async def test_how_it_is_set_up_is_listed(
        self, open_here: OpenHere, environ: dict[str, str], data_dir: Path
    ) -> None:
        application = await open_here()
        before = await info(application)
        assert (before.source, before.stored, before.configured) == ("", None, False)
        environ["OPENAI_API_KEY"] = "sk-of-the-environment"
        assert (await info(application)).variable == "OPENAI_API_KEY"
        made = await configure(application, key=KEY, base_url=OWN)
        now = await info(application)
        assert (now.source, now.variable, now.configured) == ("user", "", True)
        assert (now.stored, now.problem, now.redirected) == (made, "", True)
        assert KEY not in repr(now)
        await TestUnreadable().spoil(data_dir, "UPDATE provider_configs SET key_id = 'gone'")
        assert (await info(application)).problem == "key_unreadable"

    async def test_kernels_see_nothing_of_what_is_stored(self, application: Application) -> None:
        made = await configure(application, key=KEY, base_url=OWN)
        caller = Caller(LOCAL_OWNER, "kernel", KERNEL_SCOPES)
        client = InProcessClient(application, caller)
        listed = await client.call(providers.list_, providers.ListProviders())
        assert {item.stored for item in listed.providers} == {None}
        assert OWN not in repr(listed)
        shown = {item.name: item for item in listed.providers}["openai"]
        assert (shown.source, shown.configured) == ("user", True)
        assert (await info(application)).stored == made

    async def test_prices_are_those_of_the_providers_own_host(
        self, open_here: OpenHere, environ: dict[str, str]
    ) -> None:
        application = await open_here()
        registry, ref = application._services.providers, ModelRef("openai", "gpt-5-mini")
        known = registry.facts(ref).prices
        assert known is not None
        assert await registry.prices(LOCAL_OWNER, ref) == known
        await configure(application, key=KEY, base_url=OWN)
        assert await registry.prices(LOCAL_OWNER, ref) is None
        assert await registry.prices(BOB, ref) == known
        environ["OPENAI_BASE_URL"] = OWN
        assert await registry.prices(BOB, ref) is None

    async def test_lists_of_models_are_asked_for_with_it(
        self, application: Application, host: Host
    ) -> None:
        """And kept for its owner: another key may see other models."""
        client = InProcessClient(application)
        request = models.ListModels(provider="openai")
        for key in ("key-of-one-account", "key-of-another-one"):
            await configure(application, key=key, base_url=host.url)
            listed = await client.call(models.list_, request)
            assert f"openai/model-for-{name_of(key)}" in {facts.ref for facts in listed.models}


class TestTrial:
    async def ask(self, application: Application, model: str | None = "openai/gpt-x") -> Any:
        request = providers.CheckProvider("openai", model)
        return await InProcessClient(application).call(providers.test, request)

    async def booked(self, application: Application) -> usage.Spending:
        request = usage.SummarizeUsage("model")
        return (await InProcessClient(application).call(usage.summary, request)).total

    async def test_all_is_well(self, application: Application, host: Host) -> None:
        await configure(application, key=KEY, base_url=host.url, default_model="openai/mine")
        verdict = await self.ask(application, None)
        assert (verdict.code, verdict.model, verdict.hint) == ("ok", "openai/mine", "")
        assert (verdict.reached, verdict.key_accepted, verdict.model_exists) == (True, True, True)
        assert host.keys == [KEY]

    @pytest.mark.parametrize(
        ("status", "error", "code", "accepted", "exists"),
        [
            (401, {"message": "Bad key."}, "key_refused", False, None),
            (404, {"message": "No.", "code": "model_not_found"}, "model_missing", True, False),
            (429, {"message": "Slow.", "code": "rate_limit_exceeded"}, "rate_limited", True, None),
            (429, {"message": "Pay.", "code": "insufficient_quota"}, "no_credit", True, None),
            (400, {"message": "Odd."}, "failed", None, None),
        ],
    )
    async def test_a_refusal_is_a_verdict(
        self,
        application: Application,
        host: Host,
        status: int,
        error: dict[str, str],
        code: str,
        *,
        accepted: bool | None,
        exists: bool | None,
    ) -> None:
        host.status, host.error = status, error
        await configure(application, key=KEY, base_url=host.url)
        verdict = await self.ask(application)
        assert (verdict.code, verdict.reached) == (code, True)
        assert (verdict.key_accepted, verdict.model_exists) == (accepted, exists)
        assert verdict.text
        assert KEY not in repr(verdict)

    async def test_nobody_is_there(self, application: Application, host: Host) -> None:
        host.server.stop()
        await configure(application, key=KEY, base_url=host.url)
        verdict = await self.ask(application)
        assert (verdict.code, verdict.reached) == ("unreachable", False)

    async def test_nobody_answers(self, application: Application, host: Host) -> None:
        host.gate.clear()
        await configure(application, key=KEY, base_url=host.url)
        services = application._services
        trial = ProviderTrial(
            services.providers,
            services.provider_settings,
            services.tokens._clock,
            0.3,
            usage=services.usage,
        )
        verdict = await trial.run(LOCAL_OWNER, providers.CheckProvider("openai", "openai/gpt-x"))
        assert (verdict.code, verdict.reached, verdict.model) == (
            "timed_out",
            False,
            "openai/gpt-x",
        )
        booked = await self.booked(application)
        assert (booked.attempts, booked.cancelled, booked.estimated) == (1, 1, 1)

    async def test_there_is_no_key(self, application: Application) -> None:
        verdict = await self.ask(application)
        assert (verdict.code, verdict.reached) == ("missing_key", False)
        assert (await self.booked(application)).attempts == 0

    async def test_an_answer_with_nothing_in_it_is_none(
        self, application: Application, host: Host
    ) -> None:
        host.pieces = []
        await configure(application, key=KEY, base_url=host.url)
        verdict = await self.ask(application)
        assert (verdict.code, verdict.reached, verdict.model_exists) == ("failed", True, None)
        assert (await self.booked(application)).failed == 1

    async def test_an_adapter_that_brings_nothing(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def silent(_: Any) -> AsyncIterator[Sequence[Any]]:
            yield ()

        adapter = application._services.providers.provider(ModelRef("openai", ""))
        monkeypatch.setattr(adapter, "stream", silent)
        await configure(application, key=KEY)
        verdict = await self.ask(application)
        assert (verdict.code, verdict.reached) == ("failed", True)
        assert "no answer" in verdict.text

    async def test_a_first_report_is_not_the_last_word(
        self, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Some providers say at the beginning what they have counted until then."""

        async def begin(_: Any) -> AsyncIterator[Sequence[Any]]:
            yield UsageChunk(Usage(input_tokens=9, output_tokens=0)), TextChunk("Yes, yes.")

        adapter = application._services.providers.provider(ModelRef("openai", ""))
        monkeypatch.setattr(adapter, "stream", begin)
        await configure(application, key=KEY)
        assert (await self.ask(application, "openai/gpt-5-mini")).code == "ok"
        booked = await self.booked(application)
        assert (booked.estimated, booked.unknown_attempts) == (1, 0)
        assert (booked.usage.input_tokens, booked.usage.output_tokens) == (9, 3)

    async def test_what_it_costs_is_written_down(
        self, application: Application, host: Host
    ) -> None:
        """It is a real request: for the one who asked, and at no price that may be another's."""
        await configure(application, key=KEY, base_url=host.url)
        for _ in range(2):
            await self.ask(application, "openai/gpt-5-mini")
        booked = await self.booked(application)
        assert (booked.attempts, booked.failed, booked.cancelled) == (2, 0, 0)
        assert (booked.estimated, booked.unknown_attempts, booked.cost) == (2, 2, None)
        assert booked.usage.input_tokens > 0
        assert booked.usage.output_tokens > 0
        host.status = 401
        await self.ask(application)
        assert (await self.booked(application)).failed == 1
        by = usage.SummarizeUsage("conversation")
        assert len((await InProcessClient(application).call(usage.summary, by)).rows) == 3

    async def test_the_site_does_not_permit_it(self, open_here: OpenHere) -> None:
        application = await open_here(allowed_models=["scripted/*"])
        verdict = await self.ask(application)
        assert (verdict.code, verdict.model) == ("not_permitted", "openai/gpt-x")

    async def test_a_request_that_makes_no_sense_is_no_verdict(
        self, application: Application
    ) -> None:
        with pytest.raises(InvalidRequest):
            await self.ask(application, "anthropic/claude")
        with pytest.raises(UnknownProvider):
            await InProcessClient(application).call(
                providers.test, providers.CheckProvider("nobody")
            )

    async def test_what_is_asked_for_is_little(self, application: Application, host: Host) -> None:
        await configure(application, key=KEY, base_url=host.url)
        await self.ask(application)
        assert len(host.keys) == 1


async def test_errors_of_the_family_only(application: Application) -> None:
    """Whatever is wrong with a key file, callers get to hear it in our words."""
    await configure(application, key=KEY)
    data_dir = Path(application._database.label).parent
    await asyncio.to_thread((data_dir / "master.key").chmod, 0o644)
    with pytest.raises(ChatError, match="chmod 600"):
        await configure(application, key=KEY)
