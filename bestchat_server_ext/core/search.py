"""Search: which words somebody looks for, what of a conversation can be found, and how it is shown.

A word is a run of letters and digits, in lower case and without accents: `pandas.read_csv` has
three of them, wherever it stands. Both databases are given words cut like this.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from bestchat_server_ext.core.ids import ConversationId, MessageId
from bestchat_server_ext.core.messages import Message

MOST_TERMS = 10
"""Words of a query that are looked for; further ones narrow down nothing any more."""

MOST_CHARACTERS = 100_000
"""What is searched of one message: a pasted log needs no index of its own."""

LONGEST_WORD = 200
"""Characters of a word that count: what is longer is no word, and databases have limits."""

_WORD = re.compile(r"[^\W_]+")
_BEFORE, _AFTER = 8, 16
"""Words that are shown around the first one that was found."""
_WIDEST = 100
"""Characters that are shown on either side at most, where words are long."""


class SnippetPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of the text around what was found."""

    text: str
    """The piece."""
    match: bool = False
    """Whether it is one of the words that were looked for."""


class Hit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation in which something was found."""

    conversation_id: ConversationId
    """Which one."""
    title: str
    """What it is called."""
    updated_at: datetime
    """When something was last said or done in it, UTC."""
    snippet: tuple[SnippetPart, ...]
    """The text around what was found last."""
    message_id: MessageId | None = None
    """The message that it is in; none for the title."""
    starred: bool = False
    """Whether the conversation has a star."""
    archived: bool = False
    """Whether the conversation is put away."""


def words(text: str) -> list[str]:
    """The words of a text, in order, as they are compared."""
    return [_folded(found)[:LONGEST_WORD] for found in _WORD.findall(text)]


def terms(query: str) -> tuple[str, ...]:
    """What to look for: beginnings of words."""
    return tuple(dict.fromkeys(filter(None, words(query))))[:MOST_TERMS]


def searchable(message: Message) -> str:
    """What can be found of a message: what a person or a model said, but not what tools brought."""
    return "" if message.role == "tool" else message.text[:MOST_CHARACTERS]


def snippet(text: str, wanted: Collection[str]) -> tuple[SnippetPart, ...]:
    """The text around the first word that begins with one of these, with all such words marked."""
    found = list(_WORD.finditer(text))
    looked_for = tuple(wanted)
    first = next((n for n, it in enumerate(found) if _matches(it, looked_for)), 0)
    shown = found[max(0, first - _BEFORE) : first + _AFTER]
    if not shown:
        return (SnippetPart(text[:_WIDEST]),)
    begin = max(shown[0].start(), found[first].start() - _WIDEST)
    end = min(shown[-1].end(), found[first].end() + 2 * _WIDEST)
    marked = [it.span() for it in shown if it.start() >= begin and _matches(it, looked_for)]
    return tuple(_pieces(text, begin, end, marked))


def _pieces(
    text: str, begin: int, end: int, marked: Sequence[tuple[int, int]]
) -> list[SnippetPart]:
    whole = end >= len(text.rstrip())
    pieces = [SnippetPart("…")] if begin > 0 else []
    at = begin
    for start, stop in marked:
        if start < end:
            pieces += [
                SnippetPart(text[at:start]),
                SnippetPart(text[start : min(stop, end)], match=True),
            ]
            at = min(stop, end)
    pieces += [SnippetPart(text[at:end]), SnippetPart("" if whole else "…")]
    return [piece for piece in pieces if piece.text]


def _matches(found: re.Match[str], wanted: tuple[str, ...]) -> bool:
    return _folded(found[0]).startswith(wanted)


def _folded(word: str) -> str:
    """In lower case and without accents, as SQLite's tokenizer does it."""
    if word.isascii():
        return word.lower()
    apart = unicodedata.normalize("NFD", word.lower())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
