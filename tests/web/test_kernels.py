"""Kernels of a real Jupyter Server: each gets an address and a token of its own."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bestchat_server_ext.api import system
from bestchat_server_ext.client.remote import RemoteClient

Start = Callable[..., Awaitable[str]]
Told = Callable[[Any, str], Awaitable[dict[str, str]]]


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


async def test_a_kernels_life(inside: Any, jupyter: Any, start: Start, told: Told) -> None:
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
    strict: Any, session: aiohttp.ClientSession, told: Told
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
    inside: Any, jupyter: Any, start: Start, told: Told
) -> None:
    await inside.call("system.whoami", {}, {"Authorization": f"token {jupyter.token}"})
    kernel_id = await start("row.ipynb")
    (path,) = jupyter.data_dir.rglob("*.sqlite3")
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT length(digest), revoked_at FROM api_tokens WHERE kernel_id = ?"
        assert database.execute(query, (kernel_id,)).fetchall() == [(32, None)]
    await told(jupyter, kernel_id)  # Jupyter complains when a kernel ends while it begins


def owned(environ: dict[str, str]) -> dict[str, str]:
    """The headers with which a kernel comes."""
    return {"Authorization": f"token {environ['BESTCHAT_TOKEN']}"}


async def begin(site: Any, mice: Any, jupyter: Any) -> str:
    """Start a kernel of the smallest kind, without a session; gives its id."""
    mice.settle(jupyter)
    made = await site.ask("POST", "api/kernels", {"name": "mouse"})
    assert made.status == 201, made.text
    return str(made.json["id"])


async def end(site: Any, *kernel_ids: str) -> None:
    for kernel_id in kernel_ids:
        await site.ask("DELETE", f"api/kernels/{kernel_id}")


async def test_twenty_at_once_have_twenty_tokens(inside: Any, jupyter: Any, mice: Any) -> None:
    kernels = await asyncio.gather(*(begin(inside, mice, jupyter) for _ in range(20)))
    environs = [await mice.environ(kernel_id) for kernel_id in kernels]
    assert len({environ["BESTCHAT_TOKEN"] for environ in environs}) == 20
    answers = [await inside.call("system.whoami", {}, owned(environ)) for environ in environs]
    assert [answer.status for answer in answers] == [200] * 20
    gone, kept = environs[:10], environs[10:]
    await asyncio.gather(*(end(inside, kernel_id) for kernel_id in kernels[:10]))
    for environ in gone:
        assert (await inside.call("system.whoami", {}, owned(environ))).status == 401
    for environ in kept:
        assert (await inside.call("system.whoami", {}, owned(environ))).status == 200
    await end(inside, *kernels[10:])


SECRETS = {
    "BESTCHAT_REDIS_URL": "redis://:canary-redis@127.0.0.1:1/0",
    "BESTCHAT_MASTER_KEYS": "canary-master-key",
}
STRANGE = {
    "BESTCHAT_URL": "http://127.0.0.1:1/another-server/",
    "BESTCHAT_TOKEN": "bc_" + "canary-token".ljust(43, "A"),
}


@pytest.fixture(scope="module")
def secretive(start_jupyter: Any) -> Any:
    """A server that knows secrets, started in a terminal of another server."""
    return start_jupyter("/", PGPASSWORD="a person's own", **SECRETS, **STRANGE)


async def test_a_kernel_inherits_no_secret_and_no_other_server(
    secretive: Any, session: aiohttp.ClientSession, told: Told, mice: Any
) -> None:
    """Not in either way of starting one, and not after its notebook is renamed and restarted."""
    headers = {"Authorization": f"token {secretive.token}"}
    mice.settle(secretive)

    async def ask(method: str, path: str, body: Any = None) -> Any:
        async with session.request(
            method, secretive.url + path, json=body, headers=headers
        ) as response:
            assert response.status < 300, await response.text()
            return await response.json() if response.status != 204 else None

    def check(environ: dict[str, str]) -> None:
        assert "canary" not in json.dumps(environ)
        assert environ["BESTCHAT_URL"] == secretive.url
        assert environ["BESTCHAT_DEFAULT_MODEL"] == "scripted/echo"

    bare = (await ask("POST", "api/kernels", {"name": "mouse"}))["id"]
    check(environ := await mice.environ(bare))
    assert environ["PGPASSWORD"] == "a person's own"
    body = {"path": "a.ipynb", "name": "a", "type": "notebook", "kernel": {"name": "python3"}}
    made = await ask("POST", "api/sessions", body)
    before = await told(secretive, made["kernel"]["id"])
    check(before)
    await ask("PATCH", f"api/sessions/{made['id']}", {"path": "b.ipynb", "name": "b"})
    await ask("POST", f"api/kernels/{made['kernel']['id']}/restart", {})
    after = await told(secretive, made["kernel"]["id"])
    check(after)
    assert after["BESTCHAT_TOKEN"] == before["BESTCHAT_TOKEN"]
    await ask("DELETE", f"api/sessions/{made['id']}")
    await ask("DELETE", f"api/kernels/{bare}")
    assert secretive.alarms == []


async def test_a_database_of_the_server_is_no_business_of_kernels(
    start_jupyter: Any, session: aiohttp.ClientSession, mice: Any
) -> None:
    address = "postgresql://u:canary@127.0.0.1:1/bestchat"
    server = start_jupyter("/", BESTCHAT_DATABASE_URL=address, PGPASSWORD="canary")
    mice.settle(server)
    headers = {"Authorization": f"token {server.token}"}
    async with session.post(
        server.url + "api/kernels", json={"name": "mouse"}, headers=headers
    ) as made:
        kernel_id = (await made.json())["id"]
    environ = await mice.environ(kernel_id)
    assert "canary" not in json.dumps(environ)
    assert "BESTCHAT_TOKEN" in environ
    async with session.delete(f"{server.url}api/kernels/{kernel_id}", headers=headers) as gone:
        assert gone.status == 204


QUICK = ("--KernelRestarter.time_to_dead=0.1", "--KernelRestarter.restart_limit=2")


@pytest.fixture(scope="module")
def watchful(start_jupyter: Any) -> Any:
    """A server that notices at once when a kernel has died."""
    return start_jupyter("/", *QUICK)


@pytest.fixture
async def guarded(watchful: Any, session: aiohttp.ClientSession, site_of: Any) -> Any:
    return site_of(watchful, session)


async def test_a_kernel_that_dies_comes_back_with_its_token(
    watchful: Any, guarded: Any, mice: Any
) -> None:
    kernel_id = await begin(guarded, mice, watchful)
    before = await mice.environ(kernel_id)
    assert (await guarded.call("system.whoami", {}, owned(before))).status == 200
    mice.let_go(kernel_id)
    after = await mice.environ(kernel_id)
    assert after["BESTCHAT_TOKEN"] == before["BESTCHAT_TOKEN"]
    assert (await guarded.call("system.whoami", {}, owned(after))).status == 200
    await end(guarded, kernel_id)
    assert (await guarded.call("system.whoami", {}, owned(after))).status == 401


async def test_the_token_of_a_kernel_that_stays_dead_is_revoked(
    watchful: Any, guarded: Any, mice: Any
) -> None:
    kernel_id = await begin(guarded, mice, watchful)
    environ = await mice.environ(kernel_id)
    line = await guarded.connect(owned(environ))
    await line.greet()
    mice.let_go(kernel_id)
    for _ in range(2):
        await mice.environ(kernel_id)
        mice.let_go(kernel_id)
    assert await line.hear() == 4401
    assert (await guarded.call("system.whoami", {}, owned(environ))).status == 401


async def test_the_token_of_a_culled_kernel_is_revoked(
    start_jupyter: Any, session: aiohttp.ClientSession, mice: Any, site_of: Any
) -> None:
    # Long enough for a busy machine to come and look before the kernel has gone.
    options = ("cull_idle_timeout=5", "cull_interval=1")
    server = start_jupyter("/", *(f"--MappingKernelManager.{option}" for option in options))
    site = site_of(server, session)
    kernel_id = await begin(site, mice, server)
    environ = await mice.environ(kernel_id)
    line = await site.connect(owned(environ))
    await line.greet()
    assert await line.hear() == 4401
    assert (await site.call("system.whoami", {}, owned(environ))).status == 401
    assert (await site.ask("GET", f"api/kernels/{kernel_id}")).status == 404
