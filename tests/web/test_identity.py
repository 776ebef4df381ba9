"""Who is who: one person on a laptop, several where a provider of identities gives names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from jupyter_server.auth.identity import (
    IdentityProvider,
    LegacyIdentityProvider,
    PasswordIdentityProvider,
    User,
)
from jupyter_server.auth.login import LegacyLoginHandler
from yarl import URL

from bestchat_server_ext.api import conversations
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.errors import NotPermitted
from bestchat_server_ext.core.ids import LOCAL_OWNER
from bestchat_server_ext.web.extension import _current_owner, owner_of


async def listed(site: Any, headers: dict[str, str]) -> list[str]:
    """The conversations that somebody sees."""
    answer = await site.call("conversations.list", {}, headers)
    assert answer.status == 200, answer.text
    return [item["id"] for item in answer.json["conversations"]]


async def kernel_of(site: Any, mice: Any, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Start a kernel as somebody; gives its id and its environment."""
    made = await site.ask("POST", "api/kernels", {"name": "mouse"}, headers)
    assert made.status == 201, made.text
    kernel_id = str(made.json["id"])
    return kernel_id, await mice.environ(kernel_id)


def bearing(environ: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"token {environ['BESTCHAT_TOKEN']}"}


async def test_on_a_laptop_everybody_is_the_same_person(
    start_jupyter: Any, session: aiohttp.ClientSession, site_of: Any, mice: Any, open_here: Any
) -> None:
    """Cookie, bare token, kernel and a run without any server see one list."""
    server = start_jupyter()
    site = site_of(server, session)
    mice.settle(server)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        for path in (f"api/status?token={server.token}", "login"):
            async with browser.get(server.url + path) as response:
                await response.read()
    cookies = {name: morsel.value for name, morsel in jar.filter_cookies(URL(server.url)).items()}
    page = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-XSRFToken": cookies["_xsrf"],
    }
    kernel_id, environ = await kernel_of(site, mice, page)
    made = [await site.begin(headers) for headers in (page, site.headers, bearing(environ))]
    application = await open_here(data_dir=server.data_dir)
    headless = InProcessClient(application)
    made.append((await headless.call(conversations.create, conversations.CreateConversation())).id)
    for headers in (page, site.headers, bearing(environ)):
        assert sorted(await listed(site, headers)) == sorted(made)
    seen = await headless.call(conversations.list_, conversations.ListConversations())
    assert sorted(item.id for item in seen.conversations) == sorted(made)
    # A header with the token needs no XSRF token, a cookie does.
    del page["X-XSRFToken"]
    assert (await site.call("conversations.list", {}, page)).status == 403
    both = page | site.headers
    assert (await site.call("conversations.list", {}, both)).status == 200
    await site.ask("DELETE", f"api/kernels/{kernel_id}")


class Strict(PasswordIdentityProvider):
    """A site's own rules for passwords, and nothing about names."""

    def passwd_check(self, password: str) -> bool:
        return len(password) > 12 and bool(super().passwd_check(password))


class Deriving(Strict):
    """One that is derived from such a one."""


class Asking(PasswordIdentityProvider):
    def get_user(self, _: Any) -> User | None:
        return User("ada")


class OneName(PasswordIdentityProvider):
    def generate_anonymous_user(self, _: Any) -> User:
        return User("ada")


class Registering(Strict):
    """Who signs in gets a name, which comes back with each cookie."""

    def process_login_form(self, _: Any) -> User | None:
        return User("ada")


class OldLogin(LegacyLoginHandler):
    """As old as Jupyter's, and with names."""

    @classmethod
    def get_user(cls, _: Any) -> str:
        return "ada"


NAMELESS = (IdentityProvider, PasswordIdentityProvider, LegacyIdentityProvider, Strict, Deriving)


@pytest.mark.parametrize("provider", NAMELESS)
async def test_without_names_everybody_is_that_person(provider: type[IdentityProvider]) -> None:
    """Also outside of any request."""
    asked = provider()
    handler = SimpleNamespace(identity_provider=asked, current_user=User("made-up-just-now"))
    assert (owner_of(handler), await _current_owner(asked)) == (LOCAL_OWNER, LOCAL_OWNER)


