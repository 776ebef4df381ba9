"""What was said in a conversation, kept up with.

Runs on the loop thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import msgspec

from bestchat_kernel.session import ChatSession
from bestchat_server_ext.api.frames import Snapshot
from bestchat_server_ext.core.conversation import ConversationState, reduce
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import ChatError
from bestchat_server_ext.core.events import ConversationDeleted, Envelope
from bestchat_server_ext.core.ids import ConversationId, TurnId


class Transcript:
    """Follows one conversation."""

    def __init__(
        self,
        session: ChatSession,
        conversation_id: ConversationId,
        changed: Callable[[ConversationState], None],
    ) -> None:
        """Follow through the door of a session, and tell of what is said, until it is closed."""
        self._session = session
        self._id = conversation_id
        self._changed = changed
        self._state: ConversationState | None = None
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._follow())

    def close(self) -> None:
        """Follow it no more."""
        self._task.cancel()

    async def caught_up(
        self, turn_id: TurnId | None = None, seconds: float = 2
    ) -> ConversationState | None:
        """What is there when a turn has ended here too, or once anything is; or after so long."""
        try:
            async with asyncio.timeout(seconds):
                while not self._knows(turn_id):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        return self._state

    def _knows(self, turn_id: TurnId | None) -> bool:
        if self._state is None or turn_id is None:
            return self._state is not None
        turn = self._state.turns.get(turn_id)
        return turn is not None and not turn.active

    async def _follow(self) -> None:
        try:
            client = (await self._session.connection()).client
            frames = client.follow(self._id)
            async with aclosing(frames):
                async for frame in frames:
                    if isinstance(frame, Snapshot):
                        self._take(frame.state)
                    elif isinstance(frame, Envelope):
                        self._apply(frame)
        except ChatError:
            pass  # it was deleted, or the server is away for good: what was said stays

    def _apply(self, envelope: Envelope) -> None:
        if self._state is None or isinstance(envelope.event, ConversationDeleted):
            return
        before = self._state
        if envelope.seq > before.conversation.seq:
            self._take(reduce(before, envelope))

    def _take(self, state: ConversationState) -> None:
        before, self._state = self._state, state
        if before is None or (before.messages, before.turns) != (state.messages, state.turns):
            self._news.set()
            self._changed(state)


def said(state: ConversationState) -> list[dict[str, str]]:
    """What was said on the newest branch: roles, texts, and who answered."""
    return [
        {"role": message.role, "text": message.text, "model": message.model or ""}
        for message in state.branch(state.newest)
        if message.role in {"user", "assistant"} and message.text
    ]


def stored(state: ConversationState) -> dict[str, Any]:
    """The newest branch, as a page takes it, without what only the server has to know."""
    branch = state.branch(state.newest)
    turns = {message.turn_id for message in branch}
    kept = ConversationState(
        msgspec.structs.replace(
            state.conversation, settings=ConversationSettings(), label="", queue=()
        ),
        {message.id: message for message in branch},
        {key: turn for key, turn in state.turns.items() if key in turns},
        {key: it for key, it in state.executions.items() if it.turn_id in turns},
    )
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(kept))
    return found
