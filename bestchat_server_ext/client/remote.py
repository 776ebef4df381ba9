"""A server behind HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import io
import random
import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec

from bestchat_server_ext.api import closing
from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.api.frames import (
    HEARTBEAT_SECONDS,
    SILENT_BEATS,
    CaughtUp,
    ClientFrame,
    DraftPosition,
    Hello,
    Ping,
    Problem,
    ServerFrame,
    Snapshot,
    Welcome,
)
from bestchat_server_ext.api.procedure import PROTOCOL, Procedure
from bestchat_server_ext.client import address
from bestchat_server_ext.client.base import encode_request
from bestchat_server_ext.client.position import Position
from bestchat_server_ext.client.retry import RealTime, Retry, Waiting
from bestchat_server_ext.core.errors import (
    ChatError,
    InternalError,
    InvalidRequest,
    NotAuthenticated,
    Unavailable,
    from_info,
)
from bestchat_server_ext.core.ids import ConversationId

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response", bound=msgspec.Struct)

AWAY_SECONDS = 300.0
"""How long a server may stay away: a laptop changes its network, a hub restarts its proxy."""

LEAST_PATIENCE = 5.0
"""Seconds of silence that every server is granted, however often it says that its heart beats."""

CLOSE_SECONDS = 1.0
"""How long a closed line may take to be closed on the other side as well."""


class _Proxy(NamedTuple):
    """What stands on the way, as aiohttp wants it; its password is in no error that way."""

    proxy: str | None = None
    proxy_headers: dict[str, str] | None = None


_frames: msgspec.json.Decoder[ServerFrame] = msgspec.json.Decoder(ServerFrame)


class RemoteClient:
    """Speaks to one server with one token."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        away_seconds: float = AWAY_SECONDS,
        clock: Waiting | None = None,
        dice: random.Random | None = None,
    ) -> None:
        """Know a server: `url` is its base URL, `bestchat/api/` comes behind it.

        While following, it is given up once it has stayed away for `away_seconds`; `clock` and
        `dice` decide the pauses between attempts to come back.

        Must be used on one event loop only. The environment's proxies are honoured, except on
        the way to this very machine, and so are its certificates (SSL_CERT_FILE, SSL_CERT_DIR).

        Raises:
            InvalidRequest: that is no address, or no token.
        """
        if not token.isascii() or not token.isprintable() or " " in token:
            raise InvalidRequest(
                "There are characters in BESTCHAT_TOKEN that no token has.",
                hint="Copy the token alone, without the space around it.",
                field="BESTCHAT_TOKEN",
            )
        self._address = address.parse(url)
        self._root = self._address.root
        self._token = token
        self._away_seconds = away_seconds
        self._clock = clock or RealTime()
        self._dice = dice or random.Random()  # noqa: S311  the pauses are no secret
        self._session: aiohttp.ClientSession | None = None
        self._proxy = _Proxy()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A proxy could not reach this machine, and has no business seeing the token.
            self._proxy = _Proxy() if self._address.here else _find_proxy(self._root)
            tracing = aiohttp.TraceConfig()
            tracing.on_request_redirect.append(self._refuse_redirect)
            socket = self._address.socket
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(socket) if socket else None,
                headers={
                    "Authorization": f"token {self._token}",
                    "X-BestChat-Protocol": str(PROTOCOL),
                },
                timeout=aiohttp.ClientTimeout(total=60, sock_connect=10),
                # The environment's proxies are taken by ourselves: aiohttp would look into .netrc
                # as well, and not know which of the two credentials to send.
                trust_env=False,
                trace_configs=[tracing],
            )
        return self._session

    async def _refuse_redirect(
        self,
        _: aiohttp.ClientSession,
        __: Any,  # noqa: ANN401  aiohttp's own context
        redirect: aiohttp.TraceRequestRedirectParams,
    ) -> NoReturn:
        """Go nowhere else: what is asked, and the token, are for the server that was named.

        A WebSocket has no option for that, so requests are watched.
        """
        redirect.response.close()
        raise Unavailable(
            f"What answers at {self._address.shown} sends its callers to another address, with "
            f"HTTP {redirect.response.status}; BestChat does not go there.",
            hint="Set BESTCHAT_URL to the server's own address, with https:// where it wants that; "
            "a login page in front of it needs a way around for the token.",
        )

    async def call(self, procedure: Procedure[Request, Response], request: Request) -> Response:
        """Carry out one procedure.

        Raises:
            ChatError: what the server said, rebuilt as the class it was there.
            Unavailable: there is no such server, or something else answers at its address.
        """
        body = encode_request(procedure, request)
        try:
            # As a stream, because a long text would be complained about otherwise.
            data = io.BytesIO(body)
            session = self._open()
            url = self._root + procedure.name
            async with session.post(url, data=data, **self._proxy._asdict()) as response:
                answer = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError, ValueError) as error:
            raise self._unreachable(error) from error
        if status == 200:  # noqa: PLR2004  HTTP statuses name themselves
            return self._decode(answer, procedure.response)
        raise self._error(status, answer)

    def _decode(self, answer: bytes, model: type[Response]) -> Response:
        try:
            return msgspec.json.decode(answer, type=model)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unavailable(
                f"What answers at {self._address.shown} does not speak BestChat's protocol.",
                hint="Check BESTCHAT_URL, and that both sides have the same version of bestchat.",
            ) from error

    def _error(self, status: int, answer: bytes) -> ChatError:
        try:
            return from_info(msgspec.json.decode(answer, type=ErrorBody).error)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Unavailable(
                f"The server at {self._address.shown} answered with HTTP {status}.",
                hint="Check BESTCHAT_URL, and that the extension is enabled there: "
                "jupyter server extension list.",
            )

    def _refused(self, status: int) -> ChatError:
        """Why the WebSocket was refused: nothing but the status comes through."""
        if status == 401:  # noqa: PLR2004  HTTP statuses name themselves
            return NotAuthenticated(
                "The server does not know this token.", hint="Restart the kernel to get a new one."
            )
        return self._error(status, b"")

    def _unreachable(self, error: BaseException) -> Unavailable:
        reason = str(error) or type(error).__name__
        hint = (
            "Start it and restart the kernel, or unset BESTCHAT_URL and BESTCHAT_TOKEN to work "
            "without a server."
        )
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            reason = f"its certificate is not accepted, {error.certificate_error}"
            hint = (
                "Set SSL_CERT_FILE to the file of the authority that signed it, before the "
                "kernel starts, or c.BestChat.server_url to the name that it was made for."
            )
        elif self._address.socket and not Path(self._address.socket).exists():
            reason = f"there is no socket {self._address.socket}"
        return Unavailable(
            f"BestChat's server at {self._address.shown} cannot be reached: {reason}.", hint=hint
        )

    async def close(self) -> None:
        """Let go of the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def follow(
        self,
        conversation_id: ConversationId,
        after: int | None = None,
        draft: DraftPosition | None = None,
    ) -> AsyncGenerator[ServerFrame, None]:
        """Follow a conversation, across lost connections, without a gap or a repetition.

        Raises:
            ChatError: the server ended the subscription.
            Unavailable: the server stayed away.
        """
        position = Position(after, draft)
        retry = Retry(self._away_seconds, self._clock, self._dice)
        while True:
            try:
                async with aclosing(self._listen(conversation_id, position)) as frames:
                    async for frame in frames:
                        if not isinstance(frame, Snapshot):  # which may be the same as before
                            retry.reset()
                        yield frame
                        if position.over:
                            return
            except (ChatError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                lost = self._judged(error, position)
                if not await retry.pause():
                    raise lost from error

    def _judged(self, error: Exception, position: Position) -> ChatError:
        """What a failure is to whoever follows, in case the server stays away.

        Raises:
            ChatError: time does not mend it.
        """
        match error:
            case ChatError():
                # Whoever has followed before may find its own dead lines counted for a while.
                if position.seq is not None and error.info.kind in {"unavailable", "limited"}:
                    return error
                raise error
            case aiohttp.WSServerHandshakeError(status=status) if status < 500:  # noqa: PLR2004  HTTP statuses name themselves
                raise self._refused(status) from error
            case aiohttp.ClientConnectorCertificateError() | ValueError():
                raise self._unreachable(error) from error
        return self._unreachable(error)

    async def _listen(
        self, conversation_id: ConversationId, position: Position
    ) -> AsyncGenerator[ServerFrame, None]:
        """One WebSocket, from connecting to losing it.

        Raises:
            ChatError: the server ended the subscription, or closed the line for good.
            OSError: it is lost, and that may pass.
        """
        async with self._connected() as line:
            await line.send(Hello(PROTOCOL))
            await line.send(position.subscription(conversation_id))
            caught_up = False
            while True:
                frame = await line.receive()
                if isinstance(frame, Problem):
                    raise from_info(frame.error)
                caught_up = caught_up or isinstance(frame, CaughtUp)
                if frame is None:
                    continue
                stale = position.stale(frame, conversation_id)
                if stale and caught_up:
                    caught_up = False
                    await line.send(position.subscription(conversation_id))
                elif not stale and position.take(frame):
                    yield frame

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[_Line]:
        """A WebSocket whose heart beats."""
        async with self._open().ws_connect(
            self._root + "events",
            max_msg_size=0,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            **self._proxy._asdict(),
        ) as socket:
            line = _Line(socket)
            beating = asyncio.create_task(line.beat(), name="bestchat-client-beat")
            try:
                yield line
            finally:
                beating.cancel()
                await asyncio.wait([beating])


class _Line:
    """One WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._beat_seconds = HEARTBEAT_SECONDS
        self._welcomed = asyncio.Event()

    async def send(self, frame: ClientFrame) -> None:
        await self._socket.send_str(msgspec.json.encode(frame).decode())

    async def receive(self) -> ServerFrame | None:
        """The next frame; none for one that only a newer version knows.

        Raises:
            ChatError: the server closed the line for good.
            OSError: the line is lost: it was closed, or the server has been silent for too long.
        """
        patience = max(SILENT_BEATS * self._beat_seconds, LEAST_PATIENCE)
        try:
            message = await self._socket.receive(patience)
        except TimeoutError as error:
            raise ConnectionError(f"nothing was heard for {patience:.0f} s") from error
        if message.type is not aiohttp.WSMsgType.TEXT:
            if (refused := closing.refusal(self._socket.close_code)) is not None:
                raise refused
            raise ConnectionError("the server closed the WebSocket")
        frame = _read(message.data)
        if isinstance(frame, Welcome):
            self._beat_seconds = frame.heartbeat_seconds
            self._welcomed.set()
        return frame

    async def beat(self) -> None:
        """Let the server hear that we live, also while nobody takes what it sends."""
        await self._welcomed.wait()
        with suppress(ConnectionError):  # whoever receives is told
            while True:
                await asyncio.sleep(self._beat_seconds)
                await self.send(Ping())


