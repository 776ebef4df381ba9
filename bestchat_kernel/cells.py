"""Which cell stands where in the conversation.

A cell that runs for the first time follows whatever was said last, in whichever face. A cell that
runs again takes its old place: it follows the newest answer of the cell that it followed before.
So re-running one cell sends nothing twice, re-running a chain of cells builds a new branch cell
by cell, and nothing is ever deleted.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

CellKey = Hashable


@dataclass(frozen=True)
class Place:
    """Where a cell's message goes.

    Attributes:
        parent_id: the message to follow; none to follow the newest one, or to begin at the root.
        root: whether to begin a new branch at the root.
    """

    parent_id: str | None = None
    root: bool = False


NEWEST = Place()

CellTables = tuple[
    dict[CellKey, str | None], dict[CellKey, str], dict[CellKey, str], dict[str, CellKey]
]
"""Of each cell: what it followed, its question, its answer; and whose a message is."""


class Cells:
    """Remembers the cells of one conversation."""

    def __init__(self, tables: CellTables | None = None) -> None:
        """Begin with none, or with what `tables` gave."""
        self._parent, self._question, self._answer, self._cell_of = tables or ({}, {}, {}, {})

    @property
    def tables(self) -> CellTables:
        """All that is remembered."""
        return self._parent, self._question, self._answer, self._cell_of

    def __contains__(self, cell: CellKey) -> bool:
        """Whether a cell has asked here."""
        return cell in self._parent

    def place(self, cell: CellKey) -> Place:
        """Where a cell goes now."""
        if cell not in self._parent:
            return NEWEST
        parent = self._parent[cell]
        if parent is None:
            return Place(root=True)
        before = self._cell_of.get(parent)
        if before is None:
            return Place(parent)
        # A cell that never got an answer is followed behind its question.
        return Place(self._answer.get(before, self._question[before]))

    def after(self, cell: CellKey) -> Place:
        """Where what goes on from a cell's own newest answer goes."""
        return Place(self._answer[cell]) if cell in self._answer else NEWEST

    def asked(self, cell: CellKey, message_id: str, parent_id: str | None) -> None:
        """A cell's message `message_id` was stored behind `parent_id`."""
        self._parent.setdefault(cell, parent_id)
        self._question[cell] = message_id
        self._cell_of[message_id] = cell

    def answered(self, cell: CellKey, message_id: str) -> None:
        """A cell's answer, whole or partial, is `message_id`."""
        self._answer[cell] = message_id
        self._cell_of[message_id] = cell


class CellCounter:
    """Names cells for front ends that do not: by their source and their order.

    Without ids, a second cell with the same text cannot be told from the first one run again,
    except by order: when the first source of a run comes again, everything is being run again,
    and counting starts anew.
    """

    def __init__(self) -> None:
        """Begin before the first cell."""
        self._first: str | None = None
        self._seen: dict[str, int] = {}

    def key(self, source: str) -> CellKey:
        """The key of the cell that is run now."""
        if self._first is None:
            self._first = source
        elif source == self._first:
            self._seen.clear()
        self._seen[source] = self._seen.get(source, 0) + 1
        return source, self._seen[source]
