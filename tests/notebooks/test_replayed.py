"""Every notebook, headless: recorded once, and replayed to the last byte without asking anybody."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
MODELS = {
    "01_quickstart": "scripted/quickstart",
    "02_data_analysis": "scripted/rental",
    "03_labelling": "scripted/kettle",
    "04_widget": "scripted/widget",
    "05_chat_kernel": "scripted/bakery",
    "06_replay": "scripted/rivers",
    "07_providers": "",  # it brings its own
}

_MODEL_ID = re.compile(r'"model_id": "([0-9a-f]{32})"')
"""Names a widget: made up by each kernel anew."""


def outputs(path: Path) -> str:
    """The outputs of all code cells, with widgets named in their order."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [[cell.id, cell.execution_count, whole(cell.outputs)] for cell in code]
    text = json.dumps(shown, indent=1)
    names: dict[str, str] = {}
    return _MODEL_ID.sub(lambda found: names.setdefault(found[1], f"widget {len(names)}"), text)


def whole(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with what was printed in one piece: a slow kernel sends it in several."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last is not None and output.output_type == last.output_type == "stream":
            if output.name == last.name:
                last.text += output.text
                continue
        joined.append(output)
    return joined


def in_nbclient(name: str, environ: dict[str, str], folder: Path) -> Path:
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=90, resources=resources).execute(env=environ)
    done = folder / "done.ipynb"
    nbformat.write(notebook, done)
    return done


def in_papermill(name: str, environ: dict[str, str], folder: Path) -> Path:
    done = folder / "done.ipynb"
    words = ["-m", "papermill", "--no-progress-bar", "--cwd", str(folder)]
    ran = subprocess.run(
        [sys.executable, *words, str(ROOT / "notebooks" / f"{name}.ipynb"), str(done)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    return done


def asked(folder: Path) -> int:
    """Requests to models, as all databases below a folder count them."""
    count = 0
    for path in folder.rglob("bestchat.sqlite3"):
        with closing(sqlite3.connect(path, timeout=5)) as database:
            count += int(database.execute("SELECT count(*) FROM usage_logs").fetchone()[0])
    return count


def test_every_notebook_is_among_them() -> None:
    assert sorted(MODELS) == NOTEBOOKS


@pytest.mark.parametrize("run", [in_nbclient, in_papermill])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_second_run_is_the_first_and_asks_nobody(
    name: str,
    run: Callable[[str, dict[str, str], Path], Path],
    clean: dict[str, str],
    tmp_path: Path,
) -> None:
    environ = clean | {
        "BESTCHAT_DEFAULT_MODEL": MODELS[name],
        "BESTCHAT_REPLAY": "auto",
        "BESTCHAT_REPLAY_FILE": str(tmp_path / "answers.json"),
    }
    first = outputs(run(name, environ, tmp_path))
    requests = asked(tmp_path)
    assert requests > 0
    second = outputs(run(name, environ | {"BESTCHAT_REPLAY": "only"}, tmp_path))
    assert second == first
    assert asked(tmp_path) == requests
