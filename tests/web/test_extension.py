"""The extension in Jupyter's hands: found, loaded, quiet, and below any address."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bestchat_server_ext.api import conversations
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.web.extension import BestChat


async def test_it_is_found_and_in_order(tmp_path: Path) -> None:
    places = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    own = {name: str(tmp_path / name.lower()) for name in places}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jupyter_server.extension.serverextension", "list"),
        stdout=PIPE,
        stderr=STDOUT,
        env={"PATH": os.environ["PATH"], **own},
    )
    output, _ = await process.communicate()
    lines = [line.strip() for line in output.decode().splitlines()]
    assert process.returncode == 0
    ours = [line for line in lines if "bestchat_server_ext" in line]
    assert any("enabled" in line for line in ours)
    assert any("OK" in line for line in ours)


def test_it_has_no_page_of_its_own() -> None:
    """JupyterHub sends people to the first extension that says it has one."""
    assert BestChat().default_url == "/"


async def test_the_start_opens_nothing_and_calls_nobody(
    start_jupyter: Any, session: aiohttp.ClientSession
) -> None:
    """Health, and even the WebSocket of a stranger, leave no trace on the disk."""
    server = start_jupyter()
    async with session.get(server.url + "bestchat/api/health") as response:
        assert await response.json() == {"alive": True, "protocol": 1}
    headers = {"Authorization": f"token {server.token}"}
    async with session.get(server.url + "bestchat/api/health", headers=headers) as response:
        health = await response.json()
    assert (health["alive"], health["storage"]) == (True, "closed")
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await session.ws_connect(server.url + "bestchat/api/events")
    assert not server.data_dir.exists()
    await asyncio.to_thread(server.stop)
    assert not server.data_dir.exists()
    assert server.alarms == []


async def test_options_are_read_once_and_again_only_if_nothing_could_be_opened(
    start_jupyter: Any, session: aiohttp.ClientSession, site_of: Any, mice: Any
) -> None:
    """What kernels were told and what the services do come from one reading."""
    prelude = "from bestchat_server_ext.web import door; door.FAILURE_SECONDS = 0.0\n"
    server = start_jupyter("/", prelude=prelude)
    site = site_of(server, session)
    mice.settle(server)
    file = server.folder / "jupyter_config_dir" / "bestchat_config.json"

    def configure(**options: Any) -> None:
        file.write_text(json.dumps({"BestChat": options}), encoding="utf-8")

    nowhere = "postgresql://u:p@127.0.0.1:1/nowhere"
    configure(database_url=nowhere, server_url="http://127.0.0.1:1/first/")
    kernel_id = (await site.ask("POST", "api/kernels", {"name": "mouse"})).json["id"]
    assert (await mice.environ(kernel_id))["BESTCHAT_URL"].endswith("/first/")
    configure(server_url="http://127.0.0.1:1/second/")
    assert (await site.call("models.list")).status == 503  # the database of the first reading
    assert (await site.call("models.list")).status == 200
    configure(server_url="http://127.0.0.1:1/third/")
    answer = (await site.call("system.options")).json
    told = {option["name"]: option["value"] for option in answer["options"]}
    assert told["server_url"].endswith("/second/")
    another = (await site.ask("POST", "api/kernels", {"name": "mouse"})).json["id"]
    assert (await mice.environ(another))["BESTCHAT_URL"].endswith("/second/")
    for one in (kernel_id, another):
        await site.ask("DELETE", f"api/kernels/{one}")


class TestStrictAndElsewhere:
    """Below another address, and with Jupyter's own gate closed to everybody unknown."""

    async def test_both_lines_work(self, strict: Any) -> None:
        client = RemoteClient(strict.url, strict.token)
        made = await client.call(conversations.create, conversations.CreateConversation())
        frames = client.follow(made.id, 0)
        first = await anext(frames)
        assert isinstance(first, ev.Envelope)
        await frames.aclose()
        await client.close()

    async def test_who_is_not_known_gets_our_answers(
        self, strict: Any, session: aiohttp.ClientSession
    ) -> None:
        root = strict.url + "bestchat/api/"
        async with session.get(root + "health") as response:
            assert await response.json() == {"alive": True, "protocol": 1}
        async with session.post(root + "conversations.list", data=b"{}") as response:
            assert response.status == 401
            assert (await response.json())["error"]["code"] == "not_authenticated"
        async with session.get(root + "openapi.json") as response:
            assert response.status == 401
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(root + "events")
        assert caught.value.status == 401

    async def test_the_document_knows_the_address(
        self, strict: Any, session: aiohttp.ClientSession
    ) -> None:
        headers = {"Authorization": f"token {strict.token}"}
        async with session.get(strict.url + "bestchat/api/openapi.json", headers=headers) as got:
            assert (await got.json())["servers"] == [{"url": "/some/where"}]


def test_loading_it_loads_nothing_that_takes_its_time() -> None:
    code = (
        "import sys, jupyter_server.serverapp; before = set(sys.modules);"
        "import bestchat_server_ext.web.extension;"
        "heavy = {'aiohttp', 'alembic', 'asyncpg', 'opentelemetry', 'pydantic', 'sqlalchemy'};"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
