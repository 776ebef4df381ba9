"""What is found by its words.

Every title and every message is a row of `search_texts`, which the database itself indexes. The
newest are found first: rows are read in the order in which they were written, and no further than
a page needs, so that a common word costs no more than a rare one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ARRAY, Connection, RowMapping, Text, bindparam, delete, insert, select, text

from bestchat_server_ext.adapters.storage_sql.tables import conversations, search_texts
from bestchat_server_ext.core.ids import ConversationId, MessageId, OwnerId
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.search import Hit, searchable, snippet, words

_FIRST_PAGE = 100
"""Rows that are looked at first; several of them may be of one conversation."""
_GROWTH = 4
"""How much larger each further page is: one long conversation may fill many."""
_NEWEST = 2**62
"""Above all numbers of rows."""

# The joins are in this order, because SQLite would rather read all conversations.
_FIND_SQLITE = text("""
SELECT t.id, t.conversation_id
FROM search_words AS w
CROSS JOIN search_texts AS t ON t.id = w.rowid
CROSS JOIN conversations AS c ON c.id = t.conversation_id
WHERE search_words MATCH :words AND w.rowid < :before
    AND c.owner = :owner AND c.deleted_at IS NULL
ORDER BY w.rowid DESC LIMIT :limit
""")
# The driver knows texts, and no queries. OFFSET keeps the planner from making a join of it: as long
# as it has no statistics, it would look for the words once in every conversation of the owner's,
# which takes a quarter of a minute where there are 10,000.
_FIND_POSTGRES = text("""
SELECT t.id, t.conversation_id
FROM search_texts AS t
WHERE t.search_words @@ CAST(CAST(:words AS text) AS tsquery) AND t.id < :before
    AND EXISTS (
        SELECT 1 FROM conversations AS c
        WHERE c.id = t.conversation_id AND c.owner = :owner AND c.deleted_at IS NULL
        OFFSET 0
    )
ORDER BY t.id DESC LIMIT :limit
""")
# Common words are found soonest by reading backwards, rare ones by their index: a plan that is made
# for any words knows of neither, and sorts all that there is.
_PLAN_FOR_THE_WORDS = text("SET LOCAL plan_cache_mode = force_custom_plan")
_INSERT_POSTGRES = text("""
INSERT INTO search_texts (conversation_id, message_id, text, search_words)
VALUES (CAST(:conversation_id AS uuid), CAST(:message_id AS uuid), :text,
    array_to_tsvector(:search_words))
""").bindparams(bindparam("search_words", type_=ARRAY(Text)))

_SHOW = (
    select(
        conversations.c.id.label("conversation_id"),
        *(conversations.c[name] for name in ("title", "updated_at", "starred", "archived")),
        *(search_texts.c[name] for name in ("message_id", "text")),
    )
    .join_from(search_texts, conversations)
    .where(search_texts.c.id.in_(bindparam("keys", expanding=True)))
    .order_by(search_texts.c.id.desc())
)


def index(
    connection: Connection,
    here: ConversationId,
    title: str | None,
    messages: Iterable[Message],
) -> None:
    """Make findable what is new: a title, if it has changed, and messages."""
    found: list[tuple[MessageId | None, str]] = []
    if title is not None:
        old = search_texts.c.conversation_id == here, search_texts.c.message_id.is_(None)
        connection.execute(delete(search_texts).where(*old))
        found.append((None, title))
    found += [(message.id, searchable(message)) for message in messages]
    rows = [
        {"conversation_id": here, "message_id": key, "text": said} for key, said in found if said
    ]
    if rows and connection.dialect.name == "postgresql":
        cut = [row | {"search_words": sorted(set(words(str(row["text"]))))} for row in rows]
        connection.execute(_INSERT_POSTGRES, cut)
    elif rows:
        connection.execute(insert(search_texts), rows)


def search(
    connection: Connection, owner: OwnerId, terms: Sequence[str], limit: int
) -> tuple[Hit, ...]:
    """An owner's conversations in which all words are said in one place, the last said first."""
    if not terms:
        return ()
    if connection.dialect.name == "postgresql":
        connection.execute(_PLAN_FOR_THE_WORDS)
        find, wanted = _FIND_POSTGRES, " & ".join(f"'{term}':*" for term in terms)
    else:
        find, wanted = _FIND_SQLITE, " ".join(f'"{term}"*' for term in terms)
    places: dict[str, int] = {}
    before, size = _NEWEST, _FIRST_PAGE
    while len(places) < limit:
        given = {"words": wanted, "before": before, "owner": owner, "limit": size}
        rows = connection.execute(find, given).all()
        for key, conversation_id in rows:
            places.setdefault(str(conversation_id), key)
        if len(rows) < size:
            break
        before, size = rows[-1].id, size * _GROWTH
    keys = list(places.values())[:limit]
    shown = connection.execute(_SHOW, {"keys": keys}).mappings() if keys else ()
    return tuple(_hit(row, terms) for row in shown)


def _hit(row: RowMapping, terms: Sequence[str]) -> Hit:
    fields = {str(name): row[name] for name in row if name != "text"}
    return Hit(**fields, snippet=snippet(row["text"], terms))
