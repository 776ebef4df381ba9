"""What a prompt mentions: `@name`, `@In[3]`, `@Out[3]`, `@error`, `@file:path`.

A mention attaches something and leaves the text as it is. It counts only after white space or at
a line's beginning, and only in prose: the caller masks code.
"""

from __future__ import annotations

import inspect
import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from types import MethodType, ModuleType

from bestchat_kernel.attachment import Attachment
from bestchat_kernel.summary import LATE, summarise

_NOTES = 5
"""Unknown names for which near misses are looked for."""
_NEAR_MISSES = 3
"""Names that a note proposes."""
_LONGEST_SOURCE = 20_000
"""Characters of a cell that are sent."""


@dataclass(frozen=True)
class Places:
    """What can be mentioned beside variables.

    Attributes:
        source: gives the text of the cell that had a number; none if there is no such cell.
        output: gives what that cell showed as its result, in a tuple that is empty without one.
        error: gives the last error, with its cell; none before the first one.
        file: gives a text file; raises `ValueError`, with the reason, if that cannot be had.
    """

    source: Callable[[int], str | None]
    output: Callable[[int], tuple[object, ...]]
    error: Callable[[], str | None]
    file: Callable[[str], Attachment]


def _no_file(path: str) -> Attachment:
    raise ValueError(f"{path!r} cannot be attached here.")


NOWHERE = Places(lambda _: None, lambda _: (), lambda: None, _no_file)


@dataclass(frozen=True, slots=True)
class _Mention:
    name: str
    decorates: bool = False
    """Whether it stands where a decorator would stand."""
    spoken: bool = True
    """Whether what follows it is what follows a word in a sentence."""
    place: re.Match[str] | None = None
    """How it is written, if it is none of a variable."""


_AT = re.compile(r"(?P<alone>(?<![^\r\n])[ \t]*@)|(?<!\S)@")
_SENTENCE_GOES_ON = re.compile(r"[\s.,;:!?)\]}'\"]|$")
_DECORATOR = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n?|\n)\s*(?:@[^\r\n]*\s+){0,20}")
_DEFINITION = re.compile(r"(?:async[ \t]+def|def|class)[ \t]+\w")


_PLACE = re.compile(
    r"(?P<cell>In|Out)\[(?P<number>\d{1,9})\]"
    r"|file:(?:\"(?P<quoted>[^\"\r\n]+)\"|(?P<path>[^\s\"]+))"
)
# What ends a sentence ends the path before it.
_AFTER_PATH = ".,;:!?)]}'\""


def attach(
    text: str, namespace: Mapping[str, object], places: Places, notes: list[str]
) -> tuple[Attachment, ...]:
    """Attach what a text mentions, each thing once, in the order of the first mention.

    Args:
        text: prose, with fillers in the place of all code.
        namespace: the variables that can be mentioned.
        places: what can be mentioned beside them.
        notes: takes what the user should know.
    """
    chosen: dict[str, Attachment] = {}
    unknown: dict[str, None] = {}
    for mention in _mentions(text):
        name = mention.name
        if name in chosen or name in unknown:
            continue
        if mention.place is not None:
            attachment = _of_place(mention.place, name, places, notes)
        elif name in namespace:
            attachment = _of_variable(mention, namespace[name], notes)
        elif name == "error" and (told := places.error()) is not None:
            attachment = Attachment(name, told, kind="traceback")
        else:
            attachment = None
            if mention.spoken and not mention.decorates:
                unknown[name] = None
        if attachment is not None:
            chosen[name] = attachment
    notes += _unknown_notes(unknown, namespace)
    return tuple(chosen.values())


def _of_variable(mention: _Mention, value: object, notes: list[str]) -> Attachment | None:
    if mention.decorates and callable(value):
        return None
    if is_code(value):
        notes.append(f"`@{mention.name}` names code; only variables that hold data are attached.")
        return None
    return Attachment(mention.name, _summary(mention.name, value, notes))


