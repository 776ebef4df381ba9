"""The WebSocket: subscribe, resume, heartbeat.

The frames are those of `api.frames`, the codes it is closed with those of `api.closing`. One task
per subscription writes what the dispatcher gives; a client that reads too slowly holds up its own
tasks only, whose bounded queues then bring it back with what storage has. What waits for such a
client is bounded as well: one frame is written at a time, and one subscription catches up at a
time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler, WebSocketProtocol13

from bestchat_server_ext.api import closing, events
from bestchat_server_ext.api.decoding import decode
from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.api.frames import (
    HEARTBEAT_SECONDS,
    ClientFrame,
    Heartbeat,
    Hello,
    Ping,
    Problem,
    ServerFrame,
    Subscribe,
    Unsubscribe,
    Welcome,
)
from bestchat_server_ext.api.procedure import PROTOCOL
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.core.access import Caller, Scope, require
from bestchat_server_ext.core.errors import (
    ChatError,
    InvalidRequest,
    LimitReached,
    NotAllowed,
    NotAuthenticated,
    ProtocolMismatch,
    TooLarge,
)
from bestchat_server_ext.core.ids import ConversationId, OwnerId
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.ports.bus import Frame
from bestchat_server_ext.ports.telemetry import SocketClosed, SocketOpened
from bestchat_server_ext.web.answers import Answers
from bestchat_server_ext.web.door import Authenticator, Door
from bestchat_server_ext.web.http import check_protocol
from bestchat_server_ext.web.lines import SILENCE_SECONDS

_log = logging.getLogger(__name__)

UNCHECKED_LIMIT = 3
"""Beats in a row at which nobody could say whether the caller still has their rights: then the line
is closed, because they may be gone."""

FRAME_LIMIT = 64 * 1024
"""Bytes of the largest frame that a client may send."""

LINE_LIMIT = 1024 * 1024
"""Bytes of a frame beyond which the line is cut: nothing is kept of it to answer to."""

SUBSCRIPTION_LIMIT = 200
"""Conversations that one socket may follow."""

_NO_RIGHTS = frozenset({401, 403})
"""Statuses with which a host says that somebody may not be here any more."""

DRAIN_SECONDS = SILENCE_SECONDS
"""How long a client may leave what was sent to it unread, while it asks for more."""

_REFUSALS: dict[int, ChatError] = {
    400: InvalidRequest(
        "This address speaks WebSocket only.",
        hint="Connect with a WebSocket client, or ask with events.replay.",
    ),
    403: NotAllowed(
        "A page of another site may not connect here.",
        hint="Open this server's own pages, or set `allow_origin` in Jupyter's configuration.",
    ),
    426: InvalidRequest("WebSocket is spoken in version 13 here.", hint="Upgrade the client."),
}
"""What Tornado says in plain words, or in none, instead of an upgrade."""

_frames: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)


class EventsSocket(Answers, WebSocketHandler):
    """`bestchat/api/events`."""

    door: Door
    authenticator: Authenticator
    greeted: bool
    """Whether the client has said hello: from then on the line is in use."""
    heard_at: float
    """When anything was last heard of the client, by the event loop's clock."""
    idle_since: float | None
    """Since when nothing is followed; none while something is."""

    def initialize(self, door: Door, authenticator: Authenticator) -> None:
        """Take what the route gives."""
        self.door = door
        self.authenticator = authenticator
        self._caller: Caller | None = None
        self.greeted = False
        self.heard_at, self.idle_since = 0.0, None
        self._counted_for: OwnerId | None = None
        self._subscriptions: dict[ConversationId, asyncio.Task[None]] = {}
        self._heart: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._unwatch: Callable[[], None] | None = None
        self._writing = asyncio.Lock()
        self._catching_up = asyncio.Lock()
        self._unchecked = 0

    async def prepare(self, **kwargs: Any) -> None:  # noqa: ANN401  a host's own has options
        """Refuse what is no GET before anybody asks who it is from."""
        self.require_method()
        prepared = super().prepare(**kwargs)
        if prepared is not None:
            await prepared

    async def get(self, *args: str, **kwargs: str) -> None:
        """Let in who is known and may read conversations; the upgrade happens only then."""
        try:
            self._caller = await self.authenticator.caller(self)
            if self._caller is None:
                raise NotAuthenticated("The WebSocket needs a credential.")
            require(self._caller, Scope.CONVERSATIONS_READ)
            self._application: Application = await self.door.application()
        except ChatError as error:
            self.send_error_info(error.info)
            return
        await super().get(*args, **kwargs)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> asyncio.Future[None]:
        """End the answer; a refusal that has not got our shape yet gets it."""
        status = self.get_status()
        if status in _REFUSALS and not isinstance(chunk, bytes):
            chunk = self.compose(ErrorBody(_REFUSALS[status].info), status)
        return super().finish(chunk)

    @property
    def max_message_size(self) -> int:
        """Bytes that Tornado collects before it cuts the line."""
        return LINE_LIMIT

    def open(self, *_: str, **__: str) -> None:
        """Begin to beat, and to look out for the end of the caller's rights.

        One line too many is said here and not before the upgrade: a page's script learns nothing
        of an upgrade that is refused, and would come again and again.
        """
        # Frames are small and each matters now: the system must not hold one back until the
        # client has acknowledged the one before, which takes it 40 ms.
        self.set_nodelay(True)
        caller = self._known()
        self.heard_at = self.idle_since = _now()
        try:
            self.door.lines.enter(caller.owner, self, self._application.max_sockets)
        except LimitReached as error:
            self._caller = None  # whatever the client says, it is not heard
            refusing = self._refuse(Problem(error.info), closing.TOO_MANY)
            self._beating = asyncio.create_task(refusing, name="bestchat-refusal")
            return
        self._counted_for = caller.owner
        if caller.token_id is not None:
            tokens = self._application.tokens
            self._unwatch = tokens.watch(caller.token_id, self._lose_rights)
        self._heart = asyncio.create_task(self._beat(), name="bestchat-heartbeat")
        self._application.telemetry.notice(SocketOpened())

    async def _refuse(self, problem: Problem, why: closing.Closing) -> None:
        """Say what is wrong, and close."""
        with suppress(WebSocketClosedError):
            await self._send(problem)
            self.hang_up(why)

    def _lose_rights(self, code: str = NotAuthenticated.code) -> None:
        """Hang up at once: the token was revoked, its time is over, or a rule has changed."""
        self.hang_up(closing.NOT_AUTHENTICATED, code)

    def hang_up(self, why: closing.Closing, reason: str = "") -> None:
        """Send nothing any more, and close."""
        self._caller = None
        for conversation_id in list(self._subscriptions):
            self._drop(conversation_id)
        if self._heart is not None and self._heart is not asyncio.current_task():
            self._heart.cancel()
        self.close(why.code, reason or why.name)

    def on_pong(self, data: bytes) -> None:
        """The client lives, whatever it has to say."""
        del data
        self.heard_at = _now()

    async def on_message(self, message: str | bytes) -> None:
        """Obey one frame."""
        self.heard_at = _now()
        if self._caller is None:
            return  # hung up on, and the client does not know yet
        with suppress(WebSocketClosedError):  # `on_close` sees to the rest
            try:
                await self._obey(self._read(message))
            except ChatError as error:
                await self._send(Problem(error.info))
                if not self.greeted:
                    mismatch = error.code == ProtocolMismatch.code
                    why = closing.PROTOCOL if mismatch else closing.BAD_FRAME
                    self.hang_up(why, error.code)

    def _read(self, message: str | bytes) -> ClientFrame:
        body = message.encode() if isinstance(message, str) else message
        if len(body) > FRAME_LIMIT:
            raise TooLarge(f"A frame may have {FRAME_LIMIT} bytes.", hint="Send less at once.")
        return decode(body, _frames, "This frame")

    async def _obey(self, frame: ClientFrame) -> None:
        match frame:
            case Hello(protocol=protocol):
                check_protocol(protocol)
                self.greeted = True
                await self._send(Welcome(PROTOCOL, version("bestchat"), HEARTBEAT_SECONDS))
            case _ if not self.greeted:
                raise InvalidRequest(
                    "The first frame has to be hello.", hint="Say which protocol you speak."
                )
            case Subscribe():
                await self._subscribe(frame)
            case Unsubscribe(conversation_id=conversation_id):
                self._drop(conversation_id)
            case Ping():
                await self._look_and_tell()

    async def _subscribe(self, frame: Subscribe) -> None:
        """Follow a conversation; anew, if it is followed already.

        What the former subscription has sent must be on its way first. Otherwise a client that
        asks and never reads could pile up snapshots here.
        """
        former = self._subscriptions.get(frame.conversation_id)
        if former is None and len(self._subscriptions) >= SUBSCRIPTION_LIMIT:
            raise LimitReached(
                f"One socket follows at most {SUBSCRIPTION_LIMIT} conversations.",
                hint="Unsubscribe from some.",
            )
        await self._drained()
        self._drop(frame.conversation_id)
        request = events.SubscribeEvents(frame.conversation_id, frame.after, frame.draft)
        self._subscriptions[frame.conversation_id] = asyncio.create_task(
            self._follow(request), name="bestchat-follow"
        )
        self.idle_since = None

    async def _drained(self) -> None:
        """Wait until the client has taken what was sent; give up on one that never does."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                async with self._writing:
                    pass
        except TimeoutError:
            self.hang_up(closing.SILENT)
            raise WebSocketClosedError from None

    def _drop(self, conversation_id: ConversationId) -> None:
        if (task := self._subscriptions.pop(conversation_id, None)) is not None:
            task.cancel()
            self._note_idleness()

    def _note_idleness(self) -> None:
        if not self._subscriptions:
            self.idle_since = _now()

    async def _follow(self, request: events.SubscribeEvents) -> None:
        """Pass one conversation on until the client has enough of it."""
        conversation_id = request.conversation_id
        with suppress(WebSocketClosedError):  # `on_close` sees to the rest
            try:
                frames = self._application.dispatcher.subscribe(
                    self._caller, request, self._catching_up
                )
                async with aclosing(frames):
                    async for frame in frames:
                        await self._send(frame)
            except ChatError as error:
                await self._send(Problem(error.info, conversation_id))
        if self._subscriptions.get(conversation_id) is asyncio.current_task():
            del self._subscriptions[conversation_id]
            self._note_idleness()

    async def _look_and_tell(self) -> None:
        """Send a heartbeat, unless one is still on its way: a client that is slow gets one less.

        Nobody waits until it is sent: neither the next frame of the client nor the next beat may
        be held up by a client that does not read.
        """
        dispatcher = self._application.dispatcher
        heartbeat = await dispatcher.heartbeat(self._known(), self._subscriptions)
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._tell(heartbeat), name="bestchat-beat")

    async def _tell(self, heartbeat: Heartbeat) -> None:
        with suppress(WebSocketClosedError):  # `on_close` sees to the rest
            await self._send(heartbeat)

    def _known(self) -> Caller:
        if self._caller is None:
            raise NotAuthenticated("Nobody is signed in any more.")
        return self._caller

    async def _send(self, frame: Frame | ServerFrame) -> None:
        """Write one frame, and wait until it is on its way: one writer at a time.

        A task that is cancelled here must not cancel the write itself, which is Tornado's.
        """
        async with self._writing:
            # Only now: what waits for a client that is slow is not there twice.
            body = frame.json if isinstance(frame, Frame) else msgspec.json.encode(frame)
            sent = self.write_message(body)
            if self._lies_here():
                await asyncio.shield(sent)

    def _lies_here(self) -> bool:
        """Whether something that was written has not gone out; or it is unknown whether it has.

        Nearly always the system takes all of it at once, and to wait for Tornado to say so costs
        as much as the writing.
        """
        connection = self.ws_connection
        if not isinstance(connection, WebSocketProtocol13):
            return True
        return connection.stream.closed() or connection.stream.writing()

    async def _beat(self) -> None:
        with suppress(WebSocketClosedError):  # `on_close` sees to the rest
            if self._unwatch is not None:  # revoked before it was watched, perhaps
                await self._beat_once(silently=True)
            # All who come back after a restart come together; their beats need not.
            share = random.random()  # noqa: S311  when a beat comes is no secret
            while (pause := self._pause()) > 0:
                await asyncio.sleep(pause * share)
                share = 1.0
                await self._beat_once()
            self._lose_rights()

    def _pause(self) -> float:
        """Seconds until the next beat; none are left when the caller's token has expired."""
        if self._caller is None or self._caller.expires_at is None:
            return HEARTBEAT_SECONDS
        left = (self._caller.expires_at - datetime.now(UTC)).total_seconds()
        return min(left, HEARTBEAT_SECONDS)

    async def _beat_once(self, *, silently: bool = False) -> None:
        try:
            # Rights that were taken away meanwhile close the socket.
            self._caller = await self.authenticator.caller(self)
            self._unchecked = 0
            if not silently:
                self.ping()  # which the client's library answers by itself
                await self._look_and_tell()
        except WebSocketClosedError:
            raise
        except (NotAuthenticated, NotAllowed) as error:
            self._lose_rights(error.code)
        except Exception as error:  # noqa: BLE001  a host's authentication may raise anything
            if isinstance(error, HTTPError) and error.status_code in _NO_RIGHTS:
                self._lose_rights()
            else:
                self._miss_beat(error)

    def _miss_beat(self, error: Exception) -> None:
        """Go on without a heartbeat: the next may be in order. Rights do not stay unchecked."""
        what = error.code if isinstance(error, ChatError) else origin(error)
        _log.warning("BestChat: no heartbeat was sent: %s", what)
        self._unchecked += 1
        if self._unchecked >= UNCHECKED_LIMIT:
            self.hang_up(closing.UNAVAILABLE)

    def on_close(self) -> None:
        """Let go of everything."""
        if self._unwatch is not None:
            self._unwatch()
        if self._counted_for is not None:
            self.door.lines.leave(self._counted_for, self)
        tasks = [*self._subscriptions.values()]
        self._subscriptions.clear()
        if self._beating is not None:
            tasks.append(self._beating)
        if self._heart is not None:
            tasks.append(self._heart)
            self._application.telemetry.notice(SocketClosed())
        for task in tasks:
            task.cancel()


def _now() -> float:
    return asyncio.get_running_loop().time()
