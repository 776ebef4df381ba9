"""A server behind HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import io
import random
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec

from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.api.frames import (
    CaughtUp,
    ClientFrame,
    DraftPosition,
    Heartbeat,
    Hello,
    Problem,
    ServerFrame,
    Snapshot,
    Subscribe,
)
from bestchat_server_ext.api.procedure import PROTOCOL, Procedure
from bestchat_server_ext.client import address
from bestchat_server_ext.client.base import encode_request
from bestchat_server_ext.core.errors import (
    ChatError,
    InternalError,
    InvalidRequest,
    NotAuthenticated,
    Unavailable,
    from_info,
)
from bestchat_server_ext.core.events import AttemptFailed, ConversationDeleted, Delta, Envelope
from bestchat_server_ext.core.ids import ConversationId

Request = TypeVar("Request", bound=msgspec.Struct)
Response = TypeVar("Response", bound=msgspec.Struct)

RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0)
"""Pauses between attempts to come back to a lost WebSocket, the last one again and again; each
is jittered."""

AWAY_SECONDS = 300.0
"""How long a server may stay away: a laptop changes its network, a hub restarts its proxy."""


class _Proxy(NamedTuple):
    """What stands on the way, as aiohttp wants it; its password is in no error that way."""

    proxy: str | None = None
    proxy_headers: dict[str, str] | None = None


_frames: msgspec.json.Decoder[ServerFrame] = msgspec.json.Decoder(ServerFrame)


class RemoteClient:
    """Speaks to one server with one token."""

    def __init__(self, url: str, token: str, *, away_seconds: float = AWAY_SECONDS) -> None:
        """Know a server: `url` is its base URL, `bestchat/api/` comes behind it.

        While following, it is given up once it has stayed away for `away_seconds`.

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
        position = _Position(after, draft)
        failures, away_since = 0, None
        while True:
            try:
                async with aclosing(self._listen(conversation_id, position)) as frames:
                    async for frame in frames:
                        if isinstance(frame, CaughtUp):
                            failures, away_since = 0, None
                        yield frame
                        if position.over:
                            return
            except aiohttp.WSServerHandshakeError as error:
                if error.status < 500:  # noqa: PLR2004  HTTP statuses name themselves
                    raise self._refused(error.status) from error
                lost: BaseException = error
            except (aiohttp.ClientConnectorCertificateError, ValueError) as error:
                raise self._unreachable(error) from error  # time does not mend it
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                lost = error
            else:
                lost = ConnectionError("the server closed the WebSocket")
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > self._away_seconds:
                raise self._unreachable(lost) from lost
            pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            failures += 1

    async def _listen(
        self, conversation_id: ConversationId, position: _Position
    ) -> AsyncGenerator[ServerFrame, None]:
        """One WebSocket, from connecting to losing it."""
        session = self._open()
        async with session.ws_connect(
            self._root + "events", heartbeat=30, max_msg_size=0, **self._proxy._asdict()
        ) as socket:
            await _send(socket, Hello(PROTOCOL))
            await _send(socket, position.subscription(conversation_id))
            caught_up = False
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                frame = _read(message.data)
                if isinstance(frame, Problem):
                    raise from_info(frame.error)
                caught_up = caught_up or isinstance(frame, CaughtUp)
                if frame is None:
                    continue
                if isinstance(frame, Heartbeat):
                    # Stored, and not told: another process wrote, or ours died in between. Or it
                    # is gone, and then the server says so when it is asked again.
                    newest = frame.seqs.get(conversation_id)
                    stale = newest is None or newest > (position.seq or 0)
                else:
                    stale = not position.fits(frame)
                if stale and caught_up:
                    caught_up = False
                    await _send(socket, position.subscription(conversation_id))
                elif not stale and position.take(frame):
                    yield frame


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


async def _send(socket: aiohttp.ClientWebSocketResponse, frame: ClientFrame) -> None:
    await socket.send_str(msgspec.json.encode(frame).decode())


def _read(text: str) -> ServerFrame | None:
    """A frame, or none for one of a kind that only a newer version knows."""
    try:
        return _frames.decode(text)
    except msgspec.ValidationError:
        return None
    except msgspec.DecodeError as error:
        raise InternalError("The server sent a frame that is not JSON.") from error


class _Position:
    """How far a reader has come."""

    def __init__(self, seq: int | None, draft: DraftPosition | None) -> None:
        self.seq = seq
        self.draft = draft
        self.over = False

    def subscription(self, conversation_id: ConversationId) -> Subscribe:
        """What to ask for to get everything beyond it."""
        return Subscribe(conversation_id, self.seq, self.draft)

    def fits(self, frame: ServerFrame) -> bool:
        """Whether a delta is known to the reader, or continues what it has.

        Otherwise pieces are missing, or it was made for an earlier subscription and overlaps.
        """
        if not isinstance(frame, Delta):
            return True
        have = self.draft
        if have is None or have.message_id != frame.message_id or frame.part > have.part:
            return frame.first == 1
        if have.attempt != frame.attempt:
            return frame.attempt < have.attempt or frame.first == 1
        return frame.part < have.part or frame.n <= have.n or frame.first == have.n + 1

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
