"""`%%chat` and `%chat`.

The main thread reads what the loop thread reports, displays it and takes interrupts; it never
waits for the network itself.
"""

from __future__ import annotations

import os
import queue
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Literal
from weakref import WeakKeyDictionary

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.display import display

from bestchat_kernel import options, prompt
from bestchat_kernel.cells import CellCounter, CellKey
from bestchat_kernel.display import AnswerView
from bestchat_kernel.failure import ChatFailed, ChatInterrupted
from bestchat_kernel.loop import LoopThread, at_exit, loop_thread
from bestchat_kernel.result import ChatResult
from bestchat_kernel.session import (
    Asked,
    Began,
    ChatSession,
    Grew,
    Progress,
    Question,
    Restarted,
    Stored,
    Told,
)
from bestchat_kernel.stop import StopButton
from bestchat_kernel.visible import one_line
from bestchat_server_ext.core.errors import ChatError, InvalidRequest, TurnCancelled
from bestchat_server_ext.core.models import Usage

STOP_SECONDS = 1.0
"""How long an interrupted cell waits for what is kept, before it ends without."""

_PULSE_SECONDS = 0.02


_STOPPED = "Stopped. What had arrived is kept."
_LEFT = "Stopped here. The server did not confirm it in time, so that the turn may go on there."


_CUT = "cut off at the model's limit"


class CellScreen:
    """Shows in the output of the running cell; in a terminal, prints."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Show in this shell."""
        self._rich = getattr(shell, "kernel", None) is not None
        self._display_id = uuid.uuid4().hex
        self._shown = False
        self._printed = ""

    def show(self, bundle: dict[str, str], metadata: dict[str, Any]) -> None:
        """Put a bundle in the place of what was shown before."""
        if not self._rich:
            self._print(bundle["text/plain"])
            return
        display(  # type: ignore[no-untyped-call]  # IPython's own
            bundle,
            raw=True,
            metadata=metadata,
            display_id=self._display_id,
            update=self._shown,
        )
        self._shown = True

    def _print(self, text: str) -> None:
        """A terminal cannot take back: print what is new, or all of it if something changed."""
        begun = text.startswith(self._printed)
        print(text[len(self._printed) :] if begun else f"\n{text}", end="", flush=True)  # noqa: T201
        self._printed = text

    def end(self) -> None:
        """The answer is complete: what comes next stands below it."""
        if not self._rich:
            self.note("")

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        print(text, flush=True)  # noqa: T201  stdout of the cell is where it belongs


@magics_class
class ChatMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: InteractiveShell, loop: LoopThread, session: ChatSession) -> None:
        """Serve a shell."""
        super().__init__(shell)
        self._shell = shell
        self._loop = loop
        self._session = session
        self._counter = CellCounter()

    @no_var_expand
    @cell_magic("chat")  # type: ignore[arg-type]  # typed for functions, used on methods
    def chat_cell(self, line: str, cell: str) -> None:
        """Ask a model; `%%chat --help` lists the options."""
        try:
            self._chat(line, cell)
        except ChatError as error:
            raise ChatFailed(error) from None

    @no_var_expand
    @line_magic("chat")  # type: ignore[arg-type]  # likewise
    def chat_line(self, line: str) -> None:
        """Show how this notebook is connected."""
        try:
            if line.strip() not in {"", "status"}:
                raise InvalidRequest(
                    "%chat shows how this notebook is connected, and takes nothing but `status`.",
                    hint="Ask with %%chat, in a cell of its own.",
                )
            rows = self._loop.run(self._session.status())
            width = max(len(name) for name, _ in rows) + 2
            for name, value in rows:
                print(f"{name:<{width}}{value}")  # noqa: T201  stdout of the cell is its place
        except ChatError as error:
            raise ChatFailed(error) from None

    def _chat(self, line: str, cell: str) -> None:
        chosen, rest = options.parse_line(line)
        if chosen.help:
            print(options.help_text())  # noqa: T201  likewise
            return
        text = f"{rest}\n{cell}".strip("\n")
        if not text.strip():
            raise InvalidRequest("There is nothing to ask.", hint="Write a prompt below %%chat.")
        screen = CellScreen(self._shell)
        prepared = prompt.prepare(text, self._variables(), self._shell.ev, raw=chosen.raw)
        for note in prepared.notes:
            screen.note(f"note: {note}")
        question = Question(
            text=prompt.compose(prepared),
            cell=self._cell_key(f"{line}\n{cell}"),
            model=chosen.model,
            conversation=chosen.conversation,
            new=chosen.new,
            attended=self._attended(),
        )
        result = self._ask(question, screen)
        if chosen.out is not None:
            self._shell.user_ns[chosen.out] = result

    def _variables(self) -> Mapping[str, object]:
        """The user's own variables; IPython's helpers and history are not among them."""
        hidden = self._shell.user_ns_hidden
        return {
            name: value
            for name, value in self._shell.user_ns.items()
            if not name.startswith("_") and not (name in hidden and hidden[name] is value)
        }

    def _attended(self) -> bool:
        """Whether somebody sits before the notebook: who runs one headless takes no input."""
        kernel = getattr(self._shell, "kernel", None)
        return bool(getattr(kernel, "_allow_stdin", True))

    def _cell_key(self, source: str) -> CellKey:
        """The front end's own id of the running cell, where it gives one."""
        parent = self._shell.get_parent() if hasattr(self._shell, "get_parent") else None
        metadata = (parent or {}).get("metadata") or {}
        return metadata.get("cellId") or self._counter.key(source)

    # Asking, on the main thread.

    def _ask(self, question: Question, screen: CellScreen) -> ChatResult:
        news: queue.SimpleQueue[Progress | _Ended] = queue.SimpleQueue()
        view = _Viewer(screen)
        with StopButton(lambda: news.put("pressed")) as button:
            future = self._loop.submit(self._session.ask(question, news.put))
            future.add_done_callback(lambda _: news.put("over"))
            try:
                ended = _pump(news, view)
            except BaseException:  # an alarm of the user's own, for example
                self._loop.submit(self._session.stop())
                raise
            if ended != "over":
                # Stop the turn everywhere, and take what is kept of it if that comes soon.
                self._loop.submit(self._session.stop())
                ended = _pump(news, view, seconds=STOP_SECONDS)
                view.finish("stopped")
                raise ChatInterrupted(_STOPPED if ended == "over" else _LEFT)
            result = _concluded(future, view)
        if button.pressed:  # at the last moment: the answer is complete, but nothing runs on
            raise ChatInterrupted("Stopped. The answer had arrived.")
        return result


