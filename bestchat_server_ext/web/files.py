"""The bytes of attached files, in and out: `PUT` and `GET bestchat/api/files/<id>`.

Neither way is a file ever whole in memory. What a browser is given is a download: whatever is in
it, nothing of it is run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import quote

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError

from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import ChatError, InternalError, InvalidRequest
from bestchat_server_ext.core.files import FileUpload
from bestchat_server_ext.core.ids import FileId
from bestchat_server_ext.core.messages import PICTURES
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.web.answers import log
from bestchat_server_ext.web.door import Authenticator, Door
from bestchat_server_ext.web.handler import DoorHandler

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_LENGTH = re.compile(r"\d{1,18}")


class Receiving(Protocol):
    """A file whose bytes are coming."""

    async def write(self, piece: bytes) -> None:
        """Take more of it."""
        ...

    async def finish(self) -> FileUpload:
        """That was all."""
        ...

    async def abandon(self) -> None:
        """Forget what has come."""
        ...


class Span(NamedTuple):
    """Which bytes of a file are given."""

    start: int
    end: int
    """The first that is not."""


class FilesHandler(DoorHandler):
    """Gives files, and takes those that were announced."""

    def initialize(self, door: Door, authenticator: Authenticator) -> None:
        """Take what the route gives."""
        super().initialize(door, authenticator)
        self._receiving: Receiving | None = None
        self._abandoning: asyncio.Task[None] | None = None

    # In.

    async def prepare(self, **_: Any) -> None:  # noqa: ANN401  a host's own may have options
        """Ask who it is and whether the file may come, before any of it has."""
        error = await self.trouble()
        if self._finished:
            return
        if error is None and self.request.method == "PUT":
            error = await self._begin(*self.path_args)
        if isinstance(error, ChatError):
            self.refuse_body(error)
        elif error is not None:
            self.refuse_later(error)

    async def _begin(self, file_id: str) -> ChatError | None:
        length = self.request.headers.get("Content-Length", "")
        try:
            if length and not _LENGTH.fullmatch(length):
                raise InvalidRequest(
                    "The length is no number.",
                    hint="Send the number of bytes, or none.",
                    field="Content-Length",
                )
            caller, application = await self._asker()
            self._receiving = await application.dispatcher.receive(
                caller, FileId(file_id), int(length) if length else None
            )
        except ChatError as error:
            return error
        # Tornado's own limit is for bodies in memory; here no more is taken than was announced.
        cast("HTTP1Connection", self.request.connection).set_max_body_size(2**63)
        return None

    async def _asker(self) -> tuple[Caller | None, Application]:
        caller = await self.authenticator.caller(self)
        return caller, await self.door.application()

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass a piece on. No more is read from the client until it was taken."""
        if self._receiving is None or self.refused:
            return None
        return self._pass_on(self._receiving, chunk)

    async def _pass_on(self, receiving: Receiving, chunk: bytes) -> None:
        try:
            await receiving.write(chunk)
        except Exception as error:  # noqa: BLE001  else Tornado would hang up without a word
            self._receiving = None
            await receiving.abandon()
            self.refuse_body(_told(error))

    async def put(self, _: str) -> None:
        """All of it has come."""
        receiving, self._receiving = self._receiving, None
        assert receiving is not None  # noqa: S101  else `prepare` has refused the request
        try:
            self.send(await receiving.finish())
        except Exception as error:  # noqa: BLE001  whatever it is, the file may be sent again
            await receiving.abandon()
            self.send_error_info(_told(error).info)

    def on_connection_close(self) -> None:
        """The client has gone, with the rest of the file."""
        super().on_connection_close()
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            self._abandoning = asyncio.create_task(receiving.abandon(), name="bestchat-abandon")

    # Out.

    async def get(self, file_id: str) -> None:
        """Give a file, or a part of it."""
        await self._give(file_id, whole=True)

    async def head(self, file_id: str) -> None:
        """Say what would be given."""
        await self._give(file_id, whole=False)

    async def _give(self, file_id: str, *, whole: bool) -> None:
        try:
            caller = await self.authenticator.caller(self)
            application = await self.door.application()
            upload = await application.dispatcher.stored(caller, FileId(file_id))
        except ChatError as error:
            self.send_error_info(error.info)
            return
        self._describe(upload)
        if self.check_etag_header():
            self.set_status(304)
            return
        span = self._span(upload)
        if span is None:
            self._refuse_span(upload)
            return
        self.set_header("Content-Length", str(span.end - span.start))
        if whole:
            await self._send_bytes(application, upload, span)

    def _describe(self, upload: FileUpload) -> None:
        """Headers under which a browser keeps a file, and does nothing else with it."""
        shown = upload.media_type in PICTURES
        self.set_header("Content-Type", upload.media_type if shown else "application/octet-stream")
        self.set_header("Content-Disposition", _disposition(upload.name))
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "default-src 'none'; sandbox")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Accept-Ranges", "bytes")
        # What is at an address never changes, yet who may read it does.
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Etag", f'"{upload.id}"')

    def _span(self, upload: FileUpload) -> Span | None:
        """Which bytes are wanted, with status and headers for a part; none if there are none."""
        whole = Span(0, upload.size)
        found = _RANGE.fullmatch(self.request.headers.get("Range", "").replace(" ", ""))
        condition = self.request.headers.get("If-Range")
        if found is None or found[0] == "bytes=-":
            return whole
        if condition is not None and condition != f'"{upload.id}"':
            return whole
        first, last = found[1], found[2]
        if first:
            span = Span(int(first), min(int(last or upload.size) + 1, upload.size))
        else:
            span = Span(max(upload.size - int(last), 0), upload.size)
        if span.start >= span.end:
            # A range that ends before it begins is none at all.
            return whole if first and last and int(first) > int(last) else None
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {span.start}-{span.end - 1}/{upload.size}")
        return span

    def _refuse_span(self, upload: FileUpload) -> None:
        self.clear()
        self.set_header("Content-Range", f"bytes */{upload.size}")
        refusal = InvalidRequest(
            f"The file has {upload.size:,} bytes.", hint="Ask for some of these.", field="Range"
        )
        self.send(ErrorBody(refusal.info), 416)

    async def _send_bytes(self, application: Application, upload: FileUpload, span: Span) -> None:
        with suppress(StreamClosedError):  # whoever wanted it has gone
            async for piece in application.dispatcher.bytes_of(upload, *span):
                self.write(piece)
                await self.flush()


def _told(error: Exception) -> ChatError:
    """What the client is told of an error; the details of a mistake of ours are logged."""
    if isinstance(error, ChatError):
        return error
    log.error("BestChat: a file was not taken: %s", origin(error))
    return InternalError()


def _disposition(name: str) -> str:
    """A download under the file's own name, for browsers of any age."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
