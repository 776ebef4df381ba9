"""Attached files on their way to a model, through waits, ends of processes and housekeeping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.adapters.provider_scripted import ScriptedProvider
from bestchat_server_ext.api import conversations, files
from bestchat_server_ext.client.inprocess import LOCAL_CALLER, InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import Conflict
from bestchat_server_ext.core.files import FileText, FileUpload
from bestchat_server_ext.core.ids import ConversationId, FileId, OwnerId
from bestchat_server_ext.core.messages import FilePart, ImagePart, TextPart
from bestchat_server_ext.core.models import ModelFacts
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.services import files as file_service
from bestchat_server_ext.services.files import STALLED, UNSENT
from bestchat_server_ext.services.housekeeping import PURGE_SECONDS
from bestchat_server_ext.services.providers import ProviderEntry
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.script import Echo, Say, Wait

Build = Callable[..., Awaitable[Any]]
Begin = Callable[..., Awaitable[Any]]
Write = Callable[..., str]

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 50
TABLE = b"month,sales\n2026-10,135\n"


class Listening(ScriptedProvider):
    """A provider whose requests a test can look at."""

    def __init__(self, scripts_dir: Path, clock: ManualClock, **more: Any) -> None:
        super().__init__(scripts_dir, clock, "known")
        self.heard: list[ModelRequest] = []
        self._more = more

    @property
    def entry(self) -> ProviderEntry:
        return ProviderEntry("known", self)

    def facts(self, model: str) -> ModelFacts:
        return msgspec.structs.replace(super().facts(model), **self._more)

    async def stream(self, request: ModelRequest) -> AsyncIterator[Any]:  # type: ignore[override]
        self.heard.append(request)
        async for chunks in super().stream(request):
            yield chunks


async def attach(
    house: Any, here: ConversationId, content: bytes, name: str, caller: Caller = LOCAL_CALLER
) -> FileUpload:
    client = InProcessClient(house.application, caller)
    request = files.CreateFile(conversation_id=here, name=name, size=len(content))
    upload = await client.call(files.create, request)
    receiving = await house.application.dispatcher.receive(caller, upload.id, None)
    await receiving.write(content)
    stored: FileUpload = await receiving.finish()
    return stored


@pytest.mark.parametrize("images", [True, None, False])
async def test_a_picture_goes_as_a_picture_where_there_are_eyes(
    build: Build, begin: Begin, script: Write, scripts_dir: Path, *, images: bool | None
) -> None:
    script("echo", (Echo(),))
    clock = ManualClock()
    known = Listening(scripts_dir, clock, images=images)
    house = await build(clock=clock, others=[known.entry])
    talk = await begin(InProcessClient(house.application))
    upload = await attach(house, talk.id, PNG, "shot.png")
    await talk.ask("known/echo", files=(upload.id,))
    await talk.until(ev.TurnFinished)
    (request,) = known.heard
    text, shown = request.messages[0].parts
    assert text == TextPart("Go.")
    if images is False:
        assert isinstance(shown, TextPart)
        assert "does not look at pictures" in shown.text
    else:
        assert shown == ImagePart("image/png", PNG)


async def test_a_picture_that_is_too_large_is_told_of(
    build: Build,
    begin: Begin,
    script: Write,
    scripts_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file_service, "LARGEST_PICTURE", len(PNG) - 1)
    script("echo", (Echo(),))
    clock = ManualClock()
    known = Listening(scripts_dir, clock, images=True)
    house = await build(clock=clock, others=[known.entry])
    talk = await begin(InProcessClient(house.application))
    upload = await attach(house, talk.id, PNG, "shot.png")
    await talk.ask("known/echo", files=(upload.id,))
    await talk.until(ev.TurnFinished)
    shown = known.heard[0].messages[0].parts[1]
    assert isinstance(shown, TextPart)
    assert "it is a picture of 58 bytes" in shown.text


async def test_a_turn_does_not_wait_for_ever_for_a_text(
    build: Build, begin: Begin, script: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_service, "PATIENCE_SECONDS", 0.05)
    script("echo", (Echo(),))
    house = await build()
    talk = await begin(InProcessClient(house.application))
    reader = house.application._services.files._texts
    async with reader._free, reader._free:  # two files of others are being read
        upload = await attach(house, talk.id, TABLE, "sales.csv")
        await talk.ask("scripted/echo", "First.", files=(upload.id,))
        await talk.until(ev.TurnFinished)
        assert "it has not been read yet" in (await talk.answers())[0]
    reading = house.application._services.files._reading
    await asyncio.wait(list(reading.values()))
    again = files.GetFile(upload.id)
    assert (await InProcessClient(house.application).call(files.get, again)).text == "ready"


async def test_files_take_a_quarter_of_the_window_together_and_always_the_same(
    build: Build, begin: Begin, script: Write, scripts_dir: Path
) -> None:
    script("say", (Say("Fine."),))
    clock = ManualClock()
    known = Listening(scripts_dir, clock, window=4_000)
    house = await build(clock=clock, others=[known.entry])
    talk = await begin(InProcessClient(house.application))
    uploads = [await attach(house, talk.id, b"x" * 9_000, f"{n}.txt") for n in range(2)]
    await talk.ask("known/say", "One.", files=tuple(upload.id for upload in uploads))
    await talk.until(ev.TurnFinished)
    await talk.ask("known/say", "Two.")
    await talk.until(ev.TurnFinished, count=2)
    first, second = known.heard
    assert [part.text.count("x") for part in first.messages[0].parts[1:]] == [
        2_002,
        2_002,
    ]  # with those of its name and fence
    assert "[cut here: 2,000 of 9,000 characters]" in first.messages[0].text
    assert second.messages[0] == first.messages[0]  # a provider's cache recognises it


async def test_a_file_waits_with_its_message(build: Build, begin: Begin, script: Write) -> None:
    house = await build()
    talk = await begin(InProcessClient(house.application))
    upload = await attach(house, talk.id, TABLE, "sales.csv")
    await talk.ask(script("slow", (Say("Wait"), Wait(5.0), Say(" for it."))), "First.")
    await talk.until_text("Wait")
    await talk.ask(script("echo", (Echo(),)), "Second.", files=(upload.id,), queue=True)
    (waiting,) = (await talk.state()).conversation.queue
    assert waiting.files == (upload.part,)
    house.clock.advance(5.0)
    await talk.until(ev.TurnFinished, count=2)
    state = await talk.state()
    question = next(it for it in state.messages.values() if it.text == "Second.")
    assert question.parts[1:] == (FilePart(upload.id, "sales.csv", "text/csv", len(TABLE)),)
    assert "2026-10,135" in (await talk.answers())[-1]


class Slow:
    """Reads until it is told to come to an end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.changed, self.go_on = asyncio.Event(), asyncio.Event()

    async def read(self, _: str, pieces: AsyncIterator[bytes], __: int) -> FileText:
        text = b"".join([piece async for piece in pieces]).decode()
        self.begun.append(text)
        self.changed.set()
        await self.go_on.wait()
        return FileText(text)

    async def until(self, text: str) -> None:
        async with asyncio.timeout(10):
            while text not in self.begun:
                self.changed.clear()
                await self.changed.wait()


