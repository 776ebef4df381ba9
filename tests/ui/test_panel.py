"""The panel: ask, read, stop, come back."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from bestchat_server_ext.testing.script import Fail, Report, Say, Think, Wait

STORY = " ".join(f"word{number}" for number in range(400))


def slowly(text: str, size: int = 40, pause: float = 0.15) -> tuple[Any, ...]:
    """A text that takes its time."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return tuple(action for piece in pieces for action in (Say(piece, size), Wait(pause)))


def test_a_question_is_answered_and_the_answer_names_its_model(panel: Any, tmp_path: Any) -> None:
    panel.ask("What is **bold**?")
    answer = panel.ends()
    expect(answer.locator("strong")).to_have_text("bold")
    expect(answer.locator(".jp-BestChat-model")).to_have_text("echo · script")
    expect(panel.questions).to_have_text(["What is **bold**?"])
    expect(panel.composer).to_have_value("")
    expect(panel.root.locator(".jp-BestChat-header h2")).to_have_text("What is **bold**?")
    panel.page.screenshot(path=tmp_path / "panel.png")


def test_an_answer_goes_on_over_a_reload(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("story", slowly(STORY)))
    panel.ask("Tell me a story.")
    expect(panel.answers.last).to_contain_text("word30 ")
    expect(panel.answers.last).to_have_attribute("aria-busy", "true")
    panel.open(lab.page())
    expect(panel.questions).to_have_text(["Tell me a story."])
    expect(panel.answers.last).to_contain_text("word60 ")
    expect(panel.answers.last).to_have_attribute("aria-busy", "true")
    assert panel.ends().locator(".jp-BestChat-prose").inner_text().split() == STORY.split()


def test_two_tabs_are_in_step(panel: Any, lab: Any, page: Page) -> None:
    other = type(panel)(page.context.new_page())
    panel.choose(lab.script("story", slowly(STORY)))
    panel.ask("Tell me a story.")
    expect(panel.answers.last).to_contain_text("word10 ")
    other.open(lab.page("lab/workspaces/other"))
    expect(other.answers.last).to_contain_text("word80 ")
    expect(panel.answers.last).to_contain_text("word80 ")
    other.button("Stop").click()
    panel.ends("cancelled")
    other.ends("cancelled")
    assert "word399" not in panel.answers.last.inner_text()
    panel.ask("Again?")
    expect(other.questions).to_have_text(["Tell me a story.", "Again?"])


def test_an_error_says_what_to_do_and_can_be_asked_again(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("broken", (Fail("context_overflow", "Too long for this model."),)))
    panel.ask("Hello?")
    answer = panel.ends("failed")
    expect(answer.get_by_role("alert")).to_contain_text("Too long for this model.")
    lab.script("broken", (Say("Now it works."),))
    expect(panel.button("Continue")).to_have_count(0)  # nothing had begun
    panel.button("Ask again").click()
    expect(panel.ends()).to_contain_text("Now it works.")


def test_a_first_message_that_is_refused_stays_the_users(panel: Any, lab: Any) -> None:
    panel.page.route("**/api/turns.start", lambda route: route.abort())
    panel.ask("Who are you?")
    expect(panel.composer).to_have_value("Who are you?")
    panel.open(lab.page())
    expect(panel.composer).to_have_value("Who are you?")
    panel.page.unroute_all()
    panel.composer.press("Enter")
    expect(panel.ends()).to_contain_text("Who are you?")
    expect(panel.composer).to_have_value("")


def test_thoughts_are_folded_and_tokens_are_counted(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("thinker", (Think("Hm, let me see."), Say("42"), Report(1200, 34))))
    panel.ask("What is it?")
    answer = panel.ends()
    expect(answer.get_by_text("Hm, let me see.")).to_be_hidden()
    answer.get_by_text("Thoughts").click()
    expect(answer.get_by_text("Hm, let me see.")).to_be_visible()
    expect(answer.locator(".jp-BestChat-facts")).to_contain_text("1.2k tokens")


def test_where_everything_fits_there_is_no_way_to_the_end(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("long", (Say("line\n\n" * 60),)))
    panel.ask("Much, please.")
    panel.ends()
    panel.root.locator(".jp-BestChat-scroller").evaluate("e => { e.scrollTop = 0; }")
    expect(panel.button("Go to the newest message")).to_be_visible()
    panel.page.set_viewport_size({"width": 1280, "height": 4000})
    expect(panel.button("Go to the newest message")).to_have_count(0)


