"""The quickstart, in every way in which people run notebooks."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from bestchat_server_ext.adapters.local_model import weights

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "notebooks" / "01_quickstart.ipynb"
TOKEN = "a-token-for-tests"

ANSWERS = {
    "first": "The mean of the last few values, taken anew at each step.",
    "follow-up": "It smooths a series. Messages I have seen: 3",
    "mention": "Coffee rose by 0.80, tea by 0.10: coffee.",
    "expression": "It is what coffee costs.",
    "out": "```python\ndef mean(values):\n    return sum(values) / len(values)\n```",
}
USED = (
    "```python\ndef mean(values):\n    return sum(values) / len(values)\n```\n"
    "['def mean(values):\\n    return sum(values) / len(values)']\n"
    "scripted/quickstart Usage(input_tokens=120, output_tokens=24, "
    "cached_tokens=0, reasoning_tokens=0, cache_write_tokens=0)\n"
)


@pytest.fixture
def notebook() -> NotebookNode:
    return nbformat.read(QUICKSTART, as_version=4)


@pytest.fixture
def scripted(clean: dict[str, str]) -> dict[str, str]:
    """An environment in which the script answers, and nothing else could."""
    return clean | {"BESTCHAT_DEFAULT_MODEL": "scripted/quickstart"}


def cell(notebook: NotebookNode, key: str) -> NotebookNode:
    return next(item for item in notebook.cells if item.id == key)


def answer(notebook: NotebookNode, key: str) -> str:
    (output,) = cell(notebook, key).outputs
    assert output.output_type == "display_data"
    return str(output.data["text/plain"]).partition("\n\n— ")[0]


def printed(notebook: NotebookNode, key: str) -> str:
    return "".join(output.text for output in cell(notebook, key).outputs)


def run_command(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
        timeout=90,
    )


# As it is stored.


def test_it_is_stored_clean(notebook: NotebookNode) -> None:
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    code = [item for item in notebook.cells if item.cell_type == "code"]
    assert all(item.outputs == [] and item.execution_count is None for item in code)
    assert len({item.id for item in notebook.cells}) == len(notebook.cells)
    assert set(ANSWERS) < {item.id for item in code}
    assert notebook.metadata.kernelspec.name == "python3"


def test_it_names_no_model(notebook: NotebookNode) -> None:
    code = [item.source for item in notebook.cells if item.cell_type == "code"]
    assert not any("-m " in source or "--model" in source for source in code)


# Headless.


def check(notebook: NotebookNode) -> None:
    """What the script must have answered."""
    assert {key: answer(notebook, key) for key in ANSWERS} == ANSWERS
    assert printed(notebook, "use") == USED
    rows = dict(line.split(maxsplit=1) for line in printed(notebook, "status").splitlines())
    assert (rows["door"], rows["model"]) == ("in-process", "scripted/quickstart")
    (output,) = cell(notebook, "first").outputs
    assert output.metadata["bestchat"]["model"] == "scripted/quickstart"


def test_headless_in_nbclient(notebook: NotebookNode, scripted: dict[str, str]) -> None:
    NotebookClient(notebook, timeout=60).execute(env=scripted)
    check(notebook)


def test_headless_in_nbconvert(tmp_path: Path, scripted: dict[str, str]) -> None:
    words = ("nbconvert", "--to", "notebook", "--execute", "--output-dir", str(tmp_path))
    done = run_command(scripted, *words, str(QUICKSTART))
    assert done.returncode == 0, done.stderr
    check(nbformat.read(tmp_path / QUICKSTART.name, as_version=4))


def test_papermill_stops_at_a_missing_key(tmp_path: Path, clean: dict[str, str]) -> None:
    environ = clean | {"BESTCHAT_DEFAULT_MODEL": "openai/gpt-5-mini"}
    out = tmp_path / "out.ipynb"
    done = run_command(environ, "papermill", "--no-progress-bar", str(QUICKSTART), str(out))
    assert done.returncode != 0
    line = (
        "missing_key: The provider 'openai' has no key. "
        "Set OPENAI_API_KEY before Jupyter is started; without a server, in this notebook."
    )
    assert line in done.stderr.splitlines()
    notebook = nbformat.read(out, as_version=4)
    failed = next(item for item in notebook.cells if item.id == "first")
    (error,) = failed.outputs
    assert error.traceback == [line]
    assert error.evalue == line.partition(": ")[2]
    assert cell(notebook, "follow-up").execution_count is None


# With the demo model itself.


@pytest.fixture
def local(tmp_path: Path, clean: dict[str, str]) -> dict[str, str]:
    """An environment with the weights, which are fetched once for all runs on this machine."""
    default = Path.home() / ".cache" / "bestchat-test"
    shared = Path(os.environ.get("BESTCHAT_TEST_MODELS", default))
    models = tmp_path / "data" / "models"
    models.mkdir(parents=True)
    path = weights.install(shared)
    (models / path.name).symlink_to(path)
    return clean | {
        "BESTCHAT_DATA_DIR": str(tmp_path / "data"),
        "BESTCHAT_SCRIPTS_DIR": "",
        "BESTCHAT_DEFAULT_MODEL": "local/smollm2-135m",
    }


def test_the_demo_model_answers_it(notebook: NotebookNode, local: dict[str, str]) -> None:
    NotebookClient(notebook, timeout=60).execute(env=local)
    for key in ANSWERS:
        (output,) = cell(notebook, key).outputs
        assert answer(notebook, key).strip()
        used = output.metadata["bestchat"]["usage"]
        assert used["input_tokens"] > 0
        assert used["output_tokens"] > 0
        assert "local/smollm2-135m · demo model" in output.data["text/plain"]
    assert "local/smollm2-135m Usage(input_tokens=" in printed(notebook, "use")


# In a kernel that a Jupyter Server has started.


class Server:
    """A Jupyter Server of its own process, as a stranger's program sees it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._session.post(self.url + path, json=body) as response:
            answer: dict[str, Any] = await response.json()
            assert response.ok, answer
            return answer

    def socket(self, path: str) -> Any:
        return self._session.ws_connect(self.url.replace("http", "ws", 1) + path, max_msg_size=0)