def _concluded(future: Future[ChatResult], view: _Viewer) -> ChatResult:
    """Show how a turn ended."""
    try:
        result = future.result()
    except TurnCancelled:
        view.finish("stopped")
        raise
    except ChatError:
        view.finish("failed")
        raise
    view.answered_by(result.model)
    view.finish(_CUT if result.finish_reason == "length" else "", result.usage)
    return result


_Ended = Literal["over", "pressed", "late"]
"""Why there are no more news to wait for: the turn is over, Stop was pressed, or time is up."""


def _pump(
    news: queue.SimpleQueue[Progress | _Ended], view: _Viewer, seconds: float = float("inf")
) -> _Ended:
    """Show what is reported, until there is no more to wait for."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            progress = news.get(timeout=_PULSE_SECONDS)
        except queue.Empty:
            pass
        else:
            if isinstance(progress, str):
                return progress
            view.take(progress)
        view.tick()
    return "late"


class _Viewer:
    """Turns what is reported into what is shown."""

    def __init__(self, screen: CellScreen) -> None:
        self._screen = screen
        self._view = AnswerView(screen)
        self._model = self._label = ""

    def take(self, progress: Progress) -> None:
        match progress:
            case Began(model=model, label=label):
                self._model, self._label = model, label
            case Grew(text=text):
                self._view.add(text)
            case Stored(text=text):
                self._view.replace(text)
            case Restarted(model=model, reason=reason):
                self._screen.note(f"note: the answer begins anew, from {model}: {one_line(reason)}")
            case Told(text=text):
                self._screen.note(f"note: {text}")
            case Asked(execution=execution):
                call = f"{execution.call.name} {execution.call.arguments}"
                self._screen.note(f"waiting for approval: {one_line(call)}")

    def answered_by(self, model: str) -> None:
        """Name the model that gave the answer, which need not be the one that was asked."""
        if model != self._model:
            self._model, self._label = model, ""

    def tick(self) -> None:
        self._view.tick()

    def finish(self, ending: str, usage: Usage | None = None) -> None:
        """Show the end; nothing at all if nothing had begun."""
        if self._view.text or (self._model and not ending):
            self._view.finish(self._model, self._label, usage or Usage(), ending)


# Loading.


def _take_verbatim(lines: list[str]) -> list[str]:
    """Call the magic before IPython looks for its own syntax in the text.

    It would take `>>>` for its prompt and away, and refuse `%%chat question` without a body.
    """
    first, _, body = "".join(lines).lstrip().partition("\n")
    command, rest = first[:6], first[6:]
    if command != "%%chat" or (rest and not rest[0].isspace()):
        return lines
    text = body or "\n"  # IPython refuses an empty one
    return [f"get_ipython().run_cell_magic('chat', {rest.strip()!r}, {text!r})\n"]


# Who asks whether a cell is complete shall still see the cell magic, which a blank line ends.
_take_verbatim.has_side_effects = True  # type: ignore[attr-defined]  # the name is IPython's


_loaded: WeakKeyDictionary[InteractiveShell, ChatMagics] = WeakKeyDictionary()
"""Kept over `%reload_ext`, which is no reason to begin another conversation."""


def load(shell: InteractiveShell) -> None:
    """Register the magics."""
    magics = _loaded.get(shell)
    if magics is None:
        session = ChatSession(os.environ)
        at_exit(session.close)
        magics = _loaded[shell] = ChatMagics(shell, loop_thread(), session)
    shell.register_magics(magics)
    if _take_verbatim not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.insert(0, _take_verbatim)


def unload(shell: InteractiveShell) -> None:
    """Take the magics away again."""
    for kind in ("cell", "line"):
        shell.magics_manager.magics[kind].pop("chat", None)
    if _take_verbatim in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(_take_verbatim)
