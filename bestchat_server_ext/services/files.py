"""FileService: attached files, from the upload to what a model reads of them.

A file is announced first, in a conversation, and then its bytes are sent. Once a message has it, it
stays as long as the conversation does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeGuard
from weakref import WeakValueDictionary

import msgspec

from bestchat_server_ext.api.files import CreateFile, FileList
from bestchat_server_ext.core import file_types, files
from bestchat_server_ext.core.access import no_such_object
from bestchat_server_ext.core.conversation import Conversation, require_undeleted
from bestchat_server_ext.core.copying import copied_file
from bestchat_server_ext.core.errors import ChatError, Conflict, InvalidRequest, TooLarge
from bestchat_server_ext.core.files import FileText, FileUpload
from bestchat_server_ext.core.ids import ConversationId, FileId, OwnerId, is_new_id
from bestchat_server_ext.core.messages import (
    PICTURES,
    FilePart,
    ImagePart,
    Message,
    Part,
    TextPart,
)
from bestchat_server_ext.core.models import ModelFacts
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.files import FileStore, FileWriter, TextReader
from bestchat_server_ext.ports.uploads import UploadStore

_log = logging.getLogger(__name__)

STALLED = timedelta(hours=1)
"""How long after its announcement a file may still be coming, unless it comes to this process."""
UNSENT = timedelta(days=7)
"""How long a file is kept that no message has: as long as a draft may wait in a browser."""
LARGEST_PICTURE = 10 * 10**6
"""Bytes of a picture that a model gets: it is whole in memory then, for every request."""
PATIENCE_SECONDS = 20.0
"""How long a turn waits for what its files say: others' files may be read before them."""
REMOVED_AT_ONCE = 100
"""Files whose bytes are removed in one go."""

_UNREAD = FileText(note="it has not been read yet; it will have been a little later")


class Limits(msgspec.Struct, frozen=True):
    """How much may be attached."""

    file: int
    """Bytes of one file."""
    owner: int
    """Bytes of all files of one owner together."""


class Receiving:
    """A file whose bytes are coming. Exactly one of `finish` and `abandon` ends it."""

    def __init__(
        self, service: FileService, upload: FileUpload, owner: OwnerId, writer: FileWriter
    ) -> None:
        """Write through this; `upload` says how much there is to come, `owner` whose it is."""
        self._service = service
        self._upload = upload
        self._owner = owner
        self._writer = writer
        self._head = bytearray()
        self._size = 0

    async def write(self, piece: bytes) -> None:
        """Take more of it.

        Raises:
            TooLarge: that is more than was announced.
            Unavailable: it cannot be kept.
        """
        self._size += len(piece)
        if self._size > self._upload.size:
            raise TooLarge(
                f"More comes than the {self._upload.size:,} bytes that were announced.",
                hint="Announce the file's whole size with files.create.",
            )
        if len(self._head) < file_types.HEAD:
            self._head += piece[: file_types.HEAD - len(self._head)]
        await self._writer.write(piece)

    async def finish(self) -> FileUpload:
        """That was all; what it says is read in the background.

        Raises:
            InvalidRequest: that is less than was announced.
            Unavailable: it cannot be kept.
        """
        if self._size < self._upload.size:
            raise InvalidRequest(
                f"{self._size:,} bytes came of the {self._upload.size:,} that were announced.",
                hint="Send the whole file again.",
            )
        await self._writer.finish()
        kind = file_types.media_type(bytes(self._head), self._upload.name)
        try:
            return await self._service.arrived(self._upload, self._owner, kind)
        except BaseException:
            await self._service.discard_orphan(self._upload.id)
            raise

    async def abandon(self) -> None:
        """Forget what has come; it may be sent again."""
        await self._writer.abandon()
        await self._service.expect_again(self._upload)


