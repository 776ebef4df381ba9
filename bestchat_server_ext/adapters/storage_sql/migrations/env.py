"""How Alembic runs migrations; loaded by Alembic itself and by nobody else."""

from __future__ import annotations

from alembic import context

from bestchat_server_ext.adapters.storage_sql.tables import is_described, metadata


def _run() -> None:
    """Run them on the caller's connection, within the caller's transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        include_name=is_described,
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
