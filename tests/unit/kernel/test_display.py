from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bestchat_kernel.display import AnswerView
from bestchat_server_ext.core.models import Usage


class FakeScreen:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.shown: list[tuple[float, dict[str, str], dict[str, Any]]] = []
        self.ended = False

    def show(self, bundle: dict[str, str], metadata: dict[str, Any]) -> None:
        assert not self.ended
        self.shown.append((self._clock(), bundle, metadata))

    def end(self) -> None:
        self.ended = True

    def note(self, text: str) -> None:
        raise AssertionError(text)

    @property
    def plain(self) -> list[str]:
        return [bundle["text/plain"] for _, bundle, _ in self.shown]


class Scene:
    def __init__(self) -> None:
        self.now = 100.0
        self.screen = FakeScreen(lambda: self.now)
        self.view = AnswerView(self.screen, lambda: self.now)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.view.tick()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_first_piece_is_shown_at_once(scene: Scene) -> None:
    scene.view.tick()
    assert scene.screen.shown == []
    scene.view.add("Hel")
    scene.view.tick()
    assert scene.screen.plain == ["Hel"]


def test_all_of_it_is_sent_again_and_only_if_there_is_news(scene: Scene) -> None:
    scene.view.add("Hel")
    scene.after(0)
    scene.view.add("lo")
    scene.after(1)
    scene.after(1)
    assert scene.screen.plain == ["Hel", "Hello"]


def test_at_most_fifty_updates_a_second(scene: Scene) -> None:
    for _ in range(1000):
        scene.view.add("x")
        scene.after(0.001)
    moments = [moment for moment, _, _ in scene.screen.shown]
    assert 45 <= len(moments) <= 51
    assert all(later - earlier >= 0.0199 for earlier, later in zip(moments, moments[1:]))  # noqa: B905, RUF007


@pytest.mark.parametrize(("character", "size"), [("x", 1), ("字", 3), ("😀", 4)])
def test_the_pause_grows_with_the_bytes(scene: Scene, character: str, size: int) -> None:
    scene.view.add(character * 100_000)
    scene.after(0)
    scene.view.add("y")
    pause = 2 * 100_000 * size / 600_000
    scene.after(pause - 0.01)
    assert len(scene.screen.shown) == 1
    scene.after(0.02)
    assert len(scene.screen.shown) == 2


def test_the_end_waits_for_nothing_and_says_who_wrote_it(scene: Scene) -> None:
    scene.view.add("Hel")
    scene.after(0)
    scene.view.add("lo")
    scene.view.finish("local/tiny", "demo model", Usage(3, 4))
    _, bundle, metadata = scene.screen.shown[-1]
    assert bundle == {
        "text/markdown": "Hello\n\n*— local/tiny · demo model*",
        "text/plain": "Hello\n\n— local/tiny · demo model",
    }
    assert metadata == {
        "bestchat": {"model": "local/tiny", "usage": {"input_tokens": 3, "output_tokens": 4}}
    }
    assert scene.screen.ended


def test_the_end_says_how_it_ended_if_not_well(scene: Scene) -> None:
    scene.view.add("Hel")
    scene.view.finish("local/tiny", "", Usage(), "stopped")
    assert scene.screen.plain == ["Hel\n\n— local/tiny · stopped"]


def test_who_wrote_it_does_not_stand_in_code_that_broke_off(scene: Scene) -> None:
    scene.view.add("```python\nx = ")
    scene.view.finish("local/tiny", "", Usage(), "stopped")
    _, bundle, _ = scene.screen.shown[-1]
    assert bundle["text/markdown"] == "```python\nx = \n```\n\n*— local/tiny · stopped*"


def test_what_was_stored_takes_the_place_of_the_pieces(scene: Scene) -> None:
    scene.view.add("Hel")
    scene.after(0)
    scene.view.replace("Hel")
    scene.after(1)
    assert scene.screen.plain == ["Hel"]
    scene.view.replace("Hello, all of it.")
    assert scene.view.text == "Hello, all of it."
    scene.after(1)
    assert scene.screen.plain == ["Hel", "Hello, all of it."]


def test_what_is_shown_is_safe_and_what_is_kept_is_as_written(scene: Scene) -> None:
    scene.view.add("<b> ![x](u)")
    scene.after(0)
    _, bundle, _ = scene.screen.shown[-1]
    assert bundle == {"text/markdown": "<\u200bb> !\u200b[x](u)", "text/plain": "<b> ![x](u)"}
    assert scene.view.text == "<b> ![x](u)"


def test_half_characters_do_not_stop_the_show(scene: Scene) -> None:
    scene.view.add("\ud83d")
    scene.after(0)
    assert scene.screen.plain == ["\ud83d"]