async def test_an_owners_files_are_read_one_after_the_other(build: Build, begin: Begin) -> None:
    """Also those of other conversations; nobody else waits for them, and no plain text."""
    house, slow = await build(), Slow()
    service = house.application._services.files
    service._texts = slow
    ada = Caller(OwnerId("ada"), "user")
    here = await begin(InProcessClient(house.application))
    there = await begin(InProcessClient(house.application))
    adas = await begin(InProcessClient(house.application, ada))
    await attach(house, here.id, b"a,1\n", "1.csv")
    await attach(house, here.id, b"a,2\n", "2.csv")
    await attach(house, there.id, b"a,3\n", "3.csv")
    await slow.until("a,1\n")
    await attach(house, adas.id, b"ada,1\n", "1.csv", ada)
    await slow.until("ada,1\n")
    await attach(house, there.id, b"Hello.", "hello.txt")
    await slow.until("Hello.")
    assert slow.begun == ["a,1\n", "ada,1\n", "Hello."]
    reading = list(service._reading.values())
    slow.go_on.set()
    await asyncio.wait(reading)
    assert slow.begun[3:] == ["a,2\n", "a,3\n"]
    assert (dict(service._locks), service._reading) == ({}, {})


async def test_what_nobody_has_read_is_read_when_it_is_wanted(
    build: Build, begin: Begin, script: Write
) -> None:
    """The process that was to read it has ended; another one answers."""
    script("echo", (Echo(),))
    house = await build()
    talk = await begin(InProcessClient(house.application))
    upload = await attach(house, talk.id, TABLE, "sales.csv")
    await house.application.close()  # within the moment that starting a process takes
    other = await build(origin=1)
    client = InProcessClient(other.application)
    assert (await client.call(files.get, files.GetFile(upload.id))).text == "pending"
    again = talk.seen_by(client)
    await again.ask("scripted/echo", files=(upload.id,))
    await again.until(ev.TurnFinished)
    assert "2026-10,135" in (await again.answers())[-1]
    assert (await client.call(files.get, files.GetFile(upload.id))).text == "ready"


