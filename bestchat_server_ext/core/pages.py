"""Pages that a prompt mentions: which addresses may be fetched, and what comes of one.

Who may name an address could otherwise let the server look at what only the server can reach: its
own ports, the machines beside it, the service that hands out a cloud machine's credentials. So an
address counts only if everybody on the Internet could reach it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import msgspec

from bestchat_server_ext.core import file_types
from bestchat_server_ext.core.errors import InvalidRequest, PageUnreadable

MOST_TEXT = 50_000
"""Characters of a page that go along: about 12,000 tokens."""
MOST_BYTES = 2_000_000
"""Bytes of a page that are read at all."""
LONGEST_ADDRESS = 2_000
"""Characters of an address that somebody writes."""

_AROUND_IPV4 = (ip_network("64:ff9b::/96"), ip_network("::/96"))
"""Networks of IPv6 whose last four bytes are an address of IPv4."""
_UNICAST = ip_network("2000::/3")
"""All of IPv6 that has been given away on the Internet."""
_ALSO_PRIVATE = tuple(
    map(
        ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "5f00::/16", "168.63.129.16/32"),
    )
)
"""Networks that some Python takes for public; two clouds speak to their machines from there."""

_PORTS = {"http": 80, "https": 443}
_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?", re.IGNORECASE)
"""A host that ends like this is no name; all the same, some take `127.1` for an address."""
_TEXT = re.compile(r"text/[\w.+-]+|application/(?:[\w.-]+\+)?(?:json|xml)")
_MARKUP = frozenset({"text/html", "application/xhtml+xml"})
# No codec by a name from outside: some take a time that grows with the square of what they read.
_CHARSET = re.compile(
    r"(?:us-)?ascii|utf-?(?:8|16|32)(?:-?[lb]e)?|(?:iso|windows|cp|koi8|euc|gb|big5|mac|tis)[\w-]*"
    r"|shift[_-]jis|latin-?\d+",
    re.IGNORECASE,
)


class Fetched(msgspec.Struct, frozen=True):
    """What was at an address, as it came."""

    url: str
    """Where it came from in the end, after all redirects."""
    content_type: str
    """What its server calls it: a media type, with parameters."""
    data: bytes
    """Its bytes, or the first of them."""
    whole: bool = True
    """Whether that is all of it."""


class Page(msgspec.Struct, frozen=True):
    """What a page says."""

    url: str
    """Where it came from in the end, after all redirects."""
    text: str
    """Its text, as Markdown where it was HTML."""
    note: str = ""
    """What to know about the text, for example that it is cut."""


def require_address(address: str) -> None:
    """Refuse what somebody wrote and is no address of a page.

    Raises:
        InvalidRequest: it is none, it is too long, or it holds a name and a password.
    """
    # As it was written: in the form that is asked for, a letter may take nine characters.
    if len(address) > LONGEST_ADDRESS:
        raise InvalidRequest(
            f"An address of {len(address):,} characters is too long.",
            hint=f"It may have {LONGEST_ADDRESS:,}: leave out what follows the question mark, or "
            "download the page, and attach the file.",
            field="url",
        )
    require_form(address)


def require_form(address: str) -> None:
    """Likewise, however long it is; also of what a page redirects to.

    Raises:
        InvalidRequest: it is none, or it holds a name and a password.
    """
    try:
        parts = urlsplit(address)
        named = parts.scheme in _PORTS and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        named = False
        parts = urlsplit("")
    if not named or not address.isprintable():
        raise InvalidRequest(
            f"{address[:100]!r} is no address of a page.",
            hint="It begins with https:// or http:// and a host.",
            field="url",
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(
            "An address with a name or a password in it is not fetched.",
            hint="Download the page, and attach the file.",
            field="url",
        )


def _is_host(host: str) -> bool:
    return bool(host) and (as_ip(host) is not None or _NUMBER.fullmatch(host) is None)


def is_public(address: str) -> bool:
    """Whether an IP address is one that everybody on the Internet could reach."""
    found: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(found, IPv6Address):
        inner = _inside(found)
        if inner is not None:
            found = inner
        elif found not in _UNICAST:
            return False
    if found.is_multicast or any(found in network for network in _ALSO_PRIVATE):
        return False
    return found.is_global


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, if it is one of those."""
    if any(address in network for network in _AROUND_IPV4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def as_ip(host: str) -> str | None:
    """The IP address that a host is written as; none if it is a name."""
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        return None


def is_excepted(host: str, port: int | None, patterns: Sequence[str]) -> bool:
    """Whether a site lets pages of a host be fetched although it is not public.

    Args:
        host: its name or address.
        port: the port.
        patterns: what the site lets: hosts, or hosts with a port.
    """
    names = [host.lower(), *([f"{host.lower()}:{port}"] if port else [])]
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns for name in names)


def media_type(page: Fetched) -> str:
    """What kind of text a page is: one of the types that text can be read of.

    Raises:
        PageUnreadable: it is no text.
    """
    kind = page.content_type.partition(";")[0].strip().lower()
    if kind in _MARKUP:
        return file_types.HTML
    if kind == "" or _TEXT.fullmatch(kind):
        return file_types.PLAIN
    raise PageUnreadable(
        f"What is there is {kind[:60]}, and no text.", hint="Download it, and attach the file."
    )


def text_bytes(page: Fetched) -> bytes:
    """A page's bytes in UTF-8, if its server says how they are written; else as they are."""
    found = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", page.content_type, re.IGNORECASE)
    if found is None or _CHARSET.fullmatch(found[1]) is None:
        return page.data
    try:
        return page.data.decode(found[1], errors="replace").encode()
    except LookupError:
        return page.data
