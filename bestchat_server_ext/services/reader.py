"""What one reader of a conversation has been given so far, and so what it still lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from bestchat_server_ext.api.frames import DraftPosition
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.events import AttemptFailed, Delta, Envelope, MessageAdded
from bestchat_server_ext.core.ids import ConversationId, MessageId
from bestchat_server_ext.ports.bus import DraftWanted


class Reader:
    """Knows up to where it has the events, and up to where the streaming answer.

    It is never given a piece that leaves a hole before it. Within a part, pieces are numbered. At
    the beginning of a further part, it has to know that it has heard everything before; it knows
    that once it was told a draft, or has taken a piece since it began to listen, because what a
    bus loses it tells.
    """

    def __init__(self, seq: int | None, position: DraftPosition | None) -> None:
        """Begin with what it says it has."""
        self.seq = seq
        """Number of the last event it has; none as long as it has nothing."""
        self.complete: set[str] = set()
        """Messages whose pieces it needs no more."""
        self.over = False
        """Whether there is nothing to follow any more."""
        self.hole = False
        """Whether the last piece could not be given, because others before it are missing."""
        self.asked: DraftWanted | None = None
        """Its question for what it lacks of the answer, if it still lacks it."""
        self.asked_at = -inf
        """When it last asked, by the clock that never goes back."""
        self.lag: Callable[[], None] = _nothing
        """Has it begin again from storage."""
        self._behind: int | None = None
        self._message_id: MessageId | None = None
        self._at = (0, 0, 0)
        """Attempt, part and piece of the streaming answer up to which it has everything."""
        self._whole = False
        if position is not None:
            self._message_id = position.message_id
            self._at = (position.attempt, position.part, position.n)

    def begin_with(self, state: ConversationState) -> None:
        """It has this, and nothing else any more."""
        self.seq = state.conversation.seq
        self.complete = set(state.messages)
        self._begin(None)

    def wants(self, envelope: Envelope) -> bool:
        """Whether the event is new to it; from now on it is not."""
        if envelope.seq <= (self.seq or 0):
            return False
        self.seq = envelope.seq
        match envelope.event:
            case MessageAdded(message=message):
                self.complete.add(message.id)
            case AttemptFailed(kept=False):
                self._begin(None)  # its pieces are counted from the beginning again
        return True

    def compare(self, newest: int | None) -> None:
        """Take note of how far storage is; begin again from there if it was ahead last time, too.

        None stands for a conversation that is gone.
        """
        behind = self.seq is not None and (newest is None or newest > self.seq)
        if behind and self._behind == self.seq:
            self._behind = None
            self.lag()
        else:
            self._behind = self.seq if behind else None

    # The streaming answer.

    def begin_draft(self) -> None:
        """It has begun to listen anew, and may have missed pieces before."""
        self._whole = False

    def wants_delta(self, delta: Delta) -> bool:
        """Whether the pieces are new to it and follow what it has; from now on it has them."""
        self.hole = False
        if delta.message_id in self.complete:
            return False
        if delta.message_id != self._message_id:
            self._begin(delta.message_id)
        place = (delta.attempt, delta.part, delta.n)
        if place <= self._at:
            return False
        attempt, part, n = self._at
        if (delta.attempt, delta.part) == (attempt, part):
            self.hole = delta.first != n + 1
        else:
            known = self._whole or (delta.part == 0 and delta.attempt > attempt)
            self.hole = delta.first != 1 or not known
        if self.hole:
            return False
        self._at, self._whole, self.asked = place, True, None
        return True

    def take_draft(self, message_id: MessageId, deltas: Sequence[Delta]) -> list[Delta]:
        """What it lacks of a streaming answer, of which it has then heard everything so far."""
        if message_id in self.complete:
            return []
        if message_id != self._message_id:
            self._begin(message_id)
        self._whole, self.asked = True, None
        return [delta for delta in deltas if self.wants_delta(delta)]

    def _begin(self, message_id: MessageId | None) -> None:
        self._message_id, self._at, self._whole = message_id, (0, 0, 0), False

    def position_in(self, message_id: MessageId, attempt: int) -> tuple[int, int]:
        """Part and piece up to which it has a streaming answer."""
        known, part, n = self._at
        same = (message_id, attempt) == (self._message_id, known)
        return (part, n) if same else (0, 0)

    def ask(self, conversation_id: ConversationId, now: float) -> DraftWanted:
        """The question for what comes behind the place where it stands."""
        self.asked, self.asked_at = DraftWanted(conversation_id, self._message_id, *self._at), now
        return self.asked


def _nothing() -> None:
    pass
