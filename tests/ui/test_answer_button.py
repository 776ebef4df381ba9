"""The Stop button under an answer, in a browser: heard while the cell runs, and gone after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from bestchat_server_ext.testing.script import Say, Wait

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"


def notebook(*sources: str) -> dict[str, Any]:
    """A notebook with these cells."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{index}",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for index, source in enumerate(sources)
    ]
    return {
        "cells": cells,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def open_notebook(page: Page, url: str) -> None:
    """Open a notebook in JupyterLab, and wait for its kernel: what is run before that is lost."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{url}&reset")  # no notebook of another test
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored }")
    page.wait_for_function(
        """() => {
            const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
            return kernel?.connectionStatus === "connected" && kernel?.status === "idle";
        }""",
        timeout=60_000,
    )


def test_a_click_stops_the_answer_and_the_button_is_gone(page: Page, lab: Any) -> None:
    model = lab.script("slow", (Say("As far as **this**"), Wait(600), Say(" and no further.")))
    content = notebook("%load_ext bestchat_kernel", f"%%chat -m {model}\nhow far?", "print('ran')")
    path = Path(lab.notebooks) / "stop.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    open_notebook(page, lab.page("lab/tree/stop.ipynb"))
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    output = page.locator(f"{NOTEBOOK} .jp-Cell").nth(1).locator(".jp-Cell-outputArea")
    expect(output.locator("strong")).to_have_text("this", timeout=60_000)
    output.get_by_role("button", name="Stop").click()
    error = output.locator('[data-mime-type="application/vnd.jupyter.stderr"]')
    expect(error).to_contain_text("Stopped. What had arrived is kept.", timeout=2_000)
    expect(output.get_by_role("button", name="Stop")).to_have_count(0)
    expect(output.locator("strong")).to_have_text("this")
    page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save') }")
    saved = json.loads(path.read_text(encoding="utf-8"))
    kinds = [output["output_type"] for output in saved["cells"][1]["outputs"]]
    assert kinds == ["display_data", "error"]
    assert "widget" not in json.dumps(saved["cells"])
    assert "ButtonModel" not in json.dumps(saved["metadata"])  # even where widgets are kept
    assert saved["cells"][2]["outputs"] == []  # Run All went no further
