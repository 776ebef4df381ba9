"""What every storage has to do with lists, search, the trash and queues."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import Conflict, NotFound, VersionConflict
from bestchat_server_ext.core.ids import MessageId, OwnerId, RequestId, TurnId
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.queue import QueuedMessage
from bestchat_server_ext.core.search import MOST_CHARACTERS, Hit
from bestchat_server_ext.ports.storage import ListFilter, Storage
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene

ADA = OwnerId("ada")


class ArrangingSuite:
    """Conversations: arranged, found, deleted for a while; messages that wait."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Moments and names."""
        return ManualClock()

    async def make(
        self, storage: Storage, clock: ManualClock, *events: ev.Event, title: str = ""
    ) -> Scene:
        """A conversation of Ada's in which something has happened."""
        clock.advance(1)
        scene = Scene(clock, ADA)
        await storage.append(scene.id, [scene.created(title), *events], clock.now())
        return scene

    async def say(self, storage: Storage, scene: Scene, text: str, role: str = "user") -> MessageId:
        """A message of some role, stored."""
        clock = scene.clock
        message = Message(
            id=MessageId(clock.new_id()),
            parent_id=None,
            role=role,  # type: ignore[arg-type]
            parts=(TextPart(text),),
            created_at=clock.now(),
            turn_id=TurnId(clock.new_id()),
        )
        await storage.append(scene.id, [ev.MessageAdded(message)], clock.now())
        return message.id

    async def found(self, storage: Storage, *terms: str, limit: int = 10) -> list[Hit]:
        """What Ada finds."""
        return list(await storage.search(ADA, terms, limit=limit))

    async def test_lists_are_filtered(self, storage: Storage, clock: ManualClock) -> None:
        """By star, archive, trash and origin; each alone."""
        plain = await self.make(storage, clock)
        starred = await self.make(storage, clock, ev.ConversationStarred(starred=True))
        archived = await self.make(storage, clock, ev.ConversationArchived(archived=True))
        deleted = await self.make(storage, clock, ev.ConversationTrashed())
        expected = {
            ListFilter(): [starred, plain],
            ListFilter(starred=True): [starred],
            ListFilter(starred=False): [plain],
            ListFilter(archived=True): [archived],
            ListFilter(archived=None): [archived, starred, plain],
            ListFilter(deleted=True): [deleted],
            ListFilter(label="notes.ipynb"): [starred, plain],
            ListFilter(label="other.ipynb"): [],
        }
        for only, scenes in expected.items():
            page = await storage.list_conversations(ADA, limit=10, only=only)
            assert [item.id for item in page.items] == [scene.id for scene in scenes], only

    async def test_arranging_moves_nothing_up(self, storage: Storage, clock: ManualClock) -> None:
        """Only what is said or done in a conversation does."""
        first, second = await self.make(storage, clock), await self.make(storage, clock)
        quiet: list[ev.Event] = [ev.ConversationStarred(starred=True), ev.ConversationRestored()]
        for event in quiet:
            clock.advance(1)
            await storage.append(first.id, [event], clock.now())
        page = await storage.list_conversations(ADA, limit=2)
        assert [item.id for item in page.items] == [second.id, first.id]

    async def test_of_two_changes_to_one_version_the_second_is_refused(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """And nothing of it is stored."""
        scene = await self.make(storage, clock)
        await storage.append(scene.id, [ev.ConversationRenamed("One", 1)], clock.now())
        second: list[ev.Event] = [
            ev.ConversationStarred(starred=True),
            ev.ConversationRenamed("Two", 1),
        ]
        with pytest.raises(VersionConflict):
            await storage.append(scene.id, second, clock.now())
        kept = (await storage.load(scene.id)).conversation
        assert (kept.title, kept.version, kept.starred) == ("One", 2, False)

    async def test_what_is_not_there_cannot_be_pinned(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Nor what is in another conversation."""
        scene, other = await self.make(storage, clock), await self.make(storage, clock)
        theirs = await self.say(storage, other, "Theirs.")
        for message_id in (theirs, MessageId(clock.new_id())):
            pinned = ev.MessagePinned(message_id, pinned=True)
            with pytest.raises(NotFound):
                await storage.append(scene.id, [pinned], clock.now())

    async def test_search_finds_words_and_their_beginnings(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """All of them in one place, whatever their case; of tools' results nothing."""
        scene = await self.make(storage, clock, title="Notes on Giraffes")
        said = await self.say(storage, scene, "The tallest animal\nis the giraffe, they say.")
        await self.say(storage, scene, "zebra zebra", "tool")
        for terms in (("giraffe",), ("tall",), ("anim", "gir"), ("the", "say")):
            (hit,) = await self.found(storage, *terms)
            assert (hit.conversation_id, hit.message_id) == (scene.id, said)
            shown = "".join(part.text for part in hit.snippet)
            assert all(term in shown.lower() for term in terms)
            assert {part.text.lower() for part in hit.snippet if part.match}
        (titled,) = await self.found(storage, "notes", "giraffes")
        assert (titled.message_id, titled.title) == (None, "Notes on Giraffes")
        for terms in (("zebra",), ("giraffe", "zebra"), ("nowhere",), ("iraffe",)):
            assert await self.found(storage, *terms) == []
        assert await self.found(storage) == []

    async def test_search_gives_each_conversation_once_the_last_said_first(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """However often something is said in it."""
        scenes = [await self.make(storage, clock) for _ in range(3)]
        for scene in (*scenes, scenes[0]):
            for _ in range(60):
                await self.say(storage, scene, "Penguins!")
        hits = await self.found(storage, "penguins", limit=2)
        assert [hit.conversation_id for hit in hits] == [scenes[0].id, scenes[2].id]

    async def test_search_finds_ones_own_and_nothing_that_was_deleted(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Until it is restored."""
        scene = await self.make(storage, clock, title="Unheard")
        assert await storage.search(OwnerId("bob"), ("unheard",), limit=1) == ()
        await storage.append(scene.id, [ev.ConversationTrashed()], clock.now())
        assert await self.found(storage, "unheard") == []
        await storage.append(scene.id, [ev.ConversationRestored()], clock.now())
        assert len(await self.found(storage, "unheard")) == 1
        await storage.append(scene.id, [ev.ConversationRenamed("Otherwise")], clock.now())
        assert await self.found(storage, "unheard") == []
        await storage.delete(scene.id, clock.now())
        assert await self.found(storage, "otherwise") == []

    async def test_whatever_is_said_can_be_stored_and_searched(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Very long texts, other scripts, and what means something to a database."""
        scene = await self.make(storage, clock)
        texts = ("x'); DROP TABLE--", "ναός 寺 👋", "word " * MOST_CHARACTERS, "' \" * : ( NEAR")
        for text in texts:
            await self.say(storage, scene, text)
        for term in ("ναός", "寺", "drop", "word", "near", "and", "or", "not"):
            await self.found(storage, term)
        assert len(await self.found(storage, "寺")) == 1

    async def test_what_was_deleted_long_ago_is_listed(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """The first deleted first."""
        scenes = [await self.make(storage, clock, ev.ConversationTrashed()) for _ in range(3)]
        later = clock.now()
        ids = tuple(scene.id for scene in scenes)
        assert await storage.deleted_before(later, limit=9) == ids[:2]
        assert await storage.deleted_before(later + timedelta(seconds=1), limit=2) == ids[:2]
        await storage.append(ids[0], [ev.ConversationRestored()], clock.now())
        assert await storage.deleted_before(later, limit=9) == ids[1:2]

    async def test_messages_that_wait_are_listed_once_nothing_runs(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """They are kept as they are, in order."""
        scene = await self.make(storage, clock)
        begun = scene.begin()
        await storage.append(scene.id, begun.events, clock.now())
        first = QueuedMessage(TurnId(clock.new_id()), RequestId("r"), "Wait 👋", "a/b", clock.now())
        second = msgspec.structs.replace(
            first, turn_id=TurnId(clock.new_id()), request_id=RequestId("other")
        )
        queued = [ev.MessageQueued(first), ev.MessageQueued(second)]
        await storage.append(scene.id, queued, clock.now())
        held_up = await self.make(storage, clock, ev.MessageQueued(first))
        stopped = held_up.begin()
        failed = [*stopped.events, ev.TurnCancelled(stopped.turn_id)]
        await storage.append(held_up.id, failed, clock.now())
        assert await storage.queues_at_rest(limit=9) == ()
        await storage.append(scene.id, [ev.TurnFinished(begun.turn_id)], clock.now())
        assert await storage.queues_at_rest(limit=9) == (scene.id,)
        assert (await storage.load(scene.id)).conversation.queue == (first, second)
        for item in (first, second):
            await storage.append(scene.id, [ev.MessageUnqueued(item.turn_id)], clock.now())
        assert await storage.queues_at_rest(limit=9) == ()
        with pytest.raises(Conflict):
            await storage.append(scene.id, [ev.MessageUnqueued(first.turn_id)], clock.now())

    async def test_turns_under_way_are_counted_by_owner(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Those that have ended are not."""
        assert await storage.active_turns(ADA) == 0
        scene, other = await self.make(storage, clock), await self.make(storage, clock)
        begun = scene.begin()
        await storage.append(scene.id, begun.events, clock.now())
        await storage.append(other.id, other.begin().events, clock.now())
        assert await storage.active_turns(ADA) == 2
        await storage.append(scene.id, [ev.TurnFinished(begun.turn_id)], clock.now())
        assert await storage.active_turns(ADA) == 1
        assert await storage.active_turns(OwnerId("bob")) == 0