def _summary(name: str, value: object, notes: list[str]) -> str:
    summary = summarise(value, name)
    if summary.endswith(LATE):
        notes.append(f"`@{name}` took too long to say what is in it: only its type goes along.")
    return summary


def _of_place(
    place: re.Match[str], name: str, places: Places, notes: list[str]
) -> Attachment | None:
    """What is attached for a mention that is no variable; a note, if it is not there."""
    if place["cell"] == "In":
        source = places.source(int(place["number"]))
        if source is not None:
            cut = "" if len(source) <= _LONGEST_SOURCE else "\n… [cut here]"
            return Attachment(name, source[:_LONGEST_SOURCE] + cut, kind="cell")
        notes.append(f"`@{name}` is no cell that has run here and was left as text.")
    elif place["cell"] == "Out":
        for value in places.output(int(place["number"])):
            return Attachment(name, _summary(name, value, notes), kind="output")
        notes.append(f"`@{name}` is no cell that gave a result here and was left as text.")
    else:
        try:
            return places.file(name.removeprefix("file:"))
        except ValueError as error:
            notes.append(f"`@{name}` was left as text: {error}")
    return None


def _mentions(text: str) -> Iterator[_Mention]:
    for found in _AT.finditer(text):
        place = _PLACE.match(text, found.end())
        if place is not None and not (place["cell"] and _belongs_to_more(text, place.end())):
            path = place["quoted"] or (place["path"] or "").rstrip(_AFTER_PATH)
            yield _Mention(f"file:{path}" if path else place[0], place=place)
            continue
        end = _name_end(text, found.end())
        name = unicodedata.normalize("NFKC", text[found.end() : end])
        if name and not keyword.iskeyword(name) and not _belongs_to_more(text, end):
            spoken = _SENTENCE_GOES_ON.match(text, end) is not None
            yield _Mention(name, _decorates(text, found, end), spoken)


def _name_end(text: str, start: int) -> int:
    """Where the name that begins at a position ends; the position itself if none begins."""
    end = start
    # Not `\w`: it misses the vowel signs that names in many scripts are written with.
    if end < len(text) and text[end].isidentifier():
        end += 1
        while end < len(text) and _continues_name(text[end]):
            end += 1
    return end


def _continues_name(character: str) -> bool:
    return f"a{character}".isidentifier()


def _belongs_to_more(text: str, end: int) -> bool:
    """Whether what looked like a name is part of an access, a call or an address."""
    following = text[end : end + 2]
    if following.startswith("."):
        return len(following) > 1 and _continues_name(following[1])
    return following.startswith(("(", "@"))


def _decorates(text: str, found: re.Match[str], end: int) -> bool:
    """Whether a name stands alone on its line, above a definition or its other decorators."""
    rest = _DECORATOR.match(text, end) if found["alone"] else None
    return rest is not None and _DEFINITION.match(text, rest.end()) is not None


def is_code(value: object) -> bool:
    """Whether a value is a function, a class or a module. Runs none of the value's own code."""
    kind = type(value)
    if issubclass(kind, (ModuleType, type, MethodType, partial)):
        return True
    # Functions come in many types (compiled, cached, universal); data has no name of its own.
    return callable(value) and inspect.getattr_static(value, "__name__", None) is not None


def _unknown_notes(unknown: Iterable[str], namespace: Mapping[str, object]) -> Iterator[str]:
    for number, name in enumerate(unknown):
        near: list[str] = []
        if number < _NOTES:
            data = [key for key in list(namespace) if not key.startswith("_")]
            likely = get_close_matches(name, data, n=2 * _NEAR_MISSES)
            near = [key for key in likely if not is_code(namespace[key])][:_NEAR_MISSES]
        guess = f" Did you mean {' or '.join(f'`@{key}`' for key in near)}?" if near else ""
        yield f"`@{name}` is not a variable here and was left as text.{guess}"
