"""Where a cell shows things: its output, a terminal, or less than that."""

from __future__ import annotations

import os
import re
import uuid
from functools import cache
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import clear_output, display

from bestchat_kernel.display import Screen

_CONSOLE = re.compile(r"jupyter[-_](qt)?console")


def _replaces(shell: InteractiveShell | None) -> bool:
    """Whether the front end puts a new bundle in the place of the one before.

    Consoles show the first one and drop the others, and do not say that they are consoles. They
    have no cells that could have an id, and are usually the parent of the kernel.
    """
    kernel = getattr(shell, "kernel", None)
    if shell is None or kernel is None:
        return False
    parent = shell.get_parent() if hasattr(shell, "get_parent") else None
    if ((parent or {}).get("metadata") or {}).get("cellId"):
        return True
    return not (getattr(kernel, "in_console", False) or _started_by_console())


@cache
def _started_by_console() -> bool:
    import psutil  # which ipykernel has loaded

    try:
        words = psutil.Process(os.getppid()).cmdline()
    except (psutil.Error, OSError):
        return False
    return any(_CONSOLE.search(word) for word in words)


class CellScreen:
    """Shows in the output of the running cell; in a terminal, prints."""

    def __init__(self, shell: InteractiveShell | None, *, alone: bool = False) -> None:
        """Show in this shell; `alone` if nothing else shows anything in the cell."""
        self.alone = alone
        self.rich = _replaces(shell)
        """Whether what was shown can be replaced."""
        self._display_id = uuid.uuid4().hex
        self._kept: list[str | None] = []
        """All that is here, in order: notes, and none for the place of what was shown."""
        self._shown: tuple[dict[str, str], dict[str, Any]] | None = None
        self._printed = ""

    def show(self, bundle: dict[str, str], metadata: dict[str, Any]) -> None:
        """Put a bundle in the place of what was shown before."""
        if not self.rich:
            self._print(bundle["text/plain"])
            return
        update = self._shown is not None
        self._shown = bundle, metadata
        if not update:
            self._kept.append(None)
        self._display(update=update)

    def _display(self, *, update: bool) -> None:
        if self._shown is not None:
            bundle, metadata = self._shown
            display(  # type: ignore[no-untyped-call]  # IPython's own
                bundle, raw=True, metadata=metadata, display_id=self._display_id, update=update
            )

    def mark(self, name: str, value: str) -> None:
        """Tell the front end something about what was shown, in its metadata."""
        if self.rich and self._shown is not None:
            bundle, metadata = self._shown
            self.show(bundle, {"bestchat": {**metadata.get("bestchat", {}), name: value}})

    def put_below(self, bundle: dict[str, Any]) -> None:
        """Show something that goes again, below all else."""
        display(bundle, raw=True)  # type: ignore[no-untyped-call]  # likewise

    def take_away(self) -> None:
        """Leave no trace of what was put below.

        Front ends cannot take back a single output: the cell is emptied, and all the rest is shown
        again. So it is right only where everything in the cell was shown here.
        """
        clear_output(wait=bool(self._kept))  # type: ignore[no-untyped-call]  # likewise
        for note in self._kept:
            if note is None:
                self._display(update=False)
            else:
                print(note, flush=True)  # noqa: T201  as in `note`

    def _print(self, text: str) -> None:
        """A terminal cannot take back: print what is new, or all of it if something changed."""
        begun = text.startswith(self._printed)
        print(text[len(self._printed) :] if begun else f"\n{text}", end="", flush=True)  # noqa: T201
        self._printed = text

    def end(self) -> None:
        """The answer is complete: what comes next stands below it."""
        if not self.rich:
            self.note("")

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        self._kept.append(text)
        print(text, flush=True)  # noqa: T201  stdout of the cell is where it belongs


class PlainScreen:
    """Shows text as it is, and not as Markdown."""

    def __init__(self, screen: Screen) -> None:
        """Show on another screen."""
        self._screen = screen

    def show(self, bundle: dict[str, str], metadata: dict[str, Any]) -> None:
        """Show the plain text of a bundle."""
        self._screen.show({"text/plain": bundle["text/plain"]}, metadata)

    def end(self) -> None:
        """The answer is complete."""
        self._screen.end()

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        self._screen.note(text)


class QuietScreen:
    """Shows no answer, and keeps the last one for the case that it is wanted after all."""

    def __init__(self, screen: Screen) -> None:
        """Say on another screen what has to be said."""
        self._screen = screen
        self._kept: tuple[dict[str, str], dict[str, Any]] | None = None

    def show(self, bundle: dict[str, str], metadata: dict[str, Any]) -> None:
        """Keep a bundle."""
        self._kept = bundle, metadata

    def end(self) -> None:
        """Nothing was shown."""

    def note(self, text: str) -> None:
        """Say something: what concerns the user is said all the same."""
        self._screen.note(text)

    def reveal(self) -> None:
        """Show what was kept."""
        if self._kept is not None:
            self._screen.show(*self._kept)
            self._screen.end()
