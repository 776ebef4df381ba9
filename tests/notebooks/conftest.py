"""Real kernels, each a child process with an environment of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

SCRIPTS = Path(__file__).parent / "scripts"

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "PYTHONPATH")
"""All that a child process sees of this process's environment."""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment without keys, servers or anybody's configuration in it."""
    own = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    places = ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    own |= {name: str(folder / name.lower()) for name in places}
    own |= {
        "BESTCHAT_DATA_DIR": str(folder / "data"),
        "BESTCHAT_SCRIPTS_DIR": str(SCRIPTS),
        "BESTCHAT_DEFAULT_MODEL": "scripted/magics",
    }
    return {name: value for name, value in (own | more).items() if value}


@dataclass
class Shown:
    """A display at one moment of a cell's life."""

    at: float
    update: bool
    content: dict[str, Any]

    @property
    def markdown(self) -> str:
        return str(self.content["data"]["text/markdown"])


@dataclass
class Ran:
    """What one cell brought."""

    reply: dict[str, Any] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)

    def take(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        kind = message["msg_type"]
        if kind in {"display_data", "update_display_data"}:
            update = kind == "update_display_data"
            self.shown.append(Shown(time.monotonic(), update, message["content"]))

    @property
    def ok(self) -> bool:
        return bool(self.reply["status"] == "ok")

    @property
    def stdout(self) -> str:
        streams = [item["content"] for item in self.messages if item["msg_type"] == "stream"]
        return "".join(item["text"] for item in streams if item["name"] == "stdout")

    @property
    def stderr(self) -> str:
        streams = [item["content"] for item in self.messages if item["msg_type"] == "stream"]
        return "".join(item["text"] for item in streams if item["name"] == "stderr")

    @property
    def value(self) -> str:
        """The repr of the last expression."""
        (result,) = [item for item in self.messages if item["msg_type"] == "execute_result"]
        return str(result["content"]["data"]["text/plain"])

    @property
    def answer(self) -> str:
        """What stands in the cell in the end."""
        return self.shown[-1].markdown

    @property
    def error(self) -> dict[str, Any]:
        (error,) = [item for item in self.messages if item["msg_type"] == "error"]
        content: dict[str, Any] = error["content"]
        return content


class Running:
    """A cell that runs."""

    def __init__(self, kernel: Kernel, key: str) -> None:
        self._kernel = kernel
        self._key = key
        self._ran = Ran()

    def until(self, condition: Callable[[Ran], bool], seconds: float = 20) -> Ran:
        """Listen until something holds."""
        until = time.monotonic() + seconds
        while not condition(self._ran):
            self._listen(until)
        return self._ran

    def end(self, seconds: float = 20) -> Ran:
        """Listen until the cell is over and everything it sent is here."""
        until = time.monotonic() + seconds
        while not self._idle:
            self._listen(until)
        client = self._kernel.client
        while not self._ran.reply:
            reply = client.get_shell_msg(timeout=max(0.0, until - time.monotonic()))
            if reply["parent_header"].get("msg_id") == self._key:
                self._ran.reply = reply["content"]
        return self._ran

    @property
    def _idle(self) -> bool:
        last = self._ran.messages[-1:]
        return bool(last) and last[0]["content"].get("execution_state") == "idle"

    def _listen(self, until: float) -> None:
        try:
            message = self._kernel.client.get_iopub_msg(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            pytest.fail(f"the cell went silent after {self._ran.messages}")
        if message["parent_header"].get("msg_id") == self._key:
            self._ran.take(message)


class Kernel:
    """One kernel, and the database that it works on."""

    def __init__(self, folder: Path, environ: Mapping[str, str], name: str = "python3") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = Path(environ["BESTCHAT_DATA_DIR"])
        self.manager = KernelManager(
            kernel_name=name, connection_file=str(folder / "connection.json")
        )
        self._log = (folder / "kernel.log").open("w")
        self.manager.start_kernel(
            env=dict(environ), cwd=str(folder), stdout=self._log, stderr=self._log
        )
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        try:
            self.client.wait_for_ready(timeout=60)
        except RuntimeError:
            self.close()
            raise

    def restart(self) -> None:
        """Begin again in another process, as the front end's button does."""
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=60)

    def begin(self, code: str, cell: str | None = None, *, attended: bool = False) -> Running:
        """Run a cell and do not wait for it; `cell` is the front end's id of it.

        `attended` says that somebody sits there, who can be asked for input.
        """
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": attended,
            "stop_on_error": True,
        }
        metadata = {} if cell is None else {"cellId": cell}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return Running(self, message["header"]["msg_id"])

    def run(self, code: str, cell: str | None = None) -> Ran:
        """Run a cell to its end."""
        return self.begin(code, cell).end()

    def load(self) -> Kernel:
        assert self.run("%load_ext bestchat_kernel").ok
        return self

    def ask(self, code: str, cell: str | None = None) -> str:
        """Run a chat cell that must answer; give the answer without who wrote it."""
        ran = self.run(code, cell)
        assert ran.ok, ran.reply
        return str(ran.shown[-1].content["data"]["text/plain"]).partition("\n\n— ")[0]

    def close(self) -> None:
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
        self._log.close()

    # What is stored.

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """What the database has; nothing while it is still being made."""
        path = self.data_dir / "bestchat.sqlite3"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path, timeout=5)) as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'turns'").fetchone():
                return []
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]

    def until_turns(self, state: str, count: int, seconds: float = 20) -> None:
        """Wait until so many turns are in a state."""
        until = time.monotonic() + seconds
        query = "SELECT count(*) AS n FROM turns WHERE state = ?"
        while [row["n"] for row in self.rows(query, state)] != [count]:
            assert time.monotonic() < until, self.rows("SELECT id, state FROM turns")
            time.sleep(0.02)

    def said(self) -> list[tuple[str, str]]:
        """Roles and texts of all messages, in the order in which they came."""
        rows = self.rows("SELECT role, parts FROM messages ORDER BY created_at, created_seq")
        return [(row["role"], _text(row["parts"])) for row in rows]

    def partial(self) -> str | None:
        """What is stored of the last turn's answer, for the case that its process dies."""
        partial: str | None = self.turn().get("partial")
        return partial

    def expire_lease(self) -> None:
        """Let the time pass after which a silent process loses its turns."""
        with closing(sqlite3.connect(self.data_dir / "bestchat.sqlite3", timeout=5)) as database:
            database.execute("UPDATE turns SET lease_until = '2026-01-01 00:00:00.000000'")
            database.commit()

    def turn(self) -> dict[str, Any]:
        """The last turn."""
        newest = self.rows("SELECT * FROM turns ORDER BY started_at DESC, id DESC LIMIT 1")
        return newest[0] if newest else {}


