"""SqlUploadStore: the port `uploads` on SQL.

A file that is gone has lost its conversation: the foreign key sees to that, or whoever lets go of
it. Such a row says only that there may still be bytes.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from bestchat_server_ext.adapters.storage_sql import rows
from bestchat_server_ext.adapters.storage_sql.engine import Connections
from bestchat_server_ext.adapters.storage_sql.tables import conversations, file_uploads
from bestchat_server_ext.core.errors import Conflict, LimitReached, NotFound
from bestchat_server_ext.core.files import FileState, FileText, FileUpload
from bestchat_server_ext.core.ids import ConversationId, FileId, OwnerId, is_id

_FILES = file_uploads.c
_KNOWN = tuple(_FILES[name] for name in FileUpload.__struct_fields__)
_THERE = _FILES.conversation_id.is_not(None)


class SqlUploadStore:
    """What is known of files, in the database of the conversations."""

    def __init__(self, connections: Connections) -> None:
        """Work on these connections; who made them closes them."""
        self._connections = connections

    async def add(self, upload: FileUpload, owner: OwnerId, *, quota: int | None = None) -> None:
        """Announce a file; see the port."""
        await self._connections.write(_add, upload, owner, quota)

    async def find(self, ids: Collection[FileId]) -> dict[FileId, FileUpload]:
        """Those of these files that there are."""
        wanted = [file_id for file_id in ids if is_id(file_id)]
        if not wanted:
            return {}
        found = await self._connections.read(_find, wanted)
        return {upload.id: upload for upload in found}

    async def of(self, conversation_id: ConversationId) -> tuple[FileUpload, ...]:
        """The files of a conversation, the oldest first."""
        if not is_id(conversation_id):
            return ()
        return await self._connections.read(_of, conversation_id)

    async def advance(
        self, file_id: FileId, before: FileState, after: FileState, media_type: str = ""
    ) -> None:
        """Say how far a file's bytes have come; see the port."""
        await self._connections.write(_advance, file_id, before, after, media_type)

    async def expect_stalled(
        self, before: datetime, *, but: Collection[FileId]
    ) -> tuple[FileId, ...]:
        """Expect again what has been on its way for long; see the port."""
        return await self._connections.write(_expect_stalled, before, but)

    async def set_text(self, file_id: FileId, said: FileText) -> None:
        """Keep what a file says; of one that is gone, nothing is kept."""
        await self._connections.write(_set_text, file_id, said)

    async def text(self, file_id: FileId) -> FileText | None:
        """What a file says; none as long as nobody has read it."""
        return await self._connections.read(_text, file_id)

    async def let_go(self, file_id: FileId) -> None:
        """Remove a file that no message has; see the port."""
        await self._connections.write(_let_go, file_id)

    async def let_go_unsent(self, before: datetime) -> None:
        """Remove all files that were announced before a moment and that no message has."""
        await self._connections.write(_let_go_unsent, before)

    async def gone(self, *, limit: int) -> tuple[FileId, ...]:
        """Files that are gone, and whose bytes may still be there."""
        return await self._connections.read(_gone, limit)

    async def forget(self, ids: Collection[FileId]) -> None:
        """The bytes of these files, which are gone, have been removed."""
        if ids:
            await self._connections.write(_forget, ids)


def _add(connection: Connection, upload: FileUpload, owner: OwnerId, quota: int | None) -> None:
    # Locked where the database knows locks on rows, so that it is not deleted meanwhile.
    here = select(conversations.c.id).where(conversations.c.id == upload.conversation_id)
    if connection.execute(here.with_for_update()).first() is None:
        raise NotFound("There is no such conversation.", hint="It may have been deleted.")
    if quota is not None:
        _require_room(connection, upload, owner, quota)
    values = {name: getattr(upload, name) for name in FileUpload.__struct_fields__}
    connection.execute(insert(file_uploads), [{**values, "owner": owner}])


