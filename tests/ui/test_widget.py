"""`ChatPanel` in output cells, in a browser that gets nothing from BestChat's own server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from bestchat_server_ext.testing.script import Say, Wait

MAKE = "from bestchat_kernel import ChatPanel\npanel = ChatPanel()\npanel"


class Widget:
    """The panel in a cell, as somebody would use it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".jp-BestChat-widget").first

    @property
    def composer(self) -> Locator:
        return self.root.get_by_role("textbox", name="Message")

    @property
    def questions(self) -> Locator:
        return self.root.locator(".jp-BestChat-question")

    @property
    def answers(self) -> Locator:
        return self.root.locator(".jp-BestChat-answer")

    def ask(self, text: str) -> None:
        self.composer.fill(text)
        self.composer.press("Enter")

    def choose(self, model: str) -> None:
        self.root.locator(".jp-BestChat-pickerButton").click()
        self.root.get_by_role("combobox", name="Search models").fill(model)
        self.root.get_by_role("option").first.click()

    def ends(self, state: str = "finished") -> Locator:
        answer = self.answers.last
        expect(answer).to_have_attribute("data-turn-state", state, timeout=30_000)
        return answer


def refuse(route: Route) -> None:
    route.abort()


@pytest.fixture
def alone(page: Page) -> Page:
    """A page on which BestChat's server cannot be reached."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.route("**/bestchat/api/**", refuse)
    page.route_web_socket("**/bestchat/api/**", lambda socket: socket.close())
    return page


def open_lab(page: Page, url: str) -> None:
    """Open a notebook in JupyterLab, and wait for its kernel."""
    page.goto(url)
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("async () => { await window.jupyterapp.restored }")
    page.wait_for_function(
        """() => {
            const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
            return kernel?.connectionStatus === "connected" && kernel?.status === "idle";
        }""",
        timeout=60_000,
    )


def run_all(page: Page) -> None:
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")


def written(lab: Any, name: str, *sources: str) -> Path:
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
    content = {
        "cells": cells,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = Path(lab.notebooks) / f"{name}.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_whole_chat_in_a_cell(alone: Page, lab: Any, tmp_path: Path) -> None:
    written(lab, "chat", "%load_ext bestchat_kernel", MAKE, "%%chat\nfrom a cell", "panel.messages")
    open_lab(alone, lab.page("lab/tree/chat.ipynb"))
    run_all(alone)
    widget = Widget(alone)
    expect(widget.composer).to_be_visible(timeout=60_000)
    # What a cell said is here, and what is said here is the cells'.
    expect(widget.questions).to_have_text(["from a cell"], timeout=30_000)
    widget.ask("from the widget")
    expect(widget.questions).to_have_count(2)
    expect(widget.ends()).to_contain_text("from the widget")
    lab.script("slow", (Say("As far as **this**"), Wait(600), Say(" and no further.")))
    widget.choose("slow")
    widget.ask("and stop")
    expect(widget.answers.last.locator("strong")).to_have_text("this")
    alone.screenshot(path=tmp_path / "widget.png")
    widget.root.get_by_role("button", name="Stop").click()
    expect(widget.ends("cancelled").locator("strong")).to_have_text("this")