@pytest.mark.parametrize(
    "asked",
    [Asking(), OneName(), Registering(), LegacyIdentityProvider(login_handler_class=OldLogin)],
    ids=lambda asked: type(asked).__name__,
)
async def test_who_gives_names_is_believed(asked: IdentityProvider) -> None:
    handler = SimpleNamespace(identity_provider=asked, current_user=User("ada"))
    assert (owner_of(handler), await _current_owner(asked)) == ("ada", None)


@pytest.mark.parametrize("asked", [Asking(), OneName()], ids=lambda asked: type(asked).__name__)
async def test_nobody_is_named_like_who_has_no_name(asked: IdentityProvider) -> None:
    handler = SimpleNamespace(identity_provider=asked, current_user=User(LOCAL_OWNER))
    with pytest.raises(NotPermitted, match="Nobody who is called `local` can use BestChat"):
        owner_of(handler)


SITES_OWN = """
from jupyter_server.auth.identity import PasswordIdentityProvider

class Quiet(PasswordIdentityProvider):
    '''A site's own settings around what Jupyter does.'''

    def cookie_secret_hook(self, h):
        h.update(b"of this site")
        return super().cookie_secret_hook(h)
"""


async def test_a_sites_own_provider_without_names_makes_no_strangers(
    start_jupyter: Any, session: aiohttp.ClientSession, site_of: Any, tmp_path: Path, mice: Any
) -> None:
    """Jupyter makes up a new user for each request that comes without a cookie."""
    (tmp_path / "quiet.py").write_text(SITES_OWN, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    server = start_jupyter("/", "--ServerApp.identity_provider_class=quiet.Quiet", PYTHONPATH=path)
    site = site_of(server, session)
    mice.settle(server)
    made = [await site.begin() for _ in range(2)]
    kernel_id, environ = await kernel_of(site, mice, site.headers)
    for headers in (site.headers, bearing(environ)):
        assert sorted(await listed(site, headers)) == sorted(made)
    await site.ask("DELETE", f"api/kernels/{kernel_id}")


NAMES = """
import asyncio

from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated


class Names(IdentityProvider):
    def get_user(self, handler):
        kind, _, name = handler.request.headers.get("Authorization", "").partition(" ")
        if kind != "name" and name != self.token:
            return None
        handler._token_authenticated = True
        return User(username=name if kind == "name" else "the-operator")


left = asyncio.Queue()
wanted = asyncio.Queue()
started = asyncio.Queue()


class Spares(JupyterHandler):
    '''Kernels that somebody else's code starts.'''

    async def start(self):
        return await self.kernel_manager.start_kernel(kernel_name="mouse")

    async def start_when_over(self, over):
        await over.wait()
        started.put_nowait(await self.start())

    @authenticated
    async def get(self, how):
        if how == "inside":
            kernel_id = await self.start()
        elif how == "ahead":
            wanted.put_nowait(None)
            kernel_id = await started.get()
        elif how == "leave":
            self.over = asyncio.Event()
            left.put_nowait(asyncio.create_task(self.start_when_over(self.over)))
            kernel_id = ""
        elif how == "take":
            kernel_id = await started.get()
        self.finish({"id": kernel_id})

    def on_finish(self):
        super().on_finish()
        if hasattr(self, "over"):
            self.over.set()


async def keep_ready(manager):
    while True:
        await wanted.get()
        started.put_nowait(await manager.start_kernel(kernel_name="mouse"))


def _jupyter_server_extension_points():
    return [{"module": "names"}]


def _load_jupyter_server_extension(app):
    app.web_app.add_handlers(".*$", [(r"/spares/(.*)", Spares)])
    app.io_loop.add_callback(keep_ready, app.kernel_manager)
"""


ADA = {"Authorization": "name ada"}
GRACE = {"Authorization": "name grace"}
LOCAL = {"Authorization": f"name {LOCAL_OWNER}"}


@pytest.fixture(scope="module")
def named(start_jupyter: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("names")
    (folder / "names.py").write_text(NAMES, encoding="utf-8")
    (folder / "jupyter_server_config.d").mkdir()
    enabled = {"ServerApp": {"jpserver_extensions": {"names": True}}}
    (folder / "jupyter_server_config.d" / "names.json").write_text(json.dumps(enabled))
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    provider = "--ServerApp.identity_provider_class=names.Names"
    return start_jupyter("/", provider, PYTHONPATH=path, JUPYTER_CONFIG_PATH=str(folder))


class TestWherePeopleHaveNames:
    """A custom identity provider: whom it names are strangers to each other."""

    @pytest.fixture
    def site(self, named: Any, session: aiohttp.ClientSession, site_of: Any, mice: Any) -> Any:
        mice.settle(named)
        return site_of(named, session)

    async def spare(self, site: Any, mice: Any, how: str, headers: dict[str, str]) -> Any:
        """A kernel that other code of the server has started; gives its environment."""
        answer = await site.ask("GET", f"spares/{how}", None, headers)
        assert answer.status == 200, answer.text
        environ = await mice.environ(answer.json["id"])
        assert (await site.ask("DELETE", f"api/kernels/{answer.json['id']}")).status == 204
        return environ

    async def test_they_are_strangers(self, site: Any) -> None:
        adas, graces = await site.begin(ADA), await site.begin(GRACE)
        assert (await site.call("system.whoami", {}, ADA)).json["owner"] == "ada"
        assert adas in await listed(site, ADA)
        assert adas not in await listed(site, GRACE)
        for headers, theirs in ((ADA, graces), (GRACE, adas)):
            answer = await site.call("conversations.get", {"conversation_id": theirs}, headers)
            assert (answer.status, answer.error["code"]) == (404, "not_found")
            line = await site.connect(headers)
            await line.greet()
            await line.say(type="subscribe", conversation_id=theirs)
            assert (await line.hear())["error"]["code"] == "not_found"
        assert (await site.call("conversations.list", {}, {})).status == 401

    async def test_and_so_are_their_kernels(self, site: Any, mice: Any) -> None:
        adas = await site.begin(ADA)
        one, of_ada = await kernel_of(site, mice, ADA)
        other, of_grace = await kernel_of(site, mice, GRACE)
        whoami = await site.call("system.whoami", {}, bearing(of_ada))
        assert (whoami.json["owner"], whoami.json["kind"]) == ("ada", "kernel")
        assert adas in await listed(site, bearing(of_ada))
        assert adas not in await listed(site, bearing(of_grace))
        for kernel_id in (one, other):
            await site.ask("DELETE", f"api/kernels/{kernel_id}")

    async def test_a_kernel_that_other_code_starts_within_a_request_is_its_users(
        self, site: Any, mice: Any
    ) -> None:
        answer = await site.ask("GET", "spares/inside", None, ADA)
        environ = await mice.environ(answer.json["id"])
        assert (await site.call("system.whoami", {}, bearing(environ))).json["owner"] == "ada"
        await site.ask("DELETE", f"api/kernels/{answer.json['id']}")

    async def test_one_that_is_started_ahead_of_time_is_nobodys(self, site: Any, mice: Any) -> None:
        environ = await self.spare(site, mice, "ahead", ADA)
        assert not {"BESTCHAT_TOKEN", "BESTCHAT_URL"} & set(environ)

    async def test_nor_does_it_belong_to_a_request_that_is_over(self, site: Any, mice: Any) -> None:
        assert (await site.ask("GET", "spares/leave", None, ADA)).status == 200
        environ = await self.spare(site, mice, "take", GRACE)
        assert not {"BESTCHAT_TOKEN", "BESTCHAT_URL"} & set(environ)

    async def test_nobody_gets_in_who_is_called_like_the_nameless(
        self, site: Any, mice: Any
    ) -> None:
        """What was there before people had names belongs to `local`."""
        create = {"name": "mine", "scopes": ["turns"], "expires_in": 60}
        for name, request in (
            ("conversations.list", {}),
            ("conversations.create", {}),
            ("system.whoami", {}),
            ("tokens.create", create),
        ):
            answer = await site.call(name, request, LOCAL)
            assert (answer.status, answer.error["code"]) == (403, "not_permitted"), name
            assert answer.error["hint"] == "Ask the administrator to give you another user name."
        nowhere = "api/files/01890a5d-ac96-774b-bcce-b302099a8057"
        for method in ("GET", "PUT"):
            answer = await site.ask(method, f"bestchat/{nowhere}", None, LOCAL)
            assert (answer.status, answer.error["code"]) == (403, "not_permitted"), method
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await site.connect(LOCAL)
        assert refused.value.status == 403
        kernel_id, environ = await kernel_of(site, mice, LOCAL)
        assert not {"BESTCHAT_TOKEN", "BESTCHAT_URL"} & set(environ)
        await site.ask("DELETE", f"api/kernels/{kernel_id}")
