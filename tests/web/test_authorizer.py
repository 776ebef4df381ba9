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
