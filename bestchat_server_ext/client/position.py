"""How far a reader of one conversation has come: what it asks for, and what is new to it."""

from __future__ import annotations

from bestchat_server_ext.api.frames import (
    CaughtUp,
    DraftPosition,
    Heartbeat,
    ServerFrame,
    Snapshot,
    Subscribe,
)
from bestchat_server_ext.core.events import AttemptFailed, ConversationDeleted, Delta, Envelope
from bestchat_server_ext.core.ids import ConversationId


class Position:
    """What a reader has: events up to a number, and of the streaming answer up to a piece."""

    def __init__(self, seq: int | None, draft: DraftPosition | None) -> None:
        """Begin here."""
        self.seq = seq
        self.draft = draft
        self.over = False
        """Whether nothing can come any more."""

    def subscription(self, conversation_id: ConversationId) -> Subscribe:
        """What to ask for to get everything beyond it."""
        return Subscribe(conversation_id, self.seq, self.draft)

    def stale(self, frame: ServerFrame, conversation_id: ConversationId) -> bool:
        """Whether a frame shows that something is missing: then it is asked for again."""
        if isinstance(frame, Heartbeat):
            # Stored, and not told: another process wrote, or the server died in between. Or it is
            # gone, and then the server says so when it is asked again.
            newest = frame.seqs.get(conversation_id)
            return newest is None or newest > (self.seq or 0)
        return isinstance(frame, Delta) and not self._continues(frame)

    def _continues(self, delta: Delta) -> bool:
        """Whether pieces are known to the reader, or continue what it has.

        Otherwise some are missing, or these were sent for an earlier subscription and overlap.
        """
        have = self.draft
        if have is None or have.message_id != delta.message_id or delta.part > have.part:
            return delta.first == 1
        if have.attempt != delta.attempt:
            return delta.attempt < have.attempt or delta.first == 1
        return delta.part < have.part or delta.n <= have.n or delta.first == have.n + 1

    def take(self, frame: ServerFrame) -> bool:
        """Go on to a frame; say whether it brings anything that the reader does not have."""
        match frame:
            case Snapshot(state=state):
                self.seq, self.draft = state.conversation.seq, None
            case Envelope(seq=seq, event=event):
                if seq <= (self.seq or 0):
                    return False
                self.seq = seq
                self.over = isinstance(event, ConversationDeleted)
                if isinstance(event, AttemptFailed) and not event.kept:
                    self.draft = None  # the answer begins anew
            case Delta(message_id=message_id, part=part, n=n):
                have = self.draft
                known = have is not None and have.message_id == message_id
                place = (frame.attempt, part, n)
                if have is not None and known and place <= (have.attempt, have.part, have.n):
                    return False
                self.draft = DraftPosition(message_id, part, n, frame.attempt)
            case CaughtUp():
                pass
            case _:
                return False  # about the line, and not about the conversation
        return True