def test_the_keyboard_stays_where_one_writes(panel: Any) -> None:
    panel.ask("Hello?")  # by its answer, JupyterLab has given the focus to what it opens first
    panel.ends()
    picker = panel.root.locator(".jp-BestChat-pickerButton")
    panel.choose("echo")
    expect(panel.composer).to_be_focused()
    picker.click()
    panel.root.get_by_role("combobox", name="Search models").press("Escape")
    expect(picker).to_be_focused()
    for _ in range(2):  # also where it is new already
        panel.button("New conversation").click()
        expect(panel.composer).to_be_focused()
    panel.button("Conversations").click()
    panel.page.evaluate("() => jupyterapp.commands.execute('bestchat:choose-model')")
    search = panel.root.get_by_role("combobox", name="Search models")
    expect(search).to_be_focused()
    search.fill("echo")
    search.press("Enter")
    expect(panel.composer).to_be_focused()


def test_an_answer_is_stopped_by_the_keyboard(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("story", slowly(STORY)))
    panel.ask("one")
    expect(panel.answers.last).to_contain_text("word10 ")
    panel.composer.fill("@")
    panel.composer.press("Escape")  # this one closes the list
    expect(panel.button("Stop")).to_be_enabled()
    panel.composer.press("Escape")
    panel.ends("cancelled")
    expect(panel.composer).to_be_focused()
    panel.ask("two")
    expect(panel.answers).to_have_count(2)
    expect(panel.answers.last).to_contain_text("word10 ")
    panel.root.locator(".jp-BestChat-scroller").press("Escape")
    panel.ends("cancelled")
    panel.ask("three")
    expect(panel.answers).to_have_count(3)
    expect(panel.answers.last).to_contain_text("word10 ")
    panel.button("Stop").click()
    expect(panel.composer).to_be_focused()
    panel.ends("cancelled")


def test_branches_are_walked(panel: Any) -> None:
    panel.ask("first")
    panel.ends()
    panel.questions.last.hover()
    panel.button("Edit: ask this differently").click()
    editor = panel.root.get_by_role("textbox", name="Edit your message")
    editor.fill("second")
    panel.button("Send as a new branch").click()
    expect(panel.questions).to_have_text(["second2/2"])
    expect(panel.ends()).to_contain_text("second")
    panel.button("Previous branch").first.click()
    expect(panel.answers.last).to_contain_text("first")
    panel.ask("more")
    expect(panel.answers).to_have_count(2)
    panel.ends()
    panel.button("Next branch").first.click()
    expect(panel.questions).to_have_text(["second2/2"])


def test_what_has_grown_stays_as_it_stands(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("two", (Say("One.\n\n"), *slowly(STORY[:400]))))
    panel.ask("Tell me.")
    expect(panel.answers.last).to_contain_text("word10 ")
    panel.answers.last.locator(".jp-BestChat-prose").first.evaluate("e => { e.dataset.mine = 1; }")
    expect(panel.ends().locator(".jp-BestChat-prose").first).to_have_attribute("data-mine", "1")


