"""Tokens that people make have names, and are listed by owner."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the name. The default is the database's, for versions that do not know the column."""
    name = sa.Column("name", sa.String(), nullable=False, server_default=sa.text("''"))
    op.add_column("api_tokens", name)
    columns = ["owner", "created_at", "id"]
    op.create_index("ix_api_tokens_owner_created_at_id", "api_tokens", columns)
