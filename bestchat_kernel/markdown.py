"""Model output made safe to show.

A model repeats what it has read, and what it has read may have been written by an attacker. Front
ends sanitise Markdown against scripts, but they do load images, and the address of an image can
carry away whatever the model knows. So outside of code, an image becomes a link that waits to be
clicked, and a tag becomes visible text. What is stored, and `ChatResult.text`, stay as written.

Front ends do not agree on where code is: on tables, on bare addresses, on formulas, on what ends
a fence. Therefore code is left alone only where all of them see code, and fences are written out
again in the one form that nobody misunderstands. Elsewhere a stray space is better than a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

_LINE_END = re.compile(r"\r\n?|\n")
_ACTIVE = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)")
"""What begins a tag or an image."""
_ENTITIES = {"<": "&lt;", "!": "&#33;"}

_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<marks>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
_HARMLESS_INFO = re.compile(r"[\w .+#=\"'{}:,/-]*")
_QUOTE = re.compile(r"(?P<indent> {0,3})>[ ]?")
_INNER_FENCE = re.compile(
    r"(?P<lead>[ \t]*(?:(?:>|(?:[-+*:]|\d{1,9}[.)])(?=[ \t]))[ \t]*)*)(?P<marks>`{3}|~{3})"
)
_FENCE_LINES = 500
"""Lines of an indented fence: its end is looked for from each beginning anew."""

_BACKTICKS = re.compile(r"`+")
_ADDRESS = re.compile(r"(?:://|www\.)\S*$", re.IGNORECASE)
_UNSURE = re.compile(r"\$|\\\\[(\[]|\\begin|\][(\[:]")
"""Formulas, and addresses and names of links: backticks mean nothing in them."""
_DOLLARS = re.compile(r"(?<!\\)\$\$?")
_FORMULA = re.compile(
    r"(?<!\\)\$\$.*?(?<!\\)\$\$|\\\\\[.*?\\\\\]|\\begin\{(?P<name>[a-z]*\*?)\}.*?\\end\{(?P=name)\}",
    re.DOTALL,
)
_HALF_FORMULA = re.compile(r"\$\$|\\\\[\[\]]|\\begin|\\end")


def safe_markdown(text: str) -> str:
    """The text, with nothing in it that acts before somebody clicks.

    Closes what is still open, so that it can be called while the text grows, and so that what
    is put behind it stands for itself.
    """
    lines = _LINE_END.sub("\n", text.replace("\0", "\ufffd")).split("\n")
    return "\n".join(_safe_lines(lines))


def _safe_lines(lines: Sequence[str]) -> list[str]:
    shown: list[str] = []
    at = 0
    while at < len(lines):
        if _blank(lines[at]):
            shown.append("")  # not everybody takes a line of white space for a blank one
            at += 1
            continue
        if _QUOTE.match(lines[at]):
            part = _quotation(lines, at)
        else:
            part = _fence(lines, at) or _prose(lines, at)
        apart, end, safe = part
        if apart and shown and not _blank(shown[-1]):
            shown.append("")
        shown += safe
        if apart and end < len(lines) and not _blank(lines[end]):
            shown.append("")
        at = end
    return shown


_Part = tuple[bool, int, list[str]]
"""Whether blank lines have to stand around it, where it ends, and its safe lines."""


def _blank(line: str) -> bool:
    return not line.strip(" \t")


def _width(line: str) -> int:
    """Columns of white space at the beginning of a line."""
    lead = line[: len(line) - len(line.lstrip(" \t"))]
    return len(lead.expandtabs(4))


# Quotations: the same again, inside.


def _quotation(lines: Sequence[str], at: int) -> _Part:
    inside, end = [], at
    for line in lines[at:]:
        lead = re.match(r"[ \t>]*", line)
        spaced = line if lead is None else lead[0].expandtabs(4) + line[lead.end() :]
        found = _QUOTE.match(spaced)
        if found is None:
            break
        inside.append(spaced[found.end() :])
        end += 1
    # The lines of a quotation are never blank, so that formulas can reach across its fences.
    sure = not any("$" in line or "\\" in line for line in inside)
    safe = _safe_lines(inside) if sure else [_without_fence(line) for line in inside]
    return True, end, [f"> {line}" for line in safe]


def _without_fence(line: str) -> str:
    return _spaced(_INNER_FENCE.sub(r"\g<lead>\\\g<marks>", line, count=1))


# Fences.


def _fence(lines: Sequence[str], at: int) -> _Part | None:
    """The fenced block that begins at a line; none if not everybody would see one."""
    opening = _FENCE.fullmatch(lines[at])
    if opening is None:
        return None
    width = len(opening["indent"].expandtabs(4))
    body = _body(lines[at + 1 :], opening["marks"], width)
    if body is None:
        return None
    end = min(at + 1 + len(body) + 1, len(lines))
    # A longer fence cannot be ended by anything inside of it.
    mark = opening["marks"][0]
    longest = max((len(run) for line in body for run in re.findall(f"{mark}+", line)), default=0)
    marks = mark * max(len(opening["marks"]), longest + 1 if longest > 2 else 0)  # noqa: PLR2004
    lead = " " * width
    safe = [f"{lead}{marks}{_safe_info(opening['info'])}", *body, f"{lead}{marks}"]
    return True, end, safe


def _body(lines: Sequence[str], marks: str, width: int) -> list[str] | None:
    """The lines of a fenced block; none if a list item may end before the block does."""
    closing = re.compile(rf"[ \t]*{marks}{marks[0]}*[ \t]*")
    body: list[str] = []
    for line in lines:
        indent = _width(line)
        if closing.fullmatch(line) and width <= indent <= width + 3:
            return body
        if width and (len(body) >= _FENCE_LINES or (indent < width and not _blank(line))):
            return None
        body.append("" if width and _blank(line) else line)
    return body


def _safe_info(info: str) -> str:
    """What follows the marks on their line; it names a language.

    Diagrams are shown as their source: drawing one can load pictures from anywhere.
    """
    if "mermaid" in info.lower():
        return "text"
    if _HARMLESS_INFO.fullmatch(info):
        return info
    word = re.match(r"\s*[\w+#-]*", info)
    return "" if word is None else word[0].rstrip()


# Prose.


def _prose(lines: Sequence[str], at: int) -> _Part:
    """Lines up to the next blank one, fence or quotation: at least a whole paragraph."""
    first, defused = _INNER_FENCE.subn(r"\g<lead>\\\g<marks>", lines[at], count=1)
    rest = list(takewhile(_goes_on, lines[at + 1 :]))
    block = "\n".join([first, *rest])
    if _HALF_FORMULA.search(_FORMULA.sub("", block)):
        # Some front ends look for its other half in paragraphs far below.
        block = _HALF_FORMULA.sub(_as_entities, block)
    return bool(defused), at + 1 + len(rest), _safe_block(block).split("\n")


def _goes_on(line: str) -> bool:
    return not (_blank(line) or _QUOTE.match(line) or _INNER_FENCE.match(line))


def _as_entities(found: re.Match[str]) -> str:
    return re.sub(r"[$\\]", lambda mark: f"&#{ord(mark[0])};", found[0])


def _safe_block(block: str) -> str:
    if not _ACTIVE.search(block):
        return block
    pieces, last = [], 0
    for start, end in _sure_spans(block):
        pieces += [_safe_prose(block[last:start]), block[start:end]]
        last = end
    before, backtick, rest = block[last:].partition("`")
    return "".join([*pieces, _safe_prose(before), backtick, _spaced(rest)])


def _safe_prose(text: str) -> str:
    pieces, last, formula = [], 0, False
    for found in _DOLLARS.finditer(text):
        pieces.append(_between(text[last : found.start()], formula=formula) + found[0])
        last, formula = found.end(), not formula
    return "".join([*pieces, _between(text[last:], formula=formula)])


def _between(text: str, *, formula: bool) -> str:
    # In LaTeX an entity would be an error, and white space means nothing.
    return _spaced(text) if formula else _ACTIVE.sub(lambda found: _ENTITIES[found[0]], text)


def _spaced(text: str) -> str:
    return _ACTIVE.sub(lambda found: f"{found[0]} ", text)


def _sure_spans(block: str) -> Iterator[tuple[int, int]]:
    """Code spans, if wherever paragraphs begin and end in here, they are the same."""
    unsure = _UNSURE.search(block)
    limit = unsure.start() if unsure else len(block)
    spans: list[tuple[int, int]] = []
    start = 0
    for line in block.split("\n"):
        found = _spans_of(line)
        if found is None:
            return iter(())
        spans += [(start + begin, start + end) for begin, end in found]
        start += len(line) + 1
    return takewhile(lambda span: span[1] <= limit, spans)


def _spans_of(line: str) -> list[tuple[int, int]] | None:
    """The code spans of a line by itself; none if a part of it may belong to others."""
    spans: list[tuple[int, int]] = []
    opening: re.Match[str] | None = None
    for run in _BACKTICKS.finditer(line):
        if opening is None:
            before = line[: run.start()]
            if before.endswith(("\\", "~")) or _ADDRESS.search(before):
                return None
            opening = run
        elif len(run[0]) == len(opening[0]):
            # A bar may end the cell of a table, and a tilde what is struck out, whether there
            # is code around it or not.
            if not {"|", "~"}.isdisjoint(line[opening.start() : run.end()]):
                return None
            spans.append((opening.start(), run.end()))
            opening = None
    return spans if opening is None else None
