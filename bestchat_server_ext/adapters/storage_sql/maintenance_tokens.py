"""What a restore does to tokens: it brings none back to life.

A backup holds tokens as they were. Those that are good afterwards are the ones that were good in
the database that was there, too; what it did not know may have been revoked since the backup by
somebody who cannot be asked any more, as when the file broke and a new one was begun. Kernels' own
tokens all end: their kernels may be gone, with nobody left to revoke them.

Tokens are told apart by their digests, which no two of them share.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

_GOOD = "revoked_at IS NULL AND kind <> 'kernel'"


def end_in_file(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Revoke tokens in an SQLite database that is to take the place of another.

    Args:
        old: the one that is there; may be empty, or of a version that is not known.
        new: the one that takes its place, in autocommit mode.

    Raises:
        sqlite3.Error: one of them cannot be read, or the new one not written.
    """
    known = "SELECT name FROM pragma_table_info('api_tokens')"
    columns = {name for (name,) in old.execute(known)}
    good = set()
    if columns >= {"digest", "kind", "revoked_at"}:
        query = f"SELECT digest FROM api_tokens WHERE {_GOOD}"  # noqa: S608 (our own words)
        good = {digest for (digest,) in old.execute(query)}
    found = new.execute("SELECT id, kind, digest FROM api_tokens WHERE revoked_at IS NULL")
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")  # as SQLAlchemy writes it
    ended = [
        (moment, key)
        for key, kind, digest in found.fetchall()
        if kind == "kernel" or digest not in good
    ]
    with closing(new.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany("UPDATE api_tokens SET revoked_at = ? WHERE id = ?", ended)
        cursor.execute("COMMIT")


# PostgreSQL: statements for the transaction that replaces the tables. Between the two, what is
# known is a setting of that transaction: a temporary table would need a right that users of a
# database may lack.

_SETTING = "bestchat.good_tokens"


def remember(*, known: bool) -> tuple[str, ...]:
    """Statements for before the tables are replaced.

    Args:
        known: whether there are tables of ours.
    """
    if not known:
        return (f"SELECT length(set_config('{_SETTING}', '', true))",)
    digests = "coalesce(string_agg(encode(digest, 'hex'), ','), '')"
    return (
        "LOCK TABLE api_tokens IN ACCESS EXCLUSIVE MODE",  # so that none is revoked in between
        f"SELECT length(set_config('{_SETTING}', {digests}, true)) FROM api_tokens WHERE {_GOOD}",  # noqa: S608 (our own words)
    )


_REMEMBERED = f"SELECT unnest(string_to_array(current_setting('{_SETTING}'), ','))"
_OTHER = f"kind = 'kernel' OR encode(digest, 'hex') NOT IN ({_REMEMBERED})"

END = (
    "RESET search_path",  # archives empty it
    f"UPDATE api_tokens SET revoked_at = now() WHERE revoked_at IS NULL AND ({_OTHER})",  # noqa: S608 (our own words)
)
"""Statements for after they were."""
