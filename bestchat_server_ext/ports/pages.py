"""Pages: what is at an address on the web."""

from __future__ import annotations

from typing import Protocol

from bestchat_server_ext.core.pages import Fetched


class PageSource(Protocol):
    """Who fetches pages. An address comes from outside: it is checked here, at every redirect."""

    async def fetch(self, address: str) -> Fetched:
        """What is at an address; of something long, its beginning.

        Raises:
            InvalidRequest: it is no address of a page.
            NotPermitted: it leads to something that not everybody could reach.
            PageUnreadable: nothing that can be read comes from there, or not in time; or it
                redirects to what is no page.
        """
        ...
