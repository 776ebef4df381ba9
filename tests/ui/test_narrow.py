"""The panel as narrow as JupyterLab makes it: nothing sticks out."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from bestchat_server_ext.testing.script import Report, Say

WIDTH = 280

ANSWER = f"""\
{"Donaudampfschifffahrtsgesellschaft" * 3}

| {" | ".join(f"column {number}" for number in range(9))} |
|{"---|" * 9}
| {" | ".join(str(number) * 4 for number in range(9))} |

```python
{"total = " + " + ".join(f"number_{number}" for number in range(20))}
```

$$ {" + ".join(f"x_{{{number}}}^2" for number in range(30))} $$
"""

STICKING_OUT = """
root => {
    const edge = root.getBoundingClientRect().right;
    const scrolls = element => {
        for (let at = element.parentElement; at !== root; at = at.parentElement) {
            if (["auto", "scroll"].includes(getComputedStyle(at).overflowX)) return true;
        }
        return false;
    };
    return [...root.querySelectorAll("*")]
        .filter(element => element.checkVisibility())
        .filter(element => element.getBoundingClientRect().right > edge + 1)
        .filter(element => !scrolls(element) && !element.closest(".jp-BestChat-offscreen"))
        .map(element => element.outerHTML.slice(0, 120));
}
"""
"""What sticks out of an element, except where one can scroll to it."""


def test_the_panel_can_be_made_narrower_than_it_came(panel: Any) -> None:
    first = panel.root.bounding_box()
    assert first["width"] >= 380
    mouse, edge = panel.page.mouse, first["x"] - 1
    expect(panel.root).not_to_have_css("min-width", "380px")
    mouse.move(edge, 400)
    mouse.down()
    mouse.move(edge + 40, 400, steps=4)
    mouse.move(edge + 90, 400, steps=4)
    mouse.up()
    assert panel.root.bounding_box()["width"] < 320


def test_nothing_sticks_out_of_a_narrow_panel(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("a-model-with-a-long-name-indeed", (Say(ANSWER), Report(99_999, 9))))
    panel.root.evaluate("(root, width) => { root.style.maxWidth = `${width}px`; }", WIDTH)
    assert panel.root.bounding_box()["width"] == WIDTH

    panel.ask("wide " * 20 + "w" * 80)
    answer = panel.ends()
    expect(answer.locator("mjx-container")).to_have_count(1)
    assert panel.root.evaluate(STICKING_OUT) == []
    answer.hover()
    assert panel.root.evaluate(STICKING_OUT) == []
    panel.questions.last.hover()
    panel.button("Edit: ask this differently").click()
    assert panel.root.evaluate(STICKING_OUT) == []
    panel.root.locator(".jp-BestChat-pickerButton").click()
    expect(panel.root.get_by_role("option").first).to_be_visible()
    assert panel.root.evaluate(STICKING_OUT) == []
    panel.page.keyboard.press("Escape")
    panel.button("Conversations").click()
    expect(panel.root.get_by_role("listitem").first).to_be_visible()
    assert panel.root.evaluate(STICKING_OUT) == []
    panel.button("Providers and settings").click()
    expect(panel.root.locator(".jp-BestChat-provider").first).to_be_visible()
    search = panel.root.get_by_placeholder("Search providers")
    assert search.bounding_box()["height"] == 28  # a long list must not press it flat
    assert panel.root.evaluate(STICKING_OUT) == []
    for name in ("Answers", "Usage", "Data"):
        panel.root.get_by_role("tab", name=name).click()
        expect(panel.root.get_by_role("tabpanel", name=name)).to_be_visible()
        assert panel.root.evaluate(STICKING_OUT) == []
