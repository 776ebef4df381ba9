"""The web, seen by somebody who has never heard of our client: plain HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import socket
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application as TornadoApplication

from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.core.access import EVERY_SCOPE, KERNEL_SCOPES, Scope
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId, TokenId, uuid7
from bestchat_server_ext.core.tokens import digest, new_token
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.web.door import Authenticator, Door, TokenAuthenticator
from bestchat_server_ext.web.routes import routes


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> Any:
        """The error, after a look at whether it has the shape that all errors have."""
        assert self.headers["Content-Type"] == "application/json"
        (name,) = self.json
        assert name == "error"
        error = self.json["error"]
        assert error["code"]
        assert error["kind"]
        assert error["text"].endswith((".", "?"))
        return error


class Line:
    """A WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, **frame: Any) -> None:
        await self.socket.send_str(json.dumps(frame))

    async def hear(self) -> Any:
        """The next frame that is not a heartbeat, or the code with which the line was closed."""
        while True:
            message = await self.socket.receive(timeout=20)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return self.socket.close_code
            frame = json.loads(message.data)
            if frame["type"] != "heartbeat":
                return frame

    async def heartbeat(self) -> Any:
        """The next heartbeat."""
        while True:
            frame = json.loads((await self.socket.receive(timeout=20)).data)
            if frame["type"] == "heartbeat":
                return frame

    async def greet(self) -> None:
        await self.say(type="hello", protocol=1)
        assert (await self.hear())["type"] == "welcome"


@dataclass
class Site:
    """A server and ways to speak to it."""

    url: str
    session: aiohttp.ClientSession
    data_dir: Path
    headers: dict[str, str]
    """What a user of good standing sends."""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    door: Door | None = None
    """What is behind it, where that is in this process."""

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; `path` begins below the base URL."""
        data = json.dumps(body) if isinstance(body, dict) else body
        sent = self.headers if headers is None else headers
        async with self.session.request(
            method, self.url + path, data=data, headers=sent, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.text())

    async def call(
        self, procedure: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        body = {} if body is None else body
        return await self.ask("POST", f"bestchat/api/{procedure}", body, headers)

    async def begin(self, headers: dict[str, str] | None = None) -> str:
        made = await self.call("conversations.create", {}, headers)
        assert made.status == 200, made.text
        return str(made.json["id"])

    async def connect(self, headers: dict[str, str] | None = None) -> Line:
        """A WebSocket; raises `WSServerHandshakeError` where it is refused."""
        sent = self.headers if headers is None else headers
        socket = await self.session.ws_connect(
            self.url + "bestchat/api/events", headers=sent, max_msg_size=0
        )
        self.stack.push_async_callback(socket.close)
        return Line(socket)

    async def add_token(
        self,
        owner: str = LOCAL_OWNER,
        kind: Any = "token",
        scopes: Sequence[Scope] = tuple(EVERY_SCOPE),
        lifetime: timedelta | None = None,
        **more: Any,
    ) -> dict[str, str]:
        """Make a BestChat token; gives the headers to send it with."""
        token, now = new_token(secrets.token_bytes(32)), datetime.now(UTC)
        record = TokenRecord(
            id=TokenId(uuid7(now, secrets.token_bytes(10))),
            owner=OwnerId(owner),
            kind=kind,
            scopes=frozenset(scopes),
            digest=digest(token),
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            **more,
        )
        database = await open_database(self.data_dir / "bestchat.sqlite3")
        await database.tokens.add(record)
        await database.close()
        return {"Authorization": f"Bearer {token}"}

    async def kernel_token(self, kernel_id: str | None = None) -> dict[str, str]:
        return await self.add_token(kind="kernel", scopes=tuple(KERNEL_SCOPES), kernel_id=kernel_id)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=jar) as opened:
        yield opened


Mount = Callable[..., Awaitable[Site]]


@pytest.fixture
async def mount(session: aiohttp.ClientSession, data_dir: Path) -> AsyncIterator[Mount]:
    """Hang the routes into plain Tornado, with no Jupyter anywhere."""
    async with AsyncExitStack() as stack:

        async def start(
            build: Callable[[], Awaitable[Application]],
            base_url: str = "/",
            authenticator: Callable[[Door], Authenticator] = TokenAuthenticator,
        ) -> Site:
            door = Door(build)
            server = HTTPServer(TornadoApplication(routes(base_url, door, authenticator(door))))
            socket, port = bind_unused_port()
            server.add_socket(socket)
            stack.push_async_callback(server.close_all_connections)
            stack.callback(server.stop)
            site = Site(f"http://127.0.0.1:{port}{base_url}", session, data_dir, {}, door=door)
            await stack.enter_async_context(site.stack)
            return site

        yield start


@pytest.fixture
async def plain(mount: Mount, application: Application) -> Site:
    async def build() -> Application:
        return application

    site = await mount(build)
    site.headers = await site.add_token()
    return site


@pytest.fixture
async def inside(jupyter: Any, session: aiohttp.ClientSession) -> AsyncIterator[Site]:
    """Inside Jupyter, with Jupyter's own token; its log must have nothing to complain about."""
    headers = {"Authorization": f"token {jupyter.token}"}
    site = Site(jupyter.url, session, jupyter.data_dir, headers)
    assert (await site.call("models.list")).status == 200  # from here on there is a database
    async with site.stack:
        yield site
    assert jupyter.alarms == []


