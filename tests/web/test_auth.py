"""Who may do what: every procedure, and the WebSocket, with every kind of credential."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bestchat_server_ext.api.catalog import PROCEDURES
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.testing.script import Call, Say
from bestchat_server_ext.web import socket as web_socket

CALLS = [item for item in PROCEDURES if not item.stream]
NOBODY = "01900000-0000-7000-8000-000000000000"

FITTING: dict[str, dict[str, Any]] = {
    "conversations.rename": {"title": "Mine now"},
    "turns.start": {"request_id": "r", "text": "Hello.", "model": "scripted/echo"},
    "approvals.answer": {"verdict": "approve"},
}


def body_for(procedure: Any, object_id: str) -> dict[str, Any]:
    """A request that is in order, about an object."""
    target = {} if procedure.target is None else {procedure.target: object_id}
    return FITTING.get(procedure.name, {}) | target


async def refusal(connecting: Awaitable[Any]) -> int:
    """The status with which a WebSocket is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await connecting
    return caught.value.status


async def no_token(_: Any) -> dict[str, str]:
    return {}


async def wrong_token(_: Any) -> dict[str, str]:
    return {"Authorization": "token 0123456789abcdef"}


async def malformed_token(_: Any) -> dict[str, str]:
    return {"Authorization": "token bc_0123456789abcdef"}


async def unknown_token(_: Any) -> dict[str, str]:
    return {"Authorization": "token bc_" + "A" * 43}


async def empty_token(_: Any) -> dict[str, str]:
    return {"Authorization": "Bearer bc_"}


async def odd_token(_: Any) -> dict[str, str]:
    return {"Authorization": "token bc_\u00e9\u00ff"}


async def revoked_token(site: Any) -> Any:
    return await site.add_token(revoked_at=datetime.now(UTC))


async def expired_token(site: Any) -> Any:
    return await site.add_token(lifetime=timedelta(seconds=-1))


@pytest.mark.parametrize(
    "credential",
    [
        no_token,
        wrong_token,
        malformed_token,
        unknown_token,
        empty_token,
        odd_token,
        revoked_token,
        expired_token,
    ],
)
async def test_without_a_good_credential_nothing_is_told(site: Any, credential: Any) -> None:
    headers = await credential(site)
    for procedure in CALLS:
        answer = await site.call(procedure.name, body_for(procedure, NOBODY), headers)
        if procedure.scope is None and credential in {no_token, wrong_token}:
            assert answer.json == {"alive": True, "protocol": 1}
        else:
            assert (procedure.name, answer.status) == (procedure.name, 401)
            assert answer.error["code"] == "not_authenticated"
    document = await site.ask("GET", "bestchat/api/openapi.json", headers=headers)
    assert (document.status, document.error["code"]) == (401, "not_authenticated")
    health = await site.ask("GET", "bestchat/api/health", headers=headers)
    assert (health.status, health.json) == (200, {"alive": True, "protocol": 1})
    assert await refusal(site.connect(headers)) == 401


async def test_good_credentials_are_taken_in_every_spelling(site: Any) -> None:
    token = (await site.add_token())["Authorization"].partition(" ")[2]
    for kind in ("token", "Token", "bearer", "Bearer", "BEARER"):
        answer = await site.call("system.whoami", {}, {"Authorization": f"{kind} {token}"})
        assert answer.json["kind"] == "token"
    for kind in ("Basic", ""):
        answer = await site.call("system.whoami", {}, {"Authorization": f"{kind} {token}"})
        assert answer.status == 401


