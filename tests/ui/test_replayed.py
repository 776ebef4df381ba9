"""Every notebook in JupyterLab: *Run All* is recorded, and replayed to the last byte."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.ui.conftest import Lab

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "tests" / "notebooks" / "scripts"
MODELS = {
    "01_quickstart": "scripted/quickstart",
    "02_data_analysis": "scripted/rental",
    "03_labelling": "scripted/kettle",
    "04_widget": "scripted/widget",
    "05_chat_kernel": "scripted/bakery",
    "06_replay": "scripted/rivers",
    "07_providers": "",  # it brings its own
}
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

_MODEL_ID = re.compile(r'"model_id": ?"([0-9a-f]{32})"')
"""Names a widget: made up by each kernel anew."""

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


def run_all(page: Page, name: str, mode: str, file: Path) -> str:
    """Run all cells in a kernel that has just started; gives what they show."""
    page.wait_for_function(READY, timeout=60_000)
    code = (
        "import os\n"
        f"os.environ |= {{'BESTCHAT_REPLAY': {mode!r}, 'BESTCHAT_REPLAY_FILE': {str(file)!r}}}\n"
    )
    if MODELS[name]:
        code += "from bestchat_kernel.process import session\n"
        code += f"session().model = {MODELS[name]!r}"
    assert page.evaluate(PREPARE, code) == "ok"
    shown = page.evaluate(RUN_ALL)
    failed = [it for cell in shown for it in cell[2] if it["output_type"] == "error"]
    assert failed == []
    names: dict[str, str] = {}
    text = json.dumps(shown, indent=1)
    return _MODEL_ID.sub(lambda found: names.setdefault(found[1], f"widget {len(names)}"), text)


def asked(folder: Path) -> int:
    """Requests to models, as all databases below a folder count them."""
    count = 0
    for path in folder.rglob("bestchat.sqlite3"):
        with closing(sqlite3.connect(path, timeout=5)) as database:
            count += int(database.execute("SELECT count(*) FROM usage_logs").fetchone()[0])
    return count


def test_every_notebook_is_among_them() -> None:
    assert sorted(MODELS) == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MODELS)
def test_run_all_twice(page: Page, scripted: Lab, name: str, tmp_path: Path) -> None:
    page.goto(scripted.page(f"lab/tree/{name}.ipynb") + "&reset", timeout=60_000)
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored }")
    before = asked(scripted.folder)
    first = run_all(page, name, "auto", tmp_path / "answers.json")
    assert LAST[name] in first
    requests = asked(scripted.folder)
    assert requests > before
    page.evaluate(RESTART)
    second = run_all(page, name, "only", tmp_path / "answers.json")
    assert second == first
    assert asked(scripted.folder) == requests
    if name == "04_widget":
        widget = page.locator(".jp-BestChat-widget").first
        expect(widget.locator(".jp-BestChat-answer").last).to_have_text(
            re.compile("Median"), timeout=30_000
        )