@pytest.fixture
def server_process(
    tmp_path: Path, scripted: dict[str, str], free_port: Callable[[], int]
) -> Iterator[str]:
    """Starts a server; gives its address when it says that it is there."""
    root = tmp_path / "root"
    root.mkdir()
    words = ["-m", "jupyter_server", "--no-browser", f"--ServerApp.port={free_port()}", "--allow-root"]
    words += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}"]
    words += ["--ServerApp.jpserver_extensions={'bestchat_server_ext': True}"]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *words], env=scripted, stdout=log, stderr=subprocess.STDOUT
        )
        info = Path(scripted["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{process.pid}.json"
        try:
            yield str(info)
        finally:
            process.terminate()
            process.wait(30)


def address(info: Path) -> str:
    return str(json.loads(info.read_text())["url"])


@asynccontextmanager
async def connected(info: Path) -> AsyncIterator[Server]:
    headers = {"Authorization": f"token {TOKEN}"}
    async with asyncio.timeout(60), aiohttp.ClientSession(headers=headers) as session:
        while True:
            try:
                url = address(info)
                async with session.get(url + "api/status") as response:
                    response.raise_for_status()
                break
            except (OSError, ValueError, aiohttp.ClientError):
                await asyncio.sleep(0.05)  # another process sets no event
        yield Server(url, session)


async def execute(socket: Any, source: str, key: str) -> list[dict[str, Any]]:
    """Run a cell as a front end does; give what it sent, until it is done."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": "s",
        "username": "u",
        "version": "5.3",
        "date": "2026-01-01T00:00:00Z",
    }
    request = {
        "header": header,
        "parent_header": {},
        "metadata": {"cellId": key},
        "content": {"code": source, "silent": False, "store_history": True},
        "channel": "shell",
        "buffers": [],
    }
    await socket.send_json(request)
    sent: list[dict[str, Any]] = []
    open_ends = {"execute_reply", "idle"}
    while open_ends:
        message = await socket.receive_json()
        if message["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        sent.append(message)
        open_ends -= {message["msg_type"], message["content"].get("execution_state")}
    return sent


def last_shown(sent: list[dict[str, Any]]) -> str:
    kinds = {"display_data", "update_display_data"}
    shown = [message["content"]["data"] for message in sent if message["msg_type"] in kinds]
    return str(shown[-1]["text/plain"]).partition("\n\n— ")[0]


def all_printed(sent: list[dict[str, Any]]) -> str:
    return "".join(item["content"]["text"] for item in sent if item["msg_type"] == "stream")


async def test_in_a_live_server_and_then_from_outside(
    notebook: NotebookNode, server_process: str
) -> None:
    async with connected(Path(server_process)) as server:
        name = QUICKSTART.name
        wanted = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        started = await server.post("api/sessions", wanted)
        async with server.socket(f"api/kernels/{started['kernel']['id']}/channels") as socket:
            sent = {
                item.id: await execute(socket, item.source, item.id)
                for item in notebook.cells
                if item.cell_type == "code"
            }
            assert {key: last_shown(sent[key]) for key in ANSWERS} == ANSWERS
            assert all_printed(sent["use"]) == USED
            rows = dict(line.split(maxsplit=1) for line in all_printed(sent["status"]).splitlines())
            assert (rows["door"], rows["place"]) == ("server", server.url)
            # A chain that runs again is a branch of its own, also from here.
            again = [
                last_shown(await execute(socket, cell(notebook, key).source, key))
                for key in ("first", "follow-up")
            ]
            assert again == [ANSWERS["first"], ANSWERS["follow-up"]]
            told = await execute(socket, "print(answer.conversation_id)", "x")
            await check_from_outside(server, all_printed(told).strip())


async def check_from_outside(server: Server, conversation_id: str) -> None:
    """Another program goes on with the notebook's conversation."""
    kept = await server.post("bestchat/api/conversations.get", {"conversation_id": conversation_id})
    assert kept["conversation"]["label"].endswith(f"/{QUICKSTART.name}")
    assert len(kept["messages"]) == 14
    leaf = list(kept["messages"])[9]
    async with server.socket("bestchat/api/events") as socket:
        await socket.send_json({"type": "hello", "protocol": 1})
        assert (await socket.receive_json())["type"] == "welcome"
        seq = kept["conversation"]["seq"]
        subscribe = {"type": "subscribe", "conversation_id": conversation_id, "after": seq}
        await socket.send_json(subscribe)
        assert (await socket.receive_json())["type"] == "caught_up"
        asked = {"text": "From outside: what do you know?", "request_id": "r1", "parent_id": leaf}
        body = {"conversation_id": conversation_id, **asked}
        ticket = await server.post("bestchat/api/turns.start", body)
        text, seqs = await followed(socket, ticket["turn_id"])
    # The ten messages of the notebook's own first run, and this one.
    assert text == "I still know everything. Messages I have seen: 11"
    assert seqs == list(range(seq + 1, seqs[-1] + 1))


async def followed(socket: Any, turn_id: str) -> tuple[str, list[int]]:
    """The answer as its deltas say it, and the numbers of all events to the end of the turn."""
    seqs: list[int] = []
    pieces: list[str] = []
    while True:
        frame = await socket.receive_json()
        if frame["type"] == "delta":
            pieces.append(frame["text"])
            continue
        seqs.append(frame["seq"])
        event = frame["event"]
        if event["type"] == "message_added" and event["message"]["role"] == "assistant":
            assert event["message"]["parts"] == [{"type": "text", "text": "".join(pieces)}]
        if event["type"] == "turn_finished" and event["turn_id"] == turn_id:
            return "".join(pieces), seqs
