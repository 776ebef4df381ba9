"""Settings: keys that are tried, what answers cost, one's own data, what the site decided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from bestchat_server_ext.testing.model_host import ModelHost, serving

KEY = "sk-canary-of-the-settings"


@pytest.fixture
def host() -> Iterator[ModelHost]:
    """A host that speaks OpenAI's format and takes one key."""
    with serving(ModelHost(key=KEY, models={"good-model": 0})) as started:
        yield started


def settings(panel: Any, page: str) -> Any:
    """Open a page of the settings."""
    if panel.root.get_by_role("tablist", name="Settings").count() == 0:
        panel.button("Providers and settings").click()
    panel.root.get_by_role("tab", name=page).click()
    return panel.root.get_by_role("tabpanel", name=page)


def test_a_key_is_saved_tried_used_and_never_shown(lab: Any, panel: Any, host: ModelHost) -> None:
    page = settings(panel, "Providers")
    page.get_by_role("searchbox", name="Search providers").fill("compatible")
    page.get_by_text("OpenAI-compatible server").click()
    page.get_by_label("Address").fill(f"{host.url}/v1")
    page.get_by_label("Key", exact=True).fill("sk-wrong")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_role("alert")).to_contain_text("key", ignore_case=True)
    assert host.asked == []

    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_role("status")).to_contain_text("custom/good-model answers.")
    expect(page.get_by_label("Key", exact=True)).to_have_value("")
    assert len(host.asked) == 1
    assert KEY not in panel.page.content()

    panel.button("Providers and settings").click()
    panel.choose("good-model")
    panel.ask("Hello?")
    expect(panel.ends()).to_contain_text("Hello from the host.")
    assert host.asked[-1]["model"] == "good-model"

    page = settings(panel, "Providers")
    page.get_by_role("searchbox", name="Search providers").fill("compatible")
    page.get_by_text("OpenAI-compatible server").click()
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_text("set up by you")).to_have_count(0)
    for file in (p for p in (lab.folder / "bestchat").rglob("*") if p.is_file()):
        assert KEY.encode() not in file.read_bytes()
    assert KEY not in (lab.folder / "lab.log").read_text(encoding="utf-8")


def test_a_main_button_can_be_read_under_the_mouse(panel: Any) -> None:
    page = settings(panel, "Answers")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        panel.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
        )
        expect(panel.page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        button = page.get_by_role("button", name="Save").first
        button.hover()
        expect(button).to_have_css("color", "rgb(255, 255, 255)")
        expect(button).to_have_css("background-color", "rgb(21, 101, 192)")


def test_a_search_for_providers_that_finds_none_says_so(panel: Any) -> None:
    page = settings(panel, "Providers")
    page.get_by_role("searchbox", name="Search providers").fill("no-such-provider")
    expect(page.get_by_text("Nothing was found.")).to_be_visible()


def test_share_of_the_window_and_cost_of_the_whole_conversation(
    start_lab: Any, panel_on: Any, host: ModelHost
) -> None:
    lab = start_lab(
        AZURE_OPENAI_ENDPOINT=host.url,
        AZURE_OPENAI_API_KEY=KEY,
        BESTCHAT_DEFAULT_MODEL="azure/gpt-4o",
    )
    lab.wait()
    panel = panel_on(lab)
    host.tokens = (10_000, 1000)
    panel.ask("one")
    expect(panel.ends().locator(".jp-BestChat-facts")).to_contain_text("$0.035")
    whole = panel.root.get_by_role("group", name="Conversation", exact=True)
    expect(whole).to_contain_text("9% of 128k")
    expect(whole).to_contain_text("11k tokens")
    expect(whole).to_contain_text("$0.035")
    host.tokens = (110_000, 2000)
    panel.ask("two")
    expect(panel.answers).to_have_count(2)
    panel.ends()
    expect(whole).to_contain_text("88% of 128k")
    expect(whole).to_contain_text("123k tokens")
    expect(whole).to_contain_text("$0.33")
    expect(whole.locator(".jp-mod-warning")).to_have_count(1)

    page = settings(panel, "Usage")
    table = page.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_role("row").last).to_contain_text("Total2123k$0.33")
    page.get_by_role("button", name="By model").click()
    expect(table.get_by_role("row").nth(1)).to_contain_text("azure/gpt-4o")
    page.get_by_role("button", name="By conversation").click()
    expect(table.get_by_role("row").nth(1)).to_contain_text("one")
    expect(table.get_by_role("row")).to_have_count(3)