@pytest.fixture
async def site_of() -> AsyncIterator[Callable[..., Site]]:
    """A Jupyter Server with what a test needs to speak to it as its user."""
    async with AsyncExitStack() as stack:

        def reach(jupyter: Any, session: aiohttp.ClientSession, url: str = "") -> Site:
            headers = {"Authorization": f"token {jupyter.token}"}
            return Site(url or jupyter.url, session, jupyter.data_dir, headers, stack)

        yield reach


class OverSocket(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


@pytest.fixture(scope="session")
def socket_way() -> Iterator[Callable[..., Any]]:
    """How a server is reached that listens on a Unix socket, and on no port at all."""
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        numbers = itertools.count()

        def way(*options: str, launcher: Sequence[str] = ()) -> Any:
            path = f"{folder}/{next(numbers)}.sock"
            return SimpleNamespace(
                url="http+unix://" + path.replace("/", "%2F"),
                options=[f"--ServerApp.sock={path}", *options],
                connection=lambda: OverSocket(path),
                launcher=launcher,
            )

        yield way


@pytest.fixture(params=["plain", "inside"])
def site(request: pytest.FixtureRequest) -> Site:
    """Both ways to mount the routes, in turn."""
    found: Site = request.getfixturevalue(request.param)
    return found


RunInKernel = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def run_in_kernel() -> RunInKernel:
    """Run code in a kernel of a server, through the kernel's own channels; gives its reply."""

    async def run(jupyter: Any, kernel_id: str, code: str, **expressions: str) -> dict[str, Any]:
        file = jupyter.folder / "jupyter_runtime_dir" / f"kernel-{kernel_id}.json"
        client = AsyncKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
            reply = await client.execute_interactive(
                code, user_expressions=expressions, timeout=60, output_hook=lambda _: None
            )
        finally:
            client.stop_channels()
        content: dict[str, Any] = reply["content"]
        return content

    return run


TELL = """
import json, os
told = {name: value for name, value in os.environ.items() if name.startswith("BESTCHAT_")}
"""


@pytest.fixture
def told(run_in_kernel: RunInKernel) -> Callable[[Any, str], Awaitable[dict[str, str]]]:
    """Ask a kernel what its environment says about us."""

    async def ask(jupyter: Any, kernel_id: str) -> dict[str, str]:
        reply = await run_in_kernel(jupyter, kernel_id, TELL, told="json.dumps(told)")
        shown = reply["user_expressions"]["told"]["data"]["text/plain"]
        found: dict[str, str] = json.loads(shown.strip("'"))
        return found

    return ask


MOUSE = """
import json, os, signal, socket, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
line = socket.socket(socket.AF_UNIX)
if line.connect_ex(sys.argv[1]):
    sys.exit()
line.sendall(json.dumps([sys.argv[2], dict(os.environ)]).encode() + bytes([10]))
line.recv(1)
"""


class Mice:
    """Kernels too small to compute anything: each tells its environment, and lives until let go."""

    def __init__(self) -> None:
        self._told: defaultdict[str, asyncio.Queue[dict[str, str]]] = defaultdict(asyncio.Queue)
        self._lines: dict[str, asyncio.StreamWriter] = {}

    def settle(self, jupyter: Any) -> None:
        """Make them known to a server, as kernel `mouse`."""
        folder = jupyter.folder / "jupyter_data_dir" / "kernels" / "mouse"
        folder.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-S", "-c", MOUSE, self.path, "{connection_file}"]
        spec = {"argv": argv, "display_name": "Mouse", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    async def listen(self, path: str) -> asyncio.Server:
        self.path = path
        return await asyncio.start_unix_server(self._hear, path, limit=2**20)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        file, environ = json.loads(await reader.readline())
        kernel_id = Path(file).stem.removeprefix("kernel-")
        self._lines[kernel_id] = writer
        self._told[kernel_id].put_nowait(environ)

    async def environ(self, kernel_id: str) -> dict[str, str]:
        """What a kernel told when it began; a second time, what it told when it began again."""
        async with asyncio.timeout(60):
            return await self._told[kernel_id].get()

    def let_go(self, kernel_id: str) -> None:
        """End a kernel's process, unasked for by the server."""
        self._lines.pop(kernel_id).close()

    def let_all_go(self) -> None:
        for kernel_id in list(self._lines):
            self.let_go(kernel_id)


@pytest.fixture
async def mice() -> AsyncIterator[Mice]:
    """Kernels that cost little, where none has to compute."""
    found = Mice()
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        async with await found.listen(f"{folder}/mice"):
            yield found
            found.let_all_go()


@pytest.fixture(scope="session")
def strict(start_jupyter: Any) -> Iterator[Any]:
    """Below another address, and with Jupyter's own gate closed to everybody unknown."""
    server = start_jupyter("/some/where/", "--ServerApp.allow_unauthenticated_access=False")
    yield server
    assert server.alarms == []
