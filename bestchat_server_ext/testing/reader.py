"""A reader that refuses everything that the protocol rules out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from bestchat_server_ext.api.frames import CaughtUp, DraftPosition, ServerFrame, Snapshot
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import ConversationState, create, reduce
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.core.messages import ReasoningPart, TextPart

ENDED = (ev.TurnFinished, ev.TurnFailed, ev.TurnCancelled, ev.TurnInterrupted)
"""The events with which a turn ends."""

SPOKEN = (TextPart, ReasoningPart)
"""The parts of a message that are streamed."""


class Followed(Protocol):
    """A client, as far as a reader needs it."""

    def follow(
        self,
        conversation_id: ConversationId,
        after: int | None = None,
        draft: DraftPosition | None = None,
    ) -> AsyncGenerator[ServerFrame, None]:
        """Everything behind a place, and then what comes."""
        ...


class StrictReader:
    """A face: a state that events change, and pieces of answers that are not stored yet.

    Refuses everything that the protocol rules out: an event that comes twice or too early, a
    piece that comes twice, that leaves a gap, or that belongs to a message which is stored.
    """

    def __init__(self, conversation_id: ConversationId) -> None:
        """Know nothing yet."""
        self.id = conversation_id
        self.state: ConversationState | None = None
        """The conversation as its events have made it."""
        self.pieces: dict[str, dict[int, tuple[int, str]]] = {}
        """Of each message, by part: the last piece that came, and all text so far."""
        self.position: DraftPosition | None = None
        """The last piece of all."""
        self.events: list[ev.Envelope] = []
        """Every event that came."""
        self.answers: list[tuple[list[str], list[str]]] = []
        """Of each answer: what was streamed, and what was stored in the end."""

    @property
    def seq(self) -> int | None:
        """Number of the newest event; none before it knows anything."""
        return None if self.state is None else self.state.conversation.seq

    @property
    def ended(self) -> bool:
        """Whether the last event was the end of a turn."""
        return bool(self.events) and isinstance(self.events[-1].event, ENDED)

    def text(self, message_id: str) -> list[str]:
        """The parts of an answer as they were streamed."""
        return [text for _, (_, text) in sorted(self.pieces.get(message_id, {}).items())]

    def take(self, frame: ServerFrame) -> None:
        """Take one frame.

        Raises:
            AssertionError: it must not come now.
        """
        match frame:
            case Snapshot(state=state):
                self.state, self.pieces, self.position = state, {}, None
            case ev.Envelope():
                self._take_event(frame)
            case ev.Delta():
                self._take_delta(frame)
            case CaughtUp(seq=seq):
                assert seq == self.seq
            case _:
                raise AssertionError(f"not a frame of a conversation: {frame}")

    def _take_event(self, envelope: ev.Envelope) -> None:
        assert envelope.seq == (self.seq or 0) + 1, "each event once and in order"
        self.events.append(envelope)
        if self.state is None:
            self.state = create(self.id, envelope)
        else:
            self.state = reduce(self.state, envelope)
        if isinstance(envelope.event, ev.MessageAdded):
            message = envelope.event.message
            said = [part.text for part in message.parts if isinstance(part, SPOKEN)]
            heard = self.text(message.id)
            for piece, whole in zip(heard, said, strict=False):
                assert whole.startswith(piece)
            if message.role == "assistant":
                self.answers.append((heard, said))

    def _take_delta(self, delta: ev.Delta) -> None:
        assert self.state is not None
        assert delta.message_id not in self.state.messages, "a piece of what is stored already"
        parts = self.pieces.setdefault(delta.message_id, {})
        have, text = parts.get(delta.part, (0, ""))
        assert delta.first == have + 1, "no gap, and no piece twice"
        assert delta.n >= delta.first
        parts[delta.part] = delta.n, text + delta.text
        self.position = DraftPosition(delta.message_id, delta.part, delta.n)

    async def read(self, client: Followed, frames: int | None = None) -> None:
        """Read from where it stands: so many frames, or until the turn has ended."""
        async with aclosing(client.follow(self.id, self.seq, self.position)) as coming:
            async for frame in coming:
                self.take(frame)
                frames = None if frames is None else frames - 1
                if frames == 0 or self.ended:
                    return
