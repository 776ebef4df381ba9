"""Tables, their keys and their indexes.

A column is named as the field of the core value that it holds. `created_seq` is the number of the
event that brought a row forth: the order in which readers get to see them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.ids import is_id


class Key(TypeDecorator[str]):
    """An id of ours. A text that is none is refused: once stored, no reader could get past it."""

    impl = Uuid(as_uuid=False)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (SQLAlchemy's signature)
        """Check it on its way in."""
        if value is not None and not is_id(value):
            raise InvalidRequest(f"{value[:40]!r} is not an id.", hint="Ids are UUIDs.")
        return value


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, also where the database knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (SQLAlchemy's signature)
        """Write UTC."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (SQLAlchemy's signature)
        """Read UTC."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A core value as JSON; none is SQL's NULL."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _conversation_key(*, primary: bool = False) -> Column[str]:
    return Column(
        "conversation_id",
        Key,
        ForeignKey("conversations.id", ondelete="CASCADE"),
        primary_key=primary,
        nullable=False,
    )


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


conversations = Table(
    "conversations",
    metadata,
    Column("id", Key, primary_key=True),
    Column("owner", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("settings", Json, nullable=False, server_default=text("'{}'")),
    _flag("starred"),
    _flag("archived"),
    Column("deleted_at", Moment),
    Column("forked_from", Key),
    Column("queue", Json),
    Index(None, "owner", "updated_at", "id"),
)
for _name, _columns, _condition in (
    ("starred", ("owner", "updated_at", "id"), conversations.c.starred),
    ("deleted_at", ("deleted_at",), conversations.c.deleted_at.is_not(None)),
    ("queue", ("id",), conversations.c.queue.is_not(None)),
):
    Index(
        f"ix_conversations_{_name}",
        *(conversations.c[column] for column in _columns),
        sqlite_where=_condition,
        postgresql_where=_condition,
    )

messages = Table(
    "messages",
    metadata,
    Column("id", Key, primary_key=True),
    _conversation_key(),
    Column("parent_id", Key),
    Column("turn_id", Key, nullable=False),
    Column("step", Integer, nullable=False),
    Column("role", String, nullable=False),
    Column("parts", Json, nullable=False),
    Column("model", String),
    Column("usage", Json),
    Column("finish_reason", String),
    Column("partial", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_seq", Integer, nullable=False),
    _flag("pinned"),
    Index(None, "conversation_id", "created_seq"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Key, primary_key=True),
    _conversation_key(),
    Column("owner", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("message_id", Key, nullable=False),
    Column("model", String, nullable=False),
    Column("attended", Boolean, nullable=False),
    Column("state", String, nullable=False),
    Column("step", Integer, nullable=False),
    Column("cancelling", Boolean, nullable=False),
    Column("usage", Json, nullable=False),
    Column("error", Json),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("lease_holder", String),
    Column("lease_until", Moment),
    Column("fence", Integer, nullable=False),
    Column("partial", Json),
    Column("created_seq", Integer, nullable=False),
    Column("fallback", String),
    Column("parent_id", Key),
    Column("options", Json),
    Column("first_message_id", Key),
    UniqueConstraint("owner", "request_id"),
    Index(None, "conversation_id", "created_seq"),
    Index(None, "owner", "started_at", "id"),
)
Index(
    "uq_turns_active",
    turns.c.conversation_id,
    unique=True,
    sqlite_where=turns.c.state.in_(["running", "waiting"]),
    postgresql_where=turns.c.state.in_(["running", "waiting"]),
)
Index(
    "ix_turns_active_owner",
    turns.c.owner,
    sqlite_where=turns.c.state.in_(["running", "waiting"]),
    postgresql_where=turns.c.state.in_(["running", "waiting"]),
)
Index(
    "ix_turns_lease_until",
    turns.c.lease_until,
    sqlite_where=turns.c.lease_until.is_not(None),
    postgresql_where=turns.c.lease_until.is_not(None),
)

tool_executions = Table(
    "tool_executions",
    metadata,
    Column("id", Key, primary_key=True),
    _conversation_key(),
    Column("turn_id", Key, nullable=False),
    Column("message_id", Key, nullable=False),
    Column("step", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("call_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("placement", String, nullable=False),
    Column("kernel_id", String),
    Column("decision", Json),
    Column("result", Json),
    Column("created_seq", Integer, nullable=False),
    Index(None, "conversation_id", "created_seq"),
)
Index(
    "ix_tool_executions_waiting",
    tool_executions.c.conversation_id,
    sqlite_where=tool_executions.c.state == "waiting",
    postgresql_where=tool_executions.c.state == "waiting",
)

search_texts = Table(
    "search_texts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _conversation_key(),
    # None for the title of the conversation.
    Column("message_id", Key),
    Column("text", Text, nullable=False),
    Index(None, "conversation_id", "message_id"),
)
"""What can be found. The index over it is the databases' own affair: `migrations.search_index`."""


def is_described(name: str | None, kind: str, _parents: object = None) -> bool:
    """Whether something in a database is to be compared with what stands here."""
    return not (name or "").startswith("search_words") or kind == "schema"


events = Table(
    "events",
    metadata,
    _conversation_key(primary=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("body", Json, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Key, primary_key=True),
    Column("owner", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("kernel_id", String),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("name", String, nullable=False, server_default=text("''")),
    UniqueConstraint("digest"),
    Index(None, "owner", "created_at", "id"),
    Index(None, "kernel_id"),
)

provider_configs = Table(
    "provider_configs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("owner", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("settings", Json, nullable=False),
    Column("key_id", String),
    Column("sealed", LargeBinary),
    Column("last_four", String, nullable=False, server_default=text("''")),
    Column("version", Integer, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("owner", "provider"),
)
"""Settings for a provider; the owner is empty for those of the site."""

usage_logs = Table(
    "usage_logs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("owner", String, nullable=False),
    # No foreign key: what was spent stays spent when its conversation is deleted.
    Column("conversation_id", Key, nullable=False),
    Column("turn_id", Key, nullable=False),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("provider", String, nullable=False),
    Column("model", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("error_code", String),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    # 10^-12 US dollars: whole numbers add up exactly in every database.
    Column("picodollars", BigInteger),
    Column("prices_as_of", String),
    Index(None, "owner", "at"),
    Index(None, "conversation_id"),
)

file_uploads = Table(
    "file_uploads",
    metadata,
    Column("id", Key, primary_key=True),
    Column("owner", String, nullable=False),
    # None once the file is gone: its row is what is left to do about its bytes.
    Column("conversation_id", Key, ForeignKey("conversations.id", ondelete="SET NULL")),
    Column("name", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("media_type", String, nullable=False),
    Column("state", String, nullable=False),
    Column("text", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("attached", Boolean, nullable=False),
    Column("content", Text),
    Index(None, "owner"),
    Index(None, "conversation_id"),
)
Index(
    "ix_file_uploads_unsent",
    file_uploads.c.created_at,
    sqlite_where=~file_uploads.c.attached,
    postgresql_where=~file_uploads.c.attached,
)
