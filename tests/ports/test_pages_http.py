"""Pages from a real server, one that a site has made an exception for; and all that is refused."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import sys
import threading
from asyncio.subprocess import PIPE
from urllib.parse import urljoin, urlsplit

import pytest
import trustme

from bestchat_server_ext.adapters.pages_http import HttpPages
from bestchat_server_ext.adapters.pages_http.threads import UnawaitedThreads
from bestchat_server_ext.core import pages
from bestchat_server_ext.core.errors import InvalidRequest, NotPermitted, PageUnreadable
from bestchat_server_ext.testing.http_host import Call, Host


def place(host: Host) -> str:
    return urlsplit(host.url).netloc


@pytest.fixture
def source(host: Host) -> HttpPages:
    """It may speak to this one port of this machine, and to no other."""
    return HttpPages(excepted=[place(host)])


def says(body: bytes, kind: str = "text/plain", status: int = 200, **more: str):  # noqa: ANN201
    async def behave(call: Call) -> None:
        await call.answer(status, body, Content_Type=kind, **more)

    return behave


def redirects(*where: str):  # noqa: ANN201
    """Redirect to one after the other, then say something."""
    rest = list(where)

    async def behave(call: Call) -> None:
        if rest:
            await call.answer(302, b"", Location=rest.pop(0), Set_Cookie="a=canary")
        else:
            await call.answer(200, b"There.", Content_Type="text/plain")

    return behave


async def test_a_page_comes_as_to_a_stranger(host: Host, source: HttpPages) -> None:
    host.behave = says(b"<p>Hello", "text/html; charset=utf-8")
    found = await source.fetch(f"{host.url}/a?b=c")
    assert found == pages.Fetched(f"{host.url}/a?b=c", "text/html; charset=utf-8", b"<p>Hello")
    (call,) = host.calls
    assert call.path == "/a?b=c"
    assert not {"cookie", "authorization", "referer", "proxy-authorization"} & set(call.headers)


async def test_redirects_are_followed_without_cookies(host: Host, source: HttpPages) -> None:
    host.behave = redirects("/two", f"{host.url}/three")
    assert (await source.fetch(f"{host.url}/one")).url == f"{host.url}/three"
    assert [call.path for call in host.calls] == ["/one", "/two", "/three"]
    assert all("cookie" not in call.headers for call in host.calls)


async def test_not_for_ever(host: Host, source: HttpPages) -> None:
    host.behave = redirects(*["/again"] * 20)
    with pytest.raises(PageUnreadable, match="redirects again and again"):
        await source.fetch(f"{host.url}/one")
    assert len(host.calls) == 6


@pytest.mark.parametrize(
    "where",
    [
        *("http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/", "http://0.0.0.0:1/"),
        *("http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/"),
        *(
            "http://127。0。0。1:1/",
            "http://①②⑦.⓪.⓪.①:1/",
            "http://127.0.0.¹:1/",
            "http://0。0。0。0:1/",
        ),
        *("http://169。254。169。254/", "http://LOCALHOST:1/", "http://ⓛocalhost:1/"),
        *("http://10.0.0.1/", "http://[fe80::1]/", "http://[64:ff9b::7f00:1]/", "//127.0.0.2:1/"),
    ],
)
@pytest.mark.parametrize("redirected", [False, True])
async def test_nothing_private_is_spoken_to(
    host: Host, source: HttpPages, where: str, *, redirected: bool
) -> None:
    host.behave = redirects(where)
    address = f"{host.url}/" if redirected else urljoin(host.url, where)
    with pytest.raises(NotPermitted, match="private network: nothing is fetched there"):
        await source.fetch(address)
    assert len(host.calls) == redirected


async def test_this_machine_is_private_without_an_exception(host: Host) -> None:
    for name in ("127.0.0.1", "localhost"):
        with pytest.raises(NotPermitted):
            await HttpPages().fetch(f"http://{name}:{urlsplit(host.url).port}/")
    assert host.connections == 0


@pytest.mark.parametrize(
    "where",
    [
        *("file:///etc/passwd", "ftp://example.org/", "gopher://a.example/", "http://[::1"),
        *("http://①②⑦.1/", "https://me:secret@example.org/"),
    ],
)
async def test_a_redirect_to_something_else_is_not_followed(
    host: Host, source: HttpPages, where: str
) -> None:
    host.behave = redirects(where)
    with pytest.raises(PageUnreadable, match="It redirects to what is no page") as raised:
        await source.fetch(host.url)
    assert raised.value.info.hint
    assert raised.value.info.field == ""


async def test_an_address_is_as_long_as_it_was_typed(host: Host, source: HttpPages) -> None:
    host.behave = redirects("/" + "b" * pages.LONGEST_ADDRESS)
    await source.fetch(f"{host.url}/{'鳥' * 300}")
    assert host.calls[0].path == "/" + "%E9%B3%A5" * 300
    with pytest.raises(InvalidRequest, match="is too long"):
        await source.fetch(f"{host.url}/{'a' * pages.LONGEST_ADDRESS}")


async def test_of_a_large_page_the_beginning_is_read(host: Host, source: HttpPages) -> None:
    async def endless(call: Call) -> None:
        await call.begin(kind="text/plain")
        while True:
            await call.chunk(b"x" * 65_536)

    host.behave = endless
    found = await source.fetch(host.url)
    assert len(found.data) == pages.MOST_BYTES
    assert not found.whole


async def test_a_bomb_is_not_inflated(host: Host, source: HttpPages) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 1)
    host.behave = says(bomb, "text/plain", Content_Encoding="gzip")
    found = await source.fetch(host.url)
    assert len(found.data) == pages.MOST_BYTES


async def test_what_follows_a_packed_page_is_not_kept(host: Host, source: HttpPages) -> None:
    async def endless(call: Call) -> None:
        await call.head(Content_Type="text/plain", Content_Encoding="gzip")
        await call.raw(gzip.compress(b"Hello"))
        while not call.gone.is_set():
            await call.raw(b"x" * 65_536)

    host.behave = endless
    found = await source.fetch(host.url)
    assert (found.data, found.whole) == (b"Hello", True)


async def test_packing_that_brings_nothing_has_an_end(host: Host, source: HttpPages) -> None:
    async def endless(call: Call) -> None:
        await call.head(Content_Type="text/plain", Content_Encoding="gzip")
        await call.raw(gzip.compress(b"")[:10])
        while not call.gone.is_set():
            await call.raw(b"\0\0\0\xff\xff" * 10_000)  # blocks with nothing in them

    host.behave = endless
    found = await source.fetch(host.url)
    assert (found.data, found.whole) == (b"", False)


async def test_a_packed_page_that_is_cut_is_not_whole(host: Host, source: HttpPages) -> None:
    host.behave = says(gzip.compress(b"Hello" * 100)[:-12], Content_Encoding="gzip")
    assert not (await source.fetch(host.url)).whole


async def test_names_that_nobody_answers_for_hold_up_pages_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        answered.wait()
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    source = HttpPages(seconds=0.2)
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(64):
                group.create_task(_given_up(source, f"http://{number}.invalid/"))
        async with asyncio.timeout(5):
            await asyncio.to_thread(int)
    finally:
        answered.set()


async def test_nor_do_they_hold_up_the_end_of_the_process() -> None:
    program = """if True:
        import asyncio, socket, threading
        from bestchat_server_ext.adapters.pages_http import HttpPages

        socket.getaddrinfo = lambda *_, **__: threading.Event().wait()
        try:
            asyncio.run(HttpPages(seconds=0.2).fetch("http://silent.invalid/"))
        except Exception as error:
            print(error)
    """
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=PIPE)
    try:
        async with asyncio.timeout(20):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert b"did not send the page" in said
    assert process.returncode == 0


def test_threads_for_names_are_few_and_end() -> None:
    threads = UnawaitedThreads(2, "few")
    go_on, seen = threading.Event(), set[int]()

    def work(number: int) -> int:
        seen.add(threading.get_ident())
        go_on.wait()
        return 6 // number

    waiting = [threads.submit(work, number) for number in (3, 2, 1, 0, 1)]
    assert waiting[-1].cancel()
    ours = [thread for thread in threading.enumerate() if thread.name == "few"]
    go_on.set()
    assert [future.result(5) for future in waiting[:3]] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        waiting[3].result(5)
    for thread in ours:
        thread.join(5)
        assert not thread.is_alive()
    assert len(seen) <= len(ours) == 2
    assert threads.submit(work, 6).result(5) == 1


async def _given_up(source: HttpPages, address: str) -> None:
    with pytest.raises(PageUnreadable, match="did not send the page"):
        await source.fetch(address)


async def test_packed_pages_are_read(host: Host, source: HttpPages) -> None:
    host.behave = says(gzip.compress(b"Hello"), Content_Encoding="gzip")
    assert (await source.fetch(host.url)).data == b"Hello"
    host.behave = says(b"Hello", Content_Encoding="gzip")
    with pytest.raises(PageUnreadable, match="damaged"):
        await source.fetch(host.url)
    host.behave = says(b"Hello", Content_Encoding="br")
    with pytest.raises(PageUnreadable, match="packs its pages"):
        await source.fetch(host.url)


async def test_a_slow_server_is_given_up(host: Host) -> None:
    async def never(call: Call) -> None:
        await call.begin(b"a", kind="text/plain")
        await call.gone.wait()

    host.behave = never
    source = HttpPages(excepted=[place(host)], seconds=0.3)
    with pytest.raises(PageUnreadable, match=r"did not send the page within 0\.3 seconds"):
        await source.fetch(host.url)


async def test_what_is_no_text_is_not_read(host: Host, source: HttpPages) -> None:
    async def picture(call: Call) -> None:
        await call.head(Content_Type="image/png", Content_Length="1000000000")

    host.behave = picture
    with pytest.raises(PageUnreadable, match="image/png, and no text"):
        await source.fetch(host.url)


@pytest.mark.parametrize(("status", "todo"), [(404, "Check the address"), (403, "behind a login")])
async def test_what_the_server_refuses(
    host: Host, source: HttpPages, status: int, todo: str
) -> None:
    host.behave = says(b"no", status=status)
    with pytest.raises(PageUnreadable, match=f"answers {status}") as raised:
        await source.fetch(host.url)
    assert todo in raised.value.info.hint


async def test_nobody_there(host: Host, source: HttpPages) -> None:
    await host.stop()
    with pytest.raises(PageUnreadable, match="cannot be reached"):
        await source.fetch(host.url)
    for name in ("nowhere.invalid", "a" * 300 + ".invalid", "a..invalid"):
        with pytest.raises(PageUnreadable, match="cannot be reached"):
            await source.fetch(f"http://{name}/")


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name have these addresses; gives the names that are asked for."""
    asked: list[str] = []

    def getaddrinfo(name: str, port: int, *_: object, **__: object) -> list[object]:
        asked.append(name)
        kind = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, ""
        return [(*kind, (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_with_one_private_address_is_private(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = names(monkeypatch, "8.8.8.8", "127.0.0.1")
    with pytest.raises(NotPermitted):
        await HttpPages().fetch(f"http://pages.invalid:{urlsplit(host.url).port}/")
    assert asked == ["pages.invalid"]
    assert host.connections == 0


async def test_a_name_is_resolved_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is what is connected to."""
    host.behave = says(b"Hello")
    asked = names(monkeypatch, "127.0.0.1")
    address = f"http://pages.invalid:{urlsplit(host.url).port}/"
    assert (await HttpPages(excepted=["pages.invalid"]).fetch(address)).data == b"Hello"
    assert asked == ["pages.invalid"]


class TestBehindAProxy:
    """Where the proxy resolves, what is known to be private is refused all the same."""

    async def test_it_is_used(self, host: Host) -> None:
        host.behave = says(b"Far away.")
        source = HttpPages(lambda _: host.url)
        found = await source.fetch("http://pages.invalid/a")
        assert found.data == b"Far away."
        (call,) = host.calls
        assert call.line.startswith("GET http://pages.invalid/a ")
        assert "authorization" not in call.headers

    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"])
    async def test_it_is_no_way_round(self, host: Host, name: str) -> None:
        with pytest.raises(NotPermitted):
            await HttpPages(lambda _: host.url).fetch(f"http://{name}:8000/")
        assert host.connections == 0


async def test_certificates_are_checked(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    secure = Host(says(b"Sealed."))
    await secure.start(context)
    try:
        with pytest.raises(PageUnreadable, match="cannot be reached"):
            await HttpPages(excepted=[place(secure)]).fetch(secure.url)
        with authority.cert_pem.tempfile() as file:
            monkeypatch.setenv("SSL_CERT_FILE", file)
            source = HttpPages(excepted=[place(secure)])
            assert (await source.fetch(secure.url)).data == b"Sealed."
    finally:
        await secure.stop()
        await asyncio.sleep(0)
