"""The README's pictures of the panel, light and dark: made by a test, so that they stay true."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from bestchat_server_ext.testing.script import Report, Say, Think

DOCS = Path(__file__).parents[2] / "docs"
UPDATE_PICTURES = bool(os.environ.get("BESTCHAT_UPDATE_PICTURES"))
"""Read now: every test begins with a clean environment."""

CELL = """\
import pandas as pd

sales = pd.DataFrame({"month": ["Sep", "Oct", "Nov"], "amount": [120, 135, 151]})
sales["amount"].pct_change()"""

ANSWER = """\
The growth of a month is $g_t = \\frac{s_t - s_{t-1}}{s_{t-1}}$, as `pct_change` gives it:

| month | amount | growth |
|---|---:|---:|
| Sep | 120 | |
| Oct | 135 | 12.5 % |
| Nov | 151 | 11.9 % |

To keep it beside the amounts, as **per cent**:

```python
growth = sales["amount"].pct_change()
sales["growth"] = (growth * 100).round(1)
```
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_in_a_picture(panel: Any, lab: Any, tmp_path: Path, theme: str) -> None:
    cell = {"cell_type": "code", "id": "c1", "source": CELL, "metadata": {}, "outputs": []}
    notebook = {
        "cells": [cell | {"execution_count": None}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (lab.notebooks / "sales.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    panel.page.set_viewport_size({"width": 1280, "height": 800})
    panel.open(lab.page("lab/tree/sales.ipynb"))
    name = f"JupyterLab {theme.title()}"
    panel.page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
    )
    # Its list says how old files are: no two pictures would be the same.
    panel.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    expect(panel.page.locator("body")).to_have_attribute("data-jp-theme-name", name)
    steps = (Think("They want growth."), Say(ANSWER), Report(1840, 212))
    panel.choose(lab.script("analyst", steps))
    panel.wait_for_kernel()
    panel.ask("How much did sales grow from month to month?")
    answer = panel.ends()
    expect(answer.locator("mjx-container")).to_have_count(1)
    expect(answer.locator(".jp-BestChat-code code span").first).to_be_visible()
    expect(answer.locator("table")).to_be_visible()
    shot = tmp_path / f"panel-{theme}.png"
    panel.page.screenshot(path=shot)
    if UPDATE_PICTURES:
        shutil.copyfile(shot, DOCS / shot.name)