class FileService:
    """Everything that is done with files."""

    def __init__(
        self,
        uploads: UploadStore,
        store: FileStore,
        texts: TextReader,
        clock: Clock,
        limits: Limits,
    ) -> None:
        """Keep files in the one, and what is known of them in the other."""
        self._uploads = uploads
        self._store = store
        self._texts = texts
        self._clock = clock
        self._limits = limits
        self._reading: dict[FileId, asyncio.Task[FileText]] = {}
        self._locks: WeakValueDictionary[OwnerId, asyncio.Lock] = WeakValueDictionary()
        self._coming: set[FileId] = set()

    async def close(self) -> None:
        """Read no more; what is left is read when somebody wants it."""
        tasks = list(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Coming and going.

    async def create(self, conversation: Conversation, request: CreateFile) -> FileUpload:
        """Announce a file; a client's own id makes it safe to ask twice.

        Raises:
            InvalidRequest: the client's id is not a UUIDv7.
            TooLarge: the file is larger than any may be.
            LimitReached: the owner's files would be too much together.
            Conflict: the conversation was deleted, or the id is taken by something else.
        """
        require_undeleted(conversation)
        if request.size > self._limits.file:
            raise TooLarge(
                f"A file may have {self._limits.file // 10**6:,} MB, and this one has "
                f"{request.size / 10**6:,.1f} MB.",
                hint="Attach a part of it, or ask the administrator; the option is `max_file_mb`.",
                field="size",
            )
        if request.file_id is not None and not is_new_id(request.file_id):
            raise InvalidRequest(
                "A file's id has to be a UUIDv7.", hint="Leave it out.", field="file_id"
            )
        upload = FileUpload(
            id=request.file_id or FileId(self._clock.new_id()),
            conversation_id=conversation.id,
            name=files.clean_name(request.name),
            size=request.size,
            created_at=self._clock.now(),
        )
        try:
            await self._uploads.add(upload, conversation.owner, quota=self._limits.owner)
        except Conflict:
            known = (await self._uploads.find([upload.id])).get(upload.id)
            if known is None or _announced(known) != _announced(upload):
                raise
            return known
        return upload

    async def get(self, file_id: FileId) -> FileUpload:
        """What is known of a file.

        Raises:
            NotFound: it is gone.
        """
        found = (await self._uploads.find([file_id])).get(file_id)
        if found is None:
            raise no_such_object()
        return found

    async def list(self, conversation_id: ConversationId) -> FileList:
        """The files of a conversation."""
        return FileList(await self._uploads.of(conversation_id))

    async def delete(self, file_id: FileId) -> None:
        """Remove a file that no message has.

        Raises:
            NotFound: it is gone.
            Conflict: a message has it.
        """
        await self._uploads.let_go(file_id)
        await self.sweep()

    async def receive(self, file_id: FileId, owner: OwnerId, size: int | None) -> Receiving:
        """Begin to take an owner's file; `size` is how many bytes are said to come, if any are.

        Raises:
            NotFound: it was not announced.
            InvalidRequest: another number of bytes was announced.
            Conflict: they are coming already, or are there.
            Unavailable: nothing can be kept.
        """
        upload = await self.get(file_id)
        if size is not None and size != upload.size:
            raise InvalidRequest(
                f"{size:,} bytes are to come, and {upload.size:,} were announced.",
                hint="Announce the file's own size with files.create.",
                field="Content-Length",
            )
        await self._uploads.advance(file_id, "expected", "receiving")
        self._coming.add(file_id)
        try:
            return Receiving(self, upload, owner, await self._store.begin(file_id))
        except BaseException:
            await self.expect_again(upload)
            raise

    async def arrived(self, upload: FileUpload, owner: OwnerId, kind: str) -> FileUpload:
        """A file's bytes are there; begin to read what they say."""
        await self._uploads.advance(upload.id, "receiving", "stored", kind)
        self._coming.discard(upload.id)
        stored = msgspec.structs.replace(upload, state="stored", media_type=kind)
        self._read(stored, owner)
        return stored

    async def discard_orphan(self, file_id: FileId) -> None:
        """Remove a file's bytes if it was let go of while they came; raises nothing."""
        try:
            if not await self._uploads.find([file_id]):
                await self._store.delete(file_id)
        except ChatError as error:
            _log.warning("BestChat: bytes of %s may be left: %s", file_id, error.info.code)

    async def expect_again(self, upload: FileUpload) -> None:
        """A file's bytes have not come whole; raises nothing."""
        self._coming.discard(upload.id)
        try:
            await self._uploads.advance(upload.id, "receiving", "expected")
        except ChatError as error:
            _log.info("BestChat: the file %s is not expected: %s", upload.id, error.info.code)

    def bytes_of(
        self, file_id: FileId, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """A file's bytes, piece by piece."""
        return self._store.read(file_id, start, end)

    # In messages.

    async def parts(
        self, conversation_id: ConversationId, ids: Sequence[FileId]
    ) -> tuple[FilePart, ...]:
        """Files of a conversation as parts of a message.

        Raises:
            InvalidRequest: one is not there, or not whole yet.
        """
        found = await self._uploads.find(ids)
        parts: list[FilePart] = []
        for number, file_id in enumerate(dict.fromkeys(ids)):
            upload = found.get(file_id)
            if not _is_in(upload, conversation_id):
                raise InvalidRequest(
                    "There is no such file in this conversation, or it has not come whole yet.",
                    hint="Announce it with files.create, and send its bytes.",
                    field=f"files[{number}]",
                )
            parts.append(upload.part)
        return tuple(parts)

    async def copy(self, messages: Iterable[Message], into: Conversation) -> None:
        """Give a fork its own copies of the files that are in its messages.

        What cannot be copied is missing there, and is said to be.
        """
        wanted = {part.file_id for part in _files(messages)}
        for upload in (await self._uploads.find(wanted)).values():
            copy_id = copied_file(upload.id, into.id)
            text = await self._uploads.text(upload.id)
            copy = msgspec.structs.replace(upload, id=copy_id, conversation_id=into.id)
            try:
                await self._uploads.add(
                    msgspec.structs.replace(copy, text="pending", attached=True),
                    into.owner,
                    quota=self._limits.owner,
                )
                await self._store.copy(upload.id, copy_id)
                if text is not None:
                    await self._uploads.set_text(copy_id, text)
            except ChatError as error:
                _log.warning("BestChat: %s was not copied: %s", upload.id, error.info.code)

    async def contents(
        self, conversation: Conversation, messages: Sequence[Message], facts: ModelFacts
    ) -> Mapping[FileId, Part]:
        """What a model gets in place of the files in messages: pictures, or text under a budget.

        Files of other conversations count as gone: an imported one may name anybody's.

        Raises:
            Unavailable: storage is out of reach.
        """
        contents: dict[FileId, Part] = {}
        found = await self._uploads.find({part.file_id for part in _files(messages)})
        here = [upload for upload in found.values() if _is_in(upload, conversation.id)]
        await self._await_texts(here, conversation.owner)
        for message in messages:
            parts = _files([message])
            texts = sum(part.media_type not in PICTURES for part in parts)
            budget = files.text_budget(facts.window, texts)
            for part in parts:
                upload = found.get(part.file_id)
                if not _is_in(upload, conversation.id):
                    contents[part.file_id] = TextPart(files.missing(part))
                else:
                    contents[part.file_id] = await self._content(part, upload, facts, budget)
        return contents

    async def _content(
        self, part: FilePart, upload: FileUpload, facts: ModelFacts, budget: int
    ) -> Part:
        try:
            if upload.media_type in PICTURES:
                return await self._picture(upload, facts)
            text = await self._uploads.text(upload.id) or _UNREAD
            return TextPart(files.as_text(part, text, budget))
        except ChatError as error:
            if error.info.kind != "missing":
                raise
            return TextPart(files.missing(part))

    async def _picture(self, upload: FileUpload, facts: ModelFacts) -> Part:
        unseen = ""
        if facts.images is False:
            unseen = "it is a picture, and this model does not look at pictures"
        elif upload.size > LARGEST_PICTURE:
            most = LARGEST_PICTURE // 10**6
            unseen = f"it is a picture of {upload.size:,} bytes, and models get at most {most} MB"
        if unseen:
            return TextPart(files.as_text(upload.part, FileText(note=unseen), 0))
        data = bytearray()
        async for piece in self._store.read(upload.id):
            data += piece
        return ImagePart(upload.media_type, bytes(data))

    async def _await_texts(self, uploads: Iterable[FileUpload], owner: OwnerId) -> None:
        """Have read what nobody has read yet, and wait for that, though not for ever."""
        reading = [
            self._read(upload, owner)
            for upload in uploads
            if upload.state == "stored"
            and upload.text == "pending"
            and upload.media_type not in PICTURES
        ]
        if reading:
            # It goes on when this does not: it is wanted again, at the latest by the next turn.
            await asyncio.wait(reading, timeout=PATIENCE_SECONDS)

    # Reading, in the background.

    def _read(self, upload: FileUpload, owner: OwnerId) -> asyncio.Task[FileText]:
        task = self._reading.get(upload.id)
        if task is None:
            work = self._read_text(upload, owner)
            task = asyncio.create_task(work, name=f"bestchat-file-{upload.id}")
            self._reading[upload.id] = task
            task.add_done_callback(lambda _: self._reading.pop(upload.id, None))
        return task

    async def _read_text(self, upload: FileUpload, owner: OwnerId) -> FileText:
        """Find out what a file says, and keep that; a failure is a note."""
        if upload.media_type not in file_types.READABLE:
            text = FileText(note=f"{upload.media_type}, {upload.size:,} bytes")
        else:
            try:
                text = await self._what_it_says(upload, owner)
            except ChatError as error:
                text = FileText(note=error.info.text)
            except Exception as error:  # noqa: BLE001  one file must not keep a turn from going on
                _log.error("BestChat: the file %s was not read: %s", upload.id, origin(error))
                text = FileText(note="it could not be read")
        try:
            await self._uploads.set_text(upload.id, text)
        except ChatError as error:  # it is read again when it is wanted again
            _log.warning("BestChat: the text of %s is not kept: %s", upload.id, error.info.code)
        return text

    async def _what_it_says(self, upload: FileUpload, owner: OwnerId) -> FileText:
        """Read a file; an owner's one after the other, so that others get theirs read, too."""
        lock = asyncio.Lock()
        if upload.media_type not in file_types.AS_THEY_ARE:
            lock = self._locks.setdefault(owner, lock)
        async with lock:
            return await self._texts.read(
                upload.media_type, self._store.read(upload.id), files.MOST_TEXT
            )

    # Housekeeping.

    async def sweep(self) -> None:
        """Remove the bytes of what is gone.

        Raises:
            Unavailable: storage is out of reach; what is left is removed next time.
        """
        while gone := await self._uploads.gone(limit=REMOVED_AT_ONCE):
            for file_id in gone:
                await self._store.delete(file_id)
            await self._uploads.forget(gone)

    async def tidy(self) -> None:
        """Let go of what was never sent, remove what is gone, and end what came to a dead process.

        Raises:
            Unavailable: as in `sweep`.
        """
        now = self._clock.now()
        for file_id in await self._uploads.expect_stalled(now - STALLED, but=self._coming):
            await self._store.delete(file_id)
        await self._uploads.let_go_unsent(now - UNSENT)
        await self.sweep()


def _is_in(upload: FileUpload | None, conversation_id: ConversationId) -> TypeGuard[FileUpload]:
    """Whether a file belongs to a conversation, and is there."""
    return (
        upload is not None
        and upload.conversation_id == conversation_id
        and upload.state == "stored"
    )


def _announced(upload: FileUpload) -> tuple[ConversationId, str, int]:
    return upload.conversation_id, upload.name, upload.size


def _files(messages: Iterable[Message]) -> list[FilePart]:
    return [part for message in messages for part in message.parts if isinstance(part, FilePart)]
