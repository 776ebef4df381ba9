"""Model output made safe to show.

A model repeats what it has read, and what it has read may have been written by an attacker. Front
ends sanitise Markdown against scripts, but they do load images, and the address of an image can
carry away whatever the model knows. So outside of code, an image becomes a link that waits to be
clicked, and a tag becomes visible text. What is stored, and `ChatResult.text`, stay as written.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}(?=[^`]*$)|~{3,})")
_CODE_SPAN = re.compile(r"(?<![\\`])(?P<marks>`+)(?!`).*?(?<!`)(?P=marks)(?!`)")
_TAG = re.compile(r"(?<!\\)<(?=[A-Za-z/!?])")
_IMAGE = re.compile(r"!(?=\[)")


def safe_markdown(text: str) -> str:
    """The text, with nothing in it that acts before somebody clicks.

    Cautious where it cannot be sure what is code: a stray backslash is better than a request.
    """
    shown, fence = [], ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if fence:
            if found and found["marks"].startswith(fence) and line.strip() == found["marks"]:
                fence = ""
            shown.append(line)
        elif found:
            fence = found["marks"]
            # What follows the marks on their line names a language, and is not shown.
            shown.append(_without_tags(line))
        else:
            shown.append(_safe_line(line))
    return "\n".join(shown)


def _safe_line(line: str) -> str:
    pieces, last = [], 0
    for span in _CODE_SPAN.finditer(line):
        pieces += [_safe_prose(line[last : span.start()]), span[0]]
        last = span.end()
    return "".join([*pieces, _safe_prose(line[last:])])


def _safe_prose(text: str) -> str:
    # `!\[` keeps the link and loses the picture; a backslash before `<` makes it a character.
    return _IMAGE.sub(r"\\!", _without_tags(text))


def _without_tags(text: str) -> str:
    pieces = []
    for index, piece in enumerate(text.split("$")):
        # Between dollars a backslash would be LaTeX, where white space means nothing.
        pieces.append(_TAG.sub("< " if index % 2 else r"\\<", piece))
    return "$".join(pieces)
