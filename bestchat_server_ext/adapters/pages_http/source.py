"""HttpPages: an address -> what is there, redirects and limits included."""

from __future__ import annotations

import asyncio
import importlib
import ssl
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

from bestchat_server_ext.adapters.pages_http.threads import UnawaitedThreads
from bestchat_server_ext.core import pages
from bestchat_server_ext.core.errors import InvalidRequest, NotPermitted, PageUnreadable
from bestchat_server_ext.core.pages import Fetched

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

SECONDS = 15.0
"""How long fetching may take, all redirects included."""
MOST_REDIRECTS = 5

_NAMES_AT_ONCE = 4
"""Names that are looked up at the same time. Where name servers do not answer, only pages wait."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_INFLATED = {"": 0, "identity": 0, "gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS}
"""How what is sent is packed, and how zlib is told so; it was asked to be sent as it is."""
_HEADERS = {
    "Accept": "text/html, text/plain;q=0.9, text/*;q=0.8, application/json;q=0.7, */*;q=0.1",
    "Accept-Encoding": "identity",
    "User-Agent": "BestChat",
}


class _Inflater(Protocol):
    """What `zlib.decompressobj` gives."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


FindProxy = Callable[[str], str | None]
"""Gives the proxy on the way to an address; none if there is none."""


class HttpPages:
    """Fetches pages."""

    def __init__(
        self,
        find_proxy: FindProxy = lambda _: None,
        *,
        excepted: Sequence[str] = (),
        seconds: float = SECONDS,
    ) -> None:
        """Open nothing yet.

        Args:
            find_proxy: tells the way; may take its time, and raise a `ChatError`.
            excepted: patterns of hosts from which pages are fetched although they are not public.
            seconds: how long fetching one may take.
        """
        self._find_proxy = find_proxy
        self._excepted = excepted
        self._seconds = seconds
        self._believed: ssl.SSLContext | None = None
        self._threads = UnawaitedThreads(_NAMES_AT_ONCE, "bestchat-names")

    async def fetch(self, address: str) -> Fetched:
        """What is at an address; see the port."""
        # Together they take 0.1 s, which others on this loop should not have to wait for.
        aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
        if self._believed is None:
            self._believed = await asyncio.to_thread(ssl.create_default_context)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(address)
        except TimeoutError:
            raise PageUnreadable(
                f"{_host(address)} did not send the page within {self._seconds:g} seconds."
            ) from None
        except aiohttp.ClientError as error:
            raise _failed(address, error) from error
        except ValueError as error:  # a name that no address can have
            raise _failed(address, error) from error

    async def _follow(self, address: str) -> Fetched:
        pages.require_address(address)
        url = _asked(address)
        for _ in range(MOST_REDIRECTS + 1):
            found = await self._get(url)
            if isinstance(found, Fetched):
                return found
            url = _redirected(url, found)
        raise PageUnreadable("It redirects again and again.")

    async def _get(self, url: URL) -> Fetched | str:
        """What is at an address, or where it redirects to."""
        import aiohttp

        from bestchat_server_ext.adapters.pages_http.resolver import CheckedResolver

        host = url.raw_host or ""
        proxy = await asyncio.to_thread(self._find_proxy, str(url))
        excepted = pages.is_excepted(host, url.port, self._excepted)
        resolver = CheckedResolver(self._threads, excepted=excepted)
        await resolver.check(host, last=proxy is not None)
        connector = aiohttp.TCPConnector(
            resolver=None if proxy else resolver,
            socket_factory=None if proxy else resolver.socket,
            ssl=self._believed or True,
            force_close=True,
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a few bytes can be inflated to gigabytes
                headers=_HEADERS,
            ) as session,
            session.get(url, allow_redirects=False, proxy=proxy) as response,
        ):
            return await _taken(response)


def _asked(address: str) -> URL:
    """An address as it is asked for.

    Raises:
        InvalidRequest: it is none of a page.
        ValueError: it has a name that no address can have.
    """
    from yarl import URL

    pages.require_form(address)
    # What is checked is what is asked for: "①②⑦。0.0.1" is 127.0.0.1 here.
    url = URL(address)
    pages.require_form(str(url))
    return url


def _redirected(url: URL, where: str) -> URL:
    """Where a page redirects to."""
    try:
        return _asked(urljoin(str(url), where).partition("#")[0])
    except (InvalidRequest, ValueError):
        # Nobody here wrote that address, so that nobody can write it better.
        raise PageUnreadable(
            "It redirects to what is no page.",
            hint="Open it in a browser, and attach what you see as a file.",
        ) from None


async def _taken(response: aiohttp.ClientResponse) -> Fetched | str:
    """A page, or where its server says that it is."""
    where = response.headers.get("Location")
    if response.status in _REDIRECTS and where:
        return where
    if not response.ok:
        raise PageUnreadable(
            f"{response.url.host} answers {response.status}.",
            hint="Pages behind a login cannot be fetched; download it, and attach the file."
            if response.status in {401, 403}
            else "Check the address.",
        )
    kind = response.headers.get("Content-Type", "")
    said = Fetched(str(response.url), kind, b"")
    pages.media_type(said)  # before all of it comes
    data, whole = await _body(response)
    return Fetched(said.url, kind, data, whole)


async def _body(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The first bytes of a page, and whether that is all."""
    inflater = _inflater(response)
    data, received = bytearray(), 0
    async for piece in response.content.iter_any():
        received += len(piece)
        data += _inflated(inflater, piece) if inflater else piece
        # Packed bytes need not make a page any longer.
        if max(len(data), received) > pages.MOST_BYTES:
            return bytes(data[: pages.MOST_BYTES]), False
        if inflater and inflater.eof:
            break  # zlib would keep whatever else comes
    return bytes(data), inflater is None or inflater.eof


def _inflater(response: aiohttp.ClientResponse) -> _Inflater | None:
    """What unpacks a page; none where it is not packed."""
    packed = response.headers.get("Content-Encoding", "").strip().lower()
    if packed not in _INFLATED:
        raise PageUnreadable(f"{response.url.host} packs its pages in a way that is not known.")
    return zlib.decompressobj(_INFLATED[packed]) if _INFLATED[packed] else None


def _inflated(inflater: _Inflater, piece: bytes) -> bytes:
    """What a piece brings, never more than is read of a page at all."""
    try:
        return inflater.decompress(piece, pages.MOST_BYTES + 1)
    except zlib.error:
        raise PageUnreadable("What comes is damaged.") from None


def _host(address: str) -> str:
    return urlsplit(address).hostname or "that server"


def _failed(address: str, error: Exception) -> PageUnreadable | NotPermitted:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotPermitted):
            return cause
        cause = cause.__cause__
    return PageUnreadable(
        f"{_host(address)} cannot be reached ({type(error).__name__}).", hint="Check the address."
    )
