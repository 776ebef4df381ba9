"""Conversations, their messages, turns, tool executions and events; API tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Id = sa.Uuid(as_uuid=False)
_Moment = sa.DateTime(timezone=True)
_Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Create the first tables."""
    _create_conversations()
    _create_messages()
    _create_turns()
    _create_tool_executions()
    _create_events()
    _create_api_tokens()


def _cascade(table: str) -> sa.ForeignKeyConstraint:
    """What hangs on a conversation goes with it."""
    name = f"fk_{table}_conversation_id_conversations"
    return sa.ForeignKeyConstraint(
        ["conversation_id"], ["conversations.id"], name=name, ondelete="CASCADE"
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)


def _partial_index(name: str, table: str, column: str, where: str, *, unique: bool) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, [column], unique=unique, sqlite_where=condition, postgresql_where=condition
    )


def _create_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", _Id, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("created_at", _Moment, nullable=False),
        sa.Column("updated_at", _Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    _index("conversations", "owner", "updated_at", "id")


def _create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", _Id, nullable=False),
        sa.Column("conversation_id", _Id, nullable=False),
        sa.Column("parent_id", _Id),
        sa.Column("turn_id", _Id, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("parts", _Json, nullable=False),
        sa.Column("model", sa.String()),
        sa.Column("usage", _Json),
        sa.Column("finish_reason", sa.String()),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("created_at", _Moment, nullable=False),
        sa.Column("created_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        _cascade("messages"),
    )
    _index("messages", "conversation_id", "created_seq")


def _create_turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", _Id, nullable=False),
        sa.Column("conversation_id", _Id, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("message_id", _Id, nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("attended", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("cancelling", sa.Boolean(), nullable=False),
        sa.Column("usage", _Json, nullable=False),
        sa.Column("error", _Json),
        sa.Column("started_at", _Moment, nullable=False),
        sa.Column("ended_at", _Moment),
        sa.Column("lease_holder", sa.String()),
        sa.Column("lease_until", _Moment),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("partial", _Json),
        sa.Column("created_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.UniqueConstraint("owner", "request_id", name="uq_turns_owner_request_id"),
        _cascade("turns"),
    )
    _index("turns", "conversation_id", "created_seq")
    _index("turns", "owner", "started_at", "id")
    active = "state IN ('running', 'waiting')"
    _partial_index("uq_turns_active", "turns", "conversation_id", active, unique=True)
    leased = "lease_until IS NOT NULL"
    _partial_index("ix_turns_lease_until", "turns", "lease_until", leased, unique=False)


def _create_tool_executions() -> None:
    op.create_table(
        "tool_executions",
        sa.Column("id", _Id, nullable=False),
        sa.Column("conversation_id", _Id, nullable=False),
        sa.Column("turn_id", _Id, nullable=False),
        sa.Column("message_id", _Id, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("placement", sa.String(), nullable=False),
        sa.Column("kernel_id", sa.String()),
        sa.Column("decision", _Json),
        sa.Column("result", _Json),
        sa.Column("created_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tool_executions"),
        _cascade("tool_executions"),
    )
    _index("tool_executions", "conversation_id", "created_seq")
    _partial_index(
        "ix_tool_executions_waiting",
        "tool_executions",
        "conversation_id",
        "state = 'waiting'",
        unique=False,
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("conversation_id", _Id, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", _Moment, nullable=False),
        sa.Column("body", _Json, nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "seq", name="pk_events"),
        _cascade("events"),
    )


def _create_api_tokens() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", _Id, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("scopes", _Json, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _Moment, nullable=False),
        sa.Column("kernel_id", sa.String()),
        sa.Column("expires_at", _Moment),
        sa.Column("revoked_at", _Moment),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("digest", name="uq_api_tokens_digest"),
    )
    _index("api_tokens", "kernel_id")
