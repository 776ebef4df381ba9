"""Two tabs, a notebook and a script on one conversation: one order, one answer, one truth."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from bestchat_server_ext.api import approvals, conversations, turns
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import Conflict
from bestchat_server_ext.core.ids import RequestId
from bestchat_server_ext.testing.script import Call, Say


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
async def site(open_here: Any, mount: Any) -> Any:
    """A server with a tool that asks first."""
    application = await open_here(add)

    async def build() -> Any:
        return application

    mounted = await mount(build)
    mounted.headers = await mounted.add_token()
    return mounted


async def tab(site: Any, conversation_id: str) -> Any:
    line = await site.connect()
    await line.greet()
    await line.say(type="subscribe", conversation_id=conversation_id, after=1)
    assert (await line.hear())["type"] == "caught_up"
    return line


async def heard_by_tab(line: Any) -> list[tuple[int, str]]:
    """Every event up to the end of the turn: number and kind."""
    heard: list[tuple[int, str]] = []
    while not heard or heard[-1][1] != "turn_finished":
        frame = await line.hear()
        if frame["type"] == "event":
            heard.append((frame["seq"], frame["event"]["type"]))
    return heard


async def heard_by_client(client: Any, conversation_id: Any) -> list[tuple[int, str]]:
    heard: list[tuple[int, str]] = []
    async with aclosing(client.follow(conversation_id, 1)) as frames:
        async for frame in frames:
            if isinstance(frame, ev.Envelope):
                heard.append((frame.seq, frame.event.__struct_config__.tag))
                if isinstance(frame.event, ev.TurnFinished):
                    break
    return heard


async def test_all_see_one_order_and_the_first_answer_counts(
    site: Any, open_here: Any, script: Any
) -> None:
    """The fourth is another process on the same file, as a notebook without a server is."""
    model = script("sum", (Say("Let me see. "), Call("add", {"a": 1, "b": 1})), (Say("It is 2."),))
    token = (await site.add_token())["Authorization"].split()[1]
    kernel, headless = RemoteClient(site.url, token), InProcessClient(await open_here(add))
    made = await kernel.call(conversations.create, conversations.CreateConversation())
    tabs = [await tab(site, made.id), await tab(site, made.id)]
    reading = [
        *(asyncio.create_task(heard_by_tab(line)) for line in tabs),
        *(asyncio.create_task(heard_by_client(one, made.id)) for one in (kernel, headless)),
    ]
    request = turns.StartTurn(
        conversation_id=made.id, request_id=RequestId("r"), text="1 + 1?", model=model
    )
    await kernel.call(turns.start, request)
    async with aclosing(headless.follow(made.id, 1)) as frames:
        async for frame in frames:
            if isinstance(frame, ev.Envelope) and isinstance(frame.event, ev.TurnWaiting):
                break
    waiting = await headless.call(approvals.list_, approvals.ListApprovals(made.id))
    (call,) = waiting.executions
    answers = [
        kernel.call(approvals.answer, approvals.AnswerApproval(call.id, "approve")),
        headless.call(approvals.answer, approvals.AnswerApproval(call.id, "approve")),
        site.call("approvals.answer", {"execution_id": call.id, "verdict": "approve"}),
    ]
    results = await asyncio.gather(*answers, return_exceptions=True)
    late = [
        result
        for result in results
        if isinstance(result, Conflict) or getattr(result, "status", 200) == 409
    ]
    assert len(late) == 2, results
    async with asyncio.timeout(30):
        heard = await asyncio.gather(*reading)
    await kernel.close()
    assert heard[0] == heard[1] == heard[2] == heard[3]
    assert [seq for seq, _ in heard[0]] == list(range(2, 2 + len(heard[0])))
    kinds = [kind for _, kind in heard[0]]
    assert kinds.count("approval_answered") == kinds.count("tool_started") == 1


async def test_another_process_on_the_same_file_is_seen_within_two_seconds(
    site: Any, open_here: Any
) -> None:
    """As events, in order and without a gap, and before any heartbeat."""
    headless = InProcessClient(await open_here(add))
    made = await headless.call(conversations.create, conversations.CreateConversation())
    line = await tab(site, made.id)
    titles = [f"Title {number}" for number in range(20)]
    for title in titles:
        rename = conversations.RenameConversation(made.id, title)
        await headless.call(conversations.rename, rename)
    written = asyncio.get_running_loop().time()
    heard = []
    while len(heard) < len(titles):
        frame = await line.hear()
        if frame["type"] == "event":
            heard.append((frame["seq"], frame["event"]["title"]))
    assert asyncio.get_running_loop().time() - written < 2.5  # a loaded machine's half second
    assert heard == list(enumerate(titles, 2))
