"""Messages that begin another conversation: the same words under new names."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    FileId,
    MessageId,
    TurnId,
    derived_id,
)
from bestchat_server_ext.core.messages import FilePart, Message, Part, ToolCallPart

MOST_STEPS = 100_000
"""Above any step that a turn can have."""
LONGEST_MODEL = 300
"""Characters of a model reference."""
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
_ANEW = "Export the conversation anew where it comes from."


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
                hint=_ANEW,
                field="content",
            )
        _require_sane(message)
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


def _require_sane(message: Message) -> None:
    """Files may say anything; what is stored has to fit into a row, and on a line."""
    model = message.model or ""
    moment = message.created_at
    fits = 0 <= message.step <= MOST_STEPS and _FIRST_YEAR <= moment.year <= _LAST_YEAR
    if not fits or len(model) > LONGEST_MODEL or not model.isprintable():
        raise InvalidRequest(
            "A message has a step, a moment or a model that cannot be.", hint=_ANEW, field="content"
        )


def copied_file(file_id: FileId, into: ConversationId) -> FileId:
    """The name of a file's copy in another conversation."""
    return FileId(derived_id(into, "file", file_id))


def _part(part: Part, into: ConversationId) -> Part:
    if isinstance(part, FilePart):
        return msgspec.structs.replace(part, file_id=copied_file(part.file_id, into))
    if not isinstance(part, ToolCallPart):
        return part
    key = ExecutionId(derived_id(into, "execution", part.execution_id))
    return msgspec.structs.replace(part, execution_id=key)
