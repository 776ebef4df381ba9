"""The bus: live frames to whoever listens in this moment. It remembers nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from bestchat_server_ext.core.events import Delta, Envelope
from bestchat_server_ext.core.ids import ConversationId, MessageId


class DraftWanted(msgspec.Struct, frozen=True, tag="draft_wanted"):
    """A reader asks whoever streams an answer, perhaps another process, for what it lacks of it."""

    conversation_id: ConversationId
    """Where it reads."""
    message_id: MessageId | None = None
    """The answer that it has something of."""
    attempt: int = 0
    """Which beginning of that answer it has."""
    part: int = 0
    """The last part of which it has something."""
    n: int = 0
    """The last piece of that part which it has."""


class DraftTold(msgspec.Struct, frozen=True, tag="draft_told"):
    """What a reader lacked of a streaming answer; what is published later follows without a gap."""

    wanted: DraftWanted
    """The question: this is for those alone who stand there."""
    message_id: MessageId
    """The answer that is streaming."""
    deltas: tuple[Delta, ...]
    """All of it up to now that comes behind the place in the question."""


Item = Envelope | Delta | DraftWanted | DraftTold


def belongs(item: Item, topic: str) -> bool:
    """Whether all of an item is of the conversation with whose id a topic begins."""
    conversation_id = topic.partition(":")[0]
    if isinstance(item, DraftTold):
        if any(delta.conversation_id != conversation_id for delta in item.deltas):
            return False
        item = item.wanted
    return item.conversation_id == conversation_id


class Frame:
    """An item with its JSON, which is made once for all who read it."""

    __slots__ = ("_json", "item")

    def __init__(self, item: Item, json: bytes | None = None) -> None:
        """Wrap an item; with its JSON, where it came that way."""
        self.item = item
        self._json = json

    @property
    def json(self) -> bytes:
        """The item on the wire."""
        if self._json is None:
            self._json = msgspec.json.encode(self.item)
        return self._json


class Subscription(Protocol):
    """One listener on one topic, with a bounded queue."""

    async def get(self) -> Sequence[Frame]:
        """Wait until there is something; take all that is there, in order.

        Raises:
            Lagged: the listener was too slow and frames were dropped; it must start again from
                storage. The subscription is closed by then.
        """
        ...

    def close(self) -> None:
        """Stop listening. May be called twice."""
        ...


class Lagged(Exception):
    """A listener did not keep up, and its queue was given up rather than the others' time."""


class Bus(Protocol):
    """Carries frames to listeners. Publishing never waits for them.

    A topic is the id of a conversation, or begins with it and a colon; its frames are of that
    conversation.
    """

    @property
    def everywhere(self) -> bool:
        """Whether frames of other processes arrive, too.

        While they do not, storage has to be asked for what those have written.
        """
        ...

    async def publish(self, topic: str, frames: Sequence[Frame]) -> None:
        """Hand frames to everyone who listens to a topic, in order."""
        ...

    async def subscribe(self, topic: str) -> Subscription:
        """Listen from this moment on."""
        ...
