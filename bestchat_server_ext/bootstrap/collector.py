"""How often a server looks for garbage among everything it has."""

from __future__ import annotations

import gc

_USUAL = (700, 10, 10)
"""What CPython sets, up to 3.13."""
_SELDOM = 1000
"""Collections of the young between two that look at everything; CPython sets 10."""


def collect_all_seldom() -> None:
    """Have full collections a hundredth as often, unless somebody has chosen how often.

    One that meets a thousand running answers stops the event loop for a quarter of a second, and
    came every two or three: what waits for the network lives long enough to be taken for old.
    """
    if gc.get_threshold() == _USUAL:
        gc.set_threshold(*_USUAL[:2], _SELDOM)
