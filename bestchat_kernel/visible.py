"""Text from outside made visible: nothing in it moves a cursor, hides or turns what is read.

A terminal obeys control characters, and so does the output of a cell. An answer, an error of a
provider or the arguments of a tool call must not be able to overwrite what stands beside them.
"""

from __future__ import annotations

import re

_LINE_END = re.compile(r"\r\n?")
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # all that is no line end and no tab
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # what turns the direction of reading
)


def visible(text: str) -> str:
    """The text, with control characters spelled out."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", _LINE_END.sub("\n", text))


def one_line(text: str, longest: int = 500) -> str:
    """The text on one line, and cut if it is long."""
    shown = " ".join(visible(text).split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
