"""What `%chat` does besides showing how the notebook is connected."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from IPython.core.interactiveshell import InteractiveShell

from bestchat_kernel import inquiries, options
from bestchat_kernel.attachment import Attachment
from bestchat_kernel.cell import ChatCells
from bestchat_kernel.failures import Failures
from bestchat_kernel.loop import LoopThread
from bestchat_kernel.mentions import is_code
from bestchat_kernel.namespace import variables
from bestchat_kernel.prompt import Prompt, compose, safe
from bestchat_kernel.replay import Mode, Replay, mode_named
from bestchat_kernel.session import ChatSession
from bestchat_kernel.summary import headline, summarise
from bestchat_kernel.visible import visible
from bestchat_server_ext.api.usage import Spending
from bestchat_server_ext.core.cost import Grouping
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.messages import Message

Value = TypeVar("Value")

_NAMES_SENT = 8
"""Variables of a cell whose summaries go along."""
_SUMMARY = 500
"""Characters of each of them."""
_SOURCE = 20_000
"""Characters of source that are explained."""

_GROUPINGS: dict[str, Grouping] = {it: it for it in get_args(Grouping)}

_REPLAY: dict[Mode, str] = {
    "off": "every question is asked, and nothing is recorded",
    "auto": "what is recorded is replayed; all else is asked and recorded",
    "only": "what is recorded is replayed; nobody is asked",
    "refresh": "every question is asked and recorded",
}

_FIX = "This cell failed. Say why in a sentence or two, then give the whole cell, corrected."
_EXPLAIN = "Explain what this does, briefly, and what about it may surprise."


class Verbs:
    """The verbs of one shell."""

    def __init__(
        self,
        shell: InteractiveShell,
        loop: LoopThread,
        session: ChatSession,
        replay: Replay,
        cells: ChatCells,
        failures: Failures,
    ) -> None:
        """Serve a shell."""
        self._shell = shell
        self._loop = loop
        self._session = session
        self._replay = replay
        self._cells = cells
        self._failures = failures
        self._verbs: dict[str, tuple[str, Callable[[str], None]]] = {
            "status": ("how this notebook is connected", self._status),
            "ask": ("[options] TEXT: ask, as %%chat does", self._ask),
            "fix": ("[options] [TEXT]: the last error, and the cell that raised it", self._fix),
            "explain": ("[NAME]: a function, a variable, or the cell before", self._explain),
            "model": ("[MODEL]: the models there are, or who answers from now on", self._model),
            "new": ("begin a new conversation with the next question", self._new),
            "vars": ("what @name can mention: variables, and how large they are", self._vars),
            "history": ("[N]: what was said, or the last N messages of it", self._history),
            "usage": ("[day|model|conversation]: what this month cost", self._usage),
            "export": ("[FILE]: the conversation as .md, .ipynb or .json", self._export),
            "replay": ("[off|auto|only|refresh [FILE]]: record and replay answers", self._switch),
            "help": ("this text", self._help),
        }

    @property
    def described(self) -> dict[str, str]:
        """What each of them does."""
        return {name: told for name, (told, _) in self._verbs.items()}

    def run(self, line: str) -> None:
        """Do what a `%chat` line says.

        Raises:
            ChatError: it could not be done.
        """
        verb, _, rest = line.strip().partition(" ")
        found = self._verbs.get(verb or "status")
        if found is None:
            near = get_close_matches(verb, self._verbs, n=1)
            guess = f"Did you mean %chat {near[0]}? " if near else ""
            raise InvalidRequest(
                f"%chat does not know {verb[:40]!r}.",
                hint=f"{guess}To ask, write %chat ask and the question; %chat help lists the rest.",
            )
        found[1](rest.strip())

    def _help(self, rest: str) -> None:
        _nothing_behind("help", rest)
        _print_table([(f"%chat {name}", told) for name, (told, _) in self._verbs.items()])

    def _wait(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self._loop.run(work)

    # Facts.

    def _status(self, rest: str) -> None:
        _nothing_behind("status", rest)
        _print_table(self._wait(self._session.status()))

    def _model(self, rest: str) -> None:
        if not rest:
            listed = self._wait(inquiries.known_models(self._session))
            answers = self._session.model or listed.default or listed.default_todo
            _print_table([("answers", answers), *((it.ref, it.label) for it in listed.models)])
            return
        facts = self._wait(inquiries.choose_model(self._session, rest))
        print(f"{facts.ref} answers in this notebook from now on. {facts.todo}".rstrip())  # noqa: T201  the cell's output is its place

    def _new(self, rest: str) -> None:
        _nothing_behind("new", rest)
        self._replay.renew()
        print("The next question begins a new conversation.")  # noqa: T201  likewise

    def _history(self, rest: str) -> None:
        if rest and not rest.isdecimal():
            raise InvalidRequest(
                "%chat history takes a number of messages.",
                hint="Write it as in %chat history 5.",
                field="history",
            )
        said = self._replay.said or self._wait(inquiries.history(self._session))
        for message in said[-int(rest) :] if rest and int(rest) else said:
            print(f"{_speaker(message)}:\n{visible(message.text)}\n")  # noqa: T201  likewise

    def _vars(self, rest: str) -> None:
        _nothing_behind("vars", rest)
        known = variables(self._shell).items()
        rows = [(f"@{name}", headline(value)) for name, value in known if not is_code(value)]
        _print_table(rows or [("There are no variables yet.",)])

    def _usage(self, rest: str) -> None:
        by = _GROUPINGS.get(rest or "model")
        if by is None:
            raise InvalidRequest(
                f"Usage is not added up by {rest[:40]!r}.",
                hint=f"Write one of {', '.join(_GROUPINGS)}.",
                field="usage",
            )
        summary = self._wait(inquiries.spent(self._session, by))
        rows = [(row.key, *_spent(row.spending)) for row in summary.rows]
        head = (f"since {summary.since}", "requests", "in", "out", "US dollars")
        _print_table([head, *rows, ("all", *_spent(summary.total))])

    def _export(self, rest: str) -> None:
        ending = Path(rest).suffix.lower() if rest else ".md"
        exported = self._wait(inquiries.exported(self._session, ending))
        path = Path(rest).expanduser() if rest else Path(exported.name)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(exported.content)
        except OSError as error:
            raise InvalidRequest(
                f"{str(path)!r} cannot be written: {error.strerror}.",
                hint="Name another file: %chat export FILE.",
                field="export",
            ) from error
        print(f"Written to {path}")  # noqa: T201  likewise

    def _switch(self, rest: str) -> None:
        mode, _, file = rest.partition(" ")
        if mode:
            self._replay.switch(mode_named(mode), file.strip())
        print(f"replay {self._replay.mode}: {_REPLAY[self._replay.mode]}")  # noqa: T201  likewise
        if self._replay.mode != "off":
            print(f"{self._replay.recordings.path} holds prompts, answers and the heads of data.")  # noqa: T201  likewise

    # Questions.

    def _ask(self, rest: str) -> None:
        chosen, text = options.parse_line(rest)
        if chosen.help:
            print(options.help_text())  # noqa: T201  likewise
            return
        self._cells.run(chosen, text, source=f"%chat ask {rest}")

    def _fix(self, rest: str) -> None:
        failure = self._failures.last
        if failure is None:
            raise InvalidRequest(
                "No cell has failed since BestChat was loaded.",
                hint="Load it in the first cell, so that it sees what follows.",
            )
        chosen, text = options.parse_line(rest)
        parts = (
            Attachment("the cell", failure.source, kind="source"),
            Attachment("its error", failure.told, kind="traceback"),
            *self._used(failure.source),
        )
        self._send(chosen, f"{_FIX}\n{text}".strip(), parts, f"%chat fix {rest}")

    def _explain(self, rest: str) -> None:
        chosen, name = options.parse_line(rest)
        known = variables(self._shell)
        if name and name not in known:
            near = get_close_matches(name, known, n=1)
            raise InvalidRequest(
                f"There is no variable {name[:40]!r} to explain.",
                hint=f"Did you mean {near[0]}?" if near else "Ask in words with %chat ask.",
            )
        if name:
            parts: tuple[Attachment, ...] = (_described(name, known),)
        elif self._failures.ran.strip():
            source = self._failures.ran
            parts = (Attachment("the cell", source[:_SOURCE], kind="source"), *self._used(source))
        else:
            raise InvalidRequest("No cell ran before this one.", hint="Name what to explain.")
        self._send(chosen, _EXPLAIN, parts, f"%chat explain {rest}")

    def _send(
        self, chosen: options.CellOptions, text: str, parts: Sequence[Attachment], source: str
    ) -> None:
        """Send a text with what goes along, none of which is read as a prompt again."""
        print(f"note: sent along: {', '.join(part.name for part in parts)}")  # noqa: T201  likewise
        whole = safe(Prompt(text, tuple(parts)))
        for note in whole.notes:
            print(f"note: {note}")  # noqa: T201  likewise
        self._cells.run(replace(chosen, raw=True), compose(whole), source)

    def _used(self, source: str) -> tuple[Attachment, ...]:
        """The variables that hold data and that a cell uses."""
        known = variables(self._shell)
        used = [it for it in self._failures.names(source) if it in known and not is_code(known[it])]
        return tuple(
            Attachment(name, summarise(known[name], name, _SUMMARY)) for name in used[:_NAMES_SENT]
        )


def _described(name: str, known: Mapping[str, object]) -> Attachment:
    """What there is to explain of a variable: its source, or a summary."""
    value = known[name]
    try:
        source = inspect.getsource(value) if is_code(value) else ""  # type: ignore[arg-type]  # it raises TypeError itself
    except (OSError, TypeError):
        source = ""
    if source:
        return Attachment(name, source[:_SOURCE], kind="source")
    return Attachment(name, summarise(value, name))


def _nothing_behind(verb: str, rest: str) -> None:
    if rest:
        raise InvalidRequest(
            f"%chat {verb} takes nothing behind it.", hint="To ask, write %chat ask."
        )


def _speaker(message: Message) -> str:
    return "you" if message.role == "user" else (message.model or message.role)


def _spent(spending: Spending) -> tuple[str, str, str, str]:
    """Requests, tokens in and out, and dollars; with a plus where some of them are unknown."""
    more = "+" if spending.unknown_attempts else ""
    cost = "unknown" if spending.cost is None else f"{spending.cost}{more}"
    usage = spending.usage
    return f"{spending.attempts:,}", f"{usage.input_tokens:,}", f"{usage.output_tokens:,}", cost


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows in columns; the last one is as wide as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        print("  ".join(map(_cell, [*cells[:-1], row[-1]])).rstrip())  # noqa: T201  likewise


def _cell(text: str) -> str:
    """A cell of a table, on its line, with the spaces that align it."""
    return visible(text).replace("\n", " ")
