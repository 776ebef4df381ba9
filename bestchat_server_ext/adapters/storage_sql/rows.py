"""Rows to values and back. Columns carry the names of fields, so there is little to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement

from bestchat_server_ext.adapters.storage_sql import tables
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.conversation import Conversation, Turn
from bestchat_server_ext.core.events import Envelope, Event
from bestchat_server_ext.core.files import FileUpload
from bestchat_server_ext.core.ids import ConversationId, OwnerId
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.models import RequestOptions, Usage
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.ports.provider_configs import ProviderConfig
from bestchat_server_ext.ports.storage import Lease
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.ports.usage import UsageEntry, UsageSums

Row = Mapping[Any, Any]
Values = dict[str, Any]
Value = TypeVar("Value")

TURN: list[ColumnElement[Any]] = [tables.turns.c[name] for name in Turn.__struct_fields__]
"""The columns that make a `Turn`; the others are the lease's."""

_CHANGING = (
    *("state", "step", "cancelling", "usage", "error", "ended_at", "fallback"),
    "first_message_id",
)
"""The columns of a turn that events change."""

_SCOPES = frozenset(Scope)

LEARNT = tuple(
    msgspec.json.Decoder(kind)
    for kind in (
        *(Conversation, Event, Message, Turn, ToolExecution, Reply),
        *(TokenRecord, ProviderConfig, UsageEntry, UsageSums, FileUpload),
    )
)
"""Everything that rows become. msgspec learns a type at its first use, and two threads that do so
at the same moment crash the process. Transactions run in threads: types are learnt before there
are any."""


@dataclass
class LeasedTurn:
    """A turn's row: the turn, and who may write to it."""

    turn: Turn
    owner: OwnerId
    created_seq: int
    lease_holder: str | None = None
    lease_until: datetime | None = None
    fence: int = 0
    stored: bool = False
    answered: bool = False
    """Whether its current answer was completed or begun anew, so that no partial text counts."""

    def honours(self, lease: Lease) -> bool:
        """Whether that lease holds. Being late does not end a lease; being taken over does."""
        return self.lease_holder == lease.holder and self.fence == lease.fence


def _value(row: Row, kind: type[Value], **computed: object) -> Value:
    # SQLAlchemy names columns with a subclass of `str`, which msgspec does not take for one.
    return msgspec.convert({str(name): row[name] for name in row} | computed, kind)


def conversation(row: Row) -> Conversation:
    """The conversation in a row of `conversations`."""
    return _value(row, Conversation, queue=row["queue"] or ())


def message(row: Row) -> Message:
    """The message in a row of `messages`."""
    return _value(row, Message)


def turn(row: Row) -> Turn:
    """The turn in a row of `turns`."""
    return _value(row, Turn, options=row["options"] or {})


def leased_turn(row: Row) -> LeasedTurn:
    """The turn in a whole row of `turns`, with its lease."""
    return LeasedTurn(
        turn(row),
        row["owner"],
        row["created_seq"],
        row["lease_holder"],
        row["lease_until"],
        row["fence"],
        stored=True,
    )


def execution(row: Row) -> ToolExecution:
    """The tool execution in a row of `tool_executions`."""
    call = {"id": row["call_id"], "name": row["name"], "arguments": row["arguments"]}
    return _value(row, ToolExecution, call=call)


def upload(row: Row) -> FileUpload:
    """The file in a row of `file_uploads`."""
    return _value(row, FileUpload)


def envelope(row: Row) -> Envelope:
    """The event in a row of `events`."""
    event = msgspec.convert(row["body"], Event)
    return Envelope(row["conversation_id"], row["seq"], row["at"], event)


def token(row: Row) -> TokenRecord:
    """The token in a row of `api_tokens`. Scopes that only a newer version knows open nothing."""
    scopes = _SCOPES.intersection(row["scopes"])
    return _value(row, TokenRecord, scopes=scopes)


def provider_config(row: Row) -> ProviderConfig:
    """The settings in a row of `provider_configs`. Such as only a newer version knows are left."""
    return _value(row, ProviderConfig)


def conversation_values(item: Conversation) -> Values:
    """The row of a conversation."""
    return {**msgspec.structs.asdict(item), "queue": item.queue or None}


def conversation_changes(before: Conversation, after: Conversation) -> Values:
    """What events have changed in the row of a conversation, apart from its counter."""
    old, new = conversation_values(before), conversation_values(after)
    del old["seq"], new["seq"]
    return {name: value for name, value in new.items() if value != old[name]}


def message_values(conversation_id: ConversationId, item: Message, seq: int) -> Values:
    """The row of a message."""
    fields = msgspec.structs.asdict(item)
    return {**fields, "conversation_id": conversation_id, "created_seq": seq}


def turn_values(row: LeasedTurn) -> Values:
    """The row of a turn that is new."""
    return {
        **msgspec.structs.asdict(row.turn),
        "options": row.turn.options if row.turn.options != RequestOptions() else None,
        "owner": row.owner,
        "created_seq": row.created_seq,
        "partial": None,
        **lease_values(row),
    }


def turn_changes(row: LeasedTurn) -> Values:
    """What events can have changed in the row of a turn."""
    values = {name: getattr(row.turn, name) for name in _CHANGING} | lease_values(row)
    return values | {"partial": None} if row.answered else values


def lease_values(row: LeasedTurn) -> Values:
    """The columns of a turn's lease."""
    return {
        "lease_holder": row.lease_holder,
        "lease_until": row.lease_until,
        "fence": row.fence,
    }


def execution_values(item: ToolExecution, seq: int) -> Values:
    """The row of a tool execution that is new."""
    fields = msgspec.structs.asdict(item)
    del fields["call"]
    call = {"call_id": item.call.id, "name": item.call.name, "arguments": item.call.arguments}
    return {**fields, **call, "created_seq": seq}


def execution_changes(item: ToolExecution) -> Values:
    """What events can have changed in the row of a tool execution."""
    return {"key": item.id, "state": item.state, "decision": item.decision, "result": item.result}


def event_values(item: Envelope) -> Values:
    """The row of an event."""
    return {
        "conversation_id": item.conversation_id,
        "seq": item.seq,
        "at": item.at,
        "body": item.event,
    }


def token_values(record: TokenRecord) -> Values:
    """The row of a token."""
    return {**msgspec.structs.asdict(record), "scopes": sorted(record.scopes)}


def provider_config_values(config: ProviderConfig) -> Values:
    """The row of a provider's settings."""
    return msgspec.structs.asdict(config)


def usage_values(entry: UsageEntry) -> Values:
    """The row of an entry."""
    fields = msgspec.structs.asdict(entry)
    del fields["usage"]
    model = {"provider": entry.model.provider, "model": entry.model.model}
    return {**fields, **msgspec.structs.asdict(entry.usage), **model, "id": entry.id}


def usage_sums(row: Row) -> UsageSums:
    """Sums over rows of `usage_logs`."""
    usage = {name: row[name] for name in Usage.__struct_fields__}
    sums = {name: value for name, value in row.items() if name not in usage}
    return UsageSums(**sums, usage=Usage(**usage))
