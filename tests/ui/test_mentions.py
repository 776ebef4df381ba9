"""What is written into a message with @ and /: completed, shown, sent along, and done."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from bestchat_server_ext.testing.script import Echo, Say, Wait

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"
SOURCES = ("sales = {'north': 1200, 'south': 800}", "missing_name", "import time; time.sleep(8)")


@pytest.fixture
def beside(panel: Any, lab: Any) -> Any:
    """The panel beside a notebook that has a variable, and an error."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(SOURCES)
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    folder = Path(lab.notebooks)
    (folder / "mentions.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (folder / "my data").mkdir(exist_ok=True)
    (folder / "my data" / "picture.bin").write_bytes(bytes(range(256)))
    (folder / "my data" / "rates.csv").write_text("from,to\nEUR,1.08\n", encoding="utf-8")
    panel.open(lab.page("lab/tree/mentions.ipynb"))
    panel.wait_for_kernel()
    for number in range(2):
        run(panel, number)
    return panel


def cell(panel: Any, number: int) -> Locator:
    found: Locator = panel.page.locator(f"{NOTEBOOK} .jp-Cell").nth(number)
    return found


def run(panel: Any, number: int) -> None:
    """Run a cell; what does not take its time has run then."""
    cell(panel, number).locator(".cm-content").click()
    panel.page.keyboard.press("Control+Enter")
    prompt = cell(panel, number).locator(".jp-InputPrompt")
    expect(prompt).to_have_text(
        re.compile(r"\[\*\]:" if "sleep" in SOURCES[number] else r"\[\d+\]:")
    )


def options(panel: Any) -> Locator:
    found: Locator = panel.root.get_by_role("listbox").get_by_role("option")
    return found


def mentioned(panel: Any) -> Locator:
    found: Locator = panel.root.get_by_role("list", name="Mentioned").get_by_role("listitem")
    return found


def test_a_variable_is_completed_shown_and_sent_in_few_words(beside: Any, tmp_path: Path) -> None:
    beside.composer.press_sequentially("What is in @sa")
    expect(options(beside)).to_have_text(["@salesdict"])
    field = beside.root.get_by_role("combobox", name="Message")
    expect(field).to_have_attribute("aria-expanded", "true")
    active = field.get_attribute("aria-activedescendant")
    assert options(beside).first.get_attribute("id") == active
    beside.page.screenshot(path=tmp_path / "options.png")
    field.press("Tab")
    expect(beside.composer).to_have_value("What is in @sales ")
    expect(mentioned(beside)).to_have_text([re.compile("✓ @sales variable")])
    beside.page.screenshot(path=tmp_path / "mentioned.png")
    beside.composer.press("Enter")
    expect(beside.ends()).to_contain_text("Attached variable sales")
    expect(beside.ends()).to_contain_text("1200")
    expect(beside.questions.last).to_contain_text("What is in @sales")
    expect(mentioned(beside)).to_have_count(0)


def test_a_file_is_found_folder_by_folder(beside: Any) -> None:
    beside.composer.press_sequentially("Read @file:my")
    expect(options(beside)).to_have_text(["@file:my data/folder"])
    beside.composer.press("Enter")
    expect(options(beside)).to_have_count(2)
    beside.composer.press("ArrowDown")
    expect(options(beside).nth(1)).to_have_attribute("aria-selected", "true")
    expect(options(beside).nth(1)).to_contain_text("rates.csv")
    beside.composer.press("Enter")
    expect(beside.composer).to_have_value('Read @file:"my data/rates.csv" ')
    expect(mentioned(beside)).to_have_text([re.compile("✓ .*rates.csv file")])
    beside.composer.press("Enter")
    expect(beside.ends()).to_contain_text("EUR,1.08")


def test_parts_of_the_notebook_go_along(beside: Any) -> None:
    cell(beside, 1).locator(".cm-content").click()
    beside.composer.fill("Why @error in @cell:2?")
    expect(mentioned(beside)).to_have_count(2)
    expect(mentioned(beside).first).to_have_attribute("data-state", "found")
    beside.composer.press("Enter")
    expect(beside.ends()).to_contain_text("NameError")
    expect(beside.ends()).to_contain_text("Attached cell 2")


def test_what_is_not_there_says_so_and_stays_text(beside: Any) -> None:
    beside.composer.fill('@salez, @file:nothing.csv, @file:"my data/picture.bin" and @cell:99?')
    expect(mentioned(beside)).to_have_text(
        [
            "@salez: The notebook has no such variable. Near: @sales",
            "@file:nothing.csv: There is no such file in the server's folder.",
            "@file:my data/picture.bin: It is no text: attach it with the clip.",
            "@cell:99: There is none in this notebook.",
        ]
    )
    beside.composer.press("Enter")
    expect(beside.ends()).to_contain_text("@salez")
    expect(beside.ends()).not_to_contain_text("Attached")


def test_a_busy_kernel_is_waited_for_and_not_for_long(beside: Any) -> None:
    run(beside, 2)
    beside.composer.fill("What is in @sales?")
    expect(mentioned(beside)).to_have_text(["@sales: kernel busy"], timeout=5000)
    beside.composer.press("Enter")
    expect(beside.questions).to_have_count(1, timeout=5000)
    expect(beside.ends()).to_contain_text("The notebook's kernel was busy")


def test_nothing_is_left_in_the_kernel(beside: Any) -> None:
    beside.composer.fill("@sales ")
    expect(mentioned(beside).first).to_have_attribute("data-state", "found")
    cell(beside, 0).locator(".cm-content").click()
    beside.page.keyboard.press("Control+a")
    beside.page.keyboard.type("print('bestchat_kernel' in dir(), 'inventory' in str(In[:-1]))")
    beside.page.keyboard.press("Control+Enter")
    expect(cell(beside, 0).locator(".jp-OutputArea-output")).to_contain_text("False False")


def test_commands_are_listed_and_done(panel: Any, lab: Any) -> None:
    panel.composer.press_sequentially("/")
    expect(options(panel).first).to_contain_text("/help")
    panel.composer.press("Escape")
    expect(options(panel)).to_have_count(0)
    expect(panel.composer).to_have_value("/")

    other = lab.script("spoken-to", (Echo("Other: "),))
    panel.composer.fill("")
    panel.composer.press_sequentially("/mo")
    expect(options(panel).first).to_contain_text("/model")
    panel.composer.press("Enter")
    expect(panel.composer).to_have_value("/model ")
    panel.composer.fill(f"/model {other}")
    panel.composer.press("Enter")
    expect(panel.composer).to_have_value("")
    panel.ask("Hello.")
    expect(panel.ends()).to_contain_text("Other: Hello.")

    panel.composer.fill("/rename Of spoken things")
    panel.composer.press("Enter")
    expect(panel.root.locator(".jp-BestChat-header h2")).to_have_text("Of spoken things")
    with panel.page.expect_download() as download:
        panel.composer.fill("/export json")
        panel.composer.press("Enter")
    assert download.value.suggested_filename == "Of-spoken-things.json"
    assert b"Other: Hello." in Path(download.value.path()).read_bytes()

    panel.composer.press_sequentially("/ne")
    expect(options(panel).first).to_contain_text("/new")
    panel.composer.press("Enter")
    expect(panel.questions).to_have_count(0)
    expect(panel.composer).to_have_value("")


def test_help_says_what_can_be_written(panel: Any, tmp_path: Path) -> None:
    panel.composer.fill("/help")
    panel.composer.press("Enter")
    dialog = panel.page.get_by_role("dialog")
    expect(dialog).to_contain_text("/export")
    expect(dialog).to_contain_text("@file:path")
    panel.page.screenshot(path=tmp_path / "help.png")
    dialog.get_by_role("button", name="Close").click()


def test_fix_is_asked_about_the_cell(beside: Any) -> None:
    cell(beside, 1).locator(".cm-content").click()
    beside.composer.fill("/fix")
    beside.composer.press("Enter")
    expect(beside.questions.last).to_contain_text("This cell does not work.")
    expect(beside.ends()).to_contain_text("NameError")


def test_what_is_no_command_is_said(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("slow", (Say("One"), Wait(20.0))))
    panel.ask("/usr/bin/env: what is it?")
    expect(panel.questions.last).to_contain_text("/usr/bin/env: what is it?")
    expect(panel.answers.last).to_contain_text("One")
    panel.composer.fill("/stop")
    panel.composer.press("Enter")
    panel.ends("cancelled")


PAGE = "<title>Rivers</title><p>The Rhine is 1,230 km long."


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What the page waits for; it is open, until a test closes it."""
    opened = threading.Event()
    opened.set()
    yield opened
    opened.set()


@pytest.fixture
def page_url(gate: threading.Event) -> Iterator[str]:
    """A page of a server on this machine, which the tests' Jupyter Server may fetch."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            gate.wait(60)
            self.send_response(200 if self.path == "/rivers" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/rivers"
        server.shutdown()
        thread.join()


def test_a_page_goes_along(panel: Any, page_url: str, tmp_path: Path) -> None:
    panel.composer.press_sequentially("How long? @ur")
    expect(options(panel)).to_have_text(["@url:a page on the web"])
    panel.composer.press("Enter")
    expect(panel.composer).to_have_value("How long? @url:")
    panel.composer.fill("How long? @url:http://127.0.0.1.")
    expect(mentioned(panel)).to_have_count(0)  # it is still being written
    panel.composer.fill(f"How long? @url:{page_url} ")
    expect(mentioned(panel)).to_have_text([re.compile(f"✓ @url:{page_url} page")])
    panel.page.screenshot(path=tmp_path / "page.png")
    panel.composer.press("Enter")
    expect(panel.ends()).to_contain_text("The Rhine is 1,230 km long.")
    expect(panel.questions.last).to_contain_text("How long?")


def test_what_takes_its_time_is_sent_where_it_was_written(
    panel: Any, page_url: str, gate: threading.Event
) -> None:
    panel.ask("Here?")
    panel.ends()
    gate.clear()
    panel.composer.fill(f"How long? @url:{page_url} ")
    panel.composer.press("Enter")
    expect(panel.root.get_by_text("Sending: How long?")).to_be_visible()
    panel.composer.fill("Also this.")
    panel.composer.press("Enter")
    panel.button("New conversation").click()
    expect(panel.questions).to_have_count(0)
    panel.composer.fill("a draft")
    gate.set()
    expect(panel.root.get_by_text("Sending:")).to_have_count(0)
    expect(panel.questions).to_have_count(0)
    expect(panel.composer).to_have_value("a draft")
    panel.composer.fill("")
    panel.button("Conversations").click()
    panel.root.get_by_role("button", name="Here?").click()
    expect(panel.questions).to_have_text(["Here?", re.compile("How long?"), "Also this."])
    expect(panel.answers).to_have_count(3)
    expect(panel.answers.nth(1)).to_contain_text("The Rhine is 1,230 km long.")


def test_what_is_looked_at_beforehand_is_what_goes(beside: Any, page_url: str) -> None:
    beside.composer.fill(f"What is @sales beside @url:{page_url}/none ? ")
    expect(mentioned(beside)).to_have_text([re.compile("✓ @sales"), re.compile("404")])
    fold = beside.root.get_by_text("What will be sent")
    fold.click()
    shown = beside.root.locator(".jp-BestChat-willBeSent .jp-BestChat-attachment")
    expect(shown).to_have_text([re.compile("sales"), re.compile("It could not be had.")])
    change_sales(beside, "{'hidden': 1}")
    beside.composer.press("Enter")
    answer = beside.ends()
    expect(answer).to_contain_text("It could not be had.")
    assert "hidden" not in answer.inner_text()
    fold.wait_for(state="detached")

    beside.composer.fill("And @sales ? ")
    expect(mentioned(beside)).to_have_text([re.compile("✓ @sales")])
    fold.click()  # it is open still, and closed now
    change_sales(beside, "{'another': 2}")
    beside.composer.press_sequentially("Or @fo")
    fold.click()
    expect(beside.root.get_by_text("@fo is looked up when it is sent.")).to_be_visible()
    fold.click()
    beside.composer.press("Enter")
    expect(beside.ends()).to_contain_text("another")


def change_sales(panel: Any, value: str) -> None:
    cell(panel, 0).locator(".cm-content").click()
    panel.page.keyboard.press("Control+a")
    panel.page.keyboard.type(f"sales = {value}; print('changed')")
    panel.page.keyboard.press("Control+Enter")
    expect(cell(panel, 0).locator(".jp-OutputArea-output")).to_contain_text("changed")


def test_a_page_that_cannot_be_had_is_said_to_everybody(panel: Any, page_url: str) -> None:
    panel.composer.fill(f"What is in @url:{page_url}/none and @url:http://10.0.0.1/ ?")
    expect(mentioned(panel)).to_have_text(
        [
            re.compile("@url:.*/none: 127.0.0.1 answers 404."),
            re.compile(
                "@url:http://10.0.0.1/: 10.0.0.1 is on this machine or in a private network"
            ),
        ]
    )
    panel.composer.press("Enter")
    expect(panel.ends()).to_contain_text("It could not be had. 127.0.0.1 answers 404.")


def test_another_conversation_goes_along(panel: Any) -> None:
    panel.ask("The word is Grimsel.")
    panel.ends()
    panel.composer.fill("/rename Of a word")
    panel.composer.press("Enter")
    expect(panel.root.locator(".jp-BestChat-header h2")).to_have_text("Of a word")
    panel.composer.fill("/new")
    panel.composer.press("Enter")
    expect(panel.questions).to_have_count(0)
    expect(panel.composer).to_have_value("")
    panel.composer.press_sequentially('Which? @conversation:"of a w')
    expect(options(panel)).to_have_text([re.compile("@conversation:Of a word")])
    panel.composer.press("Enter")
    expect(panel.composer).to_have_value('Which? @conversation:"Of a word" ')
    expect(mentioned(panel)).to_have_text([re.compile("✓ @conversation:Of a word conversation")])
    panel.composer.press("Enter")
    expect(panel.ends()).to_contain_text("The word is Grimsel.")