def _require_room(connection: Connection, upload: FileUpload, owner: OwnerId, quota: int) -> None:
    if connection.dialect.name == "postgresql":
        # Two transactions there could count at once; SQLite's writers queue anyway.
        key = func.hashtextextended(f"files of {owner}", 0)
        connection.execute(select(func.pg_advisory_xact_lock(key)))
    query = select(func.sum(_FILES.size)).where(_FILES.owner == owner, _THERE)
    used = int(connection.execute(query).scalar() or 0)
    if used + upload.size > quota:
        raise LimitReached(
            f"All attached files together may have {quota // 10**6:,} MB, and "
            f"{used // 10**6:,} MB are taken.",
            hint="Delete conversations with large files for good, or ask the administrator; the "
            "option is `max_files_mb`.",
        )


def _find(connection: Connection, ids: Collection[FileId]) -> list[FileUpload]:
    query = select(*_KNOWN).where(_FILES.id.in_(ids), _THERE)
    return [rows.upload(row) for row in connection.execute(query).mappings()]


def _of(connection: Connection, conversation_id: ConversationId) -> tuple[FileUpload, ...]:
    query = select(*_KNOWN).where(_FILES.conversation_id == conversation_id)
    found = connection.execute(query.order_by(_FILES.created_at, _FILES.id)).mappings()
    return tuple(map(rows.upload, found))


def _advance(
    connection: Connection, file_id: FileId, before: FileState, after: FileState, media_type: str
) -> None:
    query = update(file_uploads).where(_FILES.id == file_id, _FILES.state == before, _THERE)
    if connection.execute(query.values(state=after, media_type=media_type)).rowcount == 0:
        raise Conflict(
            "This file is on its way already, or it is there.",
            hint="Ask for it with files.get, or announce another one.",
        )


def _expect_stalled(
    connection: Connection, before: datetime, but: Collection[FileId]
) -> tuple[FileId, ...]:
    stalled = update(file_uploads).where(
        _FILES.state == "receiving", _FILES.created_at < before, _FILES.id.not_in(but), _THERE
    )
    found = connection.execute(stalled.values(state="expected").returning(_FILES.id))
    return tuple(FileId(file_id) for file_id in found.scalars())


def _set_text(connection: Connection, file_id: FileId, said: FileText) -> None:
    known = "ready" if said.text else "none"
    query = update(file_uploads).where(_FILES.id == file_id, _THERE)
    # No database takes this character into a text.
    content = said.text.replace("\0", "")
    connection.execute(query.values(text=known, note=said.note, content=content))


def _text(connection: Connection, file_id: FileId) -> FileText | None:
    query = select(_FILES.content, _FILES.note).where(
        _FILES.id == file_id, _FILES.text != "pending"
    )
    row = connection.execute(query).first()
    return None if row is None else FileText(row.content or "", row.note)


def _let_go(connection: Connection, file_id: FileId) -> None:
    query = update(file_uploads).where(_FILES.id == file_id, _THERE)
    unsent = query.where(~_FILES.attached).values(conversation_id=None, content=None)
    if connection.execute(unsent).rowcount:
        return
    if connection.execute(select(_FILES.id).where(_FILES.id == file_id, _THERE)).first() is None:
        raise NotFound("There is no such file.")
    raise Conflict(
        "A message has this file: it goes with its conversation.",
        hint="Delete the conversation for good.",
    )


def _let_go_unsent(connection: Connection, before: datetime) -> None:
    unsent = update(file_uploads).where(~_FILES.attached, _FILES.created_at < before, _THERE)
    connection.execute(unsent.values(conversation_id=None, content=None))


def _gone(connection: Connection, limit: int) -> tuple[FileId, ...]:
    query = select(_FILES.id).where(_FILES.conversation_id.is_(None)).limit(limit)
    return tuple(FileId(file_id) for file_id in connection.execute(query).scalars())


def _forget(connection: Connection, ids: Collection[FileId]) -> None:
    gone = _FILES.conversation_id.is_(None)
    connection.execute(delete(file_uploads).where(_FILES.id.in_(ids), gone))
