"""Every notebook, headless: recorded once, and replayed to the last byte without asking anybody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def outputs(path: Path) -> list[object]:
    """The outputs of all code cells."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [[cell.id, cell.execution_count, whole(cell.outputs)] for cell in code]


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


def test_every_notebook_is_among_them(notebook_models: dict[str, str]) -> None:
    assert sorted(notebook_models) == NOTEBOOKS


@pytest.mark.parametrize("run", [in_nbclient, in_papermill])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_second_run_is_the_first_and_asks_nobody(
    name: str,
    run: Callable[[str, dict[str, str], Path], Path],
    clean: dict[str, str],
    tmp_path: Path,
    notebook_models: dict[str, str],
    requests_below: Callable[[Path], int],
    comparable: Callable[[object], str],
) -> None:
    environ = clean | {
        "BESTCHAT_DEFAULT_MODEL": notebook_models[name],
        "BESTCHAT_REPLAY": "auto",
        "BESTCHAT_REPLAY_FILE": str(tmp_path / "answers.json"),
    }
    first = comparable(outputs(run(name, environ, tmp_path)))
    requests = requests_below(tmp_path)
    assert requests > 0
    second = comparable(outputs(run(name, environ | {"BESTCHAT_REPLAY": "only"}, tmp_path)))
    assert second == first
    assert requests_below(tmp_path) == requests