async def test_what_was_never_sent_goes_after_a_week(
    build: Build, begin: Begin, script: Write, data_dir: Path
) -> None:
    script("echo", (Echo(),))
    house = await build()
    talk = await begin(InProcessClient(house.application))
    sent, unsent = [await attach(house, talk.id, TABLE, name) for name in ("a.csv", "b.csv")]
    await talk.ask("scripted/echo", files=(sent.id,))
    await talk.until(ev.TurnFinished)
    files_of = house.application._services.files
    house.clock.advance(UNSENT.total_seconds())
    await files_of.tidy()
    assert names(data_dir) == {sent.id, unsent.id}
    house.clock.advance(PURGE_SECONDS)
    await files_of.tidy()
    assert names(data_dir) == {sent.id}


async def begin_upload(house: Any, here: ConversationId, size: int) -> tuple[FileId, Any]:
    """Announce a file of some bytes, and begin to send it."""
    request = files.CreateFile(conversation_id=here, name="big.bin", size=size)
    upload = await InProcessClient(house.application).call(files.create, request)
    receiving = await house.application.dispatcher.receive(LOCAL_CALLER, upload.id, None)
    return upload.id, receiving


@pytest.mark.parametrize("size", [3, 900_000])
@pytest.mark.parametrize("how", ["the file", "the conversation"])
async def test_what_is_let_go_while_it_comes_leaves_nothing(
    build: Build, begin: Begin, data_dir: Path, how: str, size: int
) -> None:
    house = await build()
    client = InProcessClient(house.application)
    talk = await begin(client)
    upload_id, receiving = await begin_upload(house, talk.id, size)
    await receiving.write(b"x" * size)
    if how == "the file":
        await client.call(files.delete, files.DeleteFile(upload_id))
    else:
        request = conversations.DeleteConversation(talk.id, forever=True)
        await client.call(conversations.delete, request)
    with pytest.raises(Conflict):
        await receiving.finish()
    assert names(data_dir) == set()


async def test_what_came_to_a_dead_process_can_be_sent_again(
    build: Build, begin: Begin, data_dir: Path
) -> None:
    dead = await build()
    talk = await begin(InProcessClient(dead.application))
    upload_id, lost = await begin_upload(dead, talk.id, 3)
    other = await build(origin=1)
    _, going_on = await begin_upload(other, talk.id, 3)
    left = data_dir / "files" / upload_id[-2:] / f"{upload_id}#1"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"ol")
    housekeeping = other.application._services.files
    await housekeeping.tidy()
    with pytest.raises(Conflict):  # it may still be coming
        await other.application.dispatcher.receive(LOCAL_CALLER, upload_id, None)
    other.clock.advance(STALLED.total_seconds() + 1)
    await housekeeping.tidy()
    assert names(data_dir) == set()
    again = await other.application.dispatcher.receive(LOCAL_CALLER, upload_id, None)
    for receiving in (again, going_on):  # this one was not stalled: it came here
        await receiving.write(b"new")
        assert (await receiving.finish()).state == "stored"
    await lost.abandon()


async def test_a_fork_has_no_more_files_than_there_is_room_for(
    build: Build, begin: Begin, script: Write, data_dir: Path
) -> None:
    script("echo", (Echo(),))
    house = await build()
    client = InProcessClient(house.application)
    talk = await begin(client)
    upload = await attach(house, talk.id, b"\0" * 900_000, "a.bin")
    await talk.ask("scripted/echo", files=(upload.id,))
    await talk.until(ev.TurnFinished)
    request = conversations.ForkConversation(talk.id)
    forks = [await client.call(conversations.fork, request) for _ in range(12)]
    assert len(names(data_dir)) == 11  # 9.9 MB of 10
    without = talk.seen_by(client)
    without.id = forks[-1].id
    await without.ask("scripted/echo", "And now?")
    await without.until(ev.TurnFinished)
    listed = await client.call(files.list_, files.ListFiles(without.id))
    assert listed.files == ()


def names(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "files").rglob("*") if path.is_file()}
