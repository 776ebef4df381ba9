"""Notebooks that are recorded and replayed, in the ways in which people run them headless."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

if TYPE_CHECKING:
    from tests.notebooks.conftest import StartKernel

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "06_replay.ipynb"


@pytest.fixture
def rivers(clean: dict[str, str]) -> dict[str, str]:
    return clean | {"BESTCHAT_DEFAULT_MODEL": "scripted/rivers"}


def attempts(environ: dict[str, str]) -> int:
    """Requests to providers, as the database counts them."""
    path = Path(environ["BESTCHAT_DATA_DIR"]) / "bestchat.sqlite3"
    with closing(sqlite3.connect(path, timeout=5)) as database:
        (count,) = database.execute("SELECT count(*) FROM turns").fetchone()
    return int(count)


def run(environ: dict[str, str], folder: Path, notebook: NotebookNode) -> list[list[NotebookNode]]:
    resources = {"metadata": {"path": str(folder)}}
    # A slow kernel sends what is printed in several pieces.
    NotebookClient(notebook, timeout=60, resources=resources, coalesce_streams=True).execute(
        env=environ
    )
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def read() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_second_run_is_identical_and_asks_nobody(
    rivers: dict[str, str], tmp_path: Path
) -> None:
    first = run(rivers, tmp_path, read())
    recorded = (tmp_path / "06_replay.json").read_bytes()
    asked = attempts(rivers)
    assert asked == 3
    # Without any script, nobody could answer.
    alone = rivers | {"BESTCHAT_SCRIPTS_DIR": str(tmp_path / "nothing")}
    second = run(alone, tmp_path, read())
    assert json.dumps(second) == json.dumps(first)
    assert attempts(rivers) == asked
    assert (tmp_path / "06_replay.json").read_bytes() == recorded
    shown = {
        cell.id: output.data["text/plain"]
        for cell, outputs in zip([it for it in read().cells if it.cell_type == "code"], first, strict=True)
        for output in outputs
        if output.output_type == "display_data"
    }
    assert shown["first"] == "Rhine\nAare\nRhone\n\n— scripted/rivers · script"
    assert shown["second"].startswith("The Rhine. Messages: 3")


def test_the_notebook_is_stored_clean() -> None:
    notebook = read()
    nbformat.validate(notebook)
    code = [item for item in notebook.cells if item.cell_type == "code"]
    assert all(item.outputs == [] and item.execution_count is None for item in code)
    assert not any("-m " in item.source for item in code)


def pipeline(environ: dict[str, str], path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=path.parent,
        capture_output=True,
        text=True,
        env=environ,
        check=False,
        timeout=90,
    )


def test_a_pipeline_replays_and_stops_at_what_changed(
    rivers: dict[str, str], tmp_path: Path
) -> None:
    notebook = read()
    notebook.cells = [cell for cell in notebook.cells if cell.id != "replay"]
    path = tmp_path / "run.ipynb"
    nbformat.write(notebook, path)
    environ = rivers | {"BESTCHAT_REPLAY": "auto", "BESTCHAT_REPLAY_FILE": "rivers.json"}
    convert = ("nbconvert", "--to", "notebook", "--execute", path.name, "--output")
    assert pipeline(environ, path, *convert, "one.ipynb").returncode == 0
    only = environ | {"BESTCHAT_REPLAY": "only"}
    done = pipeline(only, path, *convert, "two.ipynb")
    assert done.returncode == 0, done.stderr
    outputs = [
        json.dumps([cell.get("outputs") for cell in nbformat.read(tmp_path / name, 4).cells])
        for name in ("one.ipynb", "two.ipynb")
    ]
    assert outputs[0] == outputs[1]
    path.write_text(path.read_text().replace("three rivers", "four rivers"))
    stopped = pipeline(only, path, "papermill", "--no-progress-bar", path.name, "three.ipynb")
    assert stopped.returncode != 0
    (line,) = [it for it in stopped.stderr.splitlines() if it.startswith("not_recorded: ")]
    assert "the prompt has 'Name four rivers of Switzerland, one on each line.'" in line
    assert attempts(rivers) == 3


def test_a_mode_is_chosen_in_the_notebook(start_kernel: StartKernel, tmp_path: Path) -> None:
    kernel = start_kernel().load()
    file = tmp_path / "my answers.json"
    assert kernel.run("%chat replay").stdout.startswith("replay off: every question is asked")
    ran = kernel.run(f"%chat replay auto {file}")
    assert f"{file} holds prompts, answers and the heads of data." in ran.stdout
    assert kernel.ask("%%chat\none") == "heard: one"
    assert kernel.run(f"%chat replay only {file}").ok
    assert kernel.ask("%%chat\none") == "heard: one"
    failed = kernel.run("%%chat\ntwo")
    assert failed.error["traceback"][0].startswith("not_recorded: This is not recorded")
    assert "Write one of off" in kernel.run("%chat replay always").error["evalue"]


def test_a_failure_is_replayed_by_only_and_asked_again_by_auto(
    start_kernel: StartKernel, tmp_path: Path
) -> None:
    kernel = start_kernel().load()
    cell, file = "%%chat -m scripted/nobody\nhello", tmp_path / "answers.json"
    lines, attempts = [], []
    for mode in ("auto", "only", "auto"):
        assert kernel.run(f"%chat replay {mode} {file}").ok
        lines.append(kernel.run(cell, "a cell").error["traceback"])
        attempts.append(kernel.rows("SELECT count(*) AS n FROM turns")[0]["n"])
    assert lines[0] == lines[1] == lines[2]
    assert lines[0][0].startswith("model_not_found: ")
    assert attempts == [1, 1, 2]
    # An answer that comes later takes its place.
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "nobody.json").write_text('{"turns": [{"steps": [[{"do": "say", "text": "Hi."}]]}]}')
    other = start_kernel(BESTCHAT_SCRIPTS_DIR=str(scripts)).load()
    for mode in ("auto", "only"):
        assert other.run(f"%chat replay {mode} {file}").ok
        assert other.ask(cell) == "Hi."


def test_a_panel_and_the_history_are_replayed(start_kernel: StartKernel, tmp_path: Path) -> None:
    cells = [
        "from bestchat_kernel import ChatPanel\npanel = ChatPanel()",
        "print(panel.send('one').text)",
        "%load_ext bestchat_kernel",
        "%%chat\ntwo",
        "for it in panel.messages:\n    print(it)",
        "%chat history",
        "print(ChatPanel(panel.conversation).messages == panel.messages, panel.conversation)",
    ]
    told = []
    for mode, data in (("auto", "one"), ("only", "nothing")):
        kernel = start_kernel(
            BESTCHAT_REPLAY=mode,
            BESTCHAT_REPLAY_FILE=str(tmp_path / "answers.json"),
            BESTCHAT_DATA_DIR=str(tmp_path / data),
        )
        ran = [kernel.run(cell) for cell in cells]
        assert all(it.ok for it in ran), [it.reply for it in ran]
        told.append([it.stdout for it in ran])
    assert told[0] == told[1]
    assert told[0][4].count("'role': 'assistant'") == 2
    assert "heard: two" in told[0][5]
    assert told[0][6].startswith("True ")
    assert not (tmp_path / "nothing").exists()
