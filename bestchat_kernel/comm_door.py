"""The server's API through the comm of a widget.

A page that has no server of its own, in VS Code or behind Voilà, asks the kernel, and the kernel
asks through the door that it has itself. Behind Voilà a page may be a stranger's: it may ask for
what the widget needs, and only about the conversation that the widget shows. Runs on the loop
thread.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from contextlib import aclosing, suppress
from importlib.metadata import version
from typing import Any

import msgspec

from bestchat_kernel.comm_messages import (
    Answer,
    Call,
    FromLine,
    FromPage,
    HangUp,
    KernelMessage,
    LineClosed,
    ToLine,
)
from bestchat_kernel.process import replay
from bestchat_kernel.session import ChatSession
from bestchat_server_ext.api import conversations, messages, models, providers, system, turns
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
from bestchat_server_ext.core.access import no_such_object
from bestchat_server_ext.core.errors import (
    ChatError,
    InternalError,
    InvalidRequest,
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

_PROCEDURES: dict[str, Procedure[Any, Any]] = {
    procedure.name: procedure
    for procedure in (
        conversations.create,
        turns.start,
        turns.continue_,
        turns.cancel,
        turns.unqueue,
        turns.send_queued,
        messages.edit,
        messages.regenerate,
        messages.pin,
        models.list_,
        providers.list_,
        system.options,
    )
}
"""All that the widget asks for."""

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
        self._shown: ConversationId | None = None
        self._lines: dict[str, _Line] = {}
        self._heard: deque[str] = deque(maxlen=_REMEMBERED)

    async def take(self, content: object) -> None:
        """Take what a page says; it may come twice.

        Raises:
            msgspec.ValidationError: no page of ours says this.
        """
        said: FromPage = msgspec.convert(content, FromPage)
        if said.key in self._heard:
            return
        self._heard.append(said.key)
        match said:
            case Call():
                await self._answer(said)
            case ToLine():
                self._frame(said.line, said.text)
            case HangUp():
                self._drop(said.line)

    def _tell(self, message: KernelMessage) -> None:
        self._send(msgspec.to_builtins(message))

    def show(self, conversation_id: ConversationId) -> None:
        """Let pages ask about a conversation: Python has chosen it. In any thread."""
        self._shown = conversation_id

    def close(self) -> None:
        """Hang up on all pages."""
        for key in list(self._lines):
            self._drop(key)

    # Calls.

    async def _answer(self, call: Call) -> None:
        try:
            response = await self._call(_procedure(call.name), call.body)
            status, body = 200, msgspec.json.encode(response)
        except ChatError as error:
            status, body = 400, msgspec.json.encode(ErrorBody(error.info))
        except Exception:  # the page waits for an answer, and the loop says what went wrong
            failed = msgspec.json.encode(ErrorBody(InternalError().info))
            self._tell(Answer(call.id, 500, failed.decode()))
            raise
        self._tell(Answer(call.id, status, body.decode()))

    async def _call(self, procedure: Procedure[Any, Any], body: str) -> msgspec.Struct:
        decoder = msgspec.json.Decoder(procedure.request)
        request = decode(body.encode(), decoder, f"The request for {procedure.name}")
        if isinstance(request, conversations.CreateConversation):
            return await self._begin()
        connection = await self._session.connection()
        await self._require_own(request)
        if isinstance(request, turns.TurnRequest):
            require_live()
            request.attended = request.attended and connection.attended
            if request.model is None:
                request.model = self._session.model
        response: msgspec.Struct = await connection.client.call(procedure, request)
        return response

    async def _require_own(self, request: msgspec.Struct) -> None:
        """Refuse what is about another conversation, or brings files of another one along.

        Raises:
            NotFound: the request is about another conversation.
            InvalidRequest: it names files.
        """
        if isinstance(request, turns.CancelTurn):
            client = (await self._session.connection()).client
            turn = await client.call(turns.get, turns.GetTurn(request.turn_id))
            self._require_shown(turn.conversation_id)
        elif (key := getattr(request, "conversation_id", None)) is not None:
            self._require_shown(key)
        if getattr(request, "files", None):
            raise InvalidRequest(
                "A widget has no files to send.", hint="Attach them with %%chat.", field="files"
            )

    def _require_shown(self, conversation_id: ConversationId) -> None:
        """Refuse another conversation than the one that the widget shows or is about to show.

        Raises:
            NotFound: it is another one.
        """
        if conversation_id not in {self._shown, self._session.conversation_id}:
            raise no_such_object()

    async def _begin(self) -> msgspec.Struct:
        """The session's conversation, which a cell may have begun meanwhile; else a new one.

        Nothing of it is for the page to say: under the id of another one it would get that one.
        """
        session = self._session
        if session.conversation_id is not None:
            with suppress(NotFound):
                there = await session.find(session.conversation_id)
                if there.deleted_at is None:
                    return there
        label = os.environ.get("JPY_SESSION_NAME", "")
        client = (await session.connection()).client
        created = await client.call(
            conversations.create, conversations.CreateConversation(label=label)
        )
        session.go_on_with(created.id)
        self._began(created.id)
        return created

    # Lines.

    def _frame(self, key: str, text: str) -> None:
        frame = _client_frames.decode(text)
        line = self._lines.get(key)
        if line is None:
            if not isinstance(frame, Hello):  # it was silent for too long
                self._tell(LineClosed(key))
                return
            line = _Line(self._session, self._require_shown, self._sender(key))
            self._lines[key] = line
        line.take(frame)
        line.expire_after(_SILENT_SECONDS, lambda: self._expire(key))

    def _sender(self, key: str) -> Callable[[list[str]], None]:
        return lambda frames: self._tell(FromLine(key, frames))

    def _expire(self, key: str) -> None:
        self._drop(key)
        self._tell(LineClosed(key))

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
    """The procedure of that name, if it is one for widgets."""
    found = _PROCEDURES.get(name)
    if found is None:
        raise UnknownProcedure(
            f"A widget cannot call {name[:100]!r}.", hint="Use the panel for that."
        )
    return found


class _Line:
    """What a page follows: as much of the server's WebSocket as it needs."""

    def __init__(
        self,
        session: ChatSession,
        require_shown: Callable[[ConversationId], None],
        send: Callable[[list[str]], None],
    ) -> None:
        self._session = session
        self._require_shown = require_shown
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
            self._require_shown(key)
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
