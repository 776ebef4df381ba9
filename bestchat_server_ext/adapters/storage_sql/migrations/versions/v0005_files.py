"""Attached files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_Id = sa.Uuid(as_uuid=False)


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "file_uploads",
        sa.Column("id", _Id, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("conversation_id", _Id),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("attached", sa.Boolean(), nullable=False),
        sa.Column("content", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_file_uploads"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_file_uploads_conversation_id_conversations",
            ondelete="SET NULL",
        ),
    )
    op.create_index("ix_file_uploads_owner", "file_uploads", ["owner"])
    op.create_index("ix_file_uploads_conversation_id", "file_uploads", ["conversation_id"])
    unsent = sa.text("NOT attached")
    op.create_index(
        "ix_file_uploads_unsent",
        "file_uploads",
        ["created_at"],
        sqlite_where=unsent,
        postgresql_where=unsent,
    )
