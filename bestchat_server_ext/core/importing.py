"""Conversations out of files: our own JSON, and jupyter-ai's `.chat`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.export import KIND, Archive
from bestchat_server_ext.core.ids import ConversationId, MessageId, TurnId, derived_id
from bestchat_server_ext.core.messages import Message, TextPart

_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


class Imported(msgspec.Struct, frozen=True):
    """What a file says."""

    messages: tuple[Message, ...]
    """The messages, each after the one that it follows, under the names of the file."""
    title: str = ""
    """What the conversation is called."""
    settings: ConversationSettings = ConversationSettings()
    """What is set for it."""


def from_json(content: str) -> Imported:
    """What an export of ours says.

    Raises:
        InvalidRequest: it is none, or one of a newer version.
    """
    marked: dict[str, Any] = _decode(content, dict)
    if marked.get("kind") != KIND:
        raise _not_readable("This is no export of a BestChat conversation.")
    if marked.get("version") != 1:
        raise InvalidRequest(
            "This export was written by a newer version of BestChat.",
            hint="Upgrade this one.",
            field="content",
        )
    archive = _decode(content, Archive)
    conversation = archive.state.conversation
    messages = tuple(archive.state.messages.values())
    return Imported(messages, conversation.title, conversation.settings)


class _ChatMessage(msgspec.Struct):
    """A message in a `.chat` file; see `jupyterlab_chat.models`."""

    body: str = ""
    sender: str = ""
    time: float = 0.0
    type: str = "msg"
    deleted: bool | None = None


class _ChatUser(msgspec.Struct):
    bot: bool | None = None
    display_name: str = ""


class _ChatFile(msgspec.Struct):
    messages: list[_ChatMessage]
    users: dict[str, _ChatUser] = {}


def from_jupyter_ai(content: str, name: ConversationId) -> Imported:
    """What jupyter-ai's chat file says, as one branch.

    Args:
        content: the file's text.
        name: what names in the file are derived from.

    Raises:
        InvalidRequest: it is none.
    """
    chat = _decode(content, _ChatFile)
    said = [it for it in chat.messages if it.type == "msg" and not it.deleted and it.body]
    messages: list[Message] = []
    turn = TurnId(derived_id(name, "turn", "file"))
    for number, item in enumerate(sorted(said, key=lambda it: it.time)):
        bot = _is_bot(item.sender, chat.users)
        if not bot:
            turn = TurnId(derived_id(name, "turn", "file", number))
        messages.append(
            Message(
                id=MessageId(derived_id(name, "file", number)),
                parent_id=messages[-1].id if messages else None,
                role="assistant" if bot else "user",
                parts=(TextPart(item.body),),
                created_at=_moment(item.time),
                turn_id=turn,
                step=1 if bot else 0,
            )
        )
    return Imported(tuple(messages))


def _is_bot(sender: str, users: dict[str, _ChatUser]) -> bool:
    user = users.get(sender)
    known = user is not None and bool(user.bot)
    return known or sender.startswith("jupyter-ai-personas::")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0.0), _LATEST), UTC)


def _decode(content: str, kind: Callable[..., Any]) -> Any:  # noqa: ANN401  what the kind says
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise _not_readable(f"The file cannot be read: {error}.") from None
    except RecursionError:
        raise _not_readable("The file cannot be read: it is nested too deeply.") from None


def _not_readable(text: str) -> InvalidRequest:
    return InvalidRequest(
        text, hint="Give a file of the format that was named, unchanged.", field="content"
    )
