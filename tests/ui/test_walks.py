"""The notebooks in JupyterLab: *Run All* goes through, on whatever kernel they name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page

if TYPE_CHECKING:
    from tests.ui.conftest import Lab

SCRIPTS = Path(__file__).parents[1] / "notebooks" / "scripts"


@pytest.fixture(scope="module")
def scripted(start_lab: Callable[..., Any]) -> Lab:
    """A JupyterLab in which one script answers for all notebooks."""
    lab: Lab = start_lab(BESTCHAT_DEFAULT_MODEL="scripted/walks")
    turns = [
        turn
        for name in ("rental", "kettle", "bakery")
        for turn in json.loads((SCRIPTS / f"{name}.json").read_text(encoding="utf-8"))["turns"]
    ]
    (lab.scripts / "walks.json").write_text(json.dumps({"turns": turns}), encoding="utf-8")
    lab.wait()
    return lab


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("02_data_analysis", "One row of"),
        ("03_labelling", "True"),
        ("05_chat_kernel", "It adds a tenth"),
        ("07_providers", "nothing  None"),
    ],
)
def test_run_all(page: Page, scripted: Lab, name: str, last: str) -> None:
    page.goto(scripted.page(f"lab/tree/{name}.ipynb") + "&reset", timeout=60_000)
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored }")
    page.wait_for_function(
        """() => {
            const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
            return kernel?.connectionStatus === "connected" && kernel?.status === "idle";
        }""",
        timeout=60_000,
    )
    failed, outputs = page.evaluate(
        """async () => {
            const { content } = window.jupyterapp.shell.currentWidget;
            await window.jupyterapp.commands.execute("notebook:run-all-cells");
            const outputs = content.model.sharedModel.cells.flatMap(cell => cell.outputs ?? []);
            return [outputs.filter(it => it.output_type === "error"), JSON.stringify(outputs)];
        }"""
    )
    assert failed == []
    assert last in outputs
