"""Code of an answer in a cell below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.ui.conftest import Lab

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"
COUNT = """\
%load_ext bestchat_kernel
runs = globals().get('runs', 0) + 1
code = f'```python\\nx = {runs}\\n```'
"""
CELLS = [
    COUNT,
    "%%chat --insert\nHere it is:\n\n{{ code }}\n",
    "'the last cell'",
]


@pytest.mark.timeout(240)
def test_one_cell_below_takes_the_code_until_it_is_edited(page: Page, lab: Lab) -> None:
    made = nbformat.v4.new_notebook()
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    made.cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(made, lab.notebooks / "insertion.ipynb")
    page.goto(lab.page("lab/tree/insertion.ipynb"))
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored }")
    page.wait_for_function(
        """() => {
            const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
            return kernel?.connectionStatus === "connected" && kernel?.status === "idle";
        }""",
        timeout=60_000,
    )
    editors = page.locator(f"{NOTEBOOK} .jp-Cell .jp-InputArea-editor")
    expect(editors).to_have_count(3)
    for run in (1, 2):
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        expect(editors).to_have_count(4)
        expect(editors.nth(2)).to_have_text(f"x = {run}")
        expect(editors.nth(3)).to_have_text("'the last cell'")
    # What somebody has changed is theirs: the next code goes into a cell of its own.
    editors.nth(2).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" + 1  # mine")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(editors).to_have_count(5)
    expect(editors.nth(2)).to_have_text("x = 3")
    expect(editors.nth(3)).to_have_text("x = 2 + 1  # mine")
