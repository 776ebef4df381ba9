"""What follows from an address: URLs, the proxy on the way, what may be shown of it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from bestchat_server_ext.core.errors import ProviderError


def url(base_url: str, path: str) -> str:
    """The URL of a path below an address. What follows a `?` in the address stays behind it."""
    base, mark, query = base_url.partition("?")
    if not mark:
        return base.rstrip("/") + path
    return base.rstrip("/") + path + ("&" if "?" in path else "?") + query


def host(text: str) -> str:
    """Host and port of a URL: what may be shown of it, unlike a password or a path."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.hostname}{port}" if parts.hostname else ""


def find_proxy(base_url: str) -> str | None:
    """The environment's proxy for an address. This machine is reached without one.

    Raises:
        ProviderError: it is of a kind that is not spoken here.
    """
    from urllib.request import getproxies, proxy_bypass  # loads all of http.client

    try:
        parts = urlsplit(base_url)
    except ValueError:
        return None  # the request itself will say what is wrong with it
    name = parts.hostname or ""
    if name == "localhost" or _is_loopback(name) or proxy_bypass(name):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found:
        return None
    scheme, mark, _ = found.partition("://")
    if mark and scheme.lower() not in {"http", "https"}:
        raise ProviderError(
            f"The proxy on the way to {name} is none that speaks HTTP.",
            hint=f"Set {parts.scheme.upper()}_PROXY to an address that begins with http://, or "
            f"name {name} in NO_PROXY.",
        )
    return found if mark else f"http://{found}"


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
