"""The full-text index over `search_texts`: what SQLite and PostgreSQL each have for it.

SQLAlchemy knows no such index. Everything of it begins with `search_words`, so that it is told
apart from tables, columns and indexes that `tables` describes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa

from bestchat_server_ext.core.search import words

_BATCH = 500

_SQLITE = (
    """CREATE VIRTUAL TABLE search_words USING fts5(
        text, content='search_texts', content_rowid='id', prefix='2 3 4',
        tokenize='unicode61 remove_diacritics 2'
    )""",
    """CREATE TRIGGER search_words_insert AFTER INSERT ON search_texts BEGIN
        INSERT INTO search_words(rowid, text) VALUES (new.id, new.text);
    END""",
    """CREATE TRIGGER search_words_delete AFTER DELETE ON search_texts BEGIN
        INSERT INTO search_words(search_words, rowid, text) VALUES ('delete', old.id, old.text);
    END""",
    """CREATE TRIGGER search_words_update AFTER UPDATE ON search_texts BEGIN
        INSERT INTO search_words(search_words, rowid, text) VALUES ('delete', old.id, old.text);
        INSERT INTO search_words(rowid, text) VALUES (new.id, new.text);
    END""",
)
_POSTGRES = (
    "ALTER TABLE search_texts ADD COLUMN search_words tsvector",
    "CREATE INDEX search_words_index ON search_texts USING gin (search_words)",
)


def create(connection: sa.Connection) -> None:
    """Make the index; from then on the database itself keeps it up to date."""
    for statement in _POSTGRES if connection.dialect.name == "postgresql" else _SQLITE:
        connection.exec_driver_sql(statement)


def fill(connection: sa.Connection) -> None:
    """Make everything that was said before there was an index findable."""
    titles = sa.text("SELECT id, title FROM conversations WHERE title <> '' ORDER BY updated_at")
    said = sa.text(
        "SELECT conversation_id, id, parts FROM messages WHERE role <> 'tool' ORDER BY created_at"
    )
    for batch in _batches(connection.execute(titles)):
        _insert(connection, [(row[0], None, row[1]) for row in batch])
    for batch in _batches(connection.execute(said)):
        _insert(connection, [(row[0], row[1], _text(row[2])) for row in batch])


def _insert(connection: sa.Connection, found: Sequence[tuple[Any, Any, str]]) -> None:
    columns, values = "conversation_id, message_id, text", ":here, :key, :text"
    postgres = connection.dialect.name == "postgresql"
    if postgres:
        columns, values = f"{columns}, search_words", f"{values}, array_to_tsvector(:cut)"
    insert = sa.text(f"INSERT INTO search_texts ({columns}) VALUES ({values})")  # noqa: S608
    if postgres:
        insert = insert.bindparams(sa.bindparam("cut", type_=sa.ARRAY(sa.Text)))
    rows = [
        {"here": here, "key": key, "text": text}
        | ({"cut": sorted(set(words(text)))} if postgres else {})
        for here, key, text in found
        if text
    ]
    if rows:
        connection.execute(insert, rows)


def _batches(result: Iterable[Any]) -> Iterator[list[Any]]:
    rows = iter(list(result))
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _text(parts: Any) -> str:  # noqa: ANN401  JSON, as text or decoded by the driver
    decoded = msgspec.json.decode(parts) if isinstance(parts, str | bytes) else parts
    words = [part.get("text", "") for part in decoded if part.get("type") == "text"]
    return "".join(words)[:100_000]
