"""The whole conversation: found, arranged, copied, taken back, gone on with, kept within limits."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import msgspec
import nbformat
import pytest

from bestchat_server_ext.adapters.provider_scripted import ScriptedProvider
from bestchat_server_ext.api import conversations, messages, turns
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import (
    Conflict,
    InvalidRequest,
    LimitReached,
    NotFound,
    TurnActive,
    Unavailable,
    VersionConflict,
)
from bestchat_server_ext.core.failover import Fallbacks
from bestchat_server_ext.core.ids import MessageId, RequestId, TurnId
from bestchat_server_ext.core.messages import ImagePart, Message
from bestchat_server_ext.core.models import ModelFacts, Prices, RequestOptions
from bestchat_server_ext.core.queue import QUEUE_LIMIT
from bestchat_server_ext.services.context import GO_ON
from bestchat_server_ext.services.providers import ProviderEntry
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.script import Count, Echo, Fail, Report, Say, Wait

Open = Callable[..., Awaitable[Any]]
Build = Callable[..., Awaitable[Any]]
Begin = Callable[[Client], Awaitable[Any]]
Write = Callable[..., str]

LATER = Wait(30.0)


def new_request() -> RequestId:
    return RequestId(uuid.uuid4().hex)


class Known(ScriptedProvider):
    """Scripts of which more is known: how much they take in, what they cost, how they go on."""

    more: Mapping[str, Any] = MappingProxyType({})

    def facts(self, model: str) -> ModelFacts:
        return msgspec.structs.replace(super().facts(model), **self.more)


def known(scripts_dir: Any, clock: ManualClock, **more: Any) -> ProviderEntry:
    provider = Known(scripts_dir, clock, "known")
    provider.more = more
    return ProviderEntry("known", provider)


async def said(talk: Any) -> list[Message]:
    return list((await talk.state()).messages.values())


async def asked_and_answered(talk: Any, model: str, *texts: str) -> None:
    for count, text in enumerate(texts, 1):
        await talk.ask(model, text)
        await talk.until(ev.TurnFinished, count=count)


class TestArranging:
    async def test_settings_are_used_and_changed_one_after_the_other(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build()
        client = InProcessClient(house.application)
        talk = await begin(client)
        model = script("mine", (Count(),))
        chosen = ConversationSettings(model=model, system_prompt="Be brief.")
        configured = conversations.ConfigureConversation(talk.id, chosen, version=1)
        made = await client.call(conversations.configure, configured)
        assert (made.settings, made.version) == (chosen, 2)
        with pytest.raises(VersionConflict, match="has version 2, not 1"):
            await client.call(conversations.configure, configured)
        rename = conversations.RenameConversation(talk.id, "Mine", version=1)
        with pytest.raises(VersionConflict):
            await client.call(conversations.rename, rename)
        ticket = await client.call(
            turns.start,
            turns.StartTurn(conversation_id=talk.id, request_id=new_request(), text="Hello."),
        )
        assert ticket.model == model

    async def test_of_two_changes_at_once_one_is_told(self, open_here: Open, begin: Begin) -> None:
        client = InProcessClient(await open_here())
        talk = await begin(client)
        both = [
            client.call(
                conversations.rename, conversations.RenameConversation(talk.id, title, version=1)
            )
            for title in ("One", "Two")
        ]
        came = await asyncio.gather(*both, return_exceptions=True)
        assert [type(item) for item in came].count(VersionConflict) == 1

    async def test_arranging_leaves_a_conversation_in_its_place(
        self, build: Build, begin: Begin
    ) -> None:
        house = await build()
        client = InProcessClient(house.application)
        first = await begin(client)
        house.clock.advance(10)
        second = await begin(client)
        house.clock.advance(10)
        await client.call(conversations.star, conversations.StarConversation(first.id))
        listed = await client.call(conversations.list_, conversations.ListConversations())
        assert [item.id for item in listed.conversations] == [second.id, first.id]

    async def test_lists_are_filtered(self, open_here: Open) -> None:
        client = InProcessClient(await open_here())
        made = {}
        for name in ("plain", "starred", "archived", "deleted"):
            request = conversations.CreateConversation(title=name, label=f"{name}.ipynb")
            made[name] = (await client.call(conversations.create, request)).id
        await client.call(conversations.star, conversations.StarConversation(made["starred"]))
        await client.call(
            conversations.archive, conversations.ArchiveConversation(made["archived"])
        )
        await client.call(conversations.delete, conversations.DeleteConversation(made["deleted"]))

        async def names(**only: Any) -> set[str]:
            request = conversations.ListConversations(**only)
            page = await client.call(conversations.list_, request)
            return {item.title for item in page.conversations}

        assert await names() == {"plain", "starred"}
        assert await names(starred=True) == {"starred"}
        assert await names(starred=False) == {"plain"}
        assert await names(archived=True) == {"archived"}
        assert await names(archived=None) == {"plain", "starred", "archived"}
        assert await names(deleted=True) == {"deleted"}
        assert await names(label="plain.ipynb") == {"plain"}

    async def test_a_pinned_message_is_pinned_for_everybody(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        client = InProcessClient(await open_here())
        talk = await begin(client)
        await asked_and_answered(talk, script("pin", (Echo(),)), "Remember.")
        question, _ = await said(talk)
        await client.call(messages.pin, messages.PinMessage(talk.id, question.id))
        assert [message.pinned for message in await said(talk)] == [True, False]
        assert ev.MessagePinned(question.id, pinned=True) in await talk.until(ev.MessagePinned)


class TestTitles:
    async def test_the_first_line_is_the_title_unless_a_model_is_to_give_one(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        model = script("titles", (Say('Title: "**Swallows\n\nin winter**"\n'),))
        house = await build(title_model=model)
        talk = await begin(InProcessClient(house.application))
        await talk.ask(script("answer", (Echo(),)), "\n Where do swallows go? \nIn winter.")
        seen = await talk.until(ev.ConversationRenamed, count=2)
        titles = [event.title for event in seen if isinstance(event, ev.ConversationRenamed)]
        assert (await talk.state()).conversation.version == 2  # the first title makes no version
        assert titles == ["Where do swallows go?", "Swallows"]

    @pytest.mark.parametrize("model", ["scripted/missing", "nobody/at-all", None])
    async def test_without_one_the_first_line_stays(
        self, build: Build, begin: Begin, script: Write, model: str | None
    ) -> None:
        house = await build(title_model=model)
        talk = await begin(InProcessClient(house.application))
        await asked_and_answered(talk, script("answer2", (Echo(),)), "Where to?")
        await asyncio.gather(*house.turns._naming)
        assert (await talk.state()).conversation.title == "Where to?"

    async def test_a_turn_that_finishes_while_everything_closes_asks_for_none(
        self, build: Build, begin: Begin, script: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = await build(title_model=script("titles3", (Say("Too late"),)))
        talk = await begin(InProcessClient(house.application))
        append, storing, go_on = house.stream.append, asyncio.Event(), asyncio.Event()

        async def append_late(here: Any, events: Any, **more: Any) -> Any:
            if any(isinstance(event, ev.TurnFinished) for event in events):
                storing.set()
                await go_on.wait()
            return await append(here, events, **more)

        monkeypatch.setattr(house.stream, "append", append_late)
        await talk.ask(script("answer4", (Echo(),)), "Where to?")
        await storing.wait()
        closing = asyncio.create_task(house.turns.close())
        await asyncio.sleep(0)  # it has begun
        go_on.set()
        await closing
        assert (await talk.state()).turns.popitem()[1].state == "finished"
        assert not house.turns._naming

    async def test_nobodys_own_title_is_replaced(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build(title_model=script("titles2", (Say("Another"),)))
        client = InProcessClient(house.application)
        talk = await begin(client)
        request = conversations.RenameConversation(talk.id, "My own")
        await client.call(conversations.rename, request)
        await asked_and_answered(talk, script("answer3", (Echo(),)), "Where to?", "And then?")
        await asyncio.gather(*house.turns._naming)
        assert (await talk.state()).conversation.title == "My own"


class TestDeleting:
    async def test_what_is_restored_at_the_last_moment_stays(
        self, build: Build, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = await build()
        client = InProcessClient(house.application)
        talk = await begin(client)
        await client.call(conversations.delete, conversations.DeleteConversation(talk.id))
        house.clock.advance(timedelta(days=8).total_seconds())
        manager = house.application._services.conversations
        listed = await manager._storage.deleted_before(house.clock.now(), limit=9)
        await client.call(conversations.restore, conversations.RestoreConversation(talk.id))

        async def as_it_was(*_: Any, **__: Any) -> Any:
            return listed

        monkeypatch.setattr(manager._storage, "deleted_before", as_it_was)
        assert await manager.purge_deleted(timedelta(days=7)) == 0
        assert (await talk.state()).conversation.deleted_at is None

    async def test_it_can_be_undone_for_a_while_and_then_is_gone(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build()
        client = InProcessClient(house.application)
        talk, other = await begin(client), await begin(client)
        await asked_and_answered(talk, script("gone", (Echo(),)), "Vanishing cream.")
        for conversation_id in (talk.id, other.id):
            request = conversations.DeleteConversation(conversation_id)
            await client.call(conversations.delete, request)
        house.clock.advance(timedelta(days=6).total_seconds())
        restored = await client.call(
            conversations.restore, conversations.RestoreConversation(other.id)
        )
        assert restored.deleted_at is None
        manager = house.application._services.conversations
        assert await manager.purge_deleted(timedelta(days=7)) == 0
        house.clock.advance(timedelta(days=2).total_seconds())
        assert await manager.purge_deleted(timedelta(days=7)) == 1
        with pytest.raises(NotFound):
            await talk.state()
        assert (await other.state()).conversation.deleted_at is None

    async def test_a_deleted_one_is_not_found_and_takes_no_messages(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        client = InProcessClient(await open_here())
        talk, model = await begin(client), script("deleted", (Echo(),))
        await asked_and_answered(talk, model, "Unheard-of words.")
        search = conversations.SearchConversations("unheard")
        assert (await client.call(conversations.search, search)).hits
        await client.call(conversations.delete, conversations.DeleteConversation(talk.id))
        assert (await client.call(conversations.search, search)).hits == ()
        with pytest.raises(Conflict, match="was deleted"):
            await talk.ask(model, "More.")
        with pytest.raises(Conflict, match="was deleted"):
            await client.call(conversations.fork, conversations.ForkConversation(talk.id))

    async def test_what_runs_is_stopped(
        self, open_here: Open, begin: Begin, idle: Any, script: Write
    ) -> None:
        application = await open_here()
        client = InProcessClient(application)
        talk = await begin(client)
        ticket = await talk.ask(script("long", (Say("So far "), LATER)))
        await talk.until_text("So far ")
        await client.call(conversations.delete, conversations.DeleteConversation(talk.id))
        await idle(application)
        assert (await talk.turn(ticket.turn_id)).state == "cancelled"


class TestSearch:
    async def test_words_in_messages_and_titles_with_what_is_around_them(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        client = InProcessClient(await open_here())
        talk, model = await begin(client), script("search", (Echo("You said: "),))
        await asked_and_answered(talk, model, "How warm is Ångström's laboratory in winter?")
        request = conversations.SearchConversations("angstrom lab")
        (hit,) = (await client.call(conversations.search, request)).hits
        assert hit.conversation_id == talk.id
        found = [part.text for part in hit.snippet if part.match]
        assert found == ["Ångström", "laboratory"]
        _, answer = await said(talk)
        assert hit.message_id == answer.id
        await client.call(
            conversations.rename, conversations.RenameConversation(talk.id, "Thermometers")
        )
        request = conversations.SearchConversations("thermo")
        (hit,) = (await client.call(conversations.search, request)).hits
        assert (hit.title, hit.message_id) == ("Thermometers", None)

    async def test_the_last_said_comes_first_and_each_conversation_once(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build()
        client = InProcessClient(house.application)
        model = script("many", (Say("Penguins, penguins."),))
        talks = [await begin(client) for _ in range(3)]
        for talk in (talks[1], talks[0], talks[2], talks[0]):
            count = sum(message.role == "user" for message in await said(talk))
            await talk.ask(model, f"Penguins {count}?", request_id=new_request())
            await talk.until(ev.TurnFinished, count=count + 1)
        request = conversations.SearchConversations("penguins", limit=2)
        hits = (await client.call(conversations.search, request)).hits
        assert [hit.conversation_id for hit in hits] == [talks[0].id, talks[2].id]


class TestBranches:
    async def test_editing_and_answering_again_make_branches(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        client = InProcessClient(await open_here())
        talk, model = await begin(client), script("branch", (Echo(),))
        await asked_and_answered(talk, model, "One.", "Two.")
        first, _, second, answer = await said(talk)
        edit = messages.EditMessage(
            conversation_id=talk.id,
            request_id=new_request(),
            message_id=second.id,
            text="Three.",
            model=model,
        )
        ticket = await client.call(messages.edit, edit)
        assert await client.call(messages.edit, edit) == msgspec.structs.replace(ticket, seq=0)
        await talk.until(ev.TurnFinished, count=3)
        again = messages.RegenerateAnswer(
            conversation_id=talk.id, request_id=new_request(), message_id=answer.id, model=model
        )
        await client.call(messages.regenerate, again)
        await talk.until(ev.TurnFinished, count=4)
        whole = await said(talk)
        edited, edited_answer, other_answer = whole[4:]
        assert (edited.text, edited.parent_id) == ("Three.", second.parent_id)
        assert edited_answer.parent_id == edited.id
        assert (other_answer.text, other_answer.parent_id) == ("Two.", second.id)
        assert [message.text for message in whole[:4]] == ["One.", "One.", "Two.", "Two."]
        assert first.parent_id is None

    async def test_the_first_message_can_be_edited_and_keeps_its_pictures(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        client = InProcessClient(await open_here())
        talk, model = await begin(client), script("first", (Echo(),))
        picture = ImagePart("image/png", b"\x89PNG")
        await talk.ask(model, "What is this?", images=(picture,))
        await talk.until(ev.TurnFinished)
        question, _ = await said(talk)
        edit = messages.EditMessage(
            conversation_id=talk.id,
            request_id=new_request(),
            message_id=question.id,
            text="And this?",
            model=model,
        )
        await client.call(messages.edit, edit)
        await talk.until(ev.TurnFinished, count=2)
        edited = (await said(talk))[2]
        assert edited.parent_id is None
        assert edited.parts[1:] == (picture,)

    async def test_only_pictures_are_sent_as_pictures(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        talk = await begin(InProcessClient(await open_here()))
        picture = ImagePart("text/html", b"<script>")
        with pytest.raises(InvalidRequest, match="no kind of picture") as caught:
            await talk.ask(script("picture", (Echo(),)), images=(picture,))
        assert caught.value.info.field == "images[0].media_type"
        assert await said(talk) == []

    async def test_a_fork_has_what_was_said_and_goes_its_own_way(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        client = InProcessClient(await open_here())
        talk, model = await begin(client), script("fork", (Count(),))
        await asked_and_answered(talk, model, "One.", "Two.")
        cut = (await said(talk))[1]
        request = conversations.ForkConversation(talk.id, cut.id)
        fork = await client.call(conversations.fork, request)
        assert (fork.forked_from, fork.title) == (talk.id, "One.")
        other = type(talk)(client, fork.id)
        await other.ask(model, "Else.")
        await other.until(ev.TurnFinished)
        assert [message.text for message in await said(other)] == ["One.", "1", "Else.", "3"]
        assert len(await said(talk)) == 4


class TestQueue:
    async def test_messages_wait_and_are_sent_in_order(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build(clock=ManualClock())
        talk = await begin(InProcessClient(house.application))
        slow, model = script("slow", (Say("So "), Wait(1.0), Say("far."))), script("e", (Echo(),))
        await talk.ask(slow, "First.")
        await talk.until_text("So ")
        tickets = [await talk.ask(model, text, queue=True) for text in ("Second.", "Third.")]
        assert [ticket.queued for ticket in tickets] == [True, True]
        assert await talk.ask(model, "Third.", queue=True) == tickets[1]
        queue = (await talk.state()).conversation.queue
        assert [item.text for item in queue] == ["Second.", "Third."]
        house.clock.advance(1.0)
        seen = await talk.until(ev.TurnFinished, count=3)
        begun = [event.turn_id for event in seen if isinstance(event, ev.TurnStarted)]
        assert begun[1:] == [ticket.turn_id for ticket in tickets]
        assert [message.text for message in await said(talk)] == [
            *("First.", "So far.", "Second.", "Second.", "Third.", "Third."),
        ]
        assert (await talk.state()).conversation.queue == ()

    async def test_a_turn_that_does_not_finish_holds_them_up(
        self, open_here: Open, begin: Begin, idle: Any, script: Write
    ) -> None:
        application = await open_here()
        client = InProcessClient(application)
        talk, model = await begin(client), script("echo2", (Echo(),))
        ticket = await talk.ask(script("stuck", (Say("So "), LATER)), "First.")
        await talk.until_text("So ")
        await talk.ask(model, "Second.", queue=True)
        taken_back = await talk.ask(model, "Third.", queue=True)
        await talk.cancel(ticket.turn_id)
        await idle(application)
        assert len((await talk.state()).conversation.queue) == 2
        unqueue = turns.UnqueueMessage(talk.id, taken_back.turn_id)
        await client.call(turns.unqueue, unqueue)
        with pytest.raises(Conflict, match="does not wait"):
            await client.call(turns.unqueue, unqueue)
        await client.call(turns.send_queued, turns.SendQueued(talk.id))
        await talk.until(ev.TurnFinished)
        assert (await talk.answers())[-1] == "Second."
        with pytest.raises(Conflict, match="No message waits"):
            await client.call(turns.send_queued, turns.SendQueued(talk.id))

    async def test_without_the_wish_to_wait_a_busy_conversation_says_so(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        talk = await begin(InProcessClient(await open_here()))
        await talk.ask(script("busy", (Say("So "), LATER)), "First.")
        with pytest.raises(TurnActive):
            await talk.ask("scripted/echo", "Second.")

    async def test_so_many_wait_and_no_more(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        talk = await begin(InProcessClient(await open_here()))
        await talk.ask(script("full", (Say("So "), LATER)), "First.")
        for number in range(QUEUE_LIMIT):
            await talk.ask("scripted/echo", f"Number {number}", queue=True)
        with pytest.raises(LimitReached, match="wait already"):
            await talk.ask("scripted/echo", "One more", queue=True)

    async def test_a_request_that_comes_twice_at_once_waits_once(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        talk = await begin(InProcessClient(await open_here()))
        await talk.ask(script("twice", (Say("So "), LATER)), "First.")
        both = [talk.ask("scripted/echo", "Second.", queue=True) for _ in range(2)]
        tickets = await asyncio.gather(*both)
        assert tickets[0].turn_id == tickets[1].turn_id
        assert len((await talk.state()).conversation.queue) == 1

    async def test_a_request_that_was_answered_elsewhere_holds_nobody_up(
        self, open_here: Open, begin: Begin, idle: Any, script: Write
    ) -> None:
        application = await open_here()
        client = InProcessClient(application)
        talk, other, model = await begin(client), await begin(client), script("e4", (Echo(),))
        ticket = await talk.ask(script("stuck2", (Say("So "), LATER)), "First.")
        await talk.until_text("So ")
        request = new_request()
        await talk.ask(model, "Second.", queue=True, request_id=request)
        await talk.ask(model, "Third.", queue=True)
        await other.ask(model, "Second, elsewhere.", request_id=request)
        await other.until(ev.TurnFinished)
        await talk.cancel(ticket.turn_id)
        await idle(application)
        with pytest.raises(Conflict):
            await client.call(turns.send_queued, turns.SendQueued(talk.id))
        await client.call(turns.send_queued, turns.SendQueued(talk.id))
        await talk.until(ev.TurnFinished)
        assert (await talk.answers())[-1] == "Third."

    async def test_what_cannot_be_read_keeps_no_other_from_being_closed(
        self, build: Build, begin: Begin, script: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house = await build(clock=ManualClock())
        talk = await begin(InProcessClient(house.application))
        await asked_and_answered(talk, script("e5", (Echo(),)), "First.")
        closed = []

        async def at_rest(**_: Any) -> Any:
            return (talk.id,)

        async def broken(_: Any) -> Any:
            raise Unavailable("Not readable.")

        async def seize(*_: Any) -> Any:
            closed.append(True)
            return []

        storage = house.turns._wheel.storage
        monkeypatch.setattr(storage, "queues_at_rest", at_rest)
        monkeypatch.setattr(storage, "seize_expired", seize)
        monkeypatch.setattr(house.stream, "state", broken)
        await house.turns._reap()
        assert closed == [True]

    async def test_what_waits_has_a_limit_together(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        talk = await begin(InProcessClient(await open_here()))
        await talk.ask(script("full2", (Say("So "), LATER)), "First.")
        picture = ImagePart("image/png", b"x" * 5_000_000)
        await talk.ask("scripted/echo", "One", queue=True, images=(picture,))
        with pytest.raises(LimitReached, match="8 MB"):
            await talk.ask("scripted/echo", "Two", queue=True, images=(picture,))

    async def test_what_a_process_left_waiting_is_sent_by_the_next(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        """It has ended between the end of a turn and the beginning of the next."""
        house = await build(clock=ManualClock())
        talk, model = await begin(InProcessClient(house.application)), script("e3", (Echo(),))
        await asked_and_answered(talk, model, "First.")
        waiting = await talk.ask(script("hang", (Say("So "), LATER)), "Second.")
        await talk.until_text("So ")
        await talk.ask(model, "Third.", queue=True)
        state = await talk.state()
        # As if the second turn had ended well, in a process that died at once.
        await house.application._services.storage.append(
            talk.id, [ev.TurnFinished(waiting.turn_id)], house.clock.now()
        )
        assert len(state.conversation.queue) == 1
        await house.turns._reap()
        await talk.until(ev.TurnFinished, count=3)
        assert (await talk.answers())[-1] == "Third."


class TestGoingOn:
    async def test_a_stopped_answer_is_gone_on_with(
        self, build: Build, begin: Begin, scripts_dir: Any, script: Write
    ) -> None:
        heard: list[Any] = []
        clock = ManualClock()

        class Listening(Known):
            async def stream(self, request: Any) -> Any:
                heard.append(request)
                async for chunks in super().stream(request):
                    yield chunks

        provider = Listening(scripts_dir, clock, "known")
        house = await build(clock=clock, others=[ProviderEntry("known", provider)])
        client = InProcessClient(house.application)
        talk = await begin(client)
        script("broken", (Say("Once upon "), LATER))
        script("rest", (Say("a time."),))
        ticket = await talk.ask("known/broken", "Tell me a story.")
        await talk.until_text("Once upon ")
        await talk.cancel(ticket.turn_id)
        await talk.until(ev.TurnCancelled)
        for count, prefill in enumerate((False, True), 1):
            provider.more = {"prefill": prefill}
            request = turns.ContinueTurn(
                conversation_id=talk.id,
                request_id=new_request(),
                turn_id=ticket.turn_id,
                model="known/rest",
            )
            await client.call(turns.continue_, request)
            await talk.until(ev.TurnFinished, count=count)
        question, partial, rest, other = await said(talk)
        assert (partial.text, partial.partial) == ("Once upon ", True)
        assert [rest.parent_id, other.parent_id] == [partial.id, partial.id]
        told = [[message.text for message in request.messages] for request in heard[1:]]
        assert told == [[question.text, "Once upon ", GO_ON], [question.text, "Once upon "]]
        follow = await talk.ask(script("count3", (Count(),)), "And then?", parent_id=rest.id)
        await talk.until(ev.TurnFinished, count=3)
        assert follow.message_id in (await talk.state()).messages
        assert (await talk.answers())[-1] == "3"  # both halves are one answer to a model

    async def test_what_has_finished_is_not_gone_on_with(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        client = InProcessClient(await open_here())
        talk, other = await begin(client), await begin(client)
        ticket = await talk.ask(script("whole", (Echo(),)))
        await talk.until(ev.TurnFinished)
        request = turns.ContinueTurn(
            conversation_id=talk.id, request_id=new_request(), turn_id=ticket.turn_id
        )
        with pytest.raises(Conflict, match="has finished"):
            await client.call(turns.continue_, request)
        request.conversation_id, request.request_id = other.id, new_request()
        with pytest.raises(NotFound):
            await client.call(turns.continue_, request)
        request.turn_id = TurnId("01900000-0000-7000-8000-000000000000")
        with pytest.raises(NotFound):
            await client.call(turns.continue_, request)

    async def test_a_failed_turn_is_asked_again_from_its_question(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        client = InProcessClient(await open_here())
        talk = await begin(client)
        ticket = await talk.ask(script("down", (Fail("provider_error"),)), "Hello?")
        await talk.until(ev.TurnFailed)
        request = turns.ContinueTurn(
            conversation_id=talk.id,
            request_id=new_request(),
            turn_id=ticket.turn_id,
            model=script("up", (Echo(),)),
            options=RequestOptions(temperature=0.0),
        )
        await client.call(turns.continue_, request)
        await talk.until(ev.TurnFinished)
        question, answer = await said(talk)
        assert (answer.text, answer.parent_id) == ("Hello?", question.id)


class TestFiles:
    async def test_there_and_back(self, open_here: Open, begin: Begin, script: Write) -> None:
        client = InProcessClient(await open_here())
        talk = await begin(client)
        model = script("code", (Say("Try this:\n\n```python\nprint('👩‍👩‍👧')\n```\n\nDone."),))
        await asked_and_answered(talk, model, "How?", "And else?")
        first = (await said(talk))[1]
        again = messages.RegenerateAnswer(
            conversation_id=talk.id, request_id=new_request(), message_id=first.id, model=model
        )
        await client.call(messages.regenerate, again)
        await talk.until(ev.TurnFinished, count=3)

        async def export(kind: Any, **more: Any) -> conversations.ExportedFile:
            request = conversations.ExportConversation(talk.id, kind, **more)
            return await client.call(conversations.export, request)

        notebook = await export("notebook", message_id=first.id)
        read = nbformat.reads(notebook.content, as_version=4)
        nbformat.validate(read)
        assert [cell.cell_type for cell in read.cells] == ["markdown"] * 3 + ["code", "markdown"]
        assert read.cells[3].source == "print('👩‍👩‍👧')"
        assert "## You\n\nHow?" in (await export("markdown")).content
        whole = await export("json")
        request = conversations.ImportConversation(whole.content)
        made = await client.call(conversations.import_, request)
        back = await said(type(talk)(client, made.id))
        assert [shape(back)] == [shape(await said(talk))]
        assert {message.id for message in back}.isdisjoint({it.id for it in await said(talk)})

    async def test_jupyter_ais_chat_is_read(self, open_here: Open) -> None:
        client = InProcessClient(await open_here())
        bot = "jupyter-ai-personas::jupyter_ai::JupyternautPersona"
        chat = {
            "messages": [
                {"type": "msg", "body": "Hi!", "sender": bot, "id": "2", "time": 1750000001.5},
                {"type": "msg", "body": "Hello.", "sender": "ada", "id": "1", "time": 1750000000},
                {"type": "msg", "body": "", "sender": "ada", "id": "3", "time": 2, "deleted": True},
            ],
            "users": {"ada": {"username": "ada"}, bot: {"username": bot, "bot": True}},
            "metadata": {"id": "chat"},
        }
        request = conversations.ImportConversation(json.dumps(chat), "jupyter-ai", "Brought along")
        made = await client.call(conversations.import_, request)
        got = conversations.GetConversation(made.id)
        state = await client.call(conversations.get, got)
        assert state.conversation.title == "Brought along"
        assert [(it.role, it.text) for it in state.messages.values()] == [
            ("user", "Hello."),
            ("assistant", "Hi!"),
        ]

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda state: state["messages"].popitem(),
            lambda state: state["messages"].update(state["messages"]),
        ],
        ids=["nothing", "the same"],
    )
    async def test_an_import_that_hangs_together_is_taken(
        self, open_here: Open, begin: Begin, script: Write, spoil: Any
    ) -> None:
        content = await self._exported(await open_here(), begin, script)
        spoil(content[1]["state"])
        request = conversations.ImportConversation(json.dumps(content[1]))
        assert await content[0].call(conversations.import_, request)

    async def test_an_import_without_a_parent_is_refused_whole(
        self, open_here: Open, begin: Begin, script: Write
    ) -> None:
        client, content = await self._exported(await open_here(), begin, script)
        first = next(iter(content["state"]["messages"]))
        del content["state"]["messages"][first]
        request = conversations.ImportConversation(json.dumps(content))
        with pytest.raises(InvalidRequest, match="do not hang together"):
            await client.call(conversations.import_, request)
        listed = await client.call(conversations.list_, conversations.ListConversations())
        assert len(listed.conversations) == 1

    @staticmethod
    async def _exported(application: Any, begin: Begin, script: Write) -> Any:
        client = InProcessClient(application)
        talk = await begin(client)
        await asked_and_answered(talk, script("out", (Echo(),)), "One.", "Two.")
        request = conversations.ExportConversation(talk.id)
        return client, json.loads((await client.call(conversations.export, request)).content)


def shape(whole: list[Message]) -> list[tuple[Any, ...]]:
    """What was said, by whom, and what it follows, whatever the names are."""
    places = {message.id: number for number, message in enumerate(whole)}
    return [
        (it.role, it.parts, None if it.parent_id is None else places[MessageId(it.parent_id)])
        for it in whole
    ]


class TestLimits:
    async def test_the_oldest_turns_are_left_out_and_everybody_sees_it(
        self, build: Build, begin: Begin, scripts_dir: Any, script: Write
    ) -> None:
        clock = ManualClock()
        house = await build(clock=clock, others=[known(scripts_dir, clock, window=1000)])
        talk = await begin(InProcessClient(house.application))
        script("counting", (Count(), Report(0, 0)))
        for count in range(1, 5):
            long = f"{count} " + "x" * 960
            await talk.ask("known/counting", long, request_id=new_request())
            seen = await talk.until(ev.TurnFinished, count=count)
        assert await talk.answers() == ["1", "3", "5", "3"]
        (reduced,) = [event for event in seen if isinstance(event, ev.RequestReduced)]
        assert (reduced.left_out, reduced.window) == (4, 1000)
        assert reduced.tokens_after <= 500
        assert reduced.tokens_before > 800
        assert len(await said(talk)) == 8

    @pytest.mark.parametrize("where", ["conversation", "configuration"])
    async def test_a_conversation_costs_what_it_may_and_no_more(
        self, build: Build, begin: Begin, scripts_dir: Any, script: Write, where: str
    ) -> None:
        clock = ManualClock()
        priced = known(scripts_dir, clock, prices=Prices("1000000", "1000000"))
        limit = {"max_cost": "3.00" if where == "configuration" else "99"}
        house = await build(clock=clock, others=[priced], **limit)
        client = InProcessClient(house.application)
        talk = await begin(client)
        # Of the two limits the lower one counts: nobody raises the site's.
        chosen = ConversationSettings(max_cost="3.00" if where == "conversation" else "99")
        request = conversations.ConfigureConversation(talk.id, chosen)
        await client.call(conversations.configure, request)
        script("dear", (Say("Two dollars."), Report(1, 1)))
        await asked_and_answered(talk, "known/dear", "One.", "Two.")
        await talk.ask("known/dear", "Three.")
        failed = (await talk.until(ev.TurnFailed))[-1]
        assert failed.error.code == "limit_reached"
        assert "has cost $4.00, and may cost $3" in failed.error.text

    async def test_who_stands_in_has_a_known_price(
        self, build: Build, begin: Begin, scripts_dir: Any, script: Write
    ) -> None:
        clock = ManualClock()
        priced = known(scripts_dir, clock, prices=Prices("1", "1"))
        free = script("free2", (Echo(),))
        house = await build(
            clock=clock, others=[priced], max_cost="1", fallbacks=Fallbacks(outage=(free,))
        )
        talk = await begin(InProcessClient(house.application))
        script("down2", (Fail("quota_exceeded"),))
        await talk.ask("known/down2")
        failed = (await talk.until(ev.TurnFailed))[-1]
        assert failed.error.code == "quota_exceeded"

    async def test_where_prices_are_unknown_a_limit_is_not_pretended(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build(max_cost="1")
        talk = await begin(InProcessClient(house.application))
        await talk.ask(script("free", (Echo(),)))
        failed = (await talk.until(ev.TurnFailed))[-1]
        assert "is not known" in failed.error.text

    async def test_so_many_turns_and_no_more(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build(most_turns=2)
        client = InProcessClient(house.application)
        model = script("onandon", (Say("So "), LATER))
        for _ in range(2):
            await (await begin(client)).ask(model, uuid.uuid4().hex)
        with pytest.raises(LimitReached, match="2 turns are under way"):
            await (await begin(client)).ask(model, uuid.uuid4().hex)

    async def test_so_many_turns_at_once_and_no_more(
        self, build: Build, begin: Begin, script: Write
    ) -> None:
        house = await build(most_turns=3)
        client = InProcessClient(house.application)
        model = script("onandon2", (Say("So "), LATER))
        talks = [await begin(client) for _ in range(9)]
        asked = [talk.ask(model, uuid.uuid4().hex) for talk in talks]
        came = await asyncio.gather(*asked, return_exceptions=True)
        assert 1 <= sum(not isinstance(item, LimitReached) for item in came) <= 3

    async def test_how_to_answer_reaches_the_model(
        self, build: Build, begin: Begin, scripts_dir: Any, script: Write
    ) -> None:
        heard: list[RequestOptions] = []

        class Listening(Known):
            async def stream(self, request: Any) -> Any:
                heard.append(request.options)
                async for chunks in super().stream(request):
                    yield chunks

        clock = ManualClock()
        provider = Listening(scripts_dir, clock, "known")
        house = await build(clock=clock, others=[ProviderEntry("known", provider)])
        talk = await begin(InProcessClient(house.application))
        script("plain", (Echo(),))
        options = RequestOptions(temperature=0.5, max_output_tokens=7)
        await talk.ask("known/plain", options=options)
        await talk.until(ev.TurnFinished)
        assert heard == [options]
