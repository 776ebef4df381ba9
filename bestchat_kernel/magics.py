"""`%%chat` and `%chat`.

The main thread reads what the loop thread reports, displays it and takes interrupts; it never
waits for the network itself.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from bestchat_kernel import completion, options, process, verbatim
from bestchat_kernel.cell import ChatCells
from bestchat_kernel.elsewhere import Elsewhere
from bestchat_kernel.failure import ChatFailed
from bestchat_kernel.failures import Failures
from bestchat_kernel.loop import loop_thread
from bestchat_kernel.verbs import Verbs
from bestchat_server_ext.core.errors import ChatError


@magics_class
class ChatMagics(Magics):
    """The magics of one shell."""

    def __init__(
        self,
        shell: InteractiveShell,
        cells: ChatCells,
        verbs: Verbs,
        failures: Failures,
        elsewhere: Elsewhere,
    ) -> None:
        """Serve a shell."""
        super().__init__(shell)
        self.failures = failures
        """What `%chat fix` can be about."""
        self.elsewhere = elsewhere
        """What can be mentioned that is not in this kernel."""
        self._cells = cells
        self._verbs = verbs

    @no_var_expand
    @cell_magic("chat")  # type: ignore[arg-type]  # typed for functions, used on methods
    def chat_cell(self, line: str, cell: str) -> None:
        """Ask a model; `%%chat --help` lists the options."""
        try:
            chosen, rest = options.parse_line(line)
            if chosen.help:
                print(options.help_text())  # noqa: T201  stdout of the cell is its place
                return
            self._cells.run(chosen, f"{rest}\n{cell}", source=f"{line}\n{cell}")
        except ChatError as error:
            raise ChatFailed(error) from None

    @no_var_expand
    @line_magic("chat")  # type: ignore[arg-type]  # likewise
    def chat_line(self, line: str) -> None:
        """Show how this notebook is connected; `%chat help` lists what else it does."""
        try:
            self._verbs.run(line)
        except ChatError as error:
            raise ChatFailed(error) from None


_loaded: WeakKeyDictionary[InteractiveShell, ChatMagics] = WeakKeyDictionary()
"""Kept over `%reload_ext`, which is no reason to begin another conversation."""


def load(shell: InteractiveShell) -> None:
    """Register the magics."""
    magics = _loaded.get(shell)
    if magics is None:
        session, replay, loop = process.session(), process.replay(), loop_thread()
        failures = Failures(shell)
        elsewhere = Elsewhere(loop, session, replay)
        cells = ChatCells(shell, loop, replay, failures, elsewhere)
        verbs = Verbs(shell, loop, session, replay, cells, failures)
        magics = ChatMagics(shell, cells, verbs, failures, elsewhere)
    install(shell, magics)


def install(shell: InteractiveShell, magics: ChatMagics) -> None:
    """Register magics that were made for a shell."""
    if shell not in _loaded:
        shell.events.register("post_run_cell", magics.failures.heard)
    _loaded[shell] = magics
    shell.register_magics(magics)
    verbatim.install(shell)
    completion.install(shell, magics.elsewhere)


def unload(shell: InteractiveShell) -> None:
    """Take the magics away again."""
    for kind in ("cell", "line"):
        shell.magics_manager.magics[kind].pop("chat", None)
    verbatim.uninstall(shell)
    completion.uninstall(shell)
