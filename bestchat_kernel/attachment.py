"""What goes along with a prompt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attachment:
    """A variable, or a file, that goes along with a prompt."""

    name: str
    """What it is called."""
    summary: str
    """What a model gets to see of it."""
    kind: str = "variable"
    """What it is, in a word."""
    notes: tuple[str, ...] = ()
    """What the user should know about it."""
