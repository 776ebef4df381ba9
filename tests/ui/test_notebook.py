"""The panel beside a notebook: what goes along, what is done with code, what cells are asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from bestchat_server_ext.testing.script import Say

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"
ANSWER = "Like this:\n\n```python\ntotal = 42\nprint(total)\n```\n"


@pytest.fixture
def beside(panel: Any, lab: Any) -> Any:
    """The panel beside a notebook with two cells, the second of which raises."""
    notebook = {
        "cells": [_cell("total = 1\nprint(total)"), _cell('{}["missing"]')],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (Path(lab.notebooks) / "work.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    panel.open(lab.page("lab/tree/work.ipynb"))
    panel.page.locator(f"{NOTEBOOK} .jp-Cell").first.wait_for()
    panel.page.locator(f"{NOTEBOOK} .jp-Cell .cm-content").first.click()
    return panel


def _cell(source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": f"c{abs(hash(source))}",
        "source": source,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }


def wait_for_sources(panel: Any, sources: list[str]) -> None:
    """Wait until the cells say this; what is agreed to in a dialog happens after it has closed."""
    panel.page.wait_for_function(
        """sources => {
            const { cells } = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
            return JSON.stringify(cells.map(cell => cell.getSource())) === JSON.stringify(sources);
        }""",
        arg=sources,
    )


def test_what_one_looks_at_goes_along_if_one_wants_it(beside: Any) -> None:
    chips = beside.root.get_by_role("group", name="What goes along")
    expect(chips.get_by_role("button")).to_have_text(["+ cell 1", "+ notebook work.ipynb"])
    beside.ask("nothing goes along")
    expect(beside.ends()).not_to_contain_text("Attached")
    chips.get_by_role("button", name="cell 1").click()
    beside.root.get_by_text("What will be sent").click()
    preview = beside.root.locator(".jp-BestChat-willBeSent .jp-BestChat-attachment")
    preview.locator("summary").click()
    expect(preview.locator("pre")).to_have_text("total = 1\nprint(total)")
    beside.ask("the cell goes along")
    expect(beside.questions).to_have_count(2)
    expect(beside.ends().locator(".jp-BestChat-code")).to_contain_text("total = 1")
    fold = beside.questions.last.locator("details")
    expect(fold.locator("summary")).to_have_text("cell 1")
    expect(fold.locator("pre")).to_be_hidden()
    fold.locator("summary").click()
    expect(fold.locator("pre")).to_have_text("total = 1\nprint(total)")
    # Once: the next question may be about something else.
    expect(chips.get_by_role("button")).to_have_text(["+ cell 1", "+ notebook work.ipynb"])
    expect(beside.root.get_by_text("What will be sent")).to_be_hidden()


def test_the_first_example_takes_the_notebook_along(beside: Any) -> None:
    beside.button("Explain what this notebook does").click()
    chips = beside.root.get_by_role("group", name="What goes along")
    expect(chips.get_by_role("button")).to_have_text(["+ cell 1", "✓ notebook work.ipynb"])


def test_who_asks_about_a_cell_takes_it_along(beside: Any) -> None:
    beside.page.locator(f"{NOTEBOOK} .jp-Cell .jp-InputPrompt").first.click(button="right")
    menu = beside.page.locator(".lm-Menu-item")
    menu.filter(has_text="BestChat").hover()
    menu.filter(has_text="Ask about the Cell").click()
    chips = beside.root.get_by_role("group", name="What goes along")
    expect(chips.get_by_role("button", name="cell 1")).to_have_text("✓ cell 1")


def test_code_goes_into_the_notebook_only_when_asked(beside: Any, lab: Any) -> None:
    beside.choose(lab.script("code", (Say(ANSWER),)))
    beside.ask("How?")
    beside.ends()
    before = ["total = 1\nprint(total)", '{}["missing"]']
    wait_for_sources(beside, before)
    beside.button("Replace the cell…").click()
    dialog = beside.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Replace cell 1 of work.ipynb?")
    expect(dialog.locator(".jp-mod-removed")).to_have_text(["- total = 1"])
    expect(dialog.locator(".jp-mod-added")).to_have_text(["+ total = 42"])
    dialog.get_by_role("button", name="Cancel").click()
    wait_for_sources(beside, before)
    beside.button("Replace the cell…").click()
    beside.page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    expect(beside.page.get_by_role("dialog")).to_be_hidden()
    wait_for_sources(beside, ["total = 42\nprint(total)", before[1]])
    beside.button("Insert into a new cell below").click()
    wait_for_sources(beside, ["total = 42\nprint(total)"] * 2 + before[1:])


def test_an_error_is_fixed_through_its_button(beside: Any, lab: Any) -> None:
    beside.choose(lab.script("code", (Say(ANSWER),)))
    beside.page.locator(f"{NOTEBOOK} .jp-Cell .cm-content").nth(1).click()
    beside.wait_for_kernel()
    beside.page.keyboard.press("Shift+Enter")
    fix = beside.page.locator(f"{NOTEBOOK} .jp-BestChat-fix")
    expect(fix).to_be_visible(timeout=60_000)
    fix.click()
    beside.ends()
    folds = beside.questions.last.locator("details")
    expect(folds.locator("summary")).to_have_text(["cell 2", "error KeyError"])
    folds.last.locator("summary").click()
    expect(folds.last.locator("pre")).to_contain_text("KeyError: 'missing'")
    beside.button("Replace the cell…").click()
    beside.page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    expect(beside.page.get_by_role("dialog")).to_be_hidden()
    wait_for_sources(beside, ["total = 1\nprint(total)", "total = 42\nprint(total)", ""])


def test_an_error_can_go_along_as_soon_as_it_is_there(beside: Any) -> None:
    beside.page.locator(f"{NOTEBOOK} .jp-Cell .cm-content").nth(1).click()
    beside.wait_for_kernel()
    beside.page.keyboard.press("Control+Enter")
    chips = beside.root.get_by_role("group", name="What goes along")
    expect(chips.get_by_role("button", name="error KeyError")).to_be_visible(timeout=60_000)
    # Shift+Enter goes on to the next cell; it is still the error that one looks at.
    beside.page.keyboard.press("Shift+Enter")
    expect(chips.get_by_role("button", name="cell 3")).to_be_visible()
    expect(chips.get_by_role("button", name="error KeyError")).to_be_visible()


def test_a_cell_is_explained_from_its_menu(beside: Any) -> None:
    beside.page.locator(f"{NOTEBOOK} .jp-Cell .jp-InputPrompt").first.click(button="right")
    menu = beside.page.locator(".lm-Menu-item")
    menu.filter(has_text="BestChat").hover()
    menu.filter(has_text="Explain the Cell").click()
    expect(beside.ends()).to_contain_text("Explain what this cell does.")
    expect(beside.questions.last.locator("summary")).to_have_text("cell 1")
