"""Names -> addresses, of which none may be private."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from bestchat_server_ext.core import pages
from bestchat_server_ext.core.errors import NotPermitted


class CheckedResolver(AbstractResolver):
    """Resolves names, and refuses those of which any address is not public."""

    def __init__(self, *, excepted: bool) -> None:
        """Refuse nothing, if the site has made an exception."""
        self._inner = ThreadedResolver()
        self._excepted = excepted

    async def check(self, address: str, *, last: bool) -> None:
        """Refuse an address that is written in numbers, which nobody resolves.

        Args:
            address: of the page.
            last: whether nobody here resolves its name any more, so that it is done now.

        Raises:
            NotPermitted: it is not public.
        """
        host = urlsplit(address).hostname or ""
        literal = pages.as_ip(host)
        if literal is not None:
            self._require(host, [literal])
        elif last:
            try:
                await self.resolve(host)
            except OSError:
                return  # only the proxy knows it

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            NotPermitted: one of them is not public.
            OSError: there are none.
        """
        found = await self._inner.resolve(host, port, family)
        self._require(host, [item["host"] for item in found])
        return found

    async def close(self) -> None:
        """Let go of nothing."""

    def _require(self, host: str, addresses: Sequence[str]) -> None:
        if self._excepted or all(map(pages.is_public, addresses)):
            return
        raise NotPermitted(
            f"{host[:100]} is on this machine or in a private network: nothing is fetched there.",
            hint="Download the page and attach the file, or have the host added to the option "
            "`private_page_hosts`.",
        )
