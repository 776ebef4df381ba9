"""The quickstart in a real browser, answered by the real demo model: no fake anywhere."""

from __future__ import annotations

import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "quickstart.png"
NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"


def wait_for_server(url: str, seconds: float = 60) -> None:
    """Wait until something answers at an address."""
    until = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def open_lab(page: Page, url: str) -> None:
    """Open JupyterLab, and wait until notebook and kernel are there."""
    wait_for_server(url)
    page.goto(url)
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored }")
    page.locator(f"{NOTEBOOK} .jp-Cell").first.wait_for(timeout=60_000)
    page.locator(f'{NOTEBOOK} .jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(
        timeout=60_000
    )


def run_all(page: Page) -> None:
    """Run all cells from the menu, and see the first of them run.

    JupyterLab opens its connection to a new kernel twice now and then, and loses what was sent
    over the first one; a person would click again.
    """
    first = page.locator(f"{NOTEBOOK} .jp-CodeCell .jp-InputPrompt").first
    for _ in range(3):
        page.get_by_text("Run", exact=True).first.click()
        page.locator(".lm-Menu-item[data-command='runmenu:run-all']").click()
        page.locator(f"{NOTEBOOK} .jp-WindowedPanel-outer").first.evaluate("e => e.scrollTo(0, 0)")
        try:
            expect(first).to_have_text("[1]:", timeout=10_000)
        except AssertionError:
            continue
        return
    expect(first).to_have_text("[1]:")


@pytest.mark.timeout(300)
def test_the_quickstart_answers_in_the_browser(
    page: Page, lab: Callable[..., str], model_weights: Path, tmp_path: Path
) -> None:
    models = tmp_path / "bestchat" / "models"
    models.mkdir(parents=True)
    (models / model_weights.name).symlink_to(model_weights)
    page.set_viewport_size({"width": 1280, "height": 900})
    open_lab(page, lab(BESTCHAT_DEFAULT_MODEL="local/smollm2-135m"))

    run_all(page)

    captions = page.locator(f"{NOTEBOOK} .jp-RenderedMarkdown em", has_text="local/smollm2-135m")
    expect(captions.first).to_contain_text(re.compile("demo model"), timeout=120_000)
    expect(
        page.locator(f'{NOTEBOOK} .jp-Notebook-ExecutionIndicator[data-status="idle"]')
    ).to_be_visible(timeout=120_000)
    expect(page.locator(f"{NOTEBOOK} .jp-OutputArea-output.jp-mod-error")).to_have_count(0)
    assert page.locator(f"{NOTEBOOK} .jp-RenderedMarkdown img").count() == 0

    captions.first.scroll_into_view_if_needed()
    shot = tmp_path / "quickstart.png"
    page.screenshot(path=shot)
    if os.environ.get("BESTCHAT_UPDATE_PICTURES"):
        shutil.copyfile(shot, PICTURE)
