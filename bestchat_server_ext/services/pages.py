"""PageService: what a page says that somebody mentions in a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from weakref import WeakValueDictionary

from bestchat_server_ext.core import pages
from bestchat_server_ext.core.errors import NotPermitted, PageUnreadable
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.pages import Page
from bestchat_server_ext.ports.files import TextReader
from bestchat_server_ext.ports.pages import PageSource

AT_ONCE = 8
"""Pages that are fetched at the same time; others wait."""


class PageService:
    """Fetches pages, and reads them."""

    def __init__(self, source: PageSource, texts: TextReader, *, allowed: bool = True) -> None:
        """Fetch from the one and read with the other.

        Args:
            source: who fetches.
            texts: who takes markup apart.
            allowed: whether the site lets pages be fetched.
        """
        self._source = source
        self._texts = texts
        self._allowed = allowed
        self._free = asyncio.Semaphore(AT_ONCE)
        self._locks: WeakValueDictionary[OwnerId, asyncio.Lock] = WeakValueDictionary()

    async def read(self, owner: OwnerId, address: str) -> Page:
        """What the page at an address says, up to `MOST_TEXT` characters.

        An owner's pages are read one after the other: nobody keeps the others from theirs.

        Raises:
            InvalidRequest: it is no address of a page.
            NotPermitted: the site fetches no pages, or none from there.
            PageUnreadable: it cannot be fetched, or there is no text in it.
        """
        if not self._allowed:
            raise NotPermitted(
                "This site fetches no pages.",
                hint="Download it and attach the file. The option is `allow_pages`.",
            )
        pages.require_address(address)
        mine = self._locks.setdefault(owner, asyncio.Lock())
        async with mine:
            async with self._free:
                fetched = await self._source.fetch(address)
            kind = pages.media_type(fetched)
            data = await asyncio.to_thread(pages.text_bytes, fetched)
            said = await self._texts.read(kind, _at_once(data), pages.MOST_TEXT)
        if not said.text.strip():
            why = f": {said.note}" if said.note else ""
            raise PageUnreadable(
                f"There is no text in that page{why}.",
                hint="Open it in a browser, and attach what you see as a file.",
            )
        note = said.note or ("" if fetched.whole else "its beginning")
        return Page(fetched.url, said.text.strip(), note)


async def _at_once(data: bytes) -> AsyncIterator[bytes]:
    yield data
