from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from bestchat_server_ext.bootstrap.collector import collect_all_seldom


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_full_collections_become_rare() -> None:
    gc.set_threshold(700, 10, 10)
    collect_all_seldom()
    assert gc.get_threshold() == (700, 10, 1000)


def test_what_somebody_has_chosen_stays() -> None:
    gc.set_threshold(2000, 10, 10)
    collect_all_seldom()
    assert gc.get_threshold() == (2000, 10, 10)
