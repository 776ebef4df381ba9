"""The server's API through the comm of a widget.

A page that has no server of its own, in VS Code or behind Voilà, asks the kernel, and the kernel
asks through the door that it has itself. What a page may ask is what a kernel may. Runs on the loop
thread.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from importlib.metadata import version
from typing import Any

import msgspec

from bestchat_kernel.process import replay
from bestchat_kernel.session import ChatSession
from bestchat_server_ext.api import conversations, turns
from bestchat_server_ext.api.catalog import BY_NAME
from bestchat_server_ext.api.decoding import decode
from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.api.frames import (
    CaughtUp,
    ClientFrame,
    Heartbeat,
    Hello,
    Ping,
    Problem,
    ServerFrame,
    Snapshot,
    Subscribe,
    Unsubscribe,
    Welcome,
)
from bestchat_server_ext.api.procedure import PROTOCOL, Procedure
from bestchat_server_ext.core.access import KERNEL_SCOPES
from bestchat_server_ext.core.errors import (
    ChatError,
    InternalError,
    NotFound,
    NotRecorded,
    UnknownProcedure,
)
from bestchat_server_ext.core.events import Envelope
from bestchat_server_ext.core.ids import ConversationId

_TOGETHER_SECONDS = 0.02
"""How long frames are gathered: Jupyter lets a kernel send only so many messages a second."""

_SILENT_SECONDS = 120.0
"""How long a page may say nothing before it is taken to be gone. One that is not comes back."""

_REMEMBERED = 1000
"""Messages by which one that is heard twice is known."""

Send = Callable[[dict[str, Any]], None]

_client_frames: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)


class CommDoor:
    """Answers the pages that show one widget."""

    def __init__(
        self, session: ChatSession, send: Send, began: Callable[[ConversationId], None]
    ) -> None:
        """Answer through the door of a session.

        Args:
            session: whose conversation is shown, and whose model answers where none is named.
            send: says something to all pages.
            began: is told of the conversation that a page began.
        """
        self._session = session
        self._send = send
        self._began = began
        self._lines: dict[str, _Line] = {}
        self._heard: deque[str] = deque(maxlen=_REMEMBERED)

    async def take(self, said: Mapping[str, Any]) -> None:
        """Take what a page says; it may come twice."""
        if said["key"] in self._heard:
            return
        self._heard.append(said["key"])
        match said["door"]:
            case "call":
                await self._answer(said["id"], said["name"], said["body"])
            case "frame":
                self._frame(said["line"], said["text"])
            case "hang_up":
                self._drop(said["line"])

    def close(self) -> None:
        """Hang up on all pages."""
        for key in list(self._lines):
            self._drop(key)

    # Calls.

    async def _answer(self, key: str, name: str, body: str) -> None:
        try:
            response = await self._call(_procedure(name), body)
            status, answer = 200, msgspec.json.encode(response)
        except ChatError as error:
            status, answer = 400, msgspec.json.encode(ErrorBody(error.info))
        except Exception:  # the page waits for an answer, and the loop says what went wrong
            self._say(key, 500, msgspec.json.encode(ErrorBody(InternalError().info)))
            raise
        self._say(key, status, answer)

    def _say(self, key: str, status: int, answer: bytes) -> None:
        self._send({"door": "answer", "id": key, "status": status, "body": answer.decode()})

    async def _call(self, procedure: Procedure[Any, Any], body: str) -> msgspec.Struct:
        decoder = msgspec.json.Decoder(procedure.request)
        request = decode(body.encode(), decoder, f"The request for {procedure.name}")
        if isinstance(request, conversations.CreateConversation):
            return await self._begin(request)
        connection = await self._session.connection()
        if isinstance(request, turns.TurnRequest):
            require_live()
            request.attended = request.attended and connection.attended
            if request.model is None:
                request.model = self._session.model
        response: msgspec.Struct = await connection.client.call(procedure, request)
        return response

    async def _begin(self, request: conversations.CreateConversation) -> msgspec.Struct:
        """The session's conversation, which a cell may have begun meanwhile; else a new one."""
        session = self._session
        if session.conversation_id is not None:
            with suppress(NotFound):
                there = await session.find(session.conversation_id)
                if there.deleted_at is None:
                    return there
        request.label = os.environ.get("JPY_SESSION_NAME", "")
        client = (await session.connection()).client
        created = await client.call(conversations.create, request)
        session.go_on_with(created.id)
        self._began(created.id)
        return created

    # Lines.

    def _frame(self, key: str, text: str) -> None:
        frame = _client_frames.decode(text)
        line = self._lines.get(key)
        if line is None:
            if not isinstance(frame, Hello):  # it was silent for too long
                self._send({"door": "closed", "line": key})
                return
            line = self._lines[key] = _Line(self._session, self._sender(key))
        line.take(frame)
        line.expire_after(_SILENT_SECONDS, lambda: self._expire(key))

    def _sender(self, key: str) -> Callable[[list[str]], None]:
        return lambda frames: self._send({"door": "frames", "line": key, "frames": frames})

    def _expire(self, key: str) -> None:
        self._drop(key)
        self._send({"door": "closed", "line": key})

    def _drop(self, key: str) -> None:
        line = self._lines.pop(key, None)
        if line is not None:
            line.close()