def test_an_answer_is_given_again_and_copied(panel: Any, page: Page) -> None:
    panel.ask("**bold** it is")
    panel.ends()
    panel.answers.last.hover()
    panel.button("Answer again, as a new branch").click()
    branches = panel.answers.last.get_by_role("group", name="Branches")
    expect(branches).to_contain_text("2/2")
    panel.ends()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.answers.last.hover()
    panel.button("Copy answer").click()
    expect(panel.button("Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == "**bold** it is"
    panel.button("Previous branch").click()
    expect(branches).to_contain_text("1/2")


def test_a_draft_and_asked_prompts_survive_a_reload(panel: Any, lab: Any) -> None:
    panel.ask("asked before")
    panel.ends()
    panel.composer.fill("half a thou")
    panel.open(lab.page())
    expect(panel.composer).to_have_value("half a thou")
    panel.composer.press("Home")
    panel.composer.press("ArrowUp")
    expect(panel.composer).to_have_value("asked before")
    panel.composer.press("ArrowDown")
    expect(panel.composer).to_have_value("half a thou")


def test_conversations_are_found_again(panel: Any) -> None:
    panel.ask("about giraffes")
    panel.ends()
    panel.button("New conversation").click()
    expect(panel.answers).to_have_count(0)
    panel.ask("about zebras")
    panel.ends()
    panel.button("Conversations").click()
    panel.root.get_by_role("searchbox", name="Search conversations").fill("giraffe")
    found = panel.root.get_by_role("listitem").filter(has=panel.page.locator("mark"))
    expect(found).to_contain_text(["giraffes"])
    found.get_by_role("button").click()
    expect(panel.questions).to_have_text(["about giraffes"])


def test_a_server_that_is_killed_and_comes_back(start_lab: Any, panel_on: Any) -> None:
    lab = start_lab(BESTCHAT_DEFAULT_MODEL="scripted/story")
    lab.script("story", slowly(STORY))
    lab.wait()
    panel = panel_on(lab)
    panel.ask("Tell me a story.")
    expect(panel.answers.last).to_contain_text("word80 ")
    lab.kill()
    expect(panel.root.get_by_text("Reconnecting…")).to_be_visible(timeout=20_000)
    lab.start()
    answer = panel.ends("interrupted", seconds=60)  # its lease has to run out
    expect(answer).to_contain_text("word40 ")
    expect(answer.get_by_role("alert")).to_contain_text("The server stopped")
    expect(panel.root.get_by_text("Reconnecting…")).to_be_hidden()


def test_a_message_waits_for_the_answer_before_it(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("story", slowly(STORY)))
    panel.ask("first")
    expect(panel.answers.last).to_contain_text("word10 ")
    panel.ask("second")
    panel.ask("third")
    waiting = panel.root.get_by_role("list", name="Waiting messages").get_by_role("listitem")
    expect(waiting).to_contain_text(["second", "third"])
    waiting.last.get_by_role("button", name="Take back").click()
    expect(waiting).to_contain_text(["second"])
    expect(panel.questions).to_have_text(["first", "second"])
    panel.ends()
    expect(panel.answers).to_have_count(2)


def test_a_stopped_answer_is_continued(panel: Any, lab: Any) -> None:
    panel.choose(lab.script("story", slowly(STORY)))
    panel.ask("Tell me a story.")
    expect(panel.answers.last).to_contain_text("word10 ")
    panel.button("Stop").click()
    panel.ends("cancelled")
    lab.script("story", (Say("And that was the end."),))
    panel.button("Continue").click()
    expect(panel.ends()).to_contain_text("And that was the end.")
    expect(panel.questions).to_have_count(1)


def test_a_conversation_is_starred_put_away_deleted_and_brought_back(panel: Any) -> None:
    panel.ask("about elephants")
    panel.ends()
    panel.button("Conversations").click()
    item = panel.root.get_by_role("listitem").filter(has_text="about elephants")
    item.hover()
    item.get_by_role("button", name="Star").click()
    panel.button("Starred").click()
    expect(item).to_have_count(1)
    item.hover()
    item.get_by_role("button", name="Archive").click()
    panel.button("Archived").click()
    expect(item).to_have_count(1)
    item.hover()
    item.get_by_role("button", name="Delete").click()
    expect(item).to_have_count(0)
    panel.button("Undo").click()
    expect(item).to_have_count(1)
    item.hover()
    item.get_by_role("button", name="Bring back").click()
    panel.button("All").click()
    expect(item).to_have_count(1)


def test_a_conversation_that_is_deleted_in_another_tab(panel: Any, lab: Any, page: Page) -> None:
    panel.ask("about hippos")
    panel.ends()
    other = type(panel)(page.context.new_page())
    other.open(lab.page("lab/workspaces/other"))
    expect(other.questions).to_have_text(["about hippos"])
    panel.button("Conversations").click()
    item = panel.root.get_by_role("listitem").filter(has_text="about hippos")
    item.hover()
    item.get_by_role("button", name="Delete").click()
    expect(other.root.get_by_role("status")).to_contain_text("This conversation was deleted.")
    expect(other.composer).to_have_count(0)
    other.button("Undo").click()
    expect(other.root.get_by_role("status")).to_have_count(0)
    other.ask("still there?")
    expect(other.ends()).to_contain_text("still there?")


def test_a_message_is_pinned(panel: Any, lab: Any) -> None:
    panel.ask("Remember this.")
    panel.ends()
    panel.questions.last.hover()
    panel.button("Pin: keep it in every request").first.click()
    expect(panel.button("Unpin")).to_have_count(1)
    panel.open(lab.page())
    expect(panel.button("Unpin")).to_have_count(1)
