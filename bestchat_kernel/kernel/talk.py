"""What the cells of a BestChat kernel do: messages, commands, and code of answers."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec, cast

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from bestchat_kernel.cell import ChatCells
from bestchat_kernel.cells import CellKey
from bestchat_kernel.display import captioned
from bestchat_kernel.failure import ChatFailed
from bestchat_kernel.kernel.kept import KeptAnswers
from bestchat_kernel.kernel.memory import Occurrences
from bestchat_kernel.kernel.reading import Cell, is_plainly_python, read
from bestchat_kernel.options import CellOptions
from bestchat_kernel.result import PYTHON, python_in
from bestchat_kernel.screens import CellScreen
from bestchat_kernel.verbs import Verbs
from bestchat_server_ext.core.errors import ChatError, InvalidRequest
from bestchat_server_ext.core.fences import segments

Arguments = ParamSpec("Arguments")

_HOW_TO = """\
This looks like Python, so it was **not sent** to a model. In this kernel a cell is a message.

- To run it here, write `%%python` above it. `!command` and `%magic` run as they are.
- To send it all the same, write `%%message` above it.
"""

HELP = """\
What you write is a message; the answer comes below. Beside that:

  @name              attaches a variable of this kernel; {{ expression }} puts a value in
  %%python           the rest of the cell is Python and runs here; so do !command and %magic
  %run_code [N]      runs the Python of the answer above, or its block N
  %again [TEXT]      asks the last message anew, or TEXT where a stored answer would be shown
  %%chat [options]   a message with options; %%chat --help lists them
  %%message          the rest of the cell is a message, whatever it looks like
"""


def told(run: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Let failures look as they do in chat cells."""

    @wraps(run)
    def telling(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            run(*args, **kwargs)
        except ChatError as error:
            raise ChatFailed(error) from None

    return telling


class Talk:
    """The messages and commands of one kernel."""

    def __init__(
        self,
        shell: InteractiveShell,
        cells: ChatCells,
        verbs: Verbs,
        kept: KeptAnswers,
        occurrences: Occurrences,
    ) -> None:
        """Serve a shell."""
        self._shell = shell
        self._cells = cells
        self._verbs = verbs
        self._kept = kept
        self._occurrences = occurrences
        self._last: tuple[str, CellKey] | None = None
        """The message that was run last, and its cell."""

    @property
    def commands(self) -> dict[str, str]:
        """What can stand behind a slash, and what it does."""
        return self._verbs.described

    def read(self, source: str) -> Cell:
        """Understand a cell."""
        return read(source, self._known)

    def is_chat(self, source: str) -> bool:
        """Whether a cell talks to a model, rather than to Python."""
        cell = self.read(source)
        return cell.kind in {"message", "again", "command"} or source.startswith("%%chat")

    def _known(self, name: str) -> bool:
        return name in self._shell.user_ns or hasattr(builtins, name)

    @told
    def say(self, text: str) -> None:
        """Run a message; one that is plainly Python is not sent before there was another."""
        if self._last is None and is_plainly_python(text):
            screen = CellScreen(self._shell)
            screen.show(captioned(_HOW_TO), {})
            screen.end()
            return
        self.send(text)

    def send(self, text: str) -> None:
        """Send a message.

        Raises:
            ChatError: there is no answer.
        """
        cell = self._cells.key(text)
        self._last = text, cell
        self._cells.run(CellOptions(), text, text, cell=cell)

    def again(self, text: str) -> None:
        """Ask a message anew, or the last one if none is given.

        Raises:
            ChatError: there is no answer, or no message to ask anew.
        """
        if text.strip():
            self._last = text, self._cells.key(text, self._occurrences.last)
        if self._last is None:
            raise InvalidRequest(
                "There is no message to ask again since this kernel started.",
                hint="Write it behind %again.",
            )
        message, cell = self._last
        self._cells.run(CellOptions(), message, message, cell=cell, anew=True)

    @told
    def command(self, name: str, rest: str) -> None:
        """Do what a slash command says."""
        if name == "help":
            commands = "\n".join(f"  /{key:<18}{what}" for key, what in self.commands.items())
            print(f"{HELP}\n{commands}")  # noqa: T201  the cell's output is its place
        elif name == "new" and not rest:
            self._kept.renew()
            print("The next message begins a new conversation.")  # noqa: T201  likewise
        elif name in self.commands:
            self._verbs.run(f"{name} {rest}")
        else:
            near = get_close_matches(name, self.commands, n=1)
            guess = f"Did you mean /{near[0]}? " if near else ""
            raise InvalidRequest(
                f"There is no command /{name[:40]}.",
                hint=f"{guess}/help lists them; %%message sends what begins with a slash.",
            )

    def code(self, which: str) -> str:
        """The Python of the answer that was shown last.

        Args:
            which: number of a block, counted from 1 over all of them; empty for all Python.

        Raises:
            InvalidRequest: there is none, or what is there is not Python.
        """
        if self._kept.last is None:
            raise InvalidRequest(
                "There is no answer above.", hint="Run the message again that brought it."
            )
        answer = self._kept.last.text
        if not which:
            if code := python_in(answer):
                return code
            raise InvalidRequest(
                "There is no Python in the answer above.",
                hint="Ask for it, or write it below %%python.",
            )
        blocks = [it for it in segments(answer) if it.language is not None]
        if not which.isdecimal() or not 1 <= int(which) <= len(blocks):
            raise InvalidRequest(
                f"The answer above has no block {which[:20]!r}.",
                hint=f"It has {len(blocks)}; write the number of one, counted from 1.",
            )
        block = blocks[int(which) - 1]
        if block.language not in PYTHON:
            raise InvalidRequest(
                f"Block {which} is {block.language}, and only Python runs here.",
                hint="Shell commands run behind an exclamation mark: !command.",
            )
        return block.text


@magics_class
class TalkMagics(Magics):
    """The magics that only the BestChat kernel has."""

    def __init__(self, shell: InteractiveShell, talk: Talk) -> None:
        """Serve a shell."""
        super().__init__(shell)
        self._talk = talk

    @no_var_expand
    @line_cell_magic("message")  # type: ignore[arg-type]  # typed for functions, used on methods
    @told
    def message(self, line: str, cell: str = "") -> None:
        """Send a message, whatever it looks like."""
        self._talk.send(f"{line}\n{cell}".strip("\n"))

    @no_var_expand
    @line_cell_magic("again")  # type: ignore[arg-type]  # likewise
    @told
    def again(self, line: str, cell: str = "") -> None:
        """Ask a message anew: the last one, or the one that follows."""
        self._talk.again(f"{line}\n{cell}".strip("\n"))

    @no_var_expand
    @line_magic("run_code")  # type: ignore[arg-type]  # likewise
    @told
    def run_code(self, line: str) -> None:
        """Run the Python of the answer above, or its block of that number."""
        code = self._talk.code(line.strip())
        result = cast("InteractiveShell", self.shell).run_cell(f"%%python\n{code}")  # type: ignore[no-untyped-call]  # IPython's own
        if not result.success:
            raise InvalidRequest("The code of the answer failed.", hint="What it said is above.")
