"""What every store of uploads has to do, as tests."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from bestchat_server_ext.core.errors import ChatError, Conflict, LimitReached, NotFound
from bestchat_server_ext.core.events import MessageAdded, MessageQueued
from bestchat_server_ext.core.files import FileText, FileUpload
from bestchat_server_ext.core.ids import FileId, OwnerId, RequestId, TurnId
from bestchat_server_ext.core.queue import QueuedMessage
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.ports.uploads import UploadStore
from bestchat_server_ext.testing.clock import START, ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene

ADA, BOB = OwnerId("ada"), OwnerId("bob")
_clock = ManualClock(origin=17)


async def _conversation(storage: Storage, owner: OwnerId = ADA) -> Scene:
    scene = Scene(_clock, owner)
    await storage.append(scene.id, [scene.created("Files")], START)
    return scene


def _upload(scene: Scene, **fields: object) -> FileUpload:
    upload = FileUpload(FileId(_clock.new_id()), scene.id, "Zahlen 🌙.csv", 100, START)
    return msgspec.structs.replace(upload, **fields)


class UploadsSuite:
    """The tests. Define the fixtures `uploads` and `storage`, of one empty database."""

    async def test_what_was_announced_is_found(
        self, uploads: UploadStore, storage: Storage
    ) -> None:
        """By its id, and with its conversation, the oldest first."""
        scene, other = await _conversation(storage), await _conversation(storage)
        newer = _upload(scene, created_at=START + timedelta(seconds=1, microseconds=5))
        older, elsewhere = _upload(scene, size=2**52), _upload(other)
        for upload in (newer, older, elsewhere):
            await uploads.add(upload, ADA)
        assert await uploads.find([newer.id, FileId(_clock.new_id()), FileId("none")]) == {
            newer.id: newer
        }
        assert await uploads.of(scene.id) == (older, newer)
        assert await uploads.find([]) == {}

    async def test_an_id_is_taken_once(self, uploads: UploadStore, storage: Storage) -> None:
        """And there is no file without a conversation."""
        scene = await _conversation(storage)
        upload = _upload(scene)
        await uploads.add(upload, ADA)
        with pytest.raises(Conflict):
            await uploads.add(upload, ADA)
        nowhere = Scene(ManualClock(origin=99), ADA)
        with pytest.raises(NotFound):
            await uploads.add(_upload(nowhere), ADA)

    async def test_no_two_requests_get_past_the_quota(
        self, uploads: UploadStore, storage: Storage
    ) -> None:
        """At the same time neither; what is gone, and others', does not count."""
        scene, bobs = await _conversation(storage), await _conversation(storage, BOB)
        await uploads.add(_upload(bobs, size=10**6), BOB, quota=10**6)
        wanted = [_upload(scene, size=100) for _ in range(8)]
        done = await asyncio.gather(
            *(uploads.add(upload, ADA, quota=350) for upload in wanted), return_exceptions=True
        )
        assert sum(isinstance(it, LimitReached) for it in done) == 5
        kept = await uploads.of(scene.id)
        assert len(kept) == 3
        await uploads.let_go(kept[0].id)
        await uploads.add(_upload(scene, size=150), ADA, quota=350)

    async def test_bytes_come_once(self, uploads: UploadStore, storage: Storage) -> None:
        """Step by step; who comes second is refused."""
        upload = _upload(await _conversation(storage))
        await uploads.add(upload, ADA)
        done: list[BaseException | None] = await asyncio.gather(
            *(uploads.advance(upload.id, "expected", "receiving") for _ in range(4)),
            return_exceptions=True,
        )
        assert sum(isinstance(it, Conflict) for it in done) == 3
        await uploads.advance(upload.id, "receiving", "stored", "text/csv")
        stored = (await uploads.find([upload.id]))[upload.id]
        assert stored == msgspec.structs.replace(upload, state="stored", media_type="text/csv")
        with pytest.raises(Conflict):
            await uploads.advance(upload.id, "receiving", "stored")
        with pytest.raises(Conflict):
            await uploads.advance(FileId(_clock.new_id()), "expected", "receiving")

    async def test_what_stalls_is_expected_again(
        self, uploads: UploadStore, storage: Storage
    ) -> None:
        """If it was announced long ago; whoever still gets one says so."""
        scene = await _conversation(storage)
        later = START + timedelta(seconds=1)
        stalled, coming, stored, gone = [_upload(scene) for _ in range(4)]
        fresh = _upload(scene, created_at=later)
        for upload in (stalled, coming, stored, gone, fresh):
            await uploads.add(upload, ADA)
            await uploads.advance(upload.id, "expected", "receiving")
        await uploads.advance(stored.id, "receiving", "stored")
        await uploads.let_go(gone.id)
        assert await uploads.expect_stalled(later, but={coming.id}) == (stalled.id,)
        states = {upload.id: upload.state for upload in await uploads.of(scene.id)}
        assert states.pop(stalled.id) == "expected"
        assert states.pop(stored.id) == "stored"
        assert states == {coming.id: "receiving", fresh.id: "receiving"}
        assert await uploads.expect_stalled(later, but=()) == (coming.id,)

    async def test_text_is_kept(self, uploads: UploadStore, storage: Storage) -> None:
        """Also of what says nothing; not of what is gone."""
        scene = await _conversation(storage)
        upload, silent = _upload(scene), _upload(scene)
        for announced in (upload, silent):
            await uploads.add(announced, ADA)
        assert await uploads.text(upload.id) is None
        await uploads.set_text(upload.id, FileText("Zwölf\n" * 10_000, "a note"))
        await uploads.set_text(silent.id, FileText(note="a picture"))
        assert await uploads.text(upload.id) == FileText("Zwölf\n" * 10_000, "a note")
        assert await uploads.text(silent.id) == FileText(note="a picture")
        found = await uploads.find([upload.id, silent.id])
        assert (found[upload.id].text, found[upload.id].note) == ("ready", "a note")
        assert found[silent.id].text == "none"
        await uploads.let_go(silent.id)
        await uploads.set_text(silent.id, FileText("too late"))
        assert await uploads.find([silent.id]) == {}

    async def test_what_no_message_has_can_be_removed(
        self, uploads: UploadStore, storage: Storage
    ) -> None:
        """It is gone at once, and on the list until its bytes are, too."""
        upload = _upload(await _conversation(storage))
        await uploads.add(upload, ADA)
        await uploads.let_go(upload.id)
        assert await uploads.find([upload.id]) == {}
        assert await storage.locate("file", upload.id) is None
        assert await uploads.gone(limit=10) == (upload.id,)
        await uploads.forget([upload.id])
        assert await uploads.gone(limit=10) == ()
        with pytest.raises(NotFound):
            await uploads.let_go(upload.id)

    async def test_what_a_message_has_stays(self, uploads: UploadStore, storage: Storage) -> None:
        """A message that was said, or one that waits: the same transaction says so."""
        scene, other = await _conversation(storage), await _conversation(storage)
        said, waiting, unsent = _upload(scene), _upload(scene), _upload(scene)
        foreign = _upload(other)
        for upload in (said, waiting, unsent, foreign):
            await uploads.add(upload, ADA)
        begun = scene.begin()
        message = msgspec.structs.replace(
            begun.message, parts=(*begun.message.parts, said.part, foreign.part)
        )
        queued = QueuedMessage(
            TurnId(_clock.new_id()), RequestId("r"), "x", "a/b", START, files=(waiting.part,)
        )
        await storage.append(scene.id, [MessageAdded(message), MessageQueued(queued)], START)
        for upload in (said, waiting):
            with pytest.raises(Conflict):
                await uploads.let_go(upload.id)
        await uploads.let_go_unsent(START)
        assert len(await uploads.of(scene.id)) == 3
        await uploads.let_go_unsent(START + timedelta(microseconds=1))
        assert {upload.id for upload in await uploads.of(scene.id)} == {said.id, waiting.id}
        assert await uploads.of(other.id) == ()  # no message of its own conversation has it

    async def test_it_goes_with_its_conversation(
        self, uploads: UploadStore, storage: Storage
    ) -> None:
        """Whoever deletes that; its bytes are on the list then, and others' are not."""
        scene, other = await _conversation(storage), await _conversation(storage)
        upload, kept = _upload(scene), _upload(other)
        await uploads.add(upload, ADA)
        await uploads.add(kept, ADA)
        located = await storage.locate("file", upload.id)
        assert located is not None
        assert (located.conversation_id, located.owner) == (scene.id, ADA)
        await storage.delete(scene.id, START)
        assert await storage.locate("file", upload.id) is None
        assert await uploads.find([upload.id, kept.id]) == {kept.id: kept}
        assert await uploads.gone(limit=10) == (upload.id,)
        await uploads.forget([upload.id, kept.id])
        assert await uploads.find([kept.id]) == {kept.id: kept}

    @pytest.mark.parametrize("name", ["", "../x", "x" * 500])
    async def test_what_is_no_id_names_nothing(self, uploads: UploadStore, name: str) -> None:
        """And breaks nothing."""
        assert await uploads.find([FileId(name)]) == {}
        with pytest.raises(ChatError):
            await uploads.let_go(FileId(name))
        with pytest.raises(ChatError):
            await uploads.advance(FileId(name), "expected", "receiving")
