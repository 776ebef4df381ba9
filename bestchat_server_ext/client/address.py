"""Where a server is: what stands in `BESTCHAT_URL`, understood before anything is sent there."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from bestchat_server_ext.core.errors import InvalidRequest

_SOCKET_SCHEME = "http+unix"


class Address(msgspec.Struct, frozen=True):
    """A server's address."""

    root: str
    """What the names of procedures are appended to; on a socket, with a host that means nothing."""
    shown: str
    """The same for a person."""
    socket: str = ""
    """Path of the Unix socket, if the server listens on one."""
    here: bool = False
    """Whether it is on this machine, where no proxy stands in between."""


def parse(url: str) -> Address:
    """Understand a base URL: `http://`, `https://`, or Jupyter's `http+unix://%2Fpath/base/`.

    Raises:
        InvalidRequest: it is none; the text does not repeat it, as it may hold a password.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _unusable("it is not a URL") from None
    if parts.scheme not in {"http", "https", _SOCKET_SCHEME}:
        raise _unusable("it begins neither with http:// nor https:// nor http+unix://")
    if not host:
        raise _unusable("it names no server")
    if "@" in parts.netloc:
        raise _unusable("it holds a user's name or password")
    if parts.query or parts.fragment:
        raise _unusable("there is a ? or # in it, as in the address of a page")
    path = f"{parts.path.rstrip('/')}/bestchat/api/"
    if parts.scheme == _SOCKET_SCHEME:
        return _on_socket(parts, path)
    root = f"{parts.scheme}://{parts.netloc}{path}"
    return Address(root, shown=root, here=_is_here(host))


def _on_socket(parts: SplitResult, path: str) -> Address:
    socket = unquote(parts.netloc)
    if not socket.startswith("/"):
        raise _unusable("the path of its socket is not absolute")
    root, shown = f"http://localhost{path}", f"{_SOCKET_SCHEME}://{parts.netloc}{path}"
    return Address(root, shown=shown, socket=socket, here=True)


def _unusable(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"The address in BESTCHAT_URL cannot be used: {reason}.",
        hint="It is the server's base URL, as in http://127.0.0.1:8888/ or "
        "http+unix://%2Frun%2Fjupyter.sock/.",
        field="BESTCHAT_URL",
    )


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
