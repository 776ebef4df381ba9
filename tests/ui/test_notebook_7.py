"""The panel in Notebook 7, which is JupyterLab's parts around one document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from bestchat_server_ext.testing.script import Say


def test_the_panel_beside_a_document(panel_on: Any, lab: Any, page: Any) -> None:
    cell = {"cell_type": "code", "id": "c1", "source": "total = 1", "metadata": {}, "outputs": []}
    notebook = {
        "cells": [cell | {"execution_count": None}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    Path(lab.notebooks, "alone.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    panel = panel_on(lab, "notebooks/alone.ipynb")
    panel.choose(lab.script("code", (Say("```python\ntotal = 42\n```"),)))
    chips = panel.root.get_by_role("group", name="What goes along")
    chips.get_by_role("button", name="cell 1").click()
    panel.ask("Better?")
    panel.ends()
    expect(panel.questions.last.locator("summary")).to_have_text("cell 1")
    panel.button("Replace the cell…").click()
    page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    expect(page.locator(".jp-Cell .cm-content").first).to_have_text("total = 42")
    panel.open(lab.page("notebooks/alone.ipynb"))
    expect(panel.questions).to_have_count(1)
    assert panel.root.bounding_box()["width"] >= 280
