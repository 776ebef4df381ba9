"""Providers' settings and keys, what each request cost, and the model that stands in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_Id = sa.Uuid(as_uuid=False)
_Moment = sa.DateTime(timezone=True)
_Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add two tables and a column."""
    op.add_column("turns", sa.Column("fallback", sa.String()))
    _create_provider_configs()
    _create_usage_logs()


def _create_provider_configs() -> None:
    op.create_table(
        "provider_configs",
        sa.Column("id", _Id, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("settings", _Json, nullable=False),
        sa.Column("key_id", sa.String()),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("last_four", sa.String(), nullable=False, server_default=sa.text("''")),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", _Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provider_configs"),
        sa.UniqueConstraint("owner", "provider", name="uq_provider_configs_owner_provider"),
    )


def _create_usage_logs() -> None:
    op.create_table(
        "usage_logs",
        sa.Column("id", _Id, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("conversation_id", _Id, nullable=False),
        sa.Column("turn_id", _Id, nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", _Moment, nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("error_code", sa.String()),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("picodollars", sa.BigInteger()),
        sa.Column("prices_as_of", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_usage_logs"),
    )
    op.create_index("ix_usage_logs_owner_at", "usage_logs", ["owner", "at"])
    op.create_index("ix_usage_logs_conversation_id", "usage_logs", ["conversation_id"])
