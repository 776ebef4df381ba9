"""What is wrong with a request before anybody looks into its body, and bodies beyond all limits."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest
from tornado.web import HTTPError

from bestchat_server_ext.core.errors import (
    Disabled,
    ErrorInfo,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotPermitted,
    TooLarge,
    _family,
)
from bestchat_server_ext.web import handler
from bestchat_server_ext.web.errors import status_of

MIB = 1024 * 1024
WHOAMI = "bestchat/api/system.whoami"
NOBODY = "01900000-0000-7000-8000-000000000000"

KINDS = {
    "invalid": 400,
    "denied": 403,
    "missing": 404,
    "conflict": 409,
    "limited": 429,
    "upstream": 502,
    "unavailable": 503,
    "bug": 500,
}


class Wire:
    """A connection on which anything can be said."""

    def __init__(
        self, site: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.site, self.reader, self.writer = site, reader, writer

    def begin(self, method: str, path: str, **headers: Any) -> None:
        """The first lines of a request."""
        url = urlsplit(self.site.url)
        said = {"Host": url.netloc, **self.site.headers}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {url.path}{path} HTTP/1.1", *(f"{k}: {v}" for k, v in said.items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def hear(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers and error of an answer."""
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers["Content-Length"]))
        return int(head[0].split(" ")[1]), headers, json.loads(body).get("error")

    async def over(self) -> bool:
        """Whether the other side has hung up."""
        async with asyncio.timeout(20):
            with suppress(ConnectionError):
                return await self.reader.read() == b""
        return True


@asynccontextmanager
async def wire(site: Any) -> AsyncIterator[Wire]:
    url = urlsplit(site.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        yield Wire(site, reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def test_every_error_has_the_status_of_its_kind_or_a_better_one() -> None:
    better: dict[Any, int] = {NotAuthenticated: 401, TooLarge: 413}
    for kind in [*_family(InvalidRequest)[:1], NotPermitted, Disabled, NotAuthenticated, TooLarge]:
        info = kind("A sentence.").info
        assert status_of(info) == better.get(kind, KINDS[info.kind])
    for name, status in KINDS.items():
        assert status_of(ErrorInfo("new", name, "A sentence.")) == status  # type: ignore[arg-type]
    assert status_of(NotAllowed("No.").info) == 403


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *((method, WHOAMI, "POST") for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS")),
        *((method, "bestchat/api/health", "GET") for method in ("POST", "PUT", "DELETE")),
        *((method, "bestchat/api/openapi.json", "GET") for method in ("POST", "PATCH")),
        *((method, "bestchat/api/events", "GET") for method in ("POST", "DELETE", "OPTIONS")),
    ],
)
async def test_a_wrong_method_is_told_the_right_one(
    site: Any, method: str, path: str, allowed: str
) -> None:
    for headers in (site.headers, {}):  # whoever asks
        answer = await site.ask(method, path, {"a": 1}, headers)
        assert (answer.status, answer.error["code"]) == (405, "invalid_request")
        assert answer.headers["Allow"] == allowed
        assert allowed in answer.error["hint"]


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Connection": "keep-alive", "Upgrade": ""}, 400, "invalid_request"),
        ({"Upgrade": "h2c"}, 400, "invalid_request"),
        ({"Connection": "keep-alive"}, 400, "invalid_request"),
        ({"Sec-WebSocket-Key": ""}, 400, "invalid_request"),
        ({"Sec-WebSocket-Version": "12"}, 426, "invalid_request"),
        ({"Origin": "https://evil.example"}, 403, "not_allowed"),
    ],
    ids=[
        "nothing",
        "another protocol",
        "no upgrade",
        "no key",
        "another version",
        "a strange page",
    ],
)
async def test_what_cannot_become_a_socket_is_told_why(
    site: Any, headers: dict[str, str], status: int, code: str
) -> None:
    sent = await site.add_token() | UPGRADE | headers
    answer = await site.ask("GET", "bestchat/api/events", None, sent)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert answer.error["hint"]


async def test_a_name_that_is_not_the_servers_own_is_told_so(
    start_jupyter: Any, session: aiohttp.ClientSession, site_of: Any
) -> None:
    """What a page sees that has had its name point to this machine; a typo looks the same."""
    site = site_of(start_jupyter(), session)
    strange = site.headers | {"Host": "evil.example"}
    for method, path, more in (("POST", WHOAMI, {}), ("GET", "bestchat/api/events", UPGRADE)):
        answer = await site.ask(method, path, {} if method == "POST" else None, strange | more)
        assert (answer.status, answer.error["code"]) == (403, "not_allowed")
        assert "allow_remote_access" in answer.error["hint"]
        assert "XSRF" not in answer.error["hint"]


