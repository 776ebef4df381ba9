"""The first minutes: no key, a key in the shell, a site's policy, a server without BestChat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from bestchat_server_ext.testing.model_host import ModelHost, serving

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"


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
    lab = start_lab(OPENAI_API_KEY="sk-canary-of-the-shell", OLLAMA_HOST="http://127.0.0.1:9")
    lab.wait()
    panel = panel_on(lab)
    expect(panel.root.locator(".jp-BestChat-pickerButton")).to_contain_text("gpt-5-mini")
    card = panel.root.get_by_role("region", name="Who answers")
    expect(card).to_contain_text("OPENAI_API_KEY was found in the environment.")
    expect(card).to_contain_text("gpt-5-mini answers. $0.25 / $2 for a million tokens in / out")
    card.get_by_role("button", name="Change…").click()
    expect(panel.root.get_by_role("option").first).to_be_visible()
    panel.page.keyboard.press("Escape")
    card.get_by_role("button", name="OK").click()
    panel.open(lab.page())
    expect(panel.root.locator(".jp-BestChat-pickerButton")).to_contain_text("gpt-5-mini")
    expect(card).to_have_count(0)
    panel.button("Providers and settings").click()
    expect(panel.root.get_by_text("key found in OPENAI_API_KEY")).to_be_visible()
    assert "sk-canary" not in panel.page.content()


def test_with_several_keys_one_is_asked_once(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab(OPENAI_API_KEY="sk-1", ANTHROPIC_API_KEY="sk-2", OLLAMA_HOST="127.0.0.1:9")
    lab.wait()
    panel = panel_on(lab)
    ready = panel.root.get_by_role("region", name="Ready to answer")
    expect(ready.get_by_role("listitem")).to_have_count(2)
    expect(ready).to_contain_text("OpenAI, by OPENAI_API_KEY")
    expect(ready).to_contain_text("$0.25 / $2")
    ready.get_by_role("button", name="Use gpt-5-mini").click()
    expect(panel.root.locator(".jp-BestChat-pickerButton")).to_contain_text("gpt-5-mini")
    expect(ready).to_have_count(0)
    panel.open(lab.page())
    expect(panel.root.locator(".jp-BestChat-pickerButton")).to_contain_text("gpt-5-mini")


def test_an_ollama_that_runs_is_found(start_lab: Any, panel_on: Any) -> None:
    with serving(ModelHost(models={"qwen3:4b": 40_960, "tiny:1b": 2048})) as host:
        lab = start_lab(OLLAMA_HOST=host.url)
        lab.wait()
        panel = panel_on(lab)
        card = panel.root.get_by_role("region", name="Ollama", exact=True)
        expect(card).to_contain_text("stays on this machine")
        expect(card.get_by_role("listitem")).to_contain_text(["qwen3:4b", "tiny:1b"])
        expect(card.get_by_role("listitem").first).to_contain_text("41k window")
        card.get_by_role("button", name="Use qwen3:4b").click()
        panel.ask("Hello?")
        expect(panel.ends()).to_contain_text("Hello from Ollama.")
        assert [asked["model"] for asked in host.asked] == ["qwen3:4b"]
        picture = {"name": "dot.png", "mimeType": "image/png", "buffer": b"not looked at here"}
        panel.root.locator("input[type=file]").set_input_files(picture)
        expect(panel.root.get_by_text("qwen3:4b cannot look at pictures")).to_be_visible()
        panel.button("Remove dot.png").click()
        expect(panel.root.get_by_text("qwen3:4b cannot look at pictures")).to_have_count(0)


def test_an_ollama_without_models_says_what_to_type(start_lab: Any, panel_on: Any) -> None:
    with serving(ModelHost()) as host:
        lab = start_lab(OLLAMA_HOST=host.url)
        lab.wait()
        panel = panel_on(lab)
        card = panel.root.get_by_role("region", name="Ollama", exact=True)
        expect(card.locator("code")).to_have_text("ollama pull qwen3:4b")
        assert host.asked == []


def test_the_tour_goes_into_a_notebook_and_back(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab(BESTCHAT_DEFAULT_MODEL="scripted/echo")
    lab.wait()
    panel = panel_on(lab)
    panel.root.get_by_role("region", name="In a notebook").get_by_role("button").click()
    page = panel.page
    expect(page.locator(f"{NOTEBOOK} .jp-Cell")).to_have_count(5)
    panel.wait_for_kernel()
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    outputs = page.locator(f"{NOTEBOOK} .jp-OutputArea-output")
    answer = outputs.filter(has_text="Which city of @df sells most?")
    expect(answer.first).to_contain_text("120", timeout=60_000)  # the table went along
    expect(page.locator(f"{NOTEBOOK} .jp-mod-error")).to_have_count(0)
    answer.first.hover()  # whoever comes back from the notebook is offered its conversation
    panel.root.get_by_role("heading", name="What are you working on?").hover()
    panel.root.get_by_role("region", name="This notebook's conversation").get_by_role(
        "button"
    ).click()
    expect(panel.questions.first).to_contain_text("Which city of @df sells most?")
    panel.ask("And least?")
    expect(panel.answers).to_have_count(2)
    expect(panel.ends()).to_contain_text("And least?")


def test_a_site_that_provides_the_models_asks_for_no_key(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab(
        BESTCHAT_ALLOW_USER_KEYS="false",
        BESTCHAT_HELP_URL="https://help.example/chat",
        OLLAMA_HOST="http://127.0.0.1:9",
    )
    lab.wait()
    panel = panel_on(lab)
    expect(panel.root.get_by_text("Models are provided by your site.")).to_be_visible()
    expect(panel.root.get_by_label("Key", exact=True)).to_have_count(0)
    help_link = panel.root.get_by_role("link", name="Help from your site")
    expect(help_link).to_have_attribute("href", "https://help.example/chat")
    panel.button("Providers and settings").click()
    expect(panel.root.get_by_text("keys of your own are switched off")).to_be_visible()
    expect(panel.root.locator("input[type=password]")).to_have_count(0)


def test_a_light_install_names_the_command(start_lab: Any, panel_on: Any, tmp_path: Path) -> None:
    # What a light install lacks, this server cannot import.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['sqlalchemy'] = None\n", encoding="utf-8"
    )
    lab = start_lab(PYTHONPATH=str(tmp_path))
    lab.wait()
    panel = panel_on(lab)
    missing = panel.root.get_by_role("alert", name="What is missing")
    expect(missing.locator("code")).to_have_text('pip install "bestchat[lab]"')


def test_a_server_without_the_extension_names_the_command(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab("--ServerApp.jpserver_extensions={'bestchat_server_ext': False}")
    lab.wait()
    panel = panel_on(lab)
    expect(panel.root.get_by_role("alert").first).to_contain_text(
        "jupyter server extension enable bestchat_server_ext"
    )
