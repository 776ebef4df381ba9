"""One run of a chat cell, from its options and its text to what it leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from IPython.core.formatters import format_display_data
from IPython.core.interactiveshell import InteractiveShell

from bestchat_kernel import forms, prompt
from bestchat_kernel.asking import ask
from bestchat_kernel.button import AnswerButton
from bestchat_kernel.cells import CellCounter, CellKey
from bestchat_kernel.display import Screen, captioned, counted
from bestchat_kernel.elsewhere import Elsewhere
from bestchat_kernel.failure import ChatFailed
from bestchat_kernel.failures import Failures
from bestchat_kernel.files import attached
from bestchat_kernel.forms import Form, Unusable
from bestchat_kernel.loop import LoopThread
from bestchat_kernel.namespace import places, variables
from bestchat_kernel.options import CellOptions
from bestchat_kernel.pictures import pictures
from bestchat_kernel.result import ChatResult, python_in
from bestchat_kernel.screens import CellScreen, PlainScreen, QuietScreen
from bestchat_kernel.session import Asks, Question
from bestchat_server_ext.core.errors import ChatError, InvalidRequest, UnusableAnswer
from bestchat_server_ext.core.models import RequestOptions


class ChatCells:
    """Runs the chat cells of one shell."""

    def __init__(
        self,
        shell: InteractiveShell,
        loop: LoopThread,
        session: Asks,
        failures: Failures,
        elsewhere: Elsewhere,
        name: Callable[[str], CellKey] | None = None,
        is_chat: Callable[[str], bool] | None = None,
    ) -> None:
        """Serve a shell.

        Args:
            shell: where the cells run.
            loop: the thread that asks.
            session: who answers.
            failures: what went wrong before.
            elsewhere: who gets pages and conversations that are mentioned.
            name: gives the key of a cell that the front end does not name, from its source.
            is_chat: whether a whole cell is nothing but a chat.
        """
        self._shell = shell
        self._loop = loop
        self._session = session
        self._places = places(shell, failures, elsewhere)
        self._name = name or CellCounter().key
        self._is_chat = is_chat or _is_chat

    def run(
        self,
        chosen: CellOptions,
        text: str,
        source: str,
        *,
        cell: CellKey | None = None,
        anew: bool = False,
    ) -> None:
        """Ask what a cell asks.

        Args:
            chosen: its options.
            text: its prompt.
            source: all of it, by which it is known where the front end does not name cells.
            cell: its key, if that was found out already.
            anew: whether to ask even where a stored answer would be shown.

        Raises:
            ChatError: there is no answer, and the cell is not to keep going.
        """
        screen = CellScreen(self._shell, alone=self._alone(chosen, text))
        try:
            form = self._form(chosen)
            key = self.key(source) if cell is None else cell
            question = self._question(chosen, text.strip("\n"), form, key, screen)
            value = self._value(chosen, replace(question, anew=anew), form, screen)
            if chosen.insert:
                self._insert(value, screen)
        except ChatError as error:
            if not chosen.keep_going:
                raise
            screen.note(ChatFailed(error).line)
            value = None
        if chosen.out is not None:
            self._shell.user_ns[chosen.out] = value

    def _value(
        self, chosen: CellOptions, question: Question, form: Form, screen: CellScreen
    ) -> object:
        if form.read is None:
            return self._ask(question, _reduced(screen, chosen), screen)
        # What is only half of a value is worth seeing while it comes, but a terminal keeps it.
        hidden = QuietScreen(screen)
        while_growing = screen if screen.rich and not chosen.quiet else hidden
        value, result = self._read(question, form, form.read, while_growing, hidden, screen)
        if not chosen.quiet:
            self._show(value, form, result, screen)
        return value

    def _insert(self, value: object, screen: CellScreen) -> None:
        """Put the code of an answer into one cell below, where the front end does that.

        JupyterLab's extension reads it in the output's metadata; a terminal has it at its next
        prompt. Elsewhere it stays in the output, and in the result.
        """
        code = python_in(value.text) if isinstance(value, ChatResult) else str(value)
        if not code.strip():
            screen.note("note: there is no Python in the answer that could go into a cell.")
            return
        code = f"{getattr(self._kernel, 'before_code', '')}{code}"
        if screen.rich:
            screen.mark("insert", code)
        else:
            self._shell.set_next_input(code)

    @property
    def _kernel(self) -> object:
        return getattr(self._shell, "kernel", None)

    def _form(self, chosen: CellOptions) -> Form:
        if chosen.insert and (chosen.quiet or chosen.form not in {"md", "text", "code"}):
            raise InvalidRequest(
                "--insert takes the code out of an answer that is shown.",
                hint="Leave --quiet out, and ask for md, text or code.",
                field="--insert",
            )
        if chosen.schema is None:
            return forms.form(chosen.form)
        if chosen.form not in {"md", "json", "table"}:
            raise InvalidRequest(
                f"--schema does not go with --as {chosen.form}.",
                hint="It says what JSON or the rows of a table have to look like.",
                field="--schema",
            )
        known = variables(self._shell)
        if chosen.schema not in known:
            raise InvalidRequest(
                f"There is no variable {chosen.schema[:40]!r} to take a schema from.",
                hint="Define it in a cell before this one.",
                field="--schema",
            )
        name = "json" if chosen.form == "md" else chosen.form
        return forms.form(name, known[chosen.schema])

    def _question(
        self, chosen: CellOptions, text: str, form: Form, cell: CellKey, screen: Screen
    ) -> Question:
        if not text.strip():
            raise InvalidRequest("There is nothing to ask.", hint="Write a prompt below %%chat.")
        known = variables(self._shell)
        images = pictures(chosen.image, known)
        files = tuple(attached(path) for path in chosen.attach)
        prepared = prompt.prepare(text, known, self._shell.ev, raw=chosen.raw, places=self._places)
        whole = prompt.safe(replace(prepared, attachments=(*prepared.attachments, *files)))
        for note in whole.notes:
            screen.note(f"note: {note}")
        return Question(
            text=form.asked(prompt.compose(whole)),
            cell=cell,
            model=chosen.model,
            conversation=chosen.conversation,
            new=chosen.new,
            attended=self._attended(),
            images=images,
            options=RequestOptions(
                temperature=chosen.temperature, max_output_tokens=chosen.max_tokens
            ),
            system=chosen.system,
            max_cost=chosen.max_cost,
        )

    def _ask(self, question: Question, screen: Screen, cell: CellScreen) -> ChatResult:
        """Ask; the answer appears on a screen, which is the cell's or a part of it."""
        button = None
        kernel = getattr(self._shell, "kernel", None)
        if cell.alone and kernel is not None and AnswerButton.possible():
            button = AnswerButton(cell, kernel)
        return ask(self._loop, self._session, question, screen, button)

    def _read(
        self,
        question: Question,
        form: Form,
        read: Callable[[str], object],
        screen: Screen,
        hidden: QuietScreen,
        cell: CellScreen,
    ) -> tuple[object, ChatResult]:
        """Ask for a value, and once more if what comes is none."""
        first = self._ask(question, screen, cell)
        try:
            return read(first.text), first
        except Unusable as error:
            screen.note(f"note: the answer cannot be used, asking once more: {error}")
            again = replace(
                question, text=form.repair(str(error)), images=(), new=False, conversation=None
            )
        second = self._ask(replace(again, follow_up=True), screen, cell)
        second = replace(second, usage=first.usage + second.usage)
        try:
            return read(second.text), second
        except Unusable as error:
            hidden.reveal()
            raise UnusableAnswer(
                f"The answer, asked for twice, is not in the form of --as {form.name}: {error}",
                hint="What came is shown above.",
            ) from None

    def _show(self, value: object, form: Form, result: ChatResult, screen: Screen) -> None:
        """Show a value in the place of the answer that it was read from."""
        caption = result.model
        if form.name == "table":
            data, _ = format_display_data(  # type: ignore[no-untyped-call]  # IPython's own
                value, include={"text/html", "text/plain"}
            )
            html = f"{data.get('text/html', '')}\n<p><em>— {caption}</em></p>"
            bundle = {"text/html": html, "text/plain": f"{data['text/plain']}\n\n— {caption}"}
        elif form.name == "code":
            bundle = captioned(f"```python\n{value}\n```", caption, plain=str(value))
        else:
            told = forms.shown(value)
            bundle = captioned(f"```json\n{told}\n```", caption, plain=told)
        screen.show(bundle, {"bestchat": {"model": result.model, "usage": counted(result.usage)}})
        screen.end()

    def _alone(self, chosen: CellOptions, text: str) -> bool:
        """Whether all that appears in the cell comes from here, before somebody who looks on.

        An expression in the prompt may print, and so may the rest of a cell.
        """
        if not self._attended():
            return False
        if threading.current_thread() is not threading.main_thread():
            return False
        if "{{" in text and not chosen.raw:
            return False
        return self._is_chat(str((self._parent().get("content") or {}).get("code", "")).strip())

    def _parent(self) -> dict[str, Any]:
        """The message that the running cell came with."""
        parent = self._shell.get_parent() if hasattr(self._shell, "get_parent") else None
        return parent or {}

    def _attended(self) -> bool:
        """Whether somebody sits before the notebook: who runs one headless takes no input."""
        return bool(getattr(self._kernel, "_allow_stdin", True))

    def key(self, source: str, name: Callable[[str], CellKey] | None = None) -> CellKey:
        """The front end's own id of the running cell; where it gives none, `name` does."""
        metadata = self._parent().get("metadata") or {}
        return metadata.get("cellId") or (name or self._name)(source)


def _is_chat(code: str) -> bool:
    return code.startswith("%%chat") or (code.startswith("%chat ask") and "\n" not in code)


def _reduced(screen: Screen, chosen: CellOptions) -> Screen:
    """The screen, with only what is wanted of it."""
    if chosen.quiet:
        return QuietScreen(screen)
    return PlainScreen(screen) if chosen.form == "text" else screen