def _find_proxy(url: str) -> _Proxy:
    """The environment's proxy on the way to an address, if there is one.

    Raises:
        Unavailable: it cannot be used; what may be a password in it is not repeated.
    """
    there = urlsplit(url)
    found = getproxies().get(there.scheme)
    if not found or proxy_bypass(there.hostname or ""):
        return _Proxy()
    parts = _split(found if "://" in found else f"http://{found}")
    if parts is None or not parts.hostname or parts.scheme not in {"http", "https"}:
        raise Unavailable(
            f"{there.scheme.upper()}_PROXY does not name a proxy that can be used.",
            hint="Set it to an address such as http://proxy.example.org:3128, or name "
            f"{there.hostname} in NO_PROXY.",
        )
    user, _, netloc = parts.netloc.rpartition("@")
    proxy = f"{parts.scheme}://{netloc}"
    if not user:
        return _Proxy(proxy)
    # aiohttp makes it a Proxy-Authorization, and sends it to the proxy alone.
    basic = b64encode(unquote(user).encode()).decode()
    return _Proxy(proxy, {"Authorization": f"Basic {basic}"})


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  it raises where it is no number
    except ValueError:
        return None
    return parts


def _read(text: str) -> ServerFrame | None:
    """A frame, or none for one of a kind that only a newer version knows."""
    try:
        return _frames.decode(text)
    except msgspec.ValidationError:
        return None
    except msgspec.DecodeError as error:
        raise InternalError("The server sent a frame that is not JSON.") from error
