"""Where an exception came from, without what it says.

The message of an exception that nobody foresaw may quote a prompt, an argument or a key; its type
and the lines that it passed cannot.
"""

from __future__ import annotations

from pathlib import PurePath
from traceback import walk_tb

_MOST_FRAMES = 8
"""Of a deep recursion, the end says most."""


def origin(error: BaseException) -> str:
    """Types and places, for a log: `KeyError at tools.py:38 run > plugin.py:7 look`."""
    said = f"{type(error).__name__} at {_places(error)}"
    cause = error.__cause__ or error.__context__
    return said if cause is None else f"{said}, after {type(cause).__name__} at {_places(cause)}"


def _places(error: BaseException) -> str:
    passed = [
        f"{PurePath(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return " > ".join(passed[-_MOST_FRAMES:]) or "nowhere"
