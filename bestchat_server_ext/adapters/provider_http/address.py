"""What follows from an address: URLs, headers, the proxy on the way, what may be shown of it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from bestchat_server_ext.ports.endpoint import Address


def url(address: Address, path: str) -> str:
    """The URL of a path below an address."""
    return address.base_url.rstrip("/") + path


def headers(address: Address, *, accept: str) -> dict[str, str]:
    """The headers of a request; with a key only where there is one."""
    found = {"Accept": accept, "Content-Type": "application/json"}
    if address.key:
        found["Authorization"] = f"Bearer {address.key}"
    return found


def host(text: str) -> str:
    """Host and port of a URL: what may be shown of it, unlike a password or a path."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.hostname}{port}" if parts.hostname else ""


def find_proxy(base_url: str) -> str | None:
    """The environment's proxy for an address. This machine is reached without one."""
    from urllib.request import getproxies, proxy_bypass  # loads all of http.client

    try:
        parts = urlsplit(base_url)
    except ValueError:
        return None  # the request itself will say what is wrong with it
    name = parts.hostname or ""
    if name == "localhost" or _is_loopback(name) or proxy_bypass(name):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
