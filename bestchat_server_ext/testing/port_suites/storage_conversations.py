"""What every storage has to do with conversations and their events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation import Conversation
from bestchat_server_ext.core.errors import Conflict, InvalidRequest, NotFound
from bestchat_server_ext.core.ids import ConversationId, ExecutionId, MessageId, OwnerId, TurnId
from bestchat_server_ext.ports.storage import Located, ObjectKind, Storage
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene, assert_same, reduced

UNKNOWN = ("0198ffff-0000-7000-8000-000000000000", "no id", "", "a" * 32, "' OR 1=1 --")
"""Names of nothing; all but the first are not even ids."""


async def stored(
    storage: Storage, clock: ManualClock, owner: str = "ada", title: str = ""
) -> Scene:
    """A new conversation, stored."""
    scene = Scene(clock, OwnerId(owner))
    await storage.append(scene.id, [scene.created(title)], clock.now())
    return scene


async def play(storage: Storage, scene: Scene) -> TurnId:
    """A whole turn, stored append by append."""
    begun = scene.begin()
    for events in scene.play(begun):
        await storage.append(scene.id, events, scene.clock.now())
    return begun.turn_id


class ConversationSuite:
    """Conversations: made, changed, read, listed, deleted."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Moments and names."""
        return ManualClock()

    async def test_a_conversation_is_created(self, storage: Storage, clock: ManualClock) -> None:
        """Its first event has number one."""
        scene = Scene(clock)
        appended = await storage.append(scene.id, [scene.created("Fish")], clock.now())
        assert appended.envelopes == (ev.Envelope(scene.id, 1, clock.now(), scene.created("Fish")),)
        assert appended.lease is None
        state = await storage.load(scene.id)
        assert state.conversation == Conversation(
            scene.id, scene.owner, 1, clock.now(), clock.now(), "Fish", "notes.ipynb"
        )
        assert (state.messages, state.turns, state.executions) == ({}, {}, {})

    async def test_a_conversation_is_created_once(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Neither as its first event again nor later."""
        scene = await stored(storage, clock, title="first")
        created, renamed = scene.created("x"), ev.ConversationRenamed("x")
        attempts: list[list[ev.Event]] = [[created], [created, renamed], [renamed, created]]
        for again in attempts:
            with pytest.raises(Conflict):
                await storage.append(scene.id, again, clock.now())
        assert (await storage.load(scene.id)).conversation.title == "first"

    async def test_a_malformed_id_is_never_stored(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """It could not be read back."""
        scene = await stored(storage, clock)
        with pytest.raises(InvalidRequest):
            await storage.append(ConversationId("no id"), [scene.created()], clock.now())
        begun = scene.begin(parent_id=MessageId("no id"))
        with pytest.raises(InvalidRequest):
            await storage.append(scene.id, begun.events, clock.now())
        assert await storage.seq(scene.id) == 1

    @pytest.mark.parametrize("name", UNKNOWN)
    async def test_what_is_not_there_is_not_found(
        self, storage: Storage, clock: ManualClock, name: str
    ) -> None:
        """Whatever is asked of it, and whatever the name looks like."""
        await stored(storage, clock)
        conversation_id = ConversationId(name)
        for asked in (
            storage.append(conversation_id, [ev.ConversationRenamed("x")], clock.now()),
            storage.load(conversation_id),
            storage.seq(conversation_id),
            storage.events_after(conversation_id, 0, limit=1),
            storage.delete(conversation_id, clock.now()),
            storage.turn(TurnId(name)),
            storage.partial(TurnId(name)),
        ):
            with pytest.raises(NotFound):
                await asked
        assert await storage.locate("conversation", conversation_id) is None

    async def test_events_are_numbered_and_kept(self, storage: Storage, clock: ManualClock) -> None:
        """Without gaps, with their moments, in the order in which they were appended."""
        scene = Scene(clock)
        titles = [ev.ConversationRenamed(f"title {n}") for n in range(3)]
        first = await storage.append(scene.id, [scene.created(), *titles[:1]], clock.now())
        clock.advance(1.000001)
        second = await storage.append(scene.id, titles[1:], clock.now())
        envelopes = first.envelopes + second.envelopes
        assert [envelope.seq for envelope in envelopes] == [1, 2, 3, 4]
        assert await storage.events_after(scene.id, 0, limit=10) == envelopes
        assert await storage.seq(scene.id) == 4
        conversation = (await storage.load(scene.id)).conversation
        assert (conversation.title, conversation.updated_at) == ("title 2", clock.now())

    async def test_events_are_read_from_anywhere(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """A reader who has them all gets an empty answer, which is not the same as none."""
        scene = await stored(storage, clock)
        await storage.append(scene.id, [ev.ConversationRenamed(n) for n in "abc"], clock.now())
        page = await storage.events_after(scene.id, 1, limit=2)
        assert [envelope.seq for envelope in page or ()] == [2, 3]
        assert await storage.events_after(scene.id, 4, limit=2) == ()
        for beyond in (99, 2**31, 2**63, 10**30):
            assert await storage.events_after(scene.id, beyond, limit=2) == ()
        for below in (-1, -(2**63)):
            assert await storage.events_after(scene.id, below, limit=2) is None

    async def test_appending_nothing_changes_nothing(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Not even the time."""
        scene = await stored(storage, clock)
        before = await storage.load(scene.id)
        clock.advance(1)
        assert (await storage.append(scene.id, [], clock.now())).envelopes == ()
        assert_same(await storage.load(scene.id), before)

    async def test_rows_are_what_the_events_come_to(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """A client that followed all events has exactly what another one loads."""
        scene = await stored(storage, clock)
        await play(storage, scene)
        newest = (await storage.load(scene.id)).newest
        begun = scene.begin("And then?", parent_id=newest)
        await storage.append(scene.id, begun.events, clock.now())
        envelopes = await storage.events_after(scene.id, 0, limit=1000)
        assert envelopes is not None
        state = await storage.load(scene.id)
        assert len(state.executions) == 3
        assert_same(state, reduced(envelopes))

    async def test_an_append_is_all_or_nothing(self, storage: Storage, clock: ManualClock) -> None:
        """An event that does not fit takes those before and after it with it."""
        scene = await stored(storage, clock)
        before = await storage.load(scene.id)
        begun = scene.begin()
        bad = ev.ToolStarted(ExecutionId(clock.new_id()))
        with pytest.raises(Conflict):
            await storage.append(
                scene.id, [*begun.events, bad, ev.ConversationRenamed("x")], clock.now()
            )
        assert_same(await storage.load(scene.id), before)
        assert await storage.events_after(scene.id, 1, limit=10) == ()
        assert await storage.locate("turn", begun.turn_id) is None
        assert (await storage.append(scene.id, begun.events, clock.now())).envelopes[0].seq == 2

    async def test_a_message_is_stored_once(self, storage: Storage, clock: ManualClock) -> None:
        """Its id is the promise that an answer is never written twice."""
        scene, other = await stored(storage, clock), await stored(storage, clock)
        begun = scene.begin()
        await storage.append(scene.id, begun.events, clock.now())
        for place in (scene, other):
            with pytest.raises(Conflict):
                await storage.append(place.id, [ev.MessageAdded(begun.message)], clock.now())

    async def test_events_that_cannot_be_are_refused(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Those of turns that are not there, and deletions, which are never stored."""
        scene, other = await stored(storage, clock), await stored(storage, clock)
        elsewhere = other.begin()
        await storage.append(other.id, elsewhere.events, clock.now())
        stray: list[ev.Event] = [
            ev.ConversationDeleted(),
            ev.TurnFinished(elsewhere.turn_id),
            ev.CancelRequested(TurnId(clock.new_id())),
        ]
        for event in stray:
            with pytest.raises(Conflict):
                await storage.append(scene.id, [event], clock.now())
        assert (await storage.turn(elsewhere.turn_id)).active

    async def test_writers_at_once_leave_no_gaps(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Each gets numbers of its own."""
        scene = await stored(storage, clock)
        pair = [ev.ConversationRenamed("a"), ev.ConversationRenamed("b")]
        appends = (storage.append(scene.id, pair, clock.now()) for _ in range(20))
        taken = [
            [envelope.seq for envelope in appended.envelopes]
            for appended in await asyncio.gather(*appends)
        ]
        assert sorted(taken) == [[n, n + 1] for n in range(2, 42, 2)]

    async def test_the_list_begins_with_the_last_changed(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """And shows nobody else's."""
        ids = []
        for _ in range(3):
            clock.advance(1)
            ids.append((await stored(storage, clock)).id)
        await stored(storage, clock, owner="bob")
        clock.advance(1)
        await storage.append(ids[0], [ev.ConversationRenamed("x")], clock.now())
        page = await storage.list_conversations(OwnerId("ada"), limit=10)
        assert [item.id for item in page.items] == [ids[0], ids[2], ids[1]]
        assert page.items[0] == (await storage.load(ids[0])).conversation
        assert page.cursor == ""

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
    async def test_the_list_is_read_page_by_page(
        self, storage: Storage, clock: ManualClock, limit: int
    ) -> None:
        """Without gaps or repetition, even among those changed in the same moment."""
        made = []
        for number in range(7):
            clock.advance(number % 2)
            made.append((await stored(storage, clock)).id)
        pages: list[Sequence[Conversation]] = []
        cursor = ""
        while cursor or not pages:
            page = await storage.list_conversations(OwnerId("ada"), limit=limit, cursor=cursor)
            pages.append(page.items)
            cursor = page.cursor
        assert [item.id for items in pages for item in items] == made[::-1]
        assert len(pages) == -(-len(made) // limit)

    @pytest.mark.parametrize(
        "cursor",
        ["x", "é", "bm8=", "W10=", "WyJhIiwiYiJd", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsIngiXQ=="],
    )
    async def test_a_foreign_cursor_is_refused(self, storage: Storage, cursor: str) -> None:
        """Naming the field that is wrong."""
        with pytest.raises(InvalidRequest) as caught:
            await storage.list_conversations(OwnerId("ada"), limit=1, cursor=cursor)
        assert caught.value.info.field == "cursor"

    async def test_every_kind_of_object_is_located(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """As what it is, and as nothing else: a client may choose the ids of some kinds."""
        scene = await stored(storage, clock)
        await stored(storage, clock, owner="bob")
        await play(storage, scene)
        state = await storage.load(scene.id)
        kinds: dict[ObjectKind, list[str]] = {
            "conversation": [scene.id],
            "turn": list(state.turns),
            "execution": list(state.executions),
        }
        for asked in kinds:
            for kind, names in kinds.items():
                assert names
                for name in names:
                    found = Located(scene.id, OwnerId("ada")) if kind == asked else None
                    assert await storage.locate(asked, name) == found

    async def test_how_far_conversations_have_come(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Of several at once, of one owner or of anybody; what is gone is left out."""
        mine = await stored(storage, clock)
        theirs = await stored(storage, clock, owner="bob")
        await storage.append(mine.id, [ev.ConversationRenamed("x")], clock.now())
        ids = [mine.id, theirs.id, ConversationId(clock.new_id()), ConversationId("no id")]
        assert await storage.seqs(ids) == {mine.id: 2, theirs.id: 1}
        assert await storage.seqs(ids, OwnerId("bob")) == {theirs.id: 1}
        assert await storage.seqs([]) == {}

    async def test_deleting_leaves_nothing(self, storage: Storage, clock: ManualClock) -> None:
        """Except of the others."""
        scene, other = await stored(storage, clock), await stored(storage, clock)
        turn_id, kept = await play(storage, scene), await play(storage, other)
        before, others = await storage.load(scene.id), await storage.load(other.id)
        deleted = await storage.delete(scene.id, clock.now())
        seq = before.conversation.seq + 1
        assert deleted == ev.Envelope(scene.id, seq, clock.now(), ev.ConversationDeleted())
        assert await storage.locate("conversation", scene.id) is None
        assert all([await storage.locate("turn", name) is None for name in before.turns])
        assert all([await storage.locate("execution", name) is None for name in before.executions])
        request_id = before.turns[turn_id].request_id
        assert await storage.find_turn(scene.owner, request_id) is None
        assert_same(await storage.load(other.id), others)
        assert (await storage.turn(kept)).state == "finished"
        # Created anew, it begins at the beginning.
        await storage.append(scene.id, [scene.created()], clock.now())
        assert len(await storage.events_after(scene.id, 0, limit=10) or ()) == 1