PATHS_OF_HEAD = [WHOAMI, *(f"bestchat/api/{name}" for name in ("health", "events", "nothing"))]


@pytest.mark.parametrize("path", PATHS_OF_HEAD)
async def test_head_has_a_status_and_no_body(site: Any, path: str) -> None:
    answer = await site.ask("HEAD", path)
    assert (answer.status, answer.text) == (404 if path.endswith("nothing") else 405, "")
    assert int(answer.headers["Content-Length"]) > 20


@pytest.mark.parametrize("method", ["FOO", "CONNECTED"])
async def test_a_method_that_nobody_has_heard_of(site: Any, method: str) -> None:
    answer = await site.ask(method, WHOAMI)
    assert (answer.status, answer.error["code"]) == (405, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize(
    "path", ["nothing", "a/b/c", "turns.start/", "turns/start", "health/", "x" * 2000, "%C3%A9"]
)
async def test_an_address_with_nothing_behind_it(site: Any, method: str, path: str) -> None:
    for headers in (site.headers, {}):
        answer = await site.ask(method, f"bestchat/api/{path}", {}, headers)
        assert (answer.status, answer.error["code"]) == (404, "unknown_procedure")
        assert len(answer.text) < 500


async def test_an_address_that_is_not_unicode(site: Any) -> None:
    async with wire(site) as line:
        line.begin("POST", "bestchat/api/%ff", Content_Length=2)
        line.writer.write(b"{}")
        status, _, error = await line.hear()
    assert (status, error["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("packing", ["gzip", "GZIP", "deflate", "br", "gzip, gzip"])
async def test_a_packed_body_is_not_unpacked(site: Any, packing: str) -> None:
    bomb = gzip.compress(b" " * 20 * MIB + b"{}")
    answer = await site.ask("POST", WHOAMI, bomb, site.headers | {"Content-Encoding": packing})
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")
    assert answer.error["field"] == "Content-Encoding"
    plain = await site.ask("POST", WHOAMI, {}, site.headers | {"Content-Encoding": "identity"})
    assert plain.status == 200


async def test_what_a_body_calls_itself_is_said_where_it_is_something_else(site: Any) -> None:
    form = aiohttp.FormData({"title": "x"})
    form.add_field("file", b"y", filename="y.txt")
    answer = await site.ask("POST", "bestchat/api/conversations.create", form)
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")
    assert "multipart/form-data" in answer.error["hint"]
    headers = site.headers | {"Content-Type": "application/json; charset=utf-16"}
    body = '{"title": "x"}'.encode("utf-16")
    answer = await site.ask("POST", "bestchat/api/conversations.create", body, headers)
    assert (answer.status, "UTF-8" in answer.error["text"]) == (400, True)


@pytest.mark.parametrize(
    ("protocol", "code"),
    [
        ("0x1", "invalid_request"),
        ("1, 1", "invalid_request"),
        ("1_0", "invalid_request"),
        ("+1", "invalid_request"),
        ("\u00b2", "invalid_request"),
        ("9" * 10, "invalid_request"),
        ("9" * 9, "protocol_mismatch"),
        ("-" + "9" * 9, "protocol_mismatch"),
    ],
)
async def test_a_protocol_that_is_none(site: Any, protocol: str, code: str) -> None:
    async with wire(site) as line:
        line.begin("POST", WHOAMI, Content_Length=2, X_BestChat_Protocol=protocol)
        line.writer.write(b"{}")
        status, _, error = await line.hear()
    assert (status, error["code"]) == (400, code)
    assert error["hint"]


async def test_what_is_wrong_from_the_start_leaves_the_line_in_order(site: Any) -> None:
    """The body is taken first: hanging up in the middle of it would cost the client the answer."""
    async with wire(site) as line:
        for method, path, expected in (
            ("POST", "bestchat/api/nothing", 404),
            ("PUT", WHOAMI, 405),
            ("POST", WHOAMI, 200),
        ):
            line.begin(method, path, Content_Length=100_000)
            for piece in (*(b" " * 10_000,) * 9, b" " * 9_998 + b"{}"):
                await line.writer.drain()
                line.writer.write(piece)
            assert (await line.hear())[0] == expected


PATHS = ["system.whoami", "conversations.create", "health", "openapi.json", "nothing"]


@pytest.mark.parametrize("path", PATHS)
async def test_too_much_is_refused_before_it_has_come(site: Any, path: str) -> None:
    method = "GET" if path in {"health", "openapi.json"} else "POST"
    for length in (handler.BODY_LIMIT + 1, 200 * MIB, 10**15):
        async with wire(site) as line:
            line.begin(method, f"bestchat/api/{path}", Content_Length=length)
            status, headers, error = await line.hear()
            assert (status, error["code"], error["kind"]) == (413, "too_large", "invalid")
            assert headers["Connection"] == "close"


async def test_a_client_that_asks_before_it_sends_is_told_at_once(site: Any) -> None:
    async with wire(site) as line:
        line.begin("POST", WHOAMI, Content_Length=200 * MIB, Expect="100-continue")
        assert (await line.hear())[0] == 413
        assert await line.over()
    async with wire(site) as line:
        line.begin("POST", "bestchat/api/nothing", Content_Length=2, Expect="100-continue")
        assert (await line.reader.readline()).startswith(b"HTTP/1.1 100 ")
        await line.reader.readline()
        line.writer.write(b"{}")
        assert (await line.hear())[0] == 404


async def test_a_body_of_unknown_length_is_refused_when_it_becomes_too_large(site: Any) -> None:
    piece = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    async with wire(site) as line:
        line.begin("POST", WHOAMI, Transfer_Encoding="chunked")
        for _ in range(handler.BODY_LIMIT // MIB):
            line.writer.write(piece)
            await line.writer.drain()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.reader.read(1), 0.05)  # it would fit, so far
        line.writer.write(b"1\r\n \r\n")
        status, _, error = await line.hear()
        assert (status, error["code"]) == (413, "too_large")


async def test_a_small_body_of_unknown_length_is_taken(site: Any) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"ti', b'tle"', b': "x"}'):
            yield piece

    answer = await site.ask("POST", "bestchat/api/conversations.create", pieces())
    assert (answer.status, answer.json["title"]) == (200, "x")


@pytest.mark.parametrize("chunked", [False, True], ids=["of known length", "in chunks"])
async def test_a_huge_upload_does_not_stay_in_memory(
    site: Any, request: pytest.FixtureRequest, *, chunked: bool
) -> None:
    pid = os.getpid()
    if urlsplit(site.url).port == urlsplit(request.getfixturevalue("jupyter").url).port:
        pid = request.getfixturevalue("jupyter")._process.pid
    process, piece = psutil.Process(pid), b" " * MIB
    if chunked:
        piece = b"%x\r\n" % MIB + piece + b"\r\n"
    async with wire(site) as line:
        length = {"Transfer_Encoding": "chunked"} if chunked else {"Content_Length": 200 * MIB}
        line.begin("POST", WHOAMI, **length)
        before = peak = process.memory_info().rss
        with suppress(ConnectionError):  # it may hang up as soon as it has answered
            for _ in range(199):
                line.writer.write(piece)
                await line.writer.drain()
                peak = max(peak, process.memory_info().rss)
        assert (await line.hear())[0] == 413
        assert peak - before < 60 * MIB
    assert (await site.ask("POST", WHOAMI, {})).status == 200


async def test_it_hangs_up_on_a_client_that_goes_on_and_on(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "LINGER_SECONDS", 0.05)
    for length in ({"Content_Length": 200 * MIB}, {"Transfer_Encoding": "chunked"}):
        async with wire(plain) as line:
            line.begin("POST", WHOAMI, **length)
            if "Transfer_Encoding" in length:
                line.writer.write(b"%x\r\n" % (100 * MIB) + b" " * 9 * MIB)
            assert (await line.hear())[0] == 413
            assert await line.over()


async def test_it_does_not_hang_up_in_a_hurry(plain: Any) -> None:
    """Who sends everything first and reads then gets the answer all the same."""
    body = b" " * (handler.BODY_LIMIT + 1)
    async with wire(plain) as line:
        line.begin("POST", WHOAMI, Content_Length=len(body))
        await line.writer.drain()
        assert (await line.hear())[0] == 413
        line.writer.write(body)
        await line.writer.drain()
        line.begin("POST", "bestchat/api/nothing", Content_Length=0)
        assert (await line.hear())[0] == 404  # the line itself was in order to the end


async def test_a_client_that_goes_away_in_the_middle_leaves_nothing_behind(
    plain: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung_up: list[object] = []
    monkeypatch.setattr(handler.DoorHandler, "_hang_up", lambda *_: hung_up.append(None))
    gone = asyncio.Event()
    closed = handler.DoorHandler.on_connection_close

    def on_connection_close(self: handler.DoorHandler) -> None:
        closed(self)
        assert self._lingering is None
        gone.set()

    monkeypatch.setattr(handler.DoorHandler, "on_connection_close", on_connection_close)
    for length in (1000, 200 * MIB):
        gone.clear()
        async with wire(plain) as line:
            line.begin("POST", WHOAMI, Content_Length=length)
            line.writer.write(b"{")
            await line.writer.drain()
            if length > handler.BODY_LIMIT:
                await line.hear()
        await asyncio.wait_for(gone.wait(), 20)
    assert hung_up == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


class Telling:
    """A host's authentication that quotes what it was given."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def caller(self, _: object) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("canary"), 500), (HTTPError(502, "canary"), 502)]
)
@pytest.mark.parametrize("path", ["system.whoami", "health", "openapi.json", "events"])
async def test_the_log_says_where_a_failure_came_from_and_quotes_nobody(
    mount: Any, caplog: pytest.LogCaptureFixture, path: str, error: Exception, status: int
) -> None:
    async def build() -> Any:
        raise AssertionError

    site = await mount(build, authenticator=lambda _: Telling(error))
    method = "POST" if path == "system.whoami" else "GET"
    answer = await site.ask(method, f"bestchat/api/{path}?token=canary", None, UPGRADE)
    assert (answer.status, answer.error["code"]) == (status, "internal")
    ours = [
        entry.getMessage() for entry in caplog.records if entry.name != "tornado.access"
    ]  # a host has its own way to log addresses, and what to leave out of them
    assert any(f"{type(error).__name__} at " in said and "test_errors.py" in said for said in ours)
    assert "canary" not in "".join(ours) + answer.text
    assert not any(entry.exc_info for entry in caplog.records)


OURS = "BestChat"
"""How our lines in a log begin."""


async def test_a_mistake_in_a_procedure_is_logged_by_its_place(
    plain: Any, application: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def list_tokens(owner: str, *_: object) -> Any:
        raise KeyError(f"canary of {owner}")

    monkeypatch.setattr(application.tokens, "list", list_tokens)
    answer = await plain.call("tokens.list")
    assert (answer.status, answer.error["code"]) == (500, "internal")
    (said,) = [line for line in map(logging.LogRecord.getMessage, caplog.records) if OURS in line]
    assert said.startswith(f"{OURS}: tokens.list failed: KeyError at ")
    assert "list_tokens" in said
    assert "canary" not in said + answer.text


async def nothing_there(site: Any) -> Any:
    return await site.call("conversations.get", {"conversation_id": NOBODY})


async def somebody_elses_id(site: Any) -> Any:
    body = {"conversation_id": str(NEW.pop())}
    assert (await site.call("conversations.create", body)).status == 200
    other = await site.add_token(owner="somebody-else")
    return await site.call("conversations.create", body, other)


async def nobody_asks(site: Any) -> Any:
    return await site.call("conversations.list", {}, {})


async def not_made_for_this(site: Any) -> Any:
    return await site.call("conversations.list", {}, await site.add_token(scopes=()))


async def a_model_of_nobodys(site: Any) -> Any:
    body = {"request_id": "of nobody", "text": "Hi.", "model": "nobody/model"}
    return await site.call("turns.start", body | {"conversation_id": await site.begin()})


NEW = [f"01900000-0000-7000-8000-0000000000{number}" for number in range(10, 20)]
"""Ids that clients may give to something new; each is used once."""


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (nothing_there, 404, "not_found"),
        (somebody_elses_id, 409, "conflict"),
        (nobody_asks, 401, "not_authenticated"),
        (not_made_for_this, 403, "not_allowed"),
        (a_model_of_nobodys, 400, "unknown_provider"),
    ],
)
async def test_what_the_services_refuse(site: Any, ask: Any, status: int, code: str) -> None:
    answer = await ask(site)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert answer.error["text"]
    assert answer.error["hint"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


class TestInsideJupyter:
    """What Jupyter itself finds wrong has our shape too."""

    async def test_a_host_that_is_not_this_one(self, inside: Any) -> None:
        headers = inside.headers | {"Host": "evil.example"}
        for method, path in (("POST", "system.whoami"), ("GET", "health"), ("GET", "openapi.json")):
            answer = await inside.ask(method, f"bestchat/api/{path}", None, headers)
            assert (answer.status, answer.error["code"]) == (403, "not_allowed")

    async def test_a_closed_gate_sends_nobody_to_a_page(self, strict: Any, session: Any) -> None:
        for method, path, status in (
            ("GET", "turns.start", 405),
            ("GET", "nothing", 404),
            ("HEAD", "health", 405),
            ("PUT", "health", 405),
            ("DELETE", "events", 405),
            ("POST", "turns.start", 401),
            ("GET", "openapi.json", 401),
        ):
            async with session.request(
                method, f"{strict.url}bestchat/api/{path}", allow_redirects=False
            ) as answer:
                assert (method, path, answer.status) == (method, path, status)
                assert answer.headers["Content-Type"] == "application/json"
                if method != "HEAD":
                    assert (await answer.json())["error"]["text"]
