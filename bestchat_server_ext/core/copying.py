"""Messages that begin another conversation: the same words under new names."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    MessageId,
    TurnId,
    derived_id,
)
from bestchat_server_ext.core.messages import Message, Part, ToolCallPart


def copied(messages: Iterable[Message], into: ConversationId) -> tuple[Message, ...]:
    """The messages as they stand in another conversation, in the same order.

    An id names one object only, so that each gets another one, derived from where it goes.

    Raises:
        InvalidRequest: they are no tree: one comes twice, or before the message it follows.
    """
    names: dict[str, MessageId] = {}
    found: list[Message] = []
    for message in messages:
        parent = message.parent_id
        if message.id in names or (parent is not None and parent not in names):
            raise InvalidRequest(
                "The messages do not hang together: each has to come once, after the one that it "
                "follows.",
                field="content",
            )
        names[message.id] = MessageId(derived_id(into, "message", message.id))
        found.append(
            msgspec.structs.replace(
                message,
                id=names[message.id],
                parent_id=None if parent is None else names[parent],
                turn_id=TurnId(derived_id(into, "turn", message.turn_id)),
                parts=tuple(_part(part, into) for part in message.parts),
            )
        )
    return tuple(found)


def _part(part: Part, into: ConversationId) -> Part:
    if not isinstance(part, ToolCallPart):
        return part
    key = ExecutionId(derived_id(into, "execution", part.execution_id))
    return msgspec.structs.replace(part, execution_id=key)
