"""Inside Jupyter, its authorizer has a say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

DENY = """
from jupyter_server.auth.authorizer import Authorizer


class ReadOnly(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "bestchat" or action == "read"
"""


@pytest.fixture(scope="module")
def guarded(start_jupyter: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server whose authorizer lets BestChat be read and no more."""
    folder: Path = tmp_path_factory.mktemp("authorizer")
    (folder / "site_policy.py").write_text(DENY, encoding="utf-8")
    option = "--ServerApp.authorizer_class=site_policy.ReadOnly"
    return start_jupyter("/", option, PYTHONPATH=str(folder))


async def test_what_it_denies_is_not_done(guarded: Any, session: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"token {guarded.token}"}
    root = f"{guarded.url}bestchat/api/"
    async with session.post(root + "conversations.create", json={}, headers=headers) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["code"] == "not_allowed"
    async with session.post(root + "conversations.list", json={}, headers=headers) as answer:
        assert answer.status == 200
    async with session.get(root + "openapi.json", headers=headers) as answer:
        assert answer.status == 200


BY_NAME = """
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import IdentityProvider, User
from tornado.web import HTTPError


class Names(IdentityProvider):
    def get_user(self, handler):
        name = handler.request.headers.get("X-Name")
        if name is None:
            return super().get_user(handler)
        handler._token_authenticated = True
        return User(name)


class ByName(Authorizer):
    async def is_authorized(self, handler, user, action, resource):
        if resource == "bestchat" and user.username == "raiser":
            raise HTTPError(403, "canary")
        allowed = {"reader": {"read"}, "nobody": set()}
        return resource != "bestchat" or action in allowed.get(user.username, {"read", "write"})
"""


@pytest.fixture(scope="module")
def among_names(start_jupyter: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server whose users have names and different rights."""
    folder: Path = tmp_path_factory.mktemp("names")
    (folder / "by_name.py").write_text(BY_NAME, encoding="utf-8")
    return start_jupyter(
        "/",
        "--ServerApp.authorizer_class=by_name.ByName",
        "--ServerApp.identity_provider_class=by_name.Names",
        PYTHONPATH=str(folder),
    )


async def token_of_kernel(site: Any, mice: Any, headers: dict[str, str]) -> str | None:
    """Start a kernel as somebody and end it again; gives the token that it had."""
    made = await site.ask("POST", "api/kernels", {"name": "mouse"}, headers)
    assert made.status == 201, made.text
    environ: dict[str, str] = await mice.environ(made.json["id"])
    assert (await site.ask("DELETE", f"api/kernels/{made.json['id']}")).status == 204
    return environ.get("BESTCHAT_TOKEN")


@pytest.mark.parametrize(
    ("name", "let_in"), [("writer", True), ("reader", False), ("nobody", False), ("raiser", False)]
)
async def test_a_kernel_is_no_way_around_it(
    among_names: Any,
    session: aiohttp.ClientSession,
    site_of: Any,
    mice: Any,
    name: str,
    let_in: bool,  # noqa: FBT001  a parameter of a test
) -> None:
    mice.settle(among_names)
    site = site_of(among_names, session)
    token = await token_of_kernel(site, mice, {"X-Name": name})
    assert (token is not None) is let_in
    assert not [line for line in among_names.log if "canary" in line]


async def test_nor_is_it_where_nobody_has_a_name(
    guarded: Any, session: aiohttp.ClientSession, site_of: Any, mice: Any
) -> None:
    mice.settle(guarded)
    site = site_of(guarded, session)
    assert await token_of_kernel(site, mice, site.headers) is None
