"""What is found by its words.

Every title and every message is a row of `search_texts`, which the database itself indexes. The
newest are found first: rows are read in the order in which they were written, and no further than
a page needs, so that a common word costs no more than a rare one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle

from sqlalchemy import Connection, delete, insert, select, text

from bestchat_server_ext.adapters.storage_sql.tables import conversations, search_texts
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.ids import ConversationId, MessageId, OwnerId
from bestchat_server_ext.core.search import Hit, SnippetPart, searchable

_READ_AT_ONCE = 100
"""Rows that are looked at together; several of them may be of one conversation."""

_NEWEST = 2**62
"""Above all numbers of rows."""

_OPEN, _CLOSE = "\x02", "\x03"
"""What the database puts around a match. A text that holds them is shown with a wrong emphasis."""

# The joins are in this order, because SQLite would rather read all conversations.
_FIND_SQLITE = """
SELECT t.id, t.conversation_id, t.message_id
FROM search_words AS w
CROSS JOIN search_texts AS t ON t.id = w.rowid
CROSS JOIN conversations AS c ON c.id = t.conversation_id
WHERE search_words MATCH :words AND w.rowid < :before
    AND c.owner = :owner AND c.deleted_at IS NULL
ORDER BY w.rowid DESC LIMIT :limit
"""
_SHOW_SQLITE = """
SELECT rowid, snippet(search_words, 0, :open, :close, '…', 20) FROM search_words
WHERE search_words MATCH :words AND rowid = :key
"""
_FIND_POSTGRES = """
SELECT t.id, t.conversation_id, t.message_id
FROM search_texts AS t
JOIN conversations AS c ON c.id = t.conversation_id
WHERE t.search_words @@ to_tsquery('simple', :words) AND t.id < :before
    AND c.owner = :owner AND c.deleted_at IS NULL
ORDER BY t.id DESC LIMIT :limit
"""
_SHOW_POSTGRES = """
SELECT id, ts_headline('simple', text, to_tsquery('simple', :words), :style) FROM search_texts
WHERE id = :key
"""
_STYLE = f"StartSel={_OPEN}, StopSel={_CLOSE}, MaxWords=20, MinWords=8, MaxFragments=1"


def index(connection: Connection, here: ConversationId, happened: Iterable[ev.Event]) -> None:
    """Make findable what these events bring."""
    titles = [
        event.title
        for event in happened
        if isinstance(event, ev.ConversationCreated | ev.ConversationRenamed) and event.title
    ]
    if titles:
        old = search_texts.c.conversation_id == here, search_texts.c.message_id.is_(None)
        connection.execute(delete(search_texts).where(*old))
    found: list[tuple[MessageId | None, str]] = [(None, title) for title in titles[-1:]]
    found += [
        (event.message.id, words)
        for event in happened
        if isinstance(event, ev.MessageAdded) and (words := searchable(event.message))
    ]
    if found:
        rows = [{"conversation_id": here, "message_id": key, "text": words} for key, words in found]
        connection.execute(insert(search_texts), rows)


def search(
    connection: Connection, owner: OwnerId, terms: Sequence[str], limit: int
) -> tuple[Hit, ...]:
    """An owner's conversations in which all words are said in one place, the last said first."""
    if not terms:
        return ()
    postgres = connection.dialect.name == "postgresql"
    words = _words_postgres(terms) if postgres else _words_sqlite(terms)
    find = text(_FIND_POSTGRES if postgres else _FIND_SQLITE)
    places: dict[str, int] = {}
    given = {"words": words, "before": _NEWEST, "owner": owner, "limit": _READ_AT_ONCE}
    while len(places) < limit:
        rows = connection.execute(find, given).all()
        for key, conversation_id, _ in rows:
            places.setdefault(str(conversation_id), key)
        if len(rows) < _READ_AT_ONCE:
            break
        given["before"] = rows[-1].id
    newest = list(places.values())[:limit]
    return tuple(_hit(connection, key, words, postgres=postgres) for key in newest)


def _hit(connection: Connection, key: int, words: str, *, postgres: bool) -> Hit:
    if postgres:
        shown = connection.execute(
            text(_SHOW_POSTGRES), {"words": words, "key": key, "style": _STYLE}
        )
    else:
        marks = {"open": _OPEN, "close": _CLOSE}
        shown = connection.execute(text(_SHOW_SQLITE), {"words": words, "key": key} | marks)
    snippet = shown.one()[1]
    columns = conversations.c
    row = connection.execute(
        select(
            columns.id,
            columns.title,
            columns.updated_at,
            search_texts.c.message_id,
            columns.starred,
            columns.archived,
        )
        .join_from(search_texts, conversations)
        .where(search_texts.c.id == key)
    ).one()
    return Hit(
        conversation_id=row.id,
        title=row.title,
        updated_at=row.updated_at,
        snippet=_parts(snippet),
        message_id=row.message_id,
        starred=row.starred,
        archived=row.archived,
    )


def _parts(marked: str) -> tuple[SnippetPart, ...]:
    pieces = marked.replace(_CLOSE, _OPEN).split(_OPEN)
    return tuple(
        SnippetPart(piece, match)
        for piece, match in zip(pieces, cycle((False, True)), strict=False)
        if piece
    )


def _words_sqlite(terms: Sequence[str]) -> str:
    return " ".join(f'"{term}"*' for term in terms)


def _words_postgres(terms: Sequence[str]) -> str:
    # Each term consists of word characters only, so that quotes need no escaping.
    return " & ".join(f"'{term}':*" for term in terms)
