"""The panel where documents are edited together, by jupyter-collaboration.

It is not among what the tests install, as it would change all of them: `make test-versions`.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from bestchat_server_ext.testing.script import Say

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jupyter_collaboration") is None,
    reason="jupyter-collaboration is not installed",
)

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"


def test_code_goes_into_a_shared_notebook(panel_on: Any, lab: Any) -> None:
    cell = {"cell_type": "code", "id": "c1", "source": "total = 1", "metadata": {}, "outputs": []}
    notebook = {
        "cells": [cell | {"execution_count": None}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    Path(lab.notebooks, "shared.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    panel = panel_on(lab, "lab/tree/shared.ipynb")
    page = panel.page
    shared = "@jupyter/docprovider-extension:yfile"
    assert page.evaluate("name => window.jupyterapp.hasPlugin(name)", shared)
    page.locator(f"{NOTEBOOK} .jp-Cell .cm-content").first.click()
    panel.choose(lab.script("code", (Say("```python\ntotal = 42\n```"),)))
    panel.ask("Better?")
    panel.ends()
    panel.button("Replace the cell…").click()
    page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    expect(page.locator(f"{NOTEBOOK} .jp-Cell .cm-content").first).to_have_text("total = 42")
    panel.open(lab.page("lab/tree/shared.ipynb"))
    expect(panel.questions).to_have_count(1)
    expect(page.locator(f"{NOTEBOOK} .jp-Cell .cm-content").first).to_have_text("total = 42")
