"""What a prompt mentions: `@name`, `@In[3]`, `@Out[3]`, `@error`, `@file:path`, `@url:address`.

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
from bestchat_server_ext.core.errors import InvalidRequest

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
        page: gives the text of a page; raises a `ChatError` if that cannot be had: an answer
            without it would be one to another question.
        conversation: gives what was said in another conversation; likewise.
    """

    source: Callable[[int], str | None]
    output: Callable[[int], tuple[object, ...]]
    error: Callable[[], str | None]
    file: Callable[[str], Attachment]
    page: Callable[[str], Attachment]
    conversation: Callable[[str], Attachment]


def _nothing(name: str) -> Attachment:
    raise ValueError(f"{name!r} cannot be attached here.")


NOWHERE = Places(lambda _: None, lambda _: (), lambda: None, _nothing, _nothing, _nothing)


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    decorates: bool
    """Whether it stands where a decorator would stand."""
    spoken: bool
    """Whether what follows it is what follows a word in a sentence."""


@dataclass(frozen=True, slots=True)
class _Cell:
    name: str
    number: int


class _Source(_Cell):
    """`In[3]`."""


class _Result(_Cell):
    """`Out[3]`."""


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    kind: str
    """`file`, `url` or `conversation`."""
    path: str
    """What stands behind the kind."""


_Mention = _Variable | _Source | _Result | _Named


_AT = re.compile(r"(?P<alone>(?<![^\r\n])[ \t]*@)|(?<!\S)@")
_SENTENCE_GOES_ON = re.compile(r"[\s.,;:!?)\]}'\"\0]|$")
_DECORATOR = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n?|\n)\s*(?:@[^\r\n]*\s+){0,20}")
_DEFINITION = re.compile(r"(?:async[ \t]+def|def|class)[ \t]+\w")


_PLACE = re.compile(
    r"(?P<cell>In|Out)\[(?P<number>\d{1,9})\]"
    r"|(?P<kind>file|url|conversation):(?:\"(?P<quoted>[^\"\r\n]+)\"|(?P<path>[^\s\"]+))"
)
EVALUATED = "\0"
"""What the caller puts into the place of expressions: nobody types it, no name has it."""
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

    Raises:
        ChatError: a page or a conversation cannot be had.
    """
    chosen: dict[str, Attachment] = {}
    unknown: dict[str, None] = {}
    for mention in _mentions(text):
        name = mention.name
        if name in chosen or name in unknown:
            continue
        found = _found(mention, namespace, places)
        if isinstance(found, str):
            notes.append(found)
        elif found is not None:
            chosen[name] = found
            notes += found.notes
            if found.summary.endswith(LATE):
                told = f"`@{name}` took too long to say what is in it: only its type goes along."
                notes.append(told)
        elif isinstance(mention, _Variable) and mention.spoken and not mention.decorates:
            unknown[name] = None
    notes += _unknown_notes(unknown, namespace)
    return tuple(chosen.values())


def _found(
    mention: _Mention, namespace: Mapping[str, object], places: Places
) -> Attachment | str | None:
    """What is attached for a mention; else why not; none for what may be no mention at all."""
    match mention:
        case _Source():
            return _of_source(mention, places)
        case _Result():
            return _of_result(mention, places)
        case _Named():
            return _of_named(mention, places)
        case _Variable() if mention.name in namespace:
            return _of_variable(mention, namespace[mention.name])
        case _Variable(name="error") if (told := places.error()) is not None:
            return Attachment("error", told, kind="traceback")
        case _Variable():
            return None


def _of_variable(mention: _Variable, value: object) -> Attachment | str | None:
    if mention.decorates and callable(value):
        return None
    if is_code(value):
        return f"`@{mention.name}` names code; only variables that hold data are attached."
    return Attachment(mention.name, summarise(value, mention.name))


def _of_source(mention: _Source, places: Places) -> Attachment | str:
    source = places.source(mention.number)
    if source is None:
        return f"`@{mention.name}` is no cell that has run here and was left as text."
    cut = "" if len(source) <= _LONGEST_SOURCE else "\n… [cut here]"
    return Attachment(mention.name, source[:_LONGEST_SOURCE] + cut, kind="cell")


def _of_result(mention: _Result, places: Places) -> Attachment | str:
    output = places.output(mention.number)
    if not output:
        return f"`@{mention.name}` is no cell that gave a result here and was left as text."
    return Attachment(mention.name, summarise(output[0], mention.name), kind="output")


def _of_named(mention: _Named, places: Places) -> Attachment | str:
    if EVALUATED in mention.path:
        return _refused(mention.kind)
    gives = {"file": places.file, "url": places.page, "conversation": places.conversation}
    try:
        return gives[mention.kind](mention.path)
    except ValueError as error:
        return f"`@{mention.name}` was left as text: {error}"


def _refused(kind: str) -> str:
    """Why what an expression is part of is not attached.

    Raises:
        InvalidRequest: an answer without it would be one to another question.
    """
    if kind == "file":
        return "`@file:` takes no expression and was left as text: write the path out."
    raise InvalidRequest(
        f"`@{kind}:` takes no expression.",
        hint="Write out what is meant; between backticks it is only text.",
    )


def _mentions(text: str) -> Iterator[_Mention]:
    for found in _AT.finditer(text):
        place = _PLACE.match(text, found.end())
        if place is not None and not (place["cell"] and _belongs_to_more(text, place.end())):
            yield _of_match(place)
            continue
        end = _name_end(text, found.end())
        name = unicodedata.normalize("NFKC", text[found.end() : end])
        if name and not keyword.iskeyword(name) and not _belongs_to_more(text, end):
            spoken = _SENTENCE_GOES_ON.match(text, end) is not None
            yield _Variable(name, _decorates(text, found, end), spoken)


def _of_match(place: re.Match[str]) -> _Mention:
    if place["cell"]:
        kind = _Source if place["cell"] == "In" else _Result
        return kind(place[0], int(place["number"]))
    path = place["quoted"] or _without_end(place["path"])
    return _Named(f"{place['kind']}:{path}", place["kind"], path)


def _without_end(path: str) -> str:
    """A path, or an address, without the end of the sentence; `…/wiki/C_(language)` is whole."""
    bare = path.rstrip(_AFTER_PATH)
    if bare.count("(") > bare.count(")") and path[len(bare) :].startswith(")"):
        bare += ")"
    return bare or path


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
