"""Pages that are mentioned, through an application: what they say, and what a site decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from bestchat_server_ext.api import pages
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.access import Caller, Scope
from bestchat_server_ext.core.errors import NotAllowed, NotPermitted, PageUnreadable
from bestchat_server_ext.core.ids import LOCAL_OWNER
from bestchat_server_ext.core.pages import MOST_TEXT, Page
from bestchat_server_ext.testing.http_host import Call, Host

PAGE = """<!doctype html><html><head><title>Rivers &amp; lakes</title><style>p {color: red}</style>
<script>alert("canary")</script></head><body><nav><a href="/">Home canary</a></nav>
<h2>The Rhine</h2><p>It is <b>1,230</b> km long. See <a href="/aare">the Aare</a>.</p>
<table><tr><th>River</th><th>km</th></tr><tr><td>Aare</td><td>288</td></tr></table>
<pre><code>flow = 2300</code></pre><img src="data:image/png;base64,canary" alt="x"></body></html>"""

OpenHere = Callable[..., Awaitable[Application]]


class Web:
    """A server with one page."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.body, self.kind = PAGE.encode(), "text/html; charset=utf-8"

    async def __call__(self, call: Call) -> None:
        await call.answer(200, self.body, Content_Type=self.kind)

    @property
    def url(self) -> str:
        return f"{self.host.url}/rivers"

    @property
    def excepted(self) -> dict[str, Any]:
        return {"private_page_hosts": (urlsplit(self.host.url).netloc,)}


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    host = Host()
    web = Web(host)
    host.behave = web
    await host.start()
    yield web
    await host.stop()


async def read(client: Client, url: str) -> Page:
    return await client.call(pages.read, pages.ReadPage(url))


async def test_a_page_is_read_as_markdown(
    open_here: OpenHere, door: Callable[[Application], Awaitable[Client]], web: Web
) -> None:
    client = await door(await open_here(**web.excepted))
    page = await read(client, web.url)
    assert page.url == web.url
    assert page.note == ""
    assert page.text.startswith("# Rivers & lakes\n\n## The Rhine")
    assert "It is **1,230** km long. See [the Aare](/aare)." in page.text
    assert "| Aare | 288 |" in page.text
    assert "flow = 2300" in page.text
    assert "canary" not in page.text
    assert "color: red" not in page.text


async def test_text_stays_as_it_is_and_long_text_is_cut(open_here: OpenHere, web: Web) -> None:
    client = InProcessClient(await open_here(**web.excepted))
    web.body, web.kind = b"caf\xe9 <b>", "text/plain; charset=latin-1"
    assert (await read(client, web.url)).text == "café <b>"
    web.body = b"word " * MOST_TEXT
    page = await read(client, web.url)
    assert len(page.text) <= MOST_TEXT
    assert page.note == "its first 50,000 characters"
    web.body, web.kind = b"<p>" + b"word " * MOST_TEXT, "text/html"
    page = await read(client, web.url)
    assert len(page.text) <= MOST_TEXT
    assert page.note.startswith("its first 50,000 characters")


@pytest.mark.parametrize(
    "body", [b"", b"  \n", b"<html><script>x()</script></html>", b"<img src=a.png>"]
)
async def test_a_page_without_text_is_said(open_here: OpenHere, web: Web, body: bytes) -> None:
    client = InProcessClient(await open_here(**web.excepted))
    web.body = body
    with pytest.raises(PageUnreadable, match="There is no text in that page"):
        await read(client, web.url)


async def test_elements_within_elements_are_still_text(open_here: OpenHere, web: Web) -> None:
    client = InProcessClient(await open_here(**web.excepted))
    web.body = b"<div>" * 20_000 + b"deep" + b"</div>" * 20_000
    assert (await read(client, web.url)).text == "deep"


async def test_private_hosts_need_an_exception(open_here: OpenHere, web: Web) -> None:
    client = InProcessClient(await open_here())
    with pytest.raises(NotPermitted, match="private network"):
        await read(client, web.url)
    assert web.host.calls == []


async def test_a_site_can_switch_it_off(open_here: OpenHere, web: Web) -> None:
    client = InProcessClient(await open_here(allow_pages=False, **web.excepted))
    with pytest.raises(NotPermitted, match="This site fetches no pages") as raised:
        await read(client, web.url)
    assert "allow_pages" in raised.value.info.hint
    assert web.host.calls == []


async def test_who_cannot_ask_cannot_fetch(open_here: OpenHere, web: Web) -> None:
    application = await open_here(**web.excepted)
    caller = Caller(LOCAL_OWNER, "token", frozenset({Scope.CONVERSATIONS_READ}))
    with pytest.raises(NotAllowed):
        await application.dispatcher.call(caller, pages.read, pages.ReadPage(web.url))
    assert web.host.calls == []
