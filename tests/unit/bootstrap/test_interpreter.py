from __future__ import annotations

import gc
import subprocess
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


@pytest.mark.parametrize("young", [700, 2000])
def test_full_collections_become_rare_and_threads_get_their_turn_soon(young: int) -> None:
    gc.set_threshold(young, 10, 10)
    sys.setswitchinterval(0.005)
    settle_for_crowds()
    assert gc.get_threshold() == (young, 10, 1000)
    assert sys.getswitchinterval() == 0.001


def test_what_this_python_begins_with_is_known() -> None:
    program = (
        "import gc\n"
        "from bestchat_server_ext.bootstrap.interpreter import settle_for_crowds\n"
        "before = gc.get_threshold()\n"
        "settle_for_crowds()\n"
        "print(*before[:2], *gc.get_threshold())"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    young, middle, *settled = map(int, ran.stdout.split())
    # From 3.14 on the collector is another one, and left alone.
    seldom = 1000 if sys.version_info < (3, 14) else settled[2]
    assert settled == [young, middle, seldom]


def test_what_somebody_has_chosen_stays() -> None:
    gc.set_threshold(5000, 10, 10)
    sys.setswitchinterval(0.02)
    settle_for_crowds()
    assert gc.get_threshold() == (5000, 10, 10)
    assert sys.getswitchinterval() == 0.02
