"""Addresses that are public, and this machine's own: no page is fetched from there."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from bestchat_server_ext.adapters.pages_http import HttpPages
from bestchat_server_ext.adapters.pages_http.resolver import CheckedResolver
from bestchat_server_ext.core import pages
from bestchat_server_ext.core.errors import NotPermitted
from bestchat_server_ext.testing.http_host import Call, Host


async def says_hello(call: Call) -> None:
    await call.answer(200, b"Hello", Content_Type="text/plain")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_what_this_machine_listens_on_is_not_public(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As if its addresses were those by which everybody on the Internet knows it."""
    host.behave = says_hello
    monkeypatch.setattr(pages, "is_public", lambda _: True)
    with pytest.raises(NotPermitted, match="is on this machine or in a private network"):
        await HttpPages().fetch(f"http://{name}:{urlsplit(host.url).port}/")
    assert host.connections == 0
    excepted = HttpPages(excepted=[urlsplit(host.url).netloc])
    assert (await excepted.fetch(host.url)).data == b"Hello"


OWN = ["93.184.215.14", "2606:2800:21f:cb07::1"]
"""Public addresses, which could be those of this machine."""


@pytest.mark.parametrize("own", OWN)
async def test_a_public_address_may_be_this_machines(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = socket.AF_INET6 if ":" in own else socket.AF_INET
    place = (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (own, 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [place])
    with ThreadPoolExecutor(1) as threads:
        resolver = CheckedResolver(threads, excepted=False, can_bind=OWN.__contains__)
        with pytest.raises(NotPermitted, match="is on this machine"):
            await resolver.check(own, last=False)
        with pytest.raises(NotPermitted, match="is on this machine"):
            await resolver.resolve("a.example")
        with pytest.raises(NotPermitted, match="is on this machine"):
            resolver.socket(place)


@pytest.mark.parametrize("address", OWN)
async def test_it_is_a_strangers_else(address: str) -> None:
    """Also where a machine can listen on any address, which says nothing then."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place = (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 80))
    with ThreadPoolExecutor(1) as threads:
        for resolver in (
            CheckedResolver(threads, excepted=False),
            CheckedResolver(threads, excepted=True, can_bind=OWN.__contains__),
            CheckedResolver(threads, excepted=False, can_bind=lambda _: True),
        ):
            await resolver.check(address, last=False)
            resolver.socket(place).close()
