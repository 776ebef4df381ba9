"""Files in the panel: picked, pasted and dropped, sent along, shown, and downloaded."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Route, expect

TABLE = "month,sales\n" + "".join(f"2026-{month:02},{month * 11}\n" for month in range(1, 13))


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of five megabytes: noise, which no format makes smaller."""
    noise = random.Random(7).randbytes(1400 * 1200 * 3)
    path = tmp_path_factory.mktemp("files") / "noise.png"
    Image.frombytes("RGB", (1400, 1200), noise).save(path, compress_level=0)
    assert 5_000_000 < path.stat().st_size < 6_000_000
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def pick(panel: Any, *paths: Path) -> None:
    with panel.page.expect_file_chooser() as chooser:
        panel.button("Attach files").click()
    chooser.value.set_files(list(paths))


def chips(panel: Any) -> Locator:
    return panel.root.get_by_role("list", name="Attached files").get_by_role("listitem")


def keep(held: list[Route]) -> Callable[[Route], None]:
    """Hold requests back. Playwright cannot call a list's own method."""

    def hold(route: Route) -> None:
        held.append(route)

    return hold


def hand_over(panel: Any, kind: str, name: str, content: str) -> None:
    """Drop or paste a file, as the browser tells it."""
    panel.composer.evaluate(
        """(element, [kind, name, content]) => {
            const given = new DataTransfer();
            given.items.add(new File([content], name, { type: "text/csv" }));
            const more = { bubbles: true, cancelable: true };
            if (kind === "paste") {
                element.dispatchEvent(
                    new ClipboardEvent("paste", { ...more, clipboardData: given }));
            } else {
                for (const step of ["dragenter", "dragover", "drop"]) {
                    element.dispatchEvent(new DragEvent(step, { ...more, dataTransfer: given }));
                }
            }
        }""",
        [kind, name, content],
    )


def test_a_large_picture_and_a_table_go_along_and_come_back(
    panel: Any, picture: Path, table: Path, tmp_path: Path
) -> None:
    panel.composer.fill("What do they show?")
    pick(panel, picture, table)
    expect(chips(panel)).to_have_count(2)
    expect(chips(panel).first).to_contain_text("noise.png5.0 MB")
    expect(chips(panel).first).to_have_attribute("data-state", "ready")
    expect(chips(panel).last).to_have_attribute("data-state", "ready")
    expect(chips(panel).first.locator("img")).to_be_visible()
    expect(panel.composer).to_have_value("What do they show?")
    panel.page.screenshot(path=tmp_path / "chips.png")
    panel.composer.press("Enter")
    answer = panel.ends()
    expect(chips(panel)).to_have_count(0)
    # The script says back what a model was sent as text.
    expect(answer).to_contain_text("Attached file")
    expect(answer).to_contain_text("2026-12,132")

    shown = panel.questions.last
    image = shown.locator("img")
    expect(image).to_be_visible()
    assert image.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [1400, 1200]
    panel.page.screenshot(path=tmp_path / "sent.png")
    for path in (picture, table):
        with panel.page.expect_download() as download:
            shown.get_by_role("button", name=path.name).click()
        assert download.value.suggested_filename == path.name
        assert Path(download.value.path()).read_bytes() == path.read_bytes()


def test_files_are_pasted_and_dropped(panel: Any) -> None:
    hand_over(panel, "paste", "pasted.csv", "a,b\n1,2\n")
    expect(chips(panel)).to_have_text(["pasted.csv8 B"])
    hand_over(panel, "drop", "dropped.csv", "c,d\n3,4\n")
    expect(chips(panel)).to_have_text(["pasted.csv8 B", "dropped.csv8 B"])
    expect(chips(panel).last).to_have_attribute("data-state", "ready")
    panel.composer.press("Enter")  # without a word
    expect(panel.ends()).to_contain_text("3,4")
    expect(panel.questions.last).to_contain_text("Look at this.")


def test_what_is_removed_before_sending_does_not_go_along(panel: Any, table: Path) -> None:
    pick(panel, table)
    expect(chips(panel).first).to_have_attribute("data-state", "ready")
    hand_over(panel, "drop", "other.csv", "only,this\n")
    with panel.page.expect_response("**/files.delete") as answer:
        panel.button("Remove sales.csv").click()
    assert answer.value.status == 200
    expect(chips(panel)).to_have_text(["other.csv10 B"])
    panel.ask("Well?")
    answered = panel.ends()
    expect(answered).to_contain_text("only,this")
    expect(answered).not_to_contain_text("sales")


def test_a_slow_upload_shows_how_far_it_has_come_and_can_be_stopped(
    panel: Any, picture: Path
) -> None:
    held: list[Route] = []
    panel.page.route("**/api/files/*", keep(held))
    pick(panel, picture)
    expect(panel.root.get_by_role("progressbar", name="Sending noise.png")).to_be_visible()
    expect(chips(panel).first).to_have_attribute("data-state", "sending")
    panel.button("Remove noise.png").click()
    expect(chips(panel)).to_have_count(0)
    panel.page.unroute("**/api/files/*")
    panel.ask("Without it.")
    expect(panel.ends()).to_contain_text("Without it.")


def test_what_is_typed_waits_for_the_file_that_is_on_its_way(panel: Any, table: Path) -> None:
    held: list[Route] = []
    panel.page.route("**/api/files/*", keep(held))
    pick(panel, table)
    expect(chips(panel).first).to_have_attribute("data-state", "sending")
    panel.ask("Read it.")
    panel.page.wait_for_timeout(300)
    expect(panel.questions).to_have_count(0)
    held[0].continue_()
    expect(panel.ends()).to_contain_text("2026-12,132")


def test_what_is_too_large_says_so_before_it_is_sent(panel: Any, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(101 * 10**6)
    pick(panel, large)
    expect(chips(panel).first.get_by_role("alert")).to_contain_text("A file may have 100 MB")
    panel.ask("Go on without it.")
    expect(panel.ends()).to_contain_text("Go on without it.")


def test_what_is_attached_is_kept_over_a_reload(panel: Any, lab: Any, table: Path) -> None:
    panel.composer.fill("What grew?")
    pick(panel, table)
    expect(chips(panel).first).to_have_attribute("data-state", "ready")
    panel.open(lab.page())
    expect(chips(panel)).to_have_text([f"sales.csv{len(TABLE)} B"])
    expect(panel.composer).to_have_value("What grew?")
    panel.composer.press("Enter")
    expect(panel.ends()).to_contain_text("2026-12,132")
    panel.open(lab.page())
    expect(panel.questions.last).to_contain_text("sales.csv")
    expect(chips(panel)).to_have_count(0)


def test_a_picture_from_elsewhere_does_nothing_but_show(panel: Any, tmp_path: Path) -> None:
    """Markup under the name of a picture is a file to download, whatever it would do."""
    hostile = tmp_path / "cat.png"
    hostile.write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='window.hit=1'/>")
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), "red").save(buffer, "PNG")
    named = tmp_path / "<img src=x onerror=window.hit=1>.png"
    named.write_bytes(buffer.getvalue())
    pick(panel, hostile, named)
    expect(chips(panel).last).to_have_attribute("data-state", "ready")
    panel.ask("Look.")
    panel.ends()
    expect(panel.questions.last.locator("img")).to_have_count(1)
    expect(panel.questions.last.get_by_role("button", name="cat.png")).to_be_visible()
    assert panel.page.evaluate("window.hit") is None
