"""The quickstart in a real browser, answered by the real demo model: no fake anywhere."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "quickstart.png"
UPDATE_PICTURES = bool(os.environ.get("BESTCHAT_UPDATE_PICTURES"))
"""Read now: every test begins with a clean environment."""
NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"


def open_lab(page: Page, url: str) -> None:
    """Open JupyterLab, and wait until notebook and kernel are there."""
    page.goto(url)
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored }")
    page.locator(f"{NOTEBOOK} .jp-Cell").first.wait_for(timeout=60_000)
    # The indicator in the toolbar says idle before there is a kernel, and what is run then is lost.
    page.wait_for_function(
        """() => {
            const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
            return kernel?.connectionStatus === "connected" && kernel?.status === "idle";
        }""",
        timeout=60_000,
    )


@pytest.mark.timeout(300)
def test_the_quickstart_answers_in_the_browser(
    page: Page, start_lab: Callable[..., Any], model_weights: Path, tmp_path: Path
) -> None:
    lab = start_lab(BESTCHAT_DEFAULT_MODEL="local/smollm2-135m")
    models = lab.folder / "bestchat" / "models"
    models.mkdir(parents=True)
    (models / model_weights.name).symlink_to(model_weights)
    page.set_viewport_size({"width": 1280, "height": 900})
    lab.wait()
    open_lab(page, lab.page("lab/tree/01_quickstart.ipynb"))

    page.get_by_text("Run", exact=True).first.click()
    page.locator(".lm-Menu-item[data-command='runmenu:run-all']").click()

    captions = page.locator(f"{NOTEBOOK} .jp-RenderedMarkdown em", has_text="local/smollm2-135m")
    expect(captions.first).to_contain_text(re.compile("demo model"), timeout=120_000)
    expect(
        page.locator(f'{NOTEBOOK} .jp-Notebook-ExecutionIndicator[data-status="idle"]')
    ).to_be_visible(timeout=120_000)
    expect(page.locator(f"{NOTEBOOK} .jp-OutputArea-output.jp-mod-error")).to_have_count(0)
    assert page.locator(f"{NOTEBOOK} .jp-RenderedMarkdown img").count() == 0

    page.locator(f"{NOTEBOOK} .jp-WindowedPanel-outer").first.evaluate("e => e.scrollTo(0, 0)")
    expect(page.locator(f"{NOTEBOOK} h1").first).to_be_in_viewport()
    expect(captions.first).to_be_in_viewport()
    shot = tmp_path / "quickstart.png"
    page.screenshot(path=shot)
    if UPDATE_PICTURES:
        shutil.copyfile(shot, PICTURE)
