"""Requests over HTTP: one shape of error for everything that can be wrong with them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import pytest

from bestchat_server_ext.api.catalog import PROCEDURES
from bestchat_server_ext.api.openapi import document
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.inprocess import LOCAL_CALLER
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.errors import RateLimited, Unavailable
from bestchat_server_ext.web import door, handler

Open = Callable[..., Awaitable[Application]]

DEEP = 100_000
UNKNOWN = "bc_" + "A" * 43
"""Has the form of a token, and is none."""

BAD_BODIES: dict[str, tuple[Any, str]] = {
    "not JSON": ("{", ""),
    "JSON with something behind it": ("{} {}", ""),
    "a list": ("[]", ""),
    "null": ("null", ""),
    "a number": ("7", ""),
    "a text": ('"title"', ""),
    "bad UTF-8": (b'{"title": "\xff\xfe"}', ""),
    "half a surrogate pair": (b'{"title": "\\ud83d"}', "title"),
    "half a surrogate pair in the middle": (b'{"label": "a\\udc00b"}', "label"),
    "a byte order mark": (b'\xef\xbb\xbf{"title": "x"}', ""),
    "white space": (" \n", ""),
    "a zero at the end": (b'{"title": "x"}\x00', ""),
    "a bare line break in a text": (b'{"title": "a\nb"}', ""),
    "U+0000": ('{"title": "a\\u0000b"}', "title"),
    "U+0000 in the name of a field": ('{"tit\\u0000le": "x"}', "tit\x00le"),
    "a field twice": ('{"title": "x", "title": "y"}', "title"),
    "a field twice, once in disguise": ('{"title": "x", "t\\u0069tle": "x"}', "title"),
    "comments": ('{"title": "x" /* y */}', ""),
    "single quotes": ("{'title': 'x'}", ""),
    "an empty name": ('{"": 1}', ""),
    "UTF-16": ('{"title": "x"}'.encode("utf-16"), ""),
    "deep nesting": ("[" * DEEP + "]" * DEEP, ""),
    "deep nesting in a field": ('{"title":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}", "title"),
    "an unknown field": ('{"titel": "x"}', "titel"),
    "a wrong type": ('{"title": 7}', "title"),
    "null where there is none": ('{"title": null}', "title"),
    "too long": (json.dumps({"title": "x" * 301}), "title"),
    "a form": ("title=x&label=y", ""),
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_body_that_cannot_be_used(site: Any, name: str) -> None:
    body, at = BAD_BODIES[name]
    answer = await site.call("conversations.create", body)
    assert answer.status == 400
    error = answer.error
    assert (error["code"], error.get("field", "")) == ("invalid_request", at)


async def test_a_field_deep_inside_is_named(site: Any) -> None:
    answer = await site.call("events.replay", {"conversation_id": 1, "after": 0})
    assert answer.error["field"] == "conversation_id"
    answer = await site.call("events.replay", {"conversation_id": "x", "after": -1})
    assert answer.error["field"] == "after"
    answer = await site.call("events.replay", {"after": 1})
    assert (answer.status, answer.error["field"]) == (400, "conversation_id")


async def test_no_body_is_an_empty_object(site: Any) -> None:
    assert (await site.call("conversations.list", b"")).status == 200


async def test_any_content_type_will_do(site: Any) -> None:
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", ""):
        headers = site.headers | {"Content-Type": kind}
        answer = await site.call("conversations.create", {"title": "a=b"}, headers)
        assert (answer.status, answer.json["title"]) == (200, "a=b")


async def test_an_error_names_no_private_thing(site: Any) -> None:
    secret = "sk-canary-0123456789"  # what people paste into the wrong place
    bodies = [f'{{"title": "{secret}', {"titel": secret}, {"title": [secret]}, {"label": {}}]
    for body in bodies:
        assert secret not in (await site.call("conversations.create", body)).text


async def test_a_body_that_is_too_large(site: Any) -> None:
    body = b'{"title": "' + b"x" * handler.BODY_LIMIT + b'"}'
    answer = await site.call("conversations.create", io.BytesIO(body))
    assert (answer.status, answer.error["code"]) == (413, "too_large")
    assert str(handler.BODY_LIMIT) in answer.error["text"]


async def test_a_body_that_just_fits(site: Any) -> None:
    body = b'{"title": "x"' + b" " * (handler.BODY_LIMIT - 14) + b"}"
    assert len(body) == handler.BODY_LIMIT
    answer = await site.call("conversations.create", io.BytesIO(body))
    assert (answer.status, answer.json["title"]) == (200, "x")


async def test_an_escaped_backslash_before_u0000_is_a_text_like_any_other(site: Any) -> None:
    answer = await site.call("conversations.create", '{"title": "\\\\u0000"}')
    assert (answer.status, answer.json["title"]) == (200, "\\u0000")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "5.5"])
async def test_a_number_that_is_none_or_too_large(site: Any, number: str) -> None:
    answer = await site.call("conversations.list", f'{{"limit": {number}}}')
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")
    assert answer.error["field"] == "limit"
    assert len(answer.text) < 500


async def test_a_strangers_field_is_not_said_back_at_any_length(site: Any) -> None:
    answer = await site.call("conversations.create", {"x" * 100_000: 1})
    assert (answer.status, answer.error["field"]) == (400, "x" * 200)
    assert len(answer.text) < 1000


@pytest.mark.parametrize(
    "name",
    [
        "conversations.destroy",
        "Conversations.create",
        "conversations",
        "nothing",
        "__class__",
        "events.subscribe",
        "conversations.create%00",
        "\u00e9",
        "",
    ],
)
async def test_an_unknown_procedure(site: Any, name: str) -> None:
    answer = await site.ask("POST", f"bestchat/api/{name}", {})
    assert (answer.status, answer.error["code"]) == (404, "unknown_procedure")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_wrong_method(site: Any, method: str) -> None:
    answer = await site.ask(method, "bestchat/api/conversations.list", {})
    if method == "OPTIONS" and answer.status == 204:
        return  # Jupyter answers browsers that ask before they ask
    assert (answer.status, answer.error["code"]) == (405, "invalid_request")


@pytest.mark.parametrize("path", ["health", "openapi.json"])
async def test_documents_are_only_read(site: Any, path: str) -> None:
    answer = await site.ask("POST", f"bestchat/api/{path}", {})
    assert (answer.status, answer.error["code"]) == (405, "invalid_request")


async def test_one_step_of_protocol_is_no_matter_and_two_are(site: Any) -> None:
    async def spoken(protocol: str) -> Any:
        headers = site.headers | {"X-BestChat-Protocol": protocol}
        return await site.call("system.whoami", {}, headers)

    for near in ("0", "1", "2"):
        assert (await spoken(near)).status == 200
    newer = await spoken("3")
    assert (newer.status, newer.error["code"]) == (400, "protocol_mismatch")
    assert "where the server runs" in newer.error["hint"]
    older = await spoken("-1")
    assert "where the client runs" in older.error["hint"]
    for odd in ("one", "", "1.0", "9" * 5000):
        answer = await spoken(odd)
        assert answer.status == 400, odd
        assert answer.error["kind"] == "invalid"


async def test_answers_are_not_to_be_sniffed_or_kept(site: Any) -> None:
    good = await site.call("system.whoami")
    bad = await site.call("system.whoami", {"odd": 1})
    for answer in (good, bad):
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_document_is_the_catalogue(site: Any) -> None:
    answer = await site.ask("GET", "bestchat/api/openapi.json")
    assert answer.status == 200
    base = "/" + site.url.partition("//")[2].partition("/")[2].rstrip("/")
    base = base.rstrip("/")
    assert answer.json == json.loads(json.dumps(document(version("bestchat"), base)))
    server = answer.json["servers"][0]["url"]
    root = site.url[: site.url.index("/", 8)]
    for path in answer.json["paths"]:
        assert (root + server + path).startswith(site.url + "bestchat/api/")
    paths = answer.json["paths"]
    assert {f"/bestchat/api/{item.name}" for item in PROCEDURES if not item.stream} < set(paths)


class EverybodyIsTheUser:
    """An authenticator that asks nobody."""

    def __init__(self, _: object) -> None:
        pass

    async def caller(self, _: object) -> Caller:
        return LOCAL_CALLER


class TestOpening:
    async def test_health_opens_nothing_and_the_first_call_does(
        self, mount: Any, open_here: Open, data_dir: Any
    ) -> None:
        opened = []

        async def build() -> Application:
            opened.append(await open_here())
            return opened[-1]

        site = await mount(build)
        for headers in ({}, {"Authorization": "token other"}):
            answer = await site.ask("GET", "bestchat/api/health", headers=headers)
            assert answer.json == {"alive": True, "protocol": 1}
        assert opened == []
        assert not data_dir.exists()
        unknown = {"Authorization": f"token {UNKNOWN}"}
        answers = await asyncio.gather(*(site.call("system.whoami", {}, unknown) for _ in range(5)))
        assert {answer.status for answer in answers} == {401}
        assert len(opened) == 1

    async def test_many_who_come_at_once_wait_for_one_attempt(self, mount: Any) -> None:
        built, begun, may_fail = [], asyncio.Event(), asyncio.Event()

        async def build() -> Application:
            built.append(None)
            begun.set()
            await may_fail.wait()
            raise Unavailable("Nobody answers.")

        site = await mount(build, authenticator=EverybodyIsTheUser)
        calls = [asyncio.create_task(site.call("system.whoami")) for _ in range(8)]
        await begun.wait()
        stranger = {"Authorization": f"token {UNKNOWN}"}
        may_fail.set()
        assert {answer.status for answer in await asyncio.gather(*calls)} == {503}
        assert (await site.call("system.whoami", {}, stranger)).status == 503
        assert len(built) == 1

    async def test_who_leaves_does_not_take_the_opening_along(self) -> None:
        may_open, opened = asyncio.Event(), object()

        async def build() -> Any:
            await may_open.wait()
            return opened

        entrance = door.Door(build)
        first, second = (asyncio.create_task(entrance.application()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        may_open.set()
        assert await second is opened

    async def test_what_is_being_opened_when_the_server_stops_is_closed(
        self, open_here: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        may_open, application, closed = asyncio.Event(), await open_here(), []
        close = application.close

        async def noted() -> None:
            closed.append(None)
            await close()

        async def build() -> Application:
            await may_open.wait()
            return application

        monkeypatch.setattr(application, "close", noted)
        entrance = door.Door(build)
        calling = asyncio.create_task(entrance.application())
        await asyncio.sleep(0)
        closing = asyncio.create_task(entrance.close())
        await asyncio.sleep(0)
        may_open.set()
        await asyncio.gather(calling, closing)
        assert closed == [None]
        with pytest.raises(Unavailable, match="stopping"):
            await entrance.application()

    async def test_a_failure_counts_for_a_while_and_then_is_tried_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built: list[None] = []

        async def build() -> Application:
            built.append(None)
            raise Unavailable("Nobody answers.", hint="Wait.")

        entrance = door.Door(build)
        monkeypatch.setattr(door, "FAILURE_SECONDS", 1000.0)
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"Nobody answers\. Wait\."):
                await entrance.application()
        assert len(built) == 1
        monkeypatch.setattr(door, "FAILURE_SECONDS", 0.0)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await entrance.application()
        assert len(built) == 3

    async def test_trouble_is_said_to_the_user_and_goes_away_by_itself(
        self, mount: Any, open_here: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(door, "FAILURE_SECONDS", 0.0)
        trouble: list[Exception] = [Unavailable("The disk is full.", hint="Make room.")]

        async def build() -> Application:
            if trouble:
                raise trouble[0]
            return await open_here()

        site = await mount(build, authenticator=EverybodyIsTheUser)
        assert (await site.ask("GET", "bestchat/api/health")).json["storage"] == "closed"
        answer = await site.call("system.whoami")
        assert (answer.status, answer.error["text"]) == (503, "The disk is full.")
        health = await site.ask("GET", "bestchat/api/health")
        assert (health.status, health.json["storage"]) == (200, "unavailable")
        assert health.json["error"]["hint"] == "Make room."
        trouble.clear()
        assert (await site.call("system.whoami")).status == 200
        health = await site.ask("GET", "bestchat/api/health")
        assert (health.json["storage"], health.json["version"]) == ("ok", version("bestchat"))

    async def test_trouble_is_not_explained_to_somebody_unknown(self, mount: Any) -> None:
        async def build() -> Application:
            raise Unavailable("The disk of /home/somebody is full.")

        site = await mount(build)
        for headers in ({}, {"Authorization": f"token {UNKNOWN}"}):
            answer = await site.call("system.whoami", {}, headers)
            assert answer.status == (503 if headers else 401)
            health = await site.ask("GET", "bestchat/api/health", headers=headers)
            assert health.status == 200
            assert "somebody" not in answer.text + health.text
        assert (await site.ask("GET", "bestchat/api/health", headers={})).json == {
            "alive": True,
            "protocol": 1,
        }

    async def test_a_mistake_of_ours_has_the_same_shape_and_no_details(
        self, mount: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def build() -> Application:
            raise KeyError("/home/someone/private")

        site = await mount(build)
        headers = {"Authorization": f"token {UNKNOWN}"}
        answer = await site.call("system.whoami", {}, headers)
        assert (answer.status, answer.error["code"]) == (500, "internal")
        assert "private" not in answer.text + caplog.text
        assert "KeyError at " in caplog.text  # where it came from is the log's to know

    async def test_when_to_come_again_is_a_header_too(
        self, plain: Any, application: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refuse(*_: Any) -> Any:
            raise RateLimited("Slowly.", retry_after=2.5)

        monkeypatch.setattr(application.dispatcher, "call", refuse)
        answer = await plain.call("models.list")
        assert (answer.status, answer.error["retry_after"]) == (502, 2.5)
        assert answer.headers["Retry-After"] == "3"

    async def test_routes_work_below_any_base(self, mount: Any, application: Application) -> None:
        async def build() -> Application:
            return application

        site = await mount(build, "/some/where/")
        site.headers = await site.add_token()
        assert (await site.call("system.whoami")).status == 200
        openapi = await site.ask("GET", "bestchat/api/openapi.json")
        assert openapi.json["servers"] == [{"url": "/some/where"}]
        outside = await site.session.post(site.url.replace("/some/where", ""))
        assert outside.status == 404
