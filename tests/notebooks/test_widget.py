"""The notebook about `ChatPanel`, run headless: what is kept is a chat that needs no kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "04_widget.ipynb"
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def scripted(clean: dict[str, str]) -> dict[str, str]:
    return clean | {"BESTCHAT_DEFAULT_MODEL": "scripted/widget"}


def output(notebook: NotebookNode, key: str) -> NotebookNode:
    (found,) = next(it for it in notebook.cells if it.id == key).outputs
    return found


def kept(notebook: NotebookNode, key: str) -> dict[str, Any]:
    """The state of the panel that a cell shows."""
    states = notebook.metadata.widgets[STATE]["state"]
    state: dict[str, Any] = states[output(notebook, key).data[VIEW]["model_id"]]["state"]
    return state


def said(messages: dict[str, Any]) -> list[str]:
    """The texts, from the first on: a notebook's file sorts what it holds by name."""
    after = {message["parent_id"]: message for message in messages.values()}
    found: list[str] = []
    at = after.get(None)
    while at is not None:
        found.append(at["parts"][0]["text"])
        at = after.get(at["id"])
    return found


def check(notebook: NotebookNode) -> None:
    assert output(notebook, "send").text == "The value in the middle of the sorted values.\n"
    answer = output(notebook, "cell").data["text/plain"]
    assert answer.startswith("Where few values are far off. Messages I have seen: 3\n")
    assert output(notebook, "messages").text == (
        "     user: In one sentence: what is a median?\n"
        "assistant: The value in the middle of the sorted values.\n"
        "     user: And when is it better than a mean?\n"
        "assistant: Where few values are far off. Messages I have seen: 3\n"
    )
    assert output(notebook, "observe").text == "{'you': 25, 'scripted/widget': 21}\n"
    panel, second = kept(notebook, "make"), kept(notebook, "other")
    assert panel["transcript"]["conversation"]["id"] == panel["conversation"]
    assert second["conversation"] == panel["conversation"]
    assert [text[:9] for text in said(panel["transcript"]["messages"])] == [
        "In one se",
        "The value",
        "And when ",
        "Where few",
        "Thank you",
        "Median.",
    ]
    assert "export{" in panel["_esm"]
    assert second["transcript"] == panel["transcript"]
    # Nothing of the server's own business.
    assert panel["transcript"]["conversation"]["settings"] == {}


def test_it_is_stored_clean() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [it for it in notebook.cells if it.cell_type == "code"]
    assert all(it.outputs == [] and it.execution_count is None for it in code)


def test_headless_in_nbclient(scripted: dict[str, str], tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=60, resources=resources).execute(env=scripted)
    check(notebook)


def test_headless_in_papermill(scripted: dict[str, str], tmp_path: Path) -> None:
    done = tmp_path / "done.ipynb"
    subprocess.run(
        [sys.executable, "-m", "papermill", str(NOTEBOOK), str(done), "--no-progress-bar"],
        env=scripted,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=90,
    )
    notebook = nbformat.read(done, as_version=4)
    check(notebook)
    # Nobody was there to press a button.
    assert "ButtonModel" not in json.dumps(notebook.metadata.widgets)
