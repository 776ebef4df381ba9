"""Rights that are taken away close the WebSocket at once, and not only at its next heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tornado.web import HTTPError

from bestchat_server_ext.api import closing
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.inprocess import LOCAL_CALLER
from bestchat_server_ext.core.access import KERNEL_SCOPES, Caller
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.web import socket as web_socket

FAR = 10_000.0
"""Seconds after which no test is still there to see a heartbeat."""


@pytest.fixture(autouse=True)
def no_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_socket, "HEARTBEAT_SECONDS", FAR)


async def follower(site: Any, headers: dict[str, str], conversation_id: str) -> Any:
    """A line on which a conversation is followed."""
    line = await site.connect(headers)
    await line.greet()
    await line.say(type="subscribe", conversation_id=conversation_id, after=1)
    assert (await line.hear())["type"] == "caught_up"
    return line


async def id_of(application: Application, headers: dict[str, str]) -> Any:
    return (await application.authenticate(headers["Authorization"].partition(" ")[2])).token_id


async def test_a_revoked_token_loses_its_lines_and_no_others(
    plain: Any, application: Application
) -> None:
    lost, kept = await plain.add_token(), await plain.add_token()
    mine = await plain.begin()
    lines = [await follower(plain, lost, mine) for _ in range(3)]
    other = await follower(plain, kept, mine)
    token_id = await id_of(application, lost)
    assert (await plain.call("tokens.revoke", {"token_id": token_id})).status == 200
    body = {"conversation_id": mine, "title": "Not for everybody"}
    assert (await plain.call("conversations.rename", body)).status == 200
    for line in lines:
        assert await line.hear() == closing.NOT_AUTHENTICATED.code
    assert (await other.hear())["event"]["title"] == "Not for everybody"


async def test_a_token_that_revokes_itself_hangs_up(plain: Any, application: Application) -> None:
    own = await plain.add_token()
    line = await plain.connect(own)
    await line.greet()
    body = {"token_id": await id_of(application, own)}
    assert (await plain.call("tokens.revoke", body, own)).status == 200
    assert await line.hear() == closing.NOT_AUTHENTICATED.code


async def test_a_kernel_that_ends_loses_its_lines(plain: Any, application: Application) -> None:
    mine = await plain.begin()
    ended = await follower(plain, await plain.kernel_token("kernel-1"), mine)
    running = await follower(plain, await plain.kernel_token("kernel-2"), mine)
    await application.tokens.revoke_kernel("kernel-1")
    assert await ended.hear() == closing.NOT_AUTHENTICATED.code
    await running.say(type="ping")
    assert (await running.heartbeat())["seqs"] == {mine: 1}


async def test_a_line_that_has_not_said_hello_is_cut_too(
    plain: Any, application: Application
) -> None:
    own = await plain.add_token()
    line = await plain.connect(own)
    await plain.call("tokens.revoke", {"token_id": await id_of(application, own)})
    assert await line.hear() == closing.NOT_AUTHENTICATED.code


async def test_a_token_that_was_revoked_while_the_line_was_opened(
    plain: Any, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check of a token and the watch over it there is a moment."""
    authenticate = application.authenticate

    async def checked_and_then_revoked(token: str) -> Caller:
        caller = await authenticate(token)
        assert caller.token_id is not None
        await application.tokens.revoke(caller.token_id)
        return caller

    own = await plain.add_token()
    monkeypatch.setattr(application, "authenticate", checked_and_then_revoked)
    line = await plain.connect(own)
    assert await line.hear() == closing.NOT_AUTHENTICATED.code


