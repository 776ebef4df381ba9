"""Model output made safe to show.

A model repeats what it has read, and what it has read may have been written by an attacker. Front
ends sanitise Markdown against scripts, but they do load images, and the address of an image can
carry away whatever the model knows. So an image becomes a link that waits to be clicked, a tag
becomes visible text, and a diagram is shown as its source: drawing one can load pictures, too. What
is stored, and `ChatResult.text`, stay as written.

An invisible space keeps `<` and `!` apart from what would give them a meaning. Only fences that
begin without indentation are spared, because code is copied from there: they are written out again
in a form that no renderer misreads. In all else renderers disagree on where code begins and ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n?|[\n\x0b\x0c\x85\u2028\u2029]")
_ACTIVE = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)")
"""What begins a tag or an image."""
_MARKS = re.compile(r"```|~~~")
_DIAGRAM = re.compile(r"m(?=ermaid)|&", re.IGNORECASE)
"""Behind the marks of a fence, what may name a diagram: the word, or a sign written as `&#109;`."""
_APART = "\u200b"
_FENCE = re.compile(r"(?P<marks>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
_LANGUAGE = re.compile(r"\s*(?P<name>[\w.+#-]*)")
_DOUBTFUL = re.compile(r"\$\$|\\\\?[\[\](]|\\(?:begin|end)\b|```|~~~")
"""What may begin a formula or another fence, and then what we take for code may be none."""


@dataclass(frozen=True)
class _Block:
    """Lines of prose, or of one fence."""

    lines: list[str]
    marks: str = ""
    info: str = ""


def safe_markdown(text: str) -> str:
    """The text, with nothing in it that acts before somebody clicks.

    Closes a fence that is still open, so that it can be called while the text grows, and so that
    what is put behind it stands for itself. Takes time in proportion to the text.
    """
    blocks = list(_blocks(_LINE_END.split(text.replace("\0", "\ufffd"))))
    prose = (line for block in blocks if not block.marks for line in block.lines)
    doubtful = any(_DOUBTFUL.search(line) for line in prose)
    shown: list[str] = []
    for block in blocks:
        if not block.marks:
            shown += [_without_actions(line) for line in block.lines]
            continue
        if shown and shown[-1].strip():
            shown.append("")  # so that it is no row of a table, and no line of a list
        body = [_without_actions(line) for line in block.lines] if doubtful else block.lines
        shown += [f"{block.marks}{_language(block.info)}", *body, block.marks]
    return "\n".join(shown)


def _blocks(lines: Iterable[str]) -> Iterator[_Block]:
    """Cut a text at its fences. Only one without indentation stands in no list for anybody."""
    body: list[str] = []
    fence: re.Match[str] | None = None
    for line in lines:
        if fence is None:
            fence = _FENCE.fullmatch(line)
            if fence is None:
                body.append(line)
            else:
                yield _Block(body)
                body = []
        elif _closes(line, fence["marks"]):
            yield _fenced(body, fence)
            body, fence = [], None
        else:
            body.append(line)
    yield _Block(body) if fence is None else _fenced(body, fence)


def _closes(line: str, marks: str) -> bool:
    inner = line.strip(" \t")
    return len(inner) >= len(marks) and set(inner) == {marks[0]}


def _fenced(body: list[str], fence: re.Match[str]) -> _Block:
    """A fence with marks that nothing inside of it can be taken for."""
    mark = fence["marks"][0]
    longest = max(
        (len(run) for line in body for run in re.findall(f"{mark}{{3,}}", line)), default=0
    )
    return _Block(body, mark * max(len(fence["marks"]), longest + 1), fence["info"])


def _language(info: str) -> str:
    """What names the language of a fence, and nothing else.

    Diagrams are shown as their source: drawing one can load pictures from anywhere.
    """
    found = _LANGUAGE.match(info)
    name = found["name"] if found else ""
    return "text" if "mermaid" in name.lower() else name


def _without_actions(line: str) -> str:
    line = _ACTIVE.sub(_apart, line)
    if (marks := _MARKS.search(line)) is None:
        return line
    # Some who draw diagrams look for the word anywhere in what follows the marks.
    return line[: marks.end()] + _DIAGRAM.sub(_apart, line[marks.end() :])


def _apart(found: re.Match[str]) -> str:
    return found[0] + _APART