def test_what_is_set_for_new_conversations_and_for_the_open_one(
    start_lab: Any, panel_on: Any, host: ModelHost
) -> None:
    lab = start_lab(
        CUSTOM_BASE_URL=f"{host.url}/v1",
        CUSTOM_API_KEY=KEY,
        BESTCHAT_DEFAULT_MODEL="scripted/echo",
    )
    lab.wait()
    panel = panel_on(lab)
    form = settings(panel, "Answers").get_by_role("form", name="New conversations")
    form.get_by_label("Model").fill("custom/good-model")
    form.get_by_label("Standing instructions").fill("Answer briefly.")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("status")).to_have_text("Saved.")

    panel.open(lab.page())  # it is kept, and not by this page
    panel.ask("Hello?")
    expect(panel.ends()).to_contain_text("Hello from the host.")
    system = {"role": "system", "content": "Answer briefly."}
    assert host.asked[-1]["messages"][0] == system

    form = settings(panel, "Answers").get_by_role("form", name="“Hello?”")
    expect(form.get_by_label("Model")).to_have_value("custom/good-model")
    form.get_by_label("Standing instructions").fill("Answer at length.")
    form.get_by_label("Limit of cost").fill("cheap")
    form.get_by_role("button", name="Save").click()
    expect(panel.root.get_by_role("alert")).to_contain_text("is not an amount of US dollars")
    form.get_by_label("Limit of cost").fill("")
    form.get_by_role("button", name="Save").click()
    expect(panel.root.get_by_role("alert")).to_have_count(0)
    panel.button("Providers and settings").click()
    panel.ask("More?")
    expect(panel.answers).to_have_count(2)
    panel.ends()
    assert host.asked[-1]["messages"][0]["content"] == "Answer at length."


def test_data_is_taken_away_brought_in_and_deleted(
    start_lab: Any, panel_on: Any, tmp_path: Path
) -> None:
    lab = start_lab(BESTCHAT_DEFAULT_MODEL="scripted/echo")
    lab.wait()
    panel = panel_on(lab)
    for text in ("about apples", "about pears"):
        panel.button("New conversation").click()
        panel.ask(text)
        panel.ends()
    page = settings(panel, "Data")
    with panel.page.expect_download() as saved:
        page.get_by_role("button", name="Markdown").click()
    assert "about pears" in Path(saved.value.path()).read_text(encoding="utf-8")
    with panel.page.expect_download() as saved:
        page.get_by_role("button", name="Export all conversations").click()
    archive = tmp_path / saved.value.suggested_filename
    saved.value.save_as(archive)
    assert len(json.loads(archive.read_text(encoding="utf-8"))["conversations"]) == 2
    expect(page.get_by_role("status")).to_contain_text("2 conversations were exported.")

    delete = page.get_by_role("button", name="Delete all conversations")
    expect(delete).to_be_disabled()
    page.get_by_label("I want to delete all my conversations").check()
    delete.click()
    expect(page.get_by_role("status")).to_contain_text("2 conversations were deleted.")
    page.get_by_text("2 deleted conversations").click()
    trash = page.get_by_role("list", name="Deleted conversations").get_by_role("listitem")
    trash.filter(has_text="about apples").get_by_role("button", name="Bring back").click()
    expect(trash).to_have_count(1)
    page.get_by_role("button", name="Delete these for good").click()
    expect(trash).to_have_count(0)

    page.locator("input[type=file]").set_input_files(archive)
    expect(page.get_by_role("status")).to_contain_text("2 conversations were imported.")
    panel.button("Conversations").click()
    expect(panel.root.get_by_role("listitem")).to_have_count(3)
    expect(panel.root.get_by_role("listitem").filter(has_text="apples")).to_have_count(2)


def test_what_the_site_has_decided_is_shown_as_locked(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab(
        BESTCHAT_ALLOW_USER_KEYS="false",
        BESTCHAT_ALLOWED_MODELS="openai/*, scripted/*",
        BESTCHAT_DEFAULT_MODEL="scripted/echo",
        BESTCHAT_MAX_COST="2.50",
        BESTCHAT_HELP_URL="https://help.example/chat",
    )
    lab.wait()
    panel = panel_on(lab)
    page = settings(panel, "Providers")
    anthropic = page.locator("details", has_text="Anthropic")
    expect(anthropic).to_contain_text("locked by the site")
    anthropic.locator("summary").click()
    expect(anthropic).to_contain_text("it cannot be changed here")
    expect(page.locator("input[type=password]")).to_have_count(0)
    page = settings(panel, "Answers")
    rules = page.get_by_role("region", name="Set by the site")
    for said in ("openai/*, scripted/*", "scripted/echo", "2.50"):
        expect(rules).to_contain_text(said)
    expect(rules.get_by_role("link")).to_have_attribute("href", "https://help.example/chat")
    panel.button("Providers and settings").click()
    panel.root.locator(".jp-BestChat-pickerButton").click()
    expect(panel.root.get_by_role("option").first).to_contain_text("echo")
    headings = panel.root.locator(".jp-BestChat-optionHeading")
    expect(headings).to_have_text(["Scripted answers"])
