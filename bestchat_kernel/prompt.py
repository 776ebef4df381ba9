"""From what is written in a cell to what is sent.

`@name` attaches a variable and leaves the text as it is. `{{ expression }}` is evaluated and its
value put in. A prompt is prose with code in it, so whatever is not surely one of the two stays as
it was written, and a note says so where it may have been meant otherwise. Values that were put
in are never read again: a mention inside of one is data.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from bestchat_kernel.attachment import Attachment
from bestchat_kernel.mentions import EVALUATED, NOWHERE, Places, attach
from bestchat_kernel.redaction import Redaction
from bestchat_kernel.summary import inline_text
from bestchat_server_ext.core.errors import PromptError

Span = tuple[int, int]

_LONGEST_EXPRESSION = 4000
"""Characters after which the end of an expression is not looked for any more."""
_ENDS_TRIED = 8
"""Places that are tried as the end of one expression."""
_NOTES = 5
"""Notes on one prompt; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, ready to be composed and sent."""

    text: str
    """The user's text, with the values of its expressions."""
    attachments: tuple[Attachment, ...] = ()
    """What it mentions, each once, in the order of the first mention."""
    notes: tuple[str, ...] = ()
    """What was left as text and may have been meant otherwise; for the user, not for a model."""


@dataclass(frozen=True, slots=True)
class _Expression:
    start: int
    end: int
    source: str


def prepare(
    text: str,
    namespace: Mapping[str, object],
    evaluate: Callable[[str], object],
    *,
    raw: bool = False,
    places: Places = NOWHERE,
) -> Prompt:
    """Evaluate the expressions of a prompt and attach the variables that it mentions.

    Args:
        text: what the user wrote.
        namespace: the variables that can be attached. It is read after all expressions have
            been evaluated.
        evaluate: gives the value of a Python expression. It is called once for each one that
            stands in the text, in their order.
        raw: whether to leave everything as it is.
        places: what can be mentioned beside variables.

    Raises:
        PromptError: evaluating an expression raised.
        ChatError: a page or a conversation that is mentioned cannot be had.
    """
    if raw:
        return Prompt(text)
    notes: list[str] = []
    fences = _fences(text)
    expressions = list(_expressions(text, fences, notes))
    redaction = Redaction()
    expanded = _put_in(text, expressions, evaluate, redaction)
    # Fillers keep every position. A line end keeps blocks apart.
    prose = _masked(text, fences, "\n")
    prose = _masked(prose, [(item.start, item.end) for item in expressions], EVALUATED)
    prose = _masked(prose, _code_spans(prose), "`")
    attachments = attach(prose, namespace, places, notes)
    return Prompt(expanded, attachments, _capped([*notes, *redaction.notes]))


def safe(prompt: Prompt) -> Prompt:
    """The prompt, with the secrets in what goes along redacted, and notes that say so."""
    redaction = Redaction()
    attachments = tuple(redaction.attachment(it) for it in prompt.attachments)
    return replace(prompt, attachments=attachments, notes=(*prompt.notes, *redaction.notes))


def compose(prompt: Prompt) -> str:
    """The text of the user's message: the prompt, then one block for each attachment."""
    return prompt.text + "".join(_block(attachment) for attachment in prompt.attachments)


def _block(attachment: Attachment) -> str:
    runs = re.findall(r"`+", attachment.summary)
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    return (
        f"\n\n---\nAttached {attachment.kind} `{attachment.name}`:\n"
        f"{fence}text\n{attachment.summary}\n{fence}"
    )


def _capped(notes: Iterable[str]) -> tuple[str, ...]:
    distinct = list(dict.fromkeys(notes))
    if len(distinct) <= _NOTES:
        return tuple(distinct)
    return (*distinct[:_NOTES], f"{len(distinct) - _NOTES} more places were left as text.")


def _masked(text: str, spans: Iterable[Span], filler: str) -> str:
    pieces, last = [], 0
    for start, end in spans:
        pieces += [text[last:start], filler * (end - start)]
        last = end
    return "".join(pieces) + text[last:]


# Where code is, by the rules of CommonMark.

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_MARKER = r"(?:[-+*]|\d{1,9}[.)])"
_ITEM = re.compile(rf" *{_MARKER} +(?=\S)")
_OPENING = re.compile(
    rf"(?P<lead>(?: *(?:>|{_MARKER}(?= )))*)(?P<indent> *)(?P<marks>`{{3,}}(?!.*`)|~{{3,}})"
)
_CLOSING = re.compile(r"(?P<lead>[ >]*)(?P<marks>`{3,}|~{3,})\s*")
_BACKTICKS = re.compile(r"(?<!\\)(?P<slashes>\\*)(?P<marks>`+)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")
_INDENT = 3
"""Spaces before a fence that do not yet make it something else."""


@dataclass(frozen=True, slots=True)
class _Fence:
    start: int
    marks: str
    column: int
    """Where the text of the list item or the quotation begins that it stands in."""

    def closed_by(self, line: str) -> bool:
        found = _CLOSING.fullmatch(line)
        return (
            found is not None
            and found["marks"].startswith(self.marks)
            and len(found["lead"]) <= self.column + _INDENT
        )


