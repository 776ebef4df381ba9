"""Behind JupyterHub's own proxy: HTTP, the WebSocket, and kernels that go through it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
PREFIX = "/user/ada/"
SILENCE = 1.0
"""Seconds of silence that are borne on the way; in these tests the server's heart beats five times
as often."""


class HubProxy:
    """JupyterHub's proxy, as a process of its own."""

    def __init__(self, timeout: float = 60.0) -> None:
        """Start it; it lets go of connections after `timeout` seconds of silence."""
        node, tokens = shutil.which("node"), {"CONFIGPROXY_AUTH_TOKEN": "secret"}
        program = ROOT / "labextension/node_modules/.bin/configurable-http-proxy"
        assert node, "Node.js is missing: run scripts/ensure node"
        assert program.exists(), "It is missing: run npm --prefix labextension ci"
        with socket.socket() as one, socket.socket() as other:
            for free in (one, other):
                free.bind(("127.0.0.1", 0))
            self.port, self.api = one.getsockname()[1], other.getsockname()[1]
        arguments = {"port": self.port, "api-port": self.api, "log-level": "error"}
        arguments |= dict.fromkeys(("timeout", "proxy-timeout"), int(timeout * 1000))
        self._process = subprocess.Popen(
            [
                *(node, str(program), "--ip=127.0.0.1", "--api-ip=127.0.0.1"),
                *(f"--{name}={value}" for name, value in arguments.items()),
            ],
            env={"PATH": os.environ["PATH"]} | tokens,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        for port in (self.port, self.api):
            while True:
                assert self._process.poll() is None, "".join(self.log)
                with (
                    suppress(ConnectionRefusedError),
                    socket.create_connection(("127.0.0.1", port)),
                ):
                    break

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            self.log.extend(lines)

    def route(self, prefix: str, target: str) -> None:
        """Pass on what comes for a prefix, as JupyterHub tells it."""
        line = HTTPConnection("127.0.0.1", self.api)
        headers = {"Authorization": "token secret"}
        line.request("POST", f"/api/routes{prefix}", json.dumps({"target": target}), headers)
        assert line.getresponse().status == 201
        line.close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._reading.join(10)


@pytest.fixture(scope="module")
def hub() -> Iterator[HubProxy]:
    proxy = HubProxy()
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def behind(hub: HubProxy, start_jupyter: Any) -> Any:
    """A server of a user, that tells its kernels the way through the proxy."""
    outside = f"http://127.0.0.1:{hub.port}{PREFIX}"
    server = start_jupyter(PREFIX, f"--BestChat.server_url={outside}")
    hub.route(PREFIX.rstrip("/"), server.url.removesuffix(PREFIX))
    return server


@pytest.fixture
def site(hub: HubProxy, behind: Any, session: aiohttp.ClientSession, site_of: Any) -> Any:
    return site_of(behind, session, f"http://127.0.0.1:{hub.port}{PREFIX}")


async def test_http_and_what_it_says_about_itself(site: Any) -> None:
    assert (await site.ask("GET", "bestchat/api/health", headers={})).json["alive"]
    mine = await site.begin()
    assert (await site.call("conversations.get", {"conversation_id": mine})).status == 200
    document = await site.ask("GET", "bestchat/api/openapi.json")
    assert document.json["servers"] == [{"url": PREFIX.rstrip("/")}]
    assert (await site.call("conversations.list", {}, {})).status == 401


@pytest.fixture
async def impatient(behind: Any) -> AsyncIterator[str]:
    """Another way to the same server, that bears no silence; gives where it begins.

    JupyterHub's proxy, told to be impatient, still leaves WebSockets alone. What stands before it
    in practice does not: nginx lets go of a line on which nothing has come back for a minute.
    """
    proxy = HubProxy(SILENCE)
    proxy.route(PREFIX.rstrip("/"), behind.url.removesuffix(PREFIX))

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", proxy.port)

        async def pump(one: asyncio.StreamReader, other: asyncio.StreamWriter, wait: float) -> None:
            with suppress(ConnectionError, TimeoutError):
                while piece := await asyncio.wait_for(one.read(65536), wait):
                    other.write(piece)
                    await other.drain()
            back.close()
            writer.close()

        await asyncio.gather(pump(reader, back, 60.0), pump(there, writer, SILENCE))

    async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    proxy.stop()


async def test_the_line_streams_and_stays_open_in_silence(
    site: Any, impatient: str, behind: Any, session: aiohttp.ClientSession, site_of: Any
) -> None:
    mine = await site.begin()
    headers = {**site.headers, "Origin": impatient}
    line = await site_of(behind, session, impatient + PREFIX).connect(headers)
    await line.greet()
    await line.say(type="subscribe", conversation_id=mine, after=0)
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < began + 4 * SILENCE:
        await line.heartbeat()
    body = {"conversation_id": mine, "request_id": mine, "text": "Hi.", "model": "scripted/echo"}
    assert (await site.call("turns.start", body)).status == 200
    said = ""
    while (frame := await line.hear()).get("event", {}).get("type") != "turn_finished":
        said += frame.get("text", "") if frame["type"] == "delta" else ""
    assert said == "Hi."


async def test_a_foreign_page_is_refused_here_too(site: Any) -> None:
    await site.begin()
    token = await site.add_token()
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await site.connect({**token, "Origin": "https://evil.example"})
    assert caught.value.status == 403


async def test_a_kernel_goes_through_the_proxy(site: Any, behind: Any, run_in_kernel: Any) -> None:
    kernel = (await site.ask("POST", "api/kernels", {"name": "python3"})).json["id"]
    code = (
        'get_ipython().run_line_magic("load_ext", "bestchat_kernel")\n'
        'get_ipython().run_cell_magic("chat", "", "Hello?")\n'
        'import os; url = os.environ["BESTCHAT_URL"]'
    )
    reply = await run_in_kernel(behind, kernel, code, url="url")
    assert reply["status"] == "ok", reply
    told = reply["user_expressions"]["url"]["data"]["text/plain"]
    assert told.strip("'") == site.url
    await site.ask("DELETE", f"api/kernels/{kernel}")
    assert behind.alarms == []
