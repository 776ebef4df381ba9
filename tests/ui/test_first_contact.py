"""The first minutes: no key, a key in the shell, a site's policy, a server without BestChat."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect


def test_without_a_key_there_are_three_ways(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab(BESTCHAT_SCRIPTS_DIR="", OLLAMA_HOST="http://127.0.0.1:9")
    lab.wait()
    panel = panel_on(lab)
    cards = panel.root.get_by_role("region")
    expect(cards).to_have_count(3)
    expect(panel.root.get_by_role("region", name="Try the demo model")).to_contain_text("93 MB")
    demo = panel.root.get_by_role("region", name="Try the demo model")
    expect(demo).to_contain_text("bestchat models add smollm2-135m")
    key = panel.root.get_by_role("region", name="Paste a key")
    key.get_by_role("combobox", name="Provider").select_option(label="Anthropic")
    key.get_by_label("Key", exact=True).fill("sk-ant-not-a-real-key")
    assert key.get_by_label("Key", exact=True).get_attribute("type") == "password"
    address = panel.root.get_by_role("region", name="Connect Ollama or a URL")
    expect(address).to_contain_text("stays on this machine")


def test_a_key_in_the_shell_is_found_and_said(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab(OPENAI_API_KEY="sk-canary-of-the-shell")
    lab.wait()
    panel = panel_on(lab)
    expect(panel.root.locator(".jp-BestChat-pickerButton")).not_to_contain_text("Choose")
    panel.button("Providers and settings").click()
    expect(panel.root.get_by_text("key found in OPENAI_API_KEY")).to_be_visible()
    assert "sk-canary" not in panel.page.content()


def test_a_site_that_provides_the_models_asks_for_no_key(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab(BESTCHAT_ALLOW_USER_KEYS="false", OLLAMA_HOST="http://127.0.0.1:9")
    lab.wait()
    panel = panel_on(lab)
    expect(panel.root.get_by_text("Models are provided by your site.")).to_be_visible()
    expect(panel.root.get_by_label("Key", exact=True)).to_have_count(0)
    panel.button("Providers and settings").click()
    expect(panel.root.get_by_text("keys of your own are switched off")).to_be_visible()
    expect(panel.root.locator("input[type=password]")).to_have_count(0)


def test_a_server_without_the_extension_names_the_command(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab("--ServerApp.jpserver_extensions={'bestchat_server_ext': False}")
    lab.wait()
    panel = panel_on(lab)
    expect(panel.root.get_by_role("alert").first).to_contain_text(
        "jupyter server extension enable bestchat_server_ext"
    )
