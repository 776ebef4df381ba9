"""The bus: live frames to whoever listens in this moment. It remembers nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from bestchat_server_ext.core.events import Delta, Envelope

Item = Envelope | Delta


class Frame:
    """An envelope or a delta with its JSON, which is made once for all who read it."""

    __slots__ = ("_json", "item")

    def __init__(self, item: Item) -> None:
        """Wrap an item that was not sent yet."""
        self.item = item
        self._json: bytes | None = None

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
    """Carries frames to listeners. Publishing never waits for them."""

    async def publish(self, topic: str, frames: Sequence[Frame]) -> None:
        """Hand frames to everyone who listens to a topic, in order."""
        ...

    async def subscribe(self, topic: str) -> Subscription:
        """Listen from this moment on."""
        ...
