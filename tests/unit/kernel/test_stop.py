from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from bestchat_kernel.stop import DEAF_SECONDS, StopButton


class Scene:
    def __init__(self) -> None:
        self.now = 0.0
        self.presses = 0

    def press(self) -> None:
        self.presses += 1

    def button(self) -> StopButton:
        return StopButton(self.press, lambda: self.now)


@pytest.fixture
def scene() -> Iterator[Scene]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield Scene()
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_is_heard_once_and_raises_nothing(scene: Scene) -> None:
    with scene.button() as button:
        assert not button.pressed
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        assert button.pressed
    assert scene.presses == 1


def test_without_a_press_all_is_as_before_at_once(scene: Scene) -> None:
    with scene.button():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_presses_that_come_late_are_not_heard_for_a_moment(scene: Scene) -> None:
    with scene.button():
        signal.raise_signal(signal.SIGINT)
    scene.now += DEAF_SECONDS - 0.01
    signal.raise_signal(signal.SIGINT)
    scene.now += 0.02
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_next_cell_hears_its_own(scene: Scene) -> None:
    for _ in range(2):
        with scene.button():
            signal.raise_signal(signal.SIGINT)
    assert scene.presses == 2
    with scene.button():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_exception_passes(scene: Scene) -> None:
    with pytest.raises(ZeroDivisionError), scene.button():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_interrupts_are_ignored_they_stay_so(scene: Scene) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with scene.button():
        signal.raise_signal(signal.SIGINT)
    assert scene.presses == 0
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_have_no_button(scene: Scene) -> None:
    def enter() -> None:
        with scene.button():
            pass

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
