"""What a site's options let its users do, through the application."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.api import conversations, models, turns
from bestchat_server_ext.bootstrap import Application, open_application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.errors import Disabled, MissingKey, NotPermitted
from bestchat_server_ext.core.events import Envelope, TurnFailed
from bestchat_server_ext.core.ids import RequestId

KEY = "sk-canary-6b1f"
OpenSite = Callable[..., Any]


@pytest.fixture
async def open_site(environ: dict[str, str]) -> AsyncIterator[OpenSite]:
    async with AsyncExitStack() as stack:

        async def open_one(
            *, serves: bool = False, more: dict[str, str] | None = None, **options: Any
        ) -> InProcessClient:
            opened: Application = await open_application(
                environ | (more or {}), options, serves=serves
            )
            stack.push_async_callback(opened.close)
            return InProcessClient(opened)

        yield open_one


async def ask(client: InProcessClient, model: str | None = None) -> turns.TurnTicket:
    made = await client.call(conversations.create, conversations.CreateConversation())
    request = turns.StartTurn(
        conversation_id=made.id, request_id=RequestId(uuid.uuid4().hex), text="hello", model=model
    )
    return await client.call(turns.start, request)


def there(folder: Path) -> bool:
    return folder.exists()


async def test_only_permitted_models_answer_and_are_listed(open_site: OpenSite) -> None:
    client = await open_site(allowed_models=("scripted/e*",))
    assert (await ask(client)).model == "scripted/echo"
    with pytest.raises(NotPermitted, match=r"scripted/e\*"):
        await ask(client, "local/smollm2-135m")
    listed = await client.call(models.list_, models.ListModels())
    assert {facts.ref for facts in listed.models} == {"scripted/echo"}


async def test_a_default_that_is_not_permitted_is_said(open_site: OpenSite) -> None:
    client = await open_site(allowed_models=("openai/*",))
    with pytest.raises(NotPermitted, match="scripted/echo"):
        await ask(client)


async def test_requests_go_to_permitted_addresses_only(open_site: OpenSite) -> None:
    client = await open_site(
        more={"OPENAI_API_KEY": KEY}, allowed_base_urls=("https://llm.example/",)
    )
    ticket = await ask(client, "openai/gpt-5-mini")
    turn = await client.call(turns.get, turns.GetTurn(ticket.turn_id))
    async for frame in client.follow(turn.conversation_id, after=0):
        if isinstance(frame, Envelope) and isinstance(frame.event, TurnFailed):
            error = frame.event.error
            break
    assert error.code == NotPermitted.code
    assert "api.openai.com" in error.text
    assert KEY not in str(error)


async def test_keys_of_users_are_not_used_where_a_site_says_so(open_site: OpenSite) -> None:
    own = {"OPENAI_API_KEY": KEY}
    with pytest.raises(NotPermitted, match="no keys"):
        await ask(await open_site(more=own, allow_user_keys=False), "openai/gpt-5-mini")
    # The environment of a server is the site's own.
    nowhere = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    served = await open_site(more=own | nowhere, serves=True, allow_user_keys=False)
    assert (await ask(served, "openai/gpt-5-mini")).model == "openai/gpt-5-mini"
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        await ask(await open_site(), "openai/gpt-5-mini")


async def test_a_site_can_switch_everything_off(open_site: OpenSite, data_dir: Path) -> None:
    with pytest.raises(Disabled, match="switched off"):
        await open_site(enabled=False)
    assert not there(data_dir)
