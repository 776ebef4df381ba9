"""What two applications on one file, and storage that refuses, mean to a running turn."""

from __future__ import annotations

from typing import Any

import pytest

from bestchat_server_ext.api import conversations, turns
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import NotFound, Unavailable
from bestchat_server_ext.core.ids import ConversationId, OwnerId
from bestchat_server_ext.core.script import Echo, Say, Wait
from bestchat_server_ext.services import turn_run


async def test_stop_reaches_a_turn_of_another_process(
    open_here: Any, begin: Any, script: Any
) -> None:
    talk = await begin(InProcessClient(await open_here()))
    other = talk.seen_by(InProcessClient(await open_here()))
    ticket = await talk.ask(script("slow", (Say("kept "), Wait(60), Say("never"))))
    await talk.until_text("kept ")
    await other.cancel(ticket.turn_id)
    await talk.until(ev.TurnCancelled)
    assert await talk.answers() == ["kept "]


async def test_an_answer_waits_for_storage_that_refuses_it(
    open_here: Any, begin: Any, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_run, "RETRY_SECONDS", 0.0)
    application = await open_here()
    talk = await begin(InProcessClient(application))
    storage = application._services.storage
    append, refusals = storage.append, iter(range(3))

    async def full(conversation_id: Any, events: Any, *args: Any, **kwargs: Any) -> Any:
        told = any(isinstance(event, ev.TurnFinished) for event in events)
        if told and next(refusals, None) is not None:
            raise Unavailable("The disk is full.")
        return await append(conversation_id, events, *args, **kwargs)

    monkeypatch.setattr(storage, "append", full)
    await talk.ask(script("echo", (Echo(),)), "Still here?")
    await talk.until(ev.TurnFinished)
    assert await talk.answers() == ["Still here?"]
    assert next(refusals, None) is None


async def test_a_conversation_named_like_a_turn_gives_no_right_to_it(
    open_here: Any, begin: Any, script: Any
) -> None:
    application = await open_here()
    talk = await begin(InProcessClient(application))
    ticket = await talk.ask(script("slow", (Say("kept "), Wait(60))))
    await talk.until_text("kept ")
    thief = InProcessClient(application, Caller(OwnerId("thief"), "user"))
    named = conversations.CreateConversation(conversation_id=ConversationId(ticket.turn_id))
    await thief.call(conversations.create, named)
    for procedure, request in (
        (turns.get, turns.GetTurn(ticket.turn_id)),
        (turns.cancel, turns.CancelTurn(ticket.turn_id)),
    ):
        with pytest.raises(NotFound):
            await thief.call(procedure, request)
    assert (await talk.turn(ticket.turn_id)).active