def require_live() -> None:
    """Refuse to ask where nobody may be asked: what a widget asks is not recorded.

    Raises:
        NotRecorded: the notebook is being replayed.
    """
    if replay().mode == "only":
        raise NotRecorded(
            "What a ChatPanel asks is in no recording, and nobody is asked.",
            hint="Write %chat replay off.",
        )


def _procedure(name: str) -> Procedure[Any, Any]:
    """The procedure of that name, if it is one for kernels."""
    found = BY_NAME.get(name)
    if found is None or found.stream or found.scope not in {None, *KERNEL_SCOPES}:
        raise UnknownProcedure(f"A widget cannot call {name[:100]!r}.")
    return found


class _Line:
    """What a page follows: as much of the server's WebSocket as it needs."""

    def __init__(self, session: ChatSession, send: Callable[[list[str]], None]) -> None:
        self._session = session
        self._send = send
        self._following: dict[ConversationId, asyncio.Task[None]] = {}
        self._seqs: dict[str, int] = {}
        self._waiting: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def expire_after(self, seconds: float, expire: Callable[[], None]) -> None:
        """Call `expire` after so many seconds, unless this is called again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, expire)

    def take(self, frame: ClientFrame) -> None:
        match frame:
            case Hello():
                self._put(Welcome(PROTOCOL, version("bestchat")))
            case Ping():
                self._put(Heartbeat(dict(self._seqs)))
            case Subscribe(conversation_id=key):
                self._leave(key)
                self._following[key] = asyncio.create_task(self._follow(frame))
            case Unsubscribe(conversation_id=key):
                self._leave(key)

    def _leave(self, key: ConversationId) -> None:
        self._seqs.pop(key, None)
        task = self._following.pop(key, None)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        for key in list(self._following):
            self._leave(key)
        if self._timer is not None:
            self._timer.cancel()

    async def _follow(self, wanted: Subscribe) -> None:
        key = wanted.conversation_id
        try:
            client = (await self._session.connection()).client
            frames = client.follow(key, wanted.after, wanted.draft)
            async with aclosing(frames):
                async for frame in frames:
                    if not isinstance(frame, Welcome | Heartbeat):
                        self._note(key, frame)
                        self._put(frame)
        except ChatError as error:
            self._put(Problem(error.info, key))

    def _note(self, key: ConversationId, frame: ServerFrame) -> None:
        match frame:
            case Envelope(seq=seq) | CaughtUp(seq=seq):
                self._seqs[key] = seq
            case Snapshot(state=state):
                self._seqs[key] = state.conversation.seq
            case _:
                pass

    def _put(self, frame: ServerFrame) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_later(_TOGETHER_SECONDS, self._flush)
        self._waiting.append(msgspec.json.encode(frame).decode())

    def _flush(self) -> None:
        frames, self._waiting = self._waiting, []
        self._send(frames)