def _fences(text: str) -> list[Span]:
    """Fenced blocks, fences included; one that is never closed runs to the end."""
    spans: list[Span] = []
    fence: _Fence | None = None
    column = 0
    for found in _LINE.finditer(text):
        line = found[0].expandtabs(4).rstrip("\r\n")
        if fence is not None:
            if fence.closed_by(line):
                spans.append((fence.start, found.end()))
                fence = None
            continue
        fence = _opened(line, found.start(), column)
        if fence is None and line.strip():
            column = _item_column(line, column)
    if fence is not None:
        spans.append((fence.start, len(text)))
    return spans


def _opened(line: str, start: int, column: int) -> _Fence | None:
    found = _OPENING.match(line)
    if found is None:
        return None
    if found["lead"]:
        column = found.end("lead") + 1
    if found.start("marks") > column + _INDENT:
        return None
    return _Fence(start, found["marks"], column)


def _item_column(line: str, column: int) -> int:
    """Where the text of the list item begins that this line stands in; 0 outside of lists."""
    indent = len(line) - len(line.lstrip(" "))
    item = _ITEM.match(line)
    if item is not None and indent <= column + _INDENT:
        return item.end()
    return min(column, indent)


def _blocks(text: str) -> Iterator[Span]:
    """Stretches of text that a code span does not reach beyond."""
    start = 0
    for found in _LINE.finditer(text):
        line = found[0]
        heading = _HEADING.match(line) is not None
        if heading or not line.strip() or _ITEM.match(line) is not None:
            yield start, found.start()
            start = found.start()
        if heading:
            yield start, found.end()
            start = found.end()
    yield start, len(text)


def _code_spans(text: str) -> list[Span]:
    """Inline code: from a run of backticks to the next run that is as long."""
    return [span for start, end in _blocks(text) for span in _code_spans_in(text, start, end)]


def _code_spans_in(text: str, start: int, end: int) -> Iterator[Span]:
    runs = list(_BACKTICKS.finditer(text, start, end))
    by_length: dict[int, list[int]] = {}
    for run in runs:
        by_length.setdefault(len(run["marks"]), []).append(run.start("marks"))
    position = start
    for run in runs:
        # A backslash takes the first backtick out of a run that would open, never out of one
        # that closes: inside of code it stands for itself.
        length = len(run["marks"]) - len(run["slashes"]) % 2
        if run.start("marks") < position or not length:
            continue
        same = by_length.get(length, [])
        closing = bisect_left(same, run.end())
        if closing < len(same):
            position = same[closing] + length
            yield run.end() - length, position


# Expressions.

_OPEN = re.compile(r"\{\{(?=\s)")
# The braces first and the white space before them second: so the search is for two characters.
_CLOSE = re.compile(r"\}\}(?<=\s\}\})")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")


def _expressions(text: str, fences: list[Span], notes: list[str]) -> Iterator[_Expression]:
    edges = [0, *(edge for fence in fences for edge in fence), len(text)]
    for start, stop in list(pairwise(edges))[::2]:
        position = start
        while (opening := _OPEN.search(text, position, stop)) is not None:
            position = opening.end()
            expression = _expression_at(text, opening.start(), stop, notes)
            if expression is not None:
                position = expression.end
                yield expression


def _expression_at(text: str, start: int, stop: int, notes: list[str]) -> _Expression | None:
    """The shortest piece from here to two braces that is Python."""
    inside = start + len("{{")
    stop = min(stop, inside + _LONGEST_EXPRESSION)
    blank = _BLANK_LINE.search(text, inside, stop)
    ends = _CLOSE.finditer(text, inside, blank.start() if blank else stop)
    tried = ""
    for end in islice(ends, _ENDS_TRIED):
        source = text[inside : end.start()].strip()
        if _is_python(source):
            return _Expression(start, end.end(), source)
        tried = tried or source
    # Braces that open again before they close were never a pair; nor is nothing an expression.
    if tried and "{{" not in tried:
        notes.append(f"`{_written(tried)}` is not a Python expression and was left as text.")
    return None


def _is_python(source: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(source, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _put_in(
    text: str,
    expressions: list[_Expression],
    evaluate: Callable[[str], object],
    redaction: Redaction,
) -> str:
    pieces, last = [], 0
    for item in expressions:
        try:
            value = evaluate(item.source)
        except Exception as error:
            raise PromptError(
                f"`{_written(item.source)}` raised {_told(error)}.",
                hint="If it is meant as text, put it into a code fence or use --raw.",
            ) from error
        shown = redaction.summary(inline_text(value), f"{{{{ {item.source} }}}}")
        pieces += [text[last : item.start], shown]
        last = item.end
    return "".join(pieces) + text[last:]


def _written(source: str, longest: int = 60) -> str:
    """An expression as it stands in a prompt, on one line."""
    line = " ".join(source.split())
    return f"{{{{ {line if len(line) <= longest else line[:longest] + '…'} }}}}"


def _told(error: Exception) -> str:
    """Type and message of an exception, on one line."""
    message = " ".join(inline_text(error, 200).split())
    return f"{type(error).__name__}: {message}".rstrip(": .")
