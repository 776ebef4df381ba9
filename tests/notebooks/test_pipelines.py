"""What a pipeline sees of a chat that fails: an exit code, and one line that says why.

Three tools run notebooks headless; none of them may take a failed chat for an answer.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import nbformat
import pytest

TOOLS: dict[str, tuple[str, ...]] = {
    "papermill": ("-m", "papermill", "--no-progress-bar", "in.ipynb", "out.ipynb"),
    "nbconvert": (
        *("-m", "nbconvert", "--to", "notebook", "--execute", "in.ipynb"),
        *("--output", "out.ipynb"),
    ),
    "nbclient": ("-c", "from nbclient.cli import main; main()", "in.ipynb", "--output", "out"),
}

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(params=TOOLS)
def start(request: pytest.FixtureRequest, clean: dict[str, str], tmp_path: Path) -> Start:
    """Starts a tool on a notebook of some cells."""

    def begin(*cells: str, **environ: str) -> subprocess.Popen[str]:
        first = "%load_ext bestchat_kernel\nimport os\nprint(os.getpid(), file=open('pid', 'w'))"
        code = [nbformat.v4.new_code_cell(source) for source in (first, *cells, "print('went on')")]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": kernel})
        nbformat.write(notebook, tmp_path / "in.ipynb")
        return subprocess.Popen(
            [sys.executable, *TOOLS[request.param]],
            env=clean | {"BESTCHAT_DATA_DIR": str(tmp_path / "data"), **environ},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return begin


def ended(process: subprocess.Popen[str]) -> list[str]:
    """What a tool that must fail says, line by line."""
    out, said = process.communicate(timeout=110)
    assert process.returncode not in {0, None}, out
    assert "went on" not in out + said
    return said.splitlines()


def script(folder: Path, *actions: dict[str, object]) -> dict[str, str]:
    scripts = folder / "scripts"
    scripts.mkdir()
    turns = [{"when": "", "steps": [list(actions)]}]
    (scripts / "one.json").write_text(json.dumps({"turns": turns}))
    return {"BESTCHAT_SCRIPTS_DIR": str(scripts), "BESTCHAT_DEFAULT_MODEL": "scripted/one"}


def turns(folder: Path) -> list[str]:
    """The states of all turns."""
    path = folder / "data" / "bestchat.sqlite3"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=5)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'turns'").fetchone():
            return []
        return [row[0] for row in database.execute("SELECT state FROM turns")]


def until_running(process: subprocess.Popen[str], folder: Path) -> None:
    until = time.monotonic() + 60
    while turns(folder) != ["running"]:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, turns(folder)
        time.sleep(0.05)  # another process sets no event


def test_a_missing_key(start: Start) -> None:
    line = (
        "missing_key: The provider 'openai' has no key. "
        "Set OPENAI_API_KEY before Jupyter is started; without a server, in this notebook."
    )
    assert line in ended(start("%%chat\nhello", BESTCHAT_DEFAULT_MODEL="openai/gpt-5-mini"))


@pytest.mark.parametrize(
    ("model", "begins"),
    [
        ("acme/model-1", "unknown_provider: There is no provider named 'acme'"),
        ("scripted/nobody", "model_not_found: "),
    ],
)
def test_an_unknown_model(start: Start, model: str, begins: str) -> None:
    said = ended(start(f"%%chat -m {model}\nhello"))
    assert [line for line in said if line.startswith(begins)], said


def test_an_outage(start: Start, tmp_path: Path) -> None:
    fails = {"do": "fail", "code": "provider_unavailable", "text": "503 Service Unavailable"}
    said = ended(start("%%chat\nhello", **script(tmp_path, fails)))
    assert [line for line in said if line.startswith("provider_unavailable: 503")], said
    assert turns(tmp_path) == ["failed"]


def test_a_limit_of_cost(start: Start, till: dict[str, str], tmp_path: Path) -> None:
    said = ended(start("%%chat --max-cost 0.4\nhello", "%%chat\nand more", **till))
    assert [line for line in said if line.startswith("limit_reached: ")], said
    assert turns(tmp_path) == ["finished", "failed"]


def test_an_interrupted_cell(start: Start, tmp_path: Path) -> None:
    hangs = script(
        tmp_path, {"do": "say", "text": "Half of it"}, {"do": "wait", "seconds": 600}
    )
    process = start("%%chat\nhello", **hangs)
    until_running(process, tmp_path)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGINT)
    assert "Stopped. What had arrived is kept." in ended(process)
    assert turns(tmp_path) == ["cancelled"]


def test_ctrl_c(start: Start, tmp_path: Path) -> None:
    """The terminal tells the tool alone, whose kernel has a session of its own."""
    hangs = script(
        tmp_path, {"do": "say", "text": "Half of it"}, {"do": "wait", "seconds": 600}
    )
    process = start("%%chat\nhello", **hangs)
    until_running(process, tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    ended(process)
    assert turns(tmp_path) == ["cancelled"]
