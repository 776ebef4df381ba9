"""Migrations: every step that the schema has made, in order.

A migration's revision is a number of four digits, so that any version can tell older from newer.
The first two stand for the major version: as long as they are the same, steps only add, and an
older version can work with what a newer one has made.

    env         how Alembic runs them
    versions    the steps
    search_index  the full-text index, which SQLAlchemy does not know
"""

HEAD = "0005"
"""The newest revision, known without loading Alembic."""