async def test_what_is_somebody_elses_looks_as_if_it_did_not_exist(site: Any) -> None:
    other = await site.add_token(owner="somebody-else")
    mine = await site.begin()
    started = await site.call(
        "turns.start", {"conversation_id": mine, **FITTING["turns.start"], "request_id": mine}
    )
    ids = {
        "conversation_id": mine,
        "turn_id": started.json["turn_id"],
        "execution_id": started.json["turn_id"],
    }
    for procedure in CALLS:
        if procedure.target is None:
            continue
        body = body_for(procedure, ids[procedure.target])
        missing = body_for(procedure, NOBODY)
        theirs = await site.call(procedure.name, body, other)
        nobodys = await site.call(procedure.name, missing, other)
        assert (procedure.name, theirs.status) == (procedure.name, 404)
        assert theirs.text == nobodys.text
    listed = await site.call("conversations.list", {}, other)
    assert listed.json["conversations"] == []
    assert (await site.call("approvals.list", {}, other)).json["executions"] == []
    line = await site.connect(other)
    await line.greet()
    # A heartbeat at once, before the subscription was refused, must not tell either.
    await line.say(type="subscribe", conversation_id=mine)
    await line.say(type="ping")
    assert (await line.heartbeat())["seqs"] == {}
    line = await site.connect(other)
    await line.greet()
    await line.say(type="subscribe", conversation_id=mine)
    refused = await line.hear()
    assert (refused["type"], refused["error"]["code"]) == ("error", "not_found")
    assert refused["conversation_id"] == mine
    # It is all still there.
    assert (await site.call("conversations.get", {"conversation_id": mine})).status == 200


async def test_a_parent_in_somebody_elses_conversation_is_not_found(site: Any) -> None:
    other = await site.add_token(owner="somebody-else")
    mine, theirs = await site.begin(), await site.begin(other)
    body = {"conversation_id": mine, "request_id": mine, "text": "A.", "model": "scripted/echo"}
    message = (await site.call("turns.start", body)).json["message_id"]
    body |= {"conversation_id": theirs, "parent_id": message}
    answer = await site.call("turns.start", body, other)
    assert (answer.status, answer.error["field"]) == (404, "parent_id")


async def test_a_kernel_may_do_everything_but_delete(site: Any) -> None:
    kernel = await site.kernel_token("kernel-1")
    identity = (await site.call("system.whoami", {}, kernel)).json
    assert (identity["owner"], identity["kind"]) == ("local", "kernel")
    assert "conversations:delete" not in identity["scopes"]
    mine = await site.begin(kernel)
    assert (await site.call("conversations.get", {"conversation_id": mine})).status == 200
    refused = await site.call("conversations.delete", {"conversation_id": mine}, kernel)
    assert (refused.status, refused.error["code"]) == (403, "not_allowed")
    assert (await site.call("conversations.delete", {"conversation_id": mine})).status == 200


async def test_a_token_is_for_what_it_was_made_for(site: Any) -> None:
    nothing = await site.add_token(scopes=())
    mine = await site.begin()
    for procedure in CALLS:
        if procedure.scope is None:
            continue
        object_id = mine if procedure.target == "conversation_id" else NOBODY
        answer = await site.call(procedure.name, body_for(procedure, object_id), nothing)
        expected = 404 if object_id == NOBODY and procedure.target else 403
        assert (procedure.name, answer.status) == (procedure.name, expected)


