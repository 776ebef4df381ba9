"""The notebooks that walk through a subject, headless; each answered by a script of its own."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
SCRIPTS = {
    "02_data_analysis": "scripted/rental",
    "03_labelling": "scripted/kettle",
    "05_chat_kernel": "scripted/bakery",
    "07_providers": "",  # it brings its own
}


def read(name: str) -> NotebookNode:
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def execute(name: str, environ: dict[str, str], folder: Path) -> dict[str, list[NotebookNode]]:
    """Run a notebook; gives the outputs of its cells."""
    notebook = read(name)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=90, resources=resources).execute(env=environ)
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def shown(outputs: list[NotebookNode]) -> str:
    """All that a cell shows, as plain text."""
    return "\n".join(
        item.text if item.output_type == "stream" else item.data["text/plain"]
        for item in outputs
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_stored_clean_and_names_no_model(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    code = [item for item in notebook.cells if item.cell_type == "code"]
    assert all(item.outputs == [] and item.execution_count is None for item in code)
    assert all(item.id and not item.id[-8:].isdecimal() for item in notebook.cells)
    if name != "07_providers":
        assert not any(" -m " in item.source for item in code)


def test_data_analysis(clean: dict[str, str], tmp_path: Path) -> None:
    environ = clean | {"BESTCHAT_DEFAULT_MODEL": SCRIPTS["02_data_analysis"]}
    first = execute("02_data_analysis", environ, tmp_path)
    assert "@rides   pandas DataFrame, 28 rows" in shown(first["vars"])
    assert "asking once more: `kind`" in shown(first["suspect"])
    assert "The day is 21 May." in shown(first["check"])
    assert "text/html" in first["table"][-1].data
    assert "2026-05-21" in shown(first["run"])
    assert "Its index, 17" in shown(first["explain"])


def test_labelling(clean: dict[str, str], tmp_path: Path) -> None:
    environ = clean | {"BESTCHAT_DEFAULT_MODEL": SCRIPTS["03_labelling"]}
    first = execute("03_labelling", environ, tmp_path)
    assert "11 of 12 values answered, 1 failed" in shown(first["map"])
    assert "6 'asdf' -> The answer, asked for twice, does not fit" in shown(first["errors"])
    assert "They agree in 83% of 6 rows." in shown(first["check"])
    assert "1.0" in shown(first["again"])
    assert "True" in shown(first["twice"])


def test_providers(clean: dict[str, str], tmp_path: Path) -> None:
    ran = execute("07_providers", clean, tmp_path)
    assert "fallback_models_refused  scripted/second" in shown(ran["status"])
    assert shown(ran["half"]).count("begins anew") == 3
    assert shown(ran["all"]).startswith("provider_unavailable: 503")
    assert shown(ran["unknown"]).startswith("unknown_provider: There is no provider named 'acme'")
    assert shown(ran["summary"]).split() == [
        *("fine", "scripted/first", "outage", "scripted/second", "half", "scripted/second"),
        *("refused", "scripted/second", "key", "scripted/second", "nothing", "None"),
    ]
