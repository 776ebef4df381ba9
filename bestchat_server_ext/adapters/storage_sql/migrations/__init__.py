"""Migrations: every step that the schema has made, in order.

A migration's revision is a number of four digits, so that any version can tell older from newer.
Within a minor version steps only add.

    env         how Alembic runs them
    versions    the steps
"""

HEAD = "0001"
"""The newest revision, known without loading Alembic."""
