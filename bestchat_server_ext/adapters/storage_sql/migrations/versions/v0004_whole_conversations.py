"""Settings, stars, archive, trash, queues and pins of conversations; how turns answer; search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from bestchat_server_ext.adapters.storage_sql.migrations import search_index

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_Id = sa.Uuid(as_uuid=False)
_Moment = sa.DateTime(timezone=True)
_Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add columns, with the database's own defaults for versions that do not know them."""
    _extend_conversations()
    op.add_column("turns", sa.Column("parent_id", _Id))
    op.add_column("turns", sa.Column("options", _Json))
    op.add_column("turns", sa.Column("first_message_id", _Id))
    _index("ix_turns_active_owner", "turns", ["owner"], "state IN ('running', 'waiting')")
    op.add_column("messages", _flag("pinned"))
    _create_search_texts()
    search_index.create(op.get_bind())
    search_index.fill(op.get_bind())


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def _extend_conversations() -> None:
    for column in (
        sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.Column("settings", _Json, nullable=False, server_default=sa.text("'{}'")),
        _flag("starred"),
        _flag("archived"),
        sa.Column("deleted_at", _Moment),
        sa.Column("forked_from", _Id),
        sa.Column("queue", _Json),
    ):
        op.add_column("conversations", column)
    place = ["owner", "updated_at", "id"]
    _index("ix_conversations_starred", "conversations", place, "starred")
    _index("ix_conversations_deleted_at", "conversations", ["deleted_at"], "deleted_at IS NOT NULL")
    _index("ix_conversations_queue", "conversations", ["id"], "queue IS NOT NULL")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def _create_search_texts() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "search_texts",
        sa.Column("id", key, nullable=False),
        sa.Column("conversation_id", _Id, nullable=False),
        sa.Column("message_id", _Id),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_texts"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_search_texts_conversation_id_conversations",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "ix_search_texts_conversation_id_message_id",
        "search_texts",
        ["conversation_id", "message_id"],
    )