def _text(parts: str) -> str:
    return "".join(part["text"] for part in json.loads(parts) if part["type"] == "text")


StartKernel = Callable[..., Kernel]


@pytest.fixture
def start_kernel(tmp_path: Path) -> Iterator[StartKernel]:
    """Starts kernels that share one folder of data; options of the environment by name.

    `kernel` names the kernel spec.
    """
    kernels: list[Kernel] = []

    def start(kernel: str = "python3", **more: str) -> Kernel:
        folder = tmp_path / f"kernel-{len(kernels)}"
        environ = environment(folder, **{"BESTCHAT_DATA_DIR": str(tmp_path / "data"), **more})
        kernels.append(Kernel(folder, environ, kernel))
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.close()


@pytest.fixture(scope="session")
def kernel_environment() -> Callable[..., dict[str, str]]:
    """Makes environments for child processes: `environment` of this module."""
    return environment


@pytest.fixture(scope="session")
def kernel_at() -> Callable[[Path, str], Kernel]:
    """Starts a kernel of a kernel spec in a folder; who starts it closes it."""
    return lambda folder, name: Kernel(folder, environment(folder), name)


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    """An environment for any other child process."""
    return environment(tmp_path)


TILL = '''
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import (
    FinishChunk, ModelFacts, Prices, TextChunk, Usage, UsageChunk
)
from bestchat_server_ext.ports.plugin import ProviderPlugin

FACTS = ModelFacts("till/small", window=100_000, tools=False, prices=Prices("500", "500"))


class Till:
    """A thousand tokens for each answer, at half a dollar."""

    def __init__(self, credentials):
        pass

    async def stream(self, request):
        yield [TextChunk("heard")]
        yield [FinishChunk("stop"), UsageChunk(Usage(input_tokens=500, output_tokens=500))]

    async def models(self):
        return [FACTS]

    def facts(self, model):
        return FACTS

    async def close(self):
        pass


def till():
    facts = ProviderFacts("till", "Till", "openai", base_url="in this process")
    return ProviderPlugin(facts, Till, (FACTS,))
'''


@pytest.fixture
def till(tmp_path: Path) -> dict[str, str]:
    """Variables with which a model has a price: it comes with a package that is installed."""
    site = tmp_path / "site"
    about = site / "till-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "till.py").write_text(TILL)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: till\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[bestchat.providers]\ntill = till:till\n")
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    return {"PYTHONPATH": path, "BESTCHAT_DEFAULT_MODEL": "till/small"}


@pytest.fixture
def kernel(start_kernel: StartKernel) -> Kernel:
    """A kernel of its own, with the extension loaded."""
    return start_kernel(JPY_SESSION_NAME="work/analysis.ipynb").load()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One kernel for all tests to which neither its conversation nor its state matters."""
    folder = tmp_path_factory.mktemp("shared")
    kernel = Kernel(folder, environment(folder))
    yield kernel.load()
    kernel.close()
