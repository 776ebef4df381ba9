"""The kernel: an IPython kernel whose cells are read first.

IPython runs everything, so that magics, shell commands, `await`, history and tracebacks are its
own. A message becomes a call into this package before IPython looks at it, as a cell magic would.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable
from contextvars import ContextVar
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from jupyter_core.paths import jupyter_runtime_dir

from bestchat_kernel import magics, process
from bestchat_kernel.cell import ChatCells
from bestchat_kernel.elsewhere import Elsewhere
from bestchat_kernel.failures import Failures
from bestchat_kernel.kernel.assist import Assist
from bestchat_kernel.kernel.kept import KeptAnswers
from bestchat_kernel.kernel.memory import Memory, Occurrences
from bestchat_kernel.kernel.talk import Talk, TalkMagics
from bestchat_kernel.loop import loop_thread
from bestchat_kernel.verbs import Verbs
from bestchat_server_ext.core.errors import ChatError

_BANNER = "BestChat: what you write is a message. /help says what else there is.\n"


class BestChatKernel(IPythonKernel):  # type: ignore[misc]  # ipykernel has no types
    """A conversation as a kernel."""

    implementation = "bestchat"
    implementation_version = version("bestchat")
    banner = _BANNER
    before_code = "%%python\n"
    """What makes a cell of code run, for who writes one."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401  traitlets'
        """Make the shell, and let it read cells as messages."""
        super().__init__(**kwargs)
        self._consoles: set[str] = set()
        self._submitted = ContextVar("submitted", default="")
        self._memory = Memory(Path(jupyter_runtime_dir()) / "bestchat", self._secret())
        elsewhere = Elsewhere(loop_thread(), process.session(), process.replay())
        self.talk = self._begin(elsewhere)
        """What cells call."""
        self._assist = Assist(self.shell, self.talk, elsewhere)

    def _secret(self) -> bytes:
        """What Jupyter keeps over a restart, and only over a restart."""
        key: bytes = getattr(self.session, "key", b"")
        return key or os.urandom(32)

    def _begin(self, elsewhere: Elsewhere) -> Talk:
        shell, loop = self.shell, loop_thread()
        session, replay = process.session(), process.replay()
        kept, occurrences = KeptAnswers(session, replay, self._memory), Occurrences()
        failures = Failures(shell, self._is_chat)
        cells = ChatCells(shell, loop, kept, failures, elsewhere, occurrences.key, self._is_alone)
        verbs = Verbs(shell, loop, session, replay, cells, failures)
        talk = Talk(shell, cells, verbs, kept, occurrences)
        magics.install(shell, magics.ChatMagics(shell, cells, verbs, failures, elsewhere))
        shell.register_magics(TalkMagics(shell, talk))
        transform = partial(self._transform)
        # Who asks whether Python is complete means Python.
        transform.has_side_effects = True  # type: ignore[attr-defined]  # the name is IPython's
        shell.input_transformers_cleanup.insert(0, transform)
        return talk

    def _is_chat(self, source: str) -> bool:
        return self.talk.is_chat(source)

    def _is_alone(self, source: str) -> bool:
        """Whether a button belongs below the answer: a widget, for front ends that have cells."""
        parent = self.get_parent("shell") or {}
        return "cellId" in (parent.get("metadata") or {}) and self._is_chat(source)

    def _transform(self, lines: list[str]) -> list[str]:
        """Turn a cell into what IPython runs for it.

        Magics such as `%%time` give their body to IPython once more: that is Python, and not a
        message, which can only be what a front end has sent.
        """
        source = "".join(lines)
        cell = self.talk.read(source)
        if cell.kind in {"message", "command"} and source.strip() != self._submitted.get().strip():
            return lines
        call = "get_ipython().kernel.talk"
        match cell.kind:
            case "python":
                return cell.text.splitlines(keepends=True)
            case "message" if cell.text is source:  # and not behind %%message
                return [f"{call}.say({source!r})\n"]
            case "message" | "again" if cell.text.strip():
                return [f"get_ipython().run_cell_magic({cell.kind!r}, '', {cell.text!r})\n"]
            case "message" | "again":
                return [f"get_ipython().run_line_magic({cell.kind!r}, '')\n"]
            case "command":
                return [f"{call}.command({cell.name!r}, {cell.text!r})\n"]
            case "code":
                try:
                    return self.talk.code(cell.text).splitlines(keepends=True)
                except ChatError:  # which the magic raises again, where it is shown
                    return lines
            case _:
                return lines

    async def do_execute(
        self,
        code: str,
        silent: bool,  # noqa: FBT001  ipykernel's
        *args: Any,  # noqa: ANN401  likewise
        **kwargs: Any,  # noqa: ANN401  likewise
    ) -> dict[str, Any]:
        """Run a cell. What a front end runs behind the scenes is Python."""
        source = f"%%python\n{code}" if silent else code
        self._submitted.set(source)
        reply: dict[str, Any] = await super().do_execute(source, silent, *args, **kwargs)
        return reply

    # What front ends ask beside.

    @property
    def in_console(self) -> bool:
        """Whether who runs the cell may be a console: consoles read the history's end first."""
        parent = self.get_parent("shell") or {}
        return (parent.get("header") or {}).get("session") in self._consoles

    def do_history(self, hist_access_type: str, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401  ipykernel's
        """Give history; who asks for its end is a console."""
        if hist_access_type == "tail":
            parent = self.get_parent("shell") or {}
            self._consoles.add((parent.get("header") or {}).get("session", ""))
        found: dict[str, Any] = super().do_history(hist_access_type, *args, **kwargs)
        if hist_access_type == "range" and kwargs.get("session"):
            # IPython calls the running session 0, whatever it was asked for.
            found["history"] = [(kwargs["session"], *item[1:]) for item in found["history"]]
        return found

    def do_complete(self, code: str, cursor_pos: int | None) -> dict[str, Any]:
        """Complete mentions and commands in messages, Python where there is Python."""
        place = len(code) if cursor_pos is None else cursor_pos
        return self._assist.complete(code, place, super().do_complete)

    def do_inspect(self, code: str, cursor_pos: int, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401  ipykernel's
        """Tell about a variable, also where it is mentioned, or about a command."""

        def inspect(source: str, place: int) -> dict[str, Any]:
            found: dict[str, Any] = super(BestChatKernel, self).do_inspect(
                source, place, *args, **kwargs
            )
            return found

        return self._assist.inspect(code, cursor_pos, inspect)

    def do_is_complete(self, code: str) -> dict[str, str]:
        """Whether a console should run what was typed."""
        return self._assist.is_complete(code, super().do_is_complete)

    def do_shutdown(self, restart: bool) -> dict[str, Any] | Awaitable[dict[str, Any]]:  # noqa: FBT001  ipykernel's
        """End; without a restart, nothing is kept for one."""
        if not restart:
            self._memory.forget()
        ended: dict[str, Any] | Awaitable[dict[str, Any]] = super().do_shutdown(restart)
        return ended


def main() -> None:
    """Start the kernel, as its kernel spec says."""
    IPKernelApp.launch_instance(kernel_class=BestChatKernel)
