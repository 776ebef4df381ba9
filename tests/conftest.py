"""What all tests share: no outside, a clean environment, an application in a temporary folder."""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.adapters.tools_server import FunctionTools
from bestchat_server_ext.bootstrap import Application, open_application
from bestchat_server_ext.testing.script import Action, Echo, Script, ScriptTurn, write

RULE = "Tests speak to this machine only: no model host, no registry, no name server."

LEAKS = ("BESTCHAT_", "JUPYTER_", "JPY_", "OPENAI_", "ANTHROPIC_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "wss_proxy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the browser's tests last: it keeps an event loop running, and no other can run beside."""
    items.sort(key=lambda item: "ui" in item.path.relative_to(Path(__file__).parent).parts)


class Outside(AssertionError):
    """A test tried to reach another machine."""


def _require_here(host: Any) -> None:
    """Refuse every host that is not this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return
    try:
        if ipaddress.ip_address(name.partition("%")[0]).is_loopback:
            return
    except ValueError:
        pass
    raise Outside(f"{RULE} This one wanted {name!r}.")


@pytest.fixture(autouse=True)
def no_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ban the network. An attempt fails the test even if the error was swallowed on its way."""
    attempts: list[Outside] = []
    originals = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}
    resolve = socket.getaddrinfo

    def check(host: Any) -> None:
        try:
            _require_here(host)
        except Outside as error:
            attempts.append(error)
            raise

    def guarded(name: str) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in {socket.AF_INET, socket.AF_INET6}:
                check(address[0])
            return originals[name](self, address)

        return connect

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).endswith(".invalid"):  # reserved, so that no name server has to be asked
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        check(host)
        return resolve(host, *args, **kwargs)

    for name in originals:
        monkeypatch.setattr(socket.socket, name, guarded(name))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    if attempts:
        raise attempts[0]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, servers and configuration of whoever runs the tests are none of the tests' business."""
    for name in list(os.environ):
        if name.startswith(LEAKS) or name.lower() in PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def scripts_dir(tmp_path: Path) -> Path:
    """A folder with one script, `scripted/echo`, which says the question back."""
    folder = tmp_path / "scripts"
    write(Script((ScriptTurn(((Echo(),),)),)), folder / "echo.json")
    return folder


WriteScript = Callable[..., str]


@pytest.fixture
def script(scripts_dir: Path) -> WriteScript:
    """Write a script of one turn, step by step; gives its model reference."""

    def write_script(name: str, *steps: tuple[Action, ...], chunk: int = 12) -> str:
        write(Script((ScriptTurn(steps),), chunk), scripts_dir / f"{name}.json")
        return f"scripted/{name}"

    return write_script


@pytest.fixture
def environ(data_dir: Path, scripts_dir: Path) -> dict[str, str]:
    """The environment of an application that has nothing but scripts."""
    return {
        "BESTCHAT_DATA_DIR": str(data_dir),
        "BESTCHAT_SCRIPTS_DIR": str(scripts_dir),
        "BESTCHAT_DEFAULT_MODEL": "scripted/echo",
    }


OpenApplication = Callable[..., Awaitable[Application]]


@pytest.fixture
async def open_here(environ: dict[str, str]) -> AsyncIterator[OpenApplication]:
    """Open applications on the same folder, each with some functions as tools."""
    async with AsyncExitStack() as stack:

        async def open_one(*functions: Callable[..., Any], **options: Any) -> Application:
            opened = await open_application(environ, options, tools=[FunctionTools(functions)])
            stack.push_async_callback(opened.close)
            return opened

        yield open_one


@pytest.fixture
async def application(open_here: OpenApplication) -> Application:
    return await open_here()


class JupyterServer:
    """A real Jupyter Server in a process of its own, with a home of its own."""

    def __init__(self, folder: Path, base_url: str = "/", *options: str, **more: str) -> None:
        """Start it, and wait until it takes requests.

        `options` are its own, `more` are variables of its environment.
        """
        self.folder, self.data_dir = folder, folder / "data"
        self.token = secrets.token_hex(16)
        self.log: list[str] = []
        write(Script((ScriptTurn(((Echo(),),)),)), folder / "scripts" / "echo.json")
        (folder / "root").mkdir()
        settings = {"ServerApp": {"jpserver_extensions": dict.fromkeys(STRANGERS, False)}}
        (folder / "jupyter_config_dir").mkdir()
        (folder / "jupyter_config_dir" / "jupyter_server_config.json").write_text(
            json.dumps(settings)
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._port, self._base_url = port, base_url
        self.url = f"http://127.0.0.1:{port}{base_url}"
        self._listening = threading.Event()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", START, f"--ServerApp.port={port}"),
                *("--no-browser", "--allow-root", "--ServerApp.port_retries=0"),
                *("--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder / 'root'}"),
                *(f"--IdentityProvider.token={self.token}", f"--ServerApp.base_url={base_url}"),
                *options,
            ],
            env=jupyter_environment(folder) | more,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        assert self._listening.wait(60), "".join(self.log)
        while True:  # it says so a moment before it is true
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.log.append(line)
            if "is running at" in line:
                self._listening.set()
        self._process.stderr.close()

    @property
    def alarms(self) -> list[str]:
        """What must never stand in its log."""
        return [line for line in self.log if "Traceback" in line or "Uncaught" in line]

    def stop(self) -> None:
        """End it in good order: with a request, as Jupyter loses a signal that finds it logging."""
        if self._process.poll() is None:
            connection = HTTPConnection("127.0.0.1", self._port)
            headers = {"Authorization": f"token {self.token}"}
            connection.request("POST", f"{self._base_url}api/shutdown", headers=headers)
            connection.getresponse().read()
            connection.close()
        assert self._process.wait(30) == 0
        self._reading.join(10)


STRANGERS = ("jupyter_lsp", "jupyter_server_terminals", "jupyterlab", "notebook_shim")
"""Extensions that take their time to load and have no part in this."""

START = """
import socket, sys
from bestchat_server_ext.web import socket as events
from jupyter_server.serverapp import main

def watch(event, given):
    if event == "socket.connect" and given[0].family in (socket.AF_INET, socket.AF_INET6):
        if given[1][0] not in ("127.0.0.1", "::1", "localhost"):
            print("Uncaught call to the outside:", given[1], file=sys.stderr, flush=True)

sys.addaudithook(watch)
events.HEARTBEAT_SECONDS = 0.2
main()
"""


def jupyter_environment(folder: Path) -> dict[str, str]:
    """An environment without keys, servers or anybody's configuration in it."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    places = ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    own |= {name: str(folder / name.lower()) for name in places}
    own["BESTCHAT_DATA_DIR"] = str(folder / "data")
    own["BESTCHAT_SCRIPTS_DIR"] = str(folder / "scripts")
    own["BESTCHAT_DEFAULT_MODEL"] = "scripted/echo"
    return own


StartJupyter = Callable[..., JupyterServer]


@pytest.fixture(scope="session")
def start_jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartJupyter]:
    """Start a Jupyter Server; it is stopped when all tests are over."""
    with ExitStack() as stack:

        def start(base_url: str = "/", *options: str, **more: str) -> JupyterServer:
            server = JupyterServer(tmp_path_factory.mktemp("jupyter"), base_url, *options, **more)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(scope="session")
def jupyter(start_jupyter: StartJupyter) -> JupyterServer:
    """The server that most tests share."""
    return start_jupyter()
