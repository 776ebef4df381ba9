from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from bestchat_server_ext.bootstrap.interpreter import settle_for_crowds


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(interval)


def test_full_collections_become_rare_and_threads_get_their_turn_soon() -> None:
    gc.set_threshold(700, 10, 10)
    sys.setswitchinterval(0.005)
    settle_for_crowds()
    assert gc.get_threshold() == (700, 10, 1000)
    assert sys.getswitchinterval() == 0.001


def test_what_somebody_has_chosen_stays() -> None:
    gc.set_threshold(2000, 10, 10)
    sys.setswitchinterval(0.02)
    settle_for_crowds()
    assert gc.get_threshold() == (2000, 10, 10)
    assert sys.getswitchinterval() == 0.02
