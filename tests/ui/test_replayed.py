"""Every notebook in JupyterLab: *Run All* is recorded, and replayed to the last byte."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.ui.conftest import Lab

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "tests" / "notebooks" / "scripts"
LAST = {
    "01_quickstart": "scripted/quickstart Usage",
    "02_data_analysis": "One row of",
    "03_labelling": "True",
    "04_widget": "Thank you. In one word",
    "05_chat_kernel": "It adds a tenth",
    "06_replay": "scripted/rivers",
    "07_providers": "nothing  None",
}
"""What the end of each says."""

READY = """() => {
    const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === "connected" && kernel?.status === "idle";
}"""
PREPARE = """async code => {
    const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
    const { content } = await kernel.requestExecute({ code, silent: true }).done;
    return content.status;
}"""
RUN_ALL = """async () => {
    const { content } = window.jupyterapp.shell.currentWidget;
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
    const cells = content.model.sharedModel.cells.filter(cell => cell.cell_type === "code");
    return cells.map(cell => [cell.id, cell.execution_count, cell.outputs]);
}"""
RESTART = """async () => {
    const { sessionContext } = window.jupyterapp.shell.currentWidget;
    await window.jupyterapp.commands.execute("notebook:clear-all-cell-outputs");
    await sessionContext.session.kernel.restart();
}"""


@pytest.fixture(scope="module")
def scripted(start_lab: Callable[..., Any]) -> Lab:
    """A JupyterLab in which scripts answer."""
    lab: Lab = start_lab(BESTCHAT_DEFAULT_MODEL="scripted/echo")
    for path in SCRIPTS.glob("*.json"):
        shutil.copy(path, lab.scripts)
    lab.wait()
    return lab


def run_all(page: Page, model: str, mode: str, file: Path) -> list[Any]:
    """Run all cells in a kernel that has just started; gives what they show."""
    page.wait_for_function(READY, timeout=60_000)
    code = (
        "import os\n"
        f"os.environ |= {{'BESTCHAT_REPLAY': {mode!r}, 'BESTCHAT_REPLAY_FILE': {str(file)!r}}}\n"
    )
    if model:
        code += "from bestchat_kernel.process import session\n"
        code += f"session().model = {model!r}"
    assert page.evaluate(PREPARE, code) == "ok"
    shown: list[Any] = page.evaluate(RUN_ALL)
    failed = [it for cell in shown for it in cell[2] if it["output_type"] == "error"]
    assert failed == []
    return shown


def test_every_notebook_is_among_them(notebook_models: dict[str, str]) -> None:
    assert sorted(notebook_models) == list(LAST)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LAST)
def test_run_all_twice(
    page: Page,
    scripted: Lab,
    name: str,
    tmp_path: Path,
    notebook_models: dict[str, str],
    requests_below: Callable[[Path], int],
    comparable: Callable[[object], str],
) -> None:
    model, file = notebook_models[name], tmp_path / "answers.json"
    page.goto(scripted.page(f"lab/tree/{name}.ipynb") + "&reset", timeout=60_000)
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored }")
    before = requests_below(scripted.folder)
    first = comparable(run_all(page, model, "auto", file))
    assert LAST[name] in first
    requests = requests_below(scripted.folder)
    assert requests > before
    page.evaluate(RESTART)
    second = comparable(run_all(page, model, "only", file))
    assert second == first
    assert requests_below(scripted.folder) == requests
    if name == "04_widget":
        widget = page.locator(".jp-BestChat-widget").first
        expect(widget.locator(".jp-BestChat-answer").last).to_have_text(
            re.compile("Median"), timeout=30_000
        )
