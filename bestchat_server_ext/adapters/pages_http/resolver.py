"""Names -> addresses, and addresses -> sockets, of which none may be private or this machine's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from bestchat_server_ext.core import pages
from bestchat_server_ext.core.errors import NotPermitted

_NOBODYS = {
    socket.AF_INET: ("192.0.2.222", "198.51.100.222", "203.0.113.222"),
    socket.AF_INET6: ("2001:db8::222", "2001:db8:dead::222", "2001:db8:ffff::222"),
}
"""Addresses for documents (RFC 5737, RFC 3849): no machine has them all."""


class CheckedResolver(AbstractResolver):
    """Resolves names, and refuses those of which any address is not public.

    Nor may one be this machine's own, however public it is: what is behind a firewall would be
    reached from within.
    """

    def __init__(
        self,
        threads: Executor,
        *,
        excepted: bool,
        can_bind: Callable[[str], bool] | None = None,
    ) -> None:
        """Resolve in those threads; refuse nothing, if the site has made an exception.

        `can_bind` tells whether this machine could listen on an address.
        """
        self._threads = threads
        self._excepted = excepted
        self._can_bind = can_bind or _can_bind

    async def check(self, host: str, *, last: bool) -> None:
        """Refuse a host that is written in numbers, which nobody resolves.

        Args:
            host: as the request will name it.
            last: whether nobody here resolves its name any more, so that it is done now.

        Raises:
            NotPermitted: it is not public.
        """
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
        ask = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        # In threads of their own: one that waits for a name server cannot be stopped.
        infos = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        found = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in infos
        ]
        self._require(host, [item["host"] for item in found])
        return found

    def socket(self, address: AddrInfoType) -> socket.socket:
        """A socket for a connection to an address: whatever led to it, it is looked at once more.

        Raises:
            NotPermitted: it is not public.
        """
        family, kind, proto, _, place = address
        host = str(place[0])
        self._require(host, [host])
        return socket.socket(family, kind, proto)

    async def close(self) -> None:
        """Let go of nothing."""

    def _require(self, host: str, addresses: Iterable[str]) -> None:
        if self._excepted or all(map(self._is_elsewhere, addresses)):
            return
        raise NotPermitted(
            f"{host[:100]} is on this machine or in a private network: nothing is fetched there.",
            hint="Download the page and attach the file, or have the host added to the option "
            "`private_page_hosts`.",
        )

    def _is_elsewhere(self, address: str) -> bool:
        """Whether an address is public, and not one of this machine."""
        if not pages.is_public(address):
            return False
        return not self._can_bind(address) or all(map(self._can_bind, _NOBODYS[_family(address)]))


def _can_bind(address: str) -> bool:
    """Whether this machine could listen on an address: on its own, and on some machines on all.

    The latter is for those that take over others' addresses (`net.ipv4.ip_nonlocal_bind`).
    """
    try:
        with socket.socket(_family(address), socket.SOCK_STREAM) as trial:
            # Only addresses within one network have a scope, and none of those is public.
            trial.bind((address.partition("%")[0], 0))
    except OSError:  # where there is no IPv6, there is not even the socket
        return False
    return True


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
