"""How the interpreter of a server that many people use goes about garbage, and threads."""

from __future__ import annotations

import gc
import sys

_USUAL_THRESHOLDS = frozenset({(700, 10, 10), (2000, 10, 10)})
"""What CPython sets up to 3.12, and in 3.13. Later ones have another collector, whose numbers mean
something else: it is left as it is."""
_SELDOM = 1000
"""Collections of the young between two that look at everything; CPython sets 10."""

_USUAL_INTERVAL, _SHORT_INTERVAL = 0.005, 0.001
"""Seconds after which a thread that waits for the interpreter is given it; CPython's, and ours."""


def settle_for_crowds() -> None:
    """Have the interpreter collect less and hand over sooner, unless somebody has chosen already.

    A full collection that meets a thousand running answers stops the event loop for a quarter of a
    second, and came every two or three: what waits for the network lives long enough to be taken
    for old. They come a hundredth as often.

    A transaction in a thread asks for the interpreter again after every statement, and a busy event
    loop kept it waiting for five milliseconds each time: writers queue for one thread, so that
    everybody waited for that.
    """
    thresholds = gc.get_threshold()
    if thresholds in _USUAL_THRESHOLDS:
        gc.set_threshold(*thresholds[:2], _SELDOM)
    if sys.getswitchinterval() == _USUAL_INTERVAL:
        sys.setswitchinterval(_SHORT_INTERVAL)
