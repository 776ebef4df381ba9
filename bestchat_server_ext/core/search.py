"""Search: which words somebody looks for, and what of a conversation can be found."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from bestchat_server_ext.core.ids import ConversationId, MessageId
from bestchat_server_ext.core.messages import Message

MOST_TERMS = 10
"""Words of a query that are looked for; further ones narrow down nothing any more."""

MOST_CHARACTERS = 100_000
"""What is searched of one message: a pasted log needs no index of its own."""

_WORD = re.compile(r"\w+")


class SnippetPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of the text around what was found."""

    text: str
    """The piece."""
    match: bool = False
    """Whether it is one of the words that were looked for."""


class Hit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation in which something was found."""

    conversation_id: ConversationId
    """Which one."""
    title: str
    """What it is called."""
    updated_at: datetime
    """When something was last said or done in it, UTC."""
    snippet: tuple[SnippetPart, ...]
    """The text around what was found last."""
    message_id: MessageId | None = None
    """The message that it is in; none for the title."""
    starred: bool = False
    """Whether the conversation has a star."""
    archived: bool = False
    """Whether the conversation is put away."""


def terms(query: str) -> tuple[str, ...]:
    """What to look for, in lower case: beginnings of words."""
    return tuple(_WORD.findall(query.lower()))[:MOST_TERMS]


def searchable(message: Message) -> str:
    """What can be found of a message: what a person or a model said, but not what tools brought."""
    return "" if message.role == "tool" else message.text[:MOST_CHARACTERS]
