"""The BestChat kernel in JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.ui.conftest import Lab

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"
CELLS = [
    "What is a *list* in Python?",
    "%%python\nlengths = [len(word) for word in 'one two three'.split()]\nlengths",
    "Which of @lengths is the largest?",
]


def open_notebook(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored }")
    page.locator(f"{NOTEBOOK} .jp-Cell").first.wait_for(timeout=60_000)
    wait_for_kernel(page)


def wait_for_kernel(page: Page) -> None:
    page.wait_for_function(
        """() => {
            const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
            return kernel?.connectionStatus === "connected" && kernel?.status === "idle";
        }""",
        timeout=60_000,
    )


@pytest.mark.timeout(240)
def test_cells_are_messages_and_stay_so_over_a_restart(page: Page, lab: Lab) -> None:
    made = nbformat.v4.new_notebook()
    made.metadata.kernelspec = {"name": "bestchat", "display_name": "BestChat"}
    made.cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(made, lab.notebooks / "kernel.ipynb")
    page.set_viewport_size({"width": 1280, "height": 900})
    open_notebook(page, lab.page("lab/tree/kernel.ipynb"))
    expect(page.locator(f"{NOTEBOOK} .jp-KernelName")).to_contain_text("BestChat")

    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    captions = page.locator(f"{NOTEBOOK} .jp-RenderedMarkdown em", has_text="scripted/echo")
    expect(captions).to_have_count(2)
    answers = page.locator(f"{NOTEBOOK} .jp-OutputArea-output.jp-RenderedMarkdown")
    expect(answers.first.locator("em").first).to_have_text("list")
    expect(
        page.locator(f"{NOTEBOOK} .jp-OutputArea-executeResult .jp-OutputArea-output")
    ).to_contain_text("[3, 3, 5]")
    expect(answers.last).to_contain_text("list, 3 items")

    page.evaluate(
        """async () => {
            const { sessionContext } = window.jupyterapp.shell.currentWidget;
            await sessionContext.session.kernel.restart();
            await window.jupyterapp.commands.execute("notebook:run-all-cells");
        }"""
    )
    expect(captions.filter(has_text="stored; %again asks anew")).to_have_count(2)
    expect(page.locator(f"{NOTEBOOK} .jp-OutputArea-output.jp-mod-error")).to_have_count(0)
