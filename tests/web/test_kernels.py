"""Kernels of a real Jupyter Server: each gets an address and a token of its own."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient

from bestchat_server_ext.api import system
from bestchat_server_ext.client.remote import RemoteClient

TELL = """
import json, os
told = {name: value for name, value in os.environ.items() if name.startswith("BESTCHAT_")}
"""


@asynccontextmanager
async def channels(jupyter: Any, kernel_id: str) -> AsyncIterator[AsyncKernelClient]:
    """The kernel's own channels, past the server."""
    folder = jupyter.folder / "jupyter_runtime_dir"
    client = AsyncKernelClient(connection_file=str(folder / f"kernel-{kernel_id}.json"))
    client.load_connection_file()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()


async def told(jupyter: Any, kernel_id: str) -> dict[str, str]:
    """What a kernel's environment says about us."""
    async with channels(jupyter, kernel_id) as client:
        reply = await client.execute_interactive(
            TELL,
            user_expressions={"told": "json.dumps(told)"},
            timeout=60,
            output_hook=lambda _: None,
        )
    shown = reply["content"]["user_expressions"]["told"]["data"]["text/plain"]
    found: dict[str, str] = json.loads(shown.strip("'"))
    return found


Start = Callable[..., Awaitable[str]]


@pytest.fixture
async def start(inside: Any) -> AsyncIterator[Start]:
    """Start a kernel through a session, as the panel does; gives its id."""
    sessions: list[str] = []

    async def begin(name: str) -> str:
        body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        made = await inside.ask("POST", "api/sessions", body)
        assert made.status == 201, made.text
        sessions.append(made.json["id"])
        return str(made.json["kernel"]["id"])

    yield begin
    for session in sessions:
        await inside.ask("DELETE", f"api/sessions/{session}")


def traces_of(secret: str, folder: Path) -> list[Path]:
    """Files that hold a text, as it stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if secret.encode() in path.read_bytes()]


async def test_a_kernels_life(inside: Any, jupyter: Any, start: Start) -> None:
    one, other = await asyncio.gather(start("one.ipynb"), start("other.ipynb"))
    first, second = await asyncio.gather(told(jupyter, one), told(jupyter, other))
    for environment in (first, second):
        assert environment["BESTCHAT_URL"].rstrip("/") == inside.url.rstrip("/")
        assert environment["BESTCHAT_TOKEN"].startswith("bc_")
    assert first["BESTCHAT_TOKEN"] != second["BESTCHAT_TOKEN"]
    token = first["BESTCHAT_TOKEN"]
    mine = {"Authorization": f"token {token}"}
    identity = (await inside.call("system.whoami", {}, mine)).json
    assert (identity["owner"], identity["kind"]) == ("local", "kernel")
    assert "conversations:delete" not in identity["scopes"]
    # It sees what the panel sees, and the panel what it makes.
    begun = await inside.begin(mine)
    assert (await inside.call("conversations.get", {"conversation_id": begun})).status == 200
    # It has not been written down anywhere, nor said.
    assert traces_of(token, jupyter.data_dir) == []
    assert not [line for line in jupyter.log if token in line]
    # It is for us and not for Jupyter.
    assert (await inside.ask("GET", "api/kernels", headers=mine)).status == 403
    # A restart keeps it.
    assert (await inside.ask("POST", f"api/kernels/{one}/restart", {})).status == 200
    assert (await told(jupyter, one))["BESTCHAT_TOKEN"] == token
    assert (await inside.call("system.whoami", {}, mine)).status == 200
    # The end of the kernel ends it, and the line that was open with it; others go on.
    line = await inside.connect(mine)
    await line.greet()
    assert (await inside.ask("DELETE", f"api/kernels/{one}")).status == 204
    assert await line.hear() == 4401
    assert (await inside.call("system.whoami", {}, mine)).status == 401
    others = {"Authorization": f"token {second['BESTCHAT_TOKEN']}"}
    assert (await inside.call("system.whoami", {}, others)).status == 200


async def test_a_kernel_without_a_session_and_below_another_address(
    strict: Any, session: aiohttp.ClientSession
) -> None:
    jupyters = {"Authorization": f"token {strict.token}"}
    body = json.dumps({"name": "python3"})
    async with session.post(strict.url + "api/kernels", data=body, headers=jupyters) as made:
        assert made.status == 201
        kernel_id = (await made.json())["id"]
    environment = await told(strict, kernel_id)
    client = RemoteClient(environment["BESTCHAT_URL"], environment["BESTCHAT_TOKEN"])
    assert (await client.call(system.whoami, system.WhoAmI())).kind == "kernel"
    await client.close()
    async with session.delete(strict.url + f"api/kernels/{kernel_id}", headers=jupyters) as gone:
        assert gone.status == 204


async def test_a_token_is_a_row_as_soon_as_the_database_is_open(
    inside: Any, jupyter: Any, start: Start
) -> None:
    await inside.call("system.whoami", {}, {"Authorization": f"token {jupyter.token}"})
    kernel_id = await start("row.ipynb")
    (path,) = jupyter.data_dir.rglob("*.sqlite3")
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT length(digest), revoked_at FROM api_tokens WHERE kernel_id = ?"
        assert database.execute(query, (kernel_id,)).fetchall() == [(32, None)]
    await told(jupyter, kernel_id)  # Jupyter complains when a kernel ends while it begins
