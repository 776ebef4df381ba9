"""The panel behind a base URL, as JupyterHub gives one to each user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect


def test_the_panel_behind_a_base_url(
    start_lab: Callable[..., Any], panel_on: Callable[[Any], Any]
) -> None:
    lab = start_lab(base_url="/user/me/", BESTCHAT_DEFAULT_MODEL="scripted/echo")
    lab.wait()
    panel = panel_on(lab)
    panel.ask("through the base URL")
    expect(panel.ends()).to_contain_text("through the base URL")
    panel.open(lab.page())
    expect(panel.questions).to_have_text(["through the base URL"])