@pytest.mark.parametrize("kind", ["token", "kernel"])
async def test_a_token_that_expires_loses_its_lines_then(
    plain: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    lifetime = timedelta(hours=1)

    class Later(datetime):
        """A clock that comes close to the end of the token's time."""

        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + lifetime - timedelta(seconds=0.2)

    headers = await plain.add_token(
        kind=kind, scopes=tuple(KERNEL_SCOPES), lifetime=lifetime, kernel_id="kernel-1"
    )
    monkeypatch.setattr(web_socket, "datetime", Later)
    line = await plain.connect(headers)
    assert await line.hear() == closing.NOT_AUTHENTICATED.code


async def test_a_token_with_time_left_keeps_its_line(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_socket, "HEARTBEAT_SECONDS", 0.001)
    line = await plain.connect(await plain.add_token(lifetime=timedelta(hours=1)))
    await line.greet()
    for _ in range(5):
        assert (await line.heartbeat())["seqs"] == {}


class Providing:
    """The user of a host whose provider of identities is asked at each heartbeat."""

    def __init__(self, *trouble: Exception | None) -> None:
        """With each time of being asked, raise what comes next; the last again and again."""
        self.trouble = list(trouble)

    async def caller(self, _: object) -> Caller:
        error = self.trouble.pop(0) if len(self.trouble) > 1 else self.trouble[0]
        if error is not None:
            raise error
        return LOCAL_CALLER


@pytest.fixture
def ask_a_provider(
    mount: Any, application: Application, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[Any]]:
    """Greet on a line whose user a provider has to vouch for."""

    async def build() -> Application:
        return application

    async def greet(*trouble: Exception | None) -> Any:
        monkeypatch.setattr(web_socket, "HEARTBEAT_SECONDS", 0.001)
        site = await mount(build, authenticator=lambda _: Providing(None, *trouble))
        line = await site.connect()
        await line.greet()
        return line

    return greet


@pytest.mark.parametrize(
    "error",
    [HTTPError(500, "canary"), HTTPError(503), Unavailable("Gone."), RuntimeError("canary")],
    ids=["refusal", "silence", "known", "unknown"],
)
async def test_a_provider_that_fails_once_does_not_stop_the_heart(
    ask_a_provider: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    beyond = [error] * (web_socket.UNCHECKED_LIMIT - 1)
    line = await ask_a_provider(*beyond, None, *beyond, None)
    for _ in range(3):
        assert (await line.heartbeat())["seqs"] == {}
    assert caplog.text.count("no heartbeat was sent") == 2 * len(beyond)
    assert "canary" not in caplog.text


async def test_rights_that_nobody_can_check_do_not_last(ask_a_provider: Any) -> None:
    line = await ask_a_provider(HTTPError(500))
    assert await line.hear() == closing.UNAVAILABLE.code


@pytest.mark.parametrize("status", [401, 403])
async def test_a_provider_that_knows_nobody_any_more_ends_the_line(
    ask_a_provider: Any, status: int
) -> None:
    line = await ask_a_provider(None, HTTPError(status))
    assert await line.hear() == closing.NOT_AUTHENTICATED.code


async def test_watches_end_with_their_lines(plain: Any, application: Application) -> None:
    tokens = application.tokens
    gone, revoked = await plain.add_token(), await plain.add_token()
    lines = [await plain.connect(headers) for headers in (gone, gone, revoked)]
    for line in lines:
        await line.greet()
    assert set(tokens._watchers) == {
        await id_of(application, gone),
        await id_of(application, revoked),
    }
    hearts = [task for task in asyncio.all_tasks() if task.get_name() == "bestchat-heartbeat"]
    assert len(hearts) == 3
    for line in lines[:2]:
        await line.socket.close()
    await tokens.revoke(await id_of(application, revoked))
    assert await lines[2].hear() == closing.NOT_AUTHENTICATED.code
    done, left = await asyncio.wait(hearts, timeout=20)
    assert (len(done), left) == (3, set())
    assert tokens._watchers == {}


async def test_a_refused_line_is_not_watched(plain: Any, application: Application) -> None:
    own = await plain.add_token()
    headers = own | {"Origin": "https://evil.example"}
    for sent in (headers, {"Authorization": "token bc_" + "A" * 43}):
        with pytest.raises(Exception, match="Invalid response status"):
            await plain.connect(sent)
    assert application.tokens._watchers == {}


async def test_inside_jupyter_a_revoked_token_loses_its_line_as_well(inside: Any) -> None:
    made = (
        await inside.call("tokens.create", {"name": "t", "scopes": ["conversations:read"]})
    ).json
    line = await inside.connect({"Authorization": f"Bearer {made['token']}"})
    await line.greet()
    assert datetime.fromisoformat(made["created_at"]) <= datetime.now(UTC)
    assert (await inside.call("tokens.revoke", {"token_id": made["id"]})).status == 200
    assert await line.hear() == closing.NOT_AUTHENTICATED.code


REMEMBERING = """
import os

from jupyter_server.auth.identity import IdentityProvider, User


class Hub(IdentityProvider):
    '''As JupyterHub's: who was found once on a handler is not looked for again.'''

    def get_user(self, handler):
        if self.get_token(handler) == self.token:
            handler._token_authenticated = True
            return User("operator")
        if not hasattr(handler, "_hub_user"):
            with open(os.environ["HUB_FILE"]) as file:
                name = file.read()
            handler._hub_user = User(name) if name else None
        return handler._hub_user
"""


@pytest.mark.parametrize("now", ["", "grace"], ids=["nobody", "somebody else"])
async def test_a_provider_that_remembers_is_asked_anew(
    start_jupyter: Any, session: Any, site_of: Any, tmp_path: Any, now: str
) -> None:
    hub = tmp_path / "hub"
    hub.write_text("ada", encoding="utf-8")
    (tmp_path / "remembering.py").write_text(REMEMBERING, encoding="utf-8")
    option = "--ServerApp.identity_provider_class=remembering.Hub"
    site = site_of(start_jupyter("/", option, PYTHONPATH=str(tmp_path), HUB_FILE=str(hub)), session)
    line = await site.connect({})
    await line.greet()
    for _ in range(3):
        assert (await line.heartbeat())["seqs"] == {}
    (tmp_path / "new").write_text(now, encoding="utf-8")
    (tmp_path / "new").replace(hub)
    assert await line.hear() == closing.NOT_AUTHENTICATED.code