async def test_a_line_without_the_right_to_read_hears_nothing(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = await plain.add_token(scopes=())
    mine = await plain.begin()
    line = await plain.connect(nothing)
    await line.greet()
    for frame in ({"type": "subscribe", "conversation_id": mine}, {"type": "ping"}):
        await line.say(**frame)
        assert (await line.hear())["error"]["code"] == "not_allowed"
    monkeypatch.setattr(web_socket, "HEARTBEAT_SECONDS", 0.001)
    closing = await plain.connect(nothing)
    assert await closing.hear() == web_socket.CLOSE_NOT_AUTHENTICATED


async def test_a_kernel_cannot_approve_what_runs_elsewhere(
    mount: Any, open_here: Callable[..., Awaitable[Application]], script: Callable[..., str]
) -> None:
    ran: list[str] = []

    def touch(name: str) -> str:
        ran.append(name)
        return "touched"

    application = await open_here(touch)

    async def build() -> Application:
        return application

    site = await mount(build)
    site.headers = await site.add_token()
    kernel, unbound = await site.kernel_token("kernel-1"), await site.kernel_token()
    mine = await site.begin(kernel)
    model = script("touch", (Call("touch", {"name": "it"}),), (Say("Done."),))
    body = {"conversation_id": mine, "request_id": "r", "text": "Go.", "model": model}
    await site.call("turns.start", body, kernel)
    line = await site.connect()
    await line.greet()
    await line.say(type="subscribe", conversation_id=mine, after=0)
    while (frame := await line.hear()).get("event", {}).get("type") != "turn_waiting":
        assert frame["type"] in {"event", "caught_up"}
    (waiting,) = (await site.call("approvals.list", {}, kernel)).json["executions"]
    for headers in (kernel, unbound):
        for verdict in ("approve", "reject"):
            answer = {"execution_id": waiting["id"], "verdict": verdict}
            refused = await site.call("approvals.answer", answer, headers)
            assert (refused.status, refused.error["code"]) == (403, "not_allowed")
    assert ran == []
    answer = {"execution_id": waiting["id"], "verdict": "approve"}
    assert (await site.call("approvals.answer", answer)).status == 200
    while (frame := await line.hear()).get("event", {}).get("type") != "turn_finished":
        assert frame["type"] in {"event", "caught_up", "delta"}
    assert ran == ["it"]


class TestBrowsers:
    """A browser has a cookie, and any page that it shows can make it send that."""

    @pytest.fixture
    async def cookies(self, inside: Any) -> dict[str, str]:
        """What a browser has after signing in with the token."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            token = inside.headers["Authorization"].partition(" ")[2]
            async with browser.get(f"{inside.url}api/status?token={token}") as response:
                assert response.status == 200
            async with browser.get(f"{inside.url}login") as response:
                await response.read()
        found = {name: morsel.value for name, morsel in jar.filter_cookies(URL(inside.url)).items()}
        assert "_xsrf" in found
        assert len(found) == 2
        return found

    @staticmethod
    def sent(cookies: dict[str, str]) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}

    async def test_a_cookie_alone_is_refused(self, inside: Any, cookies: dict[str, str]) -> None:
        for procedure in CALLS:
            headers = self.sent(cookies)
            answer = await inside.call(procedure.name, body_for(procedure, NOBODY), headers)
            assert (procedure.name, answer.status) == (procedure.name, 403)
            assert answer.error["code"] == "not_allowed"
            assert "XSRF" in answer.error["hint"]

    async def test_a_cookie_with_the_xsrf_token_is_taken(
        self, inside: Any, cookies: dict[str, str]
    ) -> None:
        headers = self.sent(cookies) | {"X-XSRFToken": cookies["_xsrf"]}
        identity = await inside.call("system.whoami", {}, headers)
        assert (identity.json["owner"], identity.json["kind"]) == ("local", "user")
        mine = await inside.begin(headers)
        assert (await inside.call("conversations.get", {"conversation_id": mine})).status == 200

    async def test_a_wrong_xsrf_token_is_refused(
        self, inside: Any, cookies: dict[str, str]
    ) -> None:
        headers = self.sent(cookies) | {"X-XSRFToken": "made up"}
        assert (await inside.call("system.whoami", {}, headers)).status == 403

    async def test_a_bad_token_of_ours_does_not_fall_back_to_the_cookie(
        self, inside: Any, cookies: dict[str, str]
    ) -> None:
        headers = self.sent(cookies) | {
            "X-XSRFToken": cookies["_xsrf"],
            "Authorization": "token bc_" + "A" * 43,
        }
        assert (await inside.call("system.whoami", {}, headers)).status == 401
        assert await refusal(inside.connect(headers)) == 401

    async def test_the_websocket_wants_the_pages_own_origin(
        self, inside: Any, cookies: dict[str, str]
    ) -> None:
        own = {"Origin": inside.url.rstrip("/")}
        line = await inside.connect(self.sent(cookies) | own)
        await line.greet()
        foreign = {"Origin": "https://evil.example"}
        assert await refusal(inside.connect(self.sent(cookies) | foreign)) == 403


async def test_a_foreign_page_is_refused_with_any_token_of_ours(site: Any) -> None:
    headers = await site.add_token() | {"Origin": "https://evil.example"}
    assert await refusal(site.connect(headers)) == 403


async def test_both_doors_see_the_same_owner(plain: Any, application: Application) -> None:
    mine = await plain.begin()
    from bestchat_server_ext.api import conversations

    listed = await InProcessClient(application).call(
        conversations.list_, conversations.ListConversations()
    )
    assert [item.id for item in listed.conversations] == [mine]
