"""What may stand in BESTCHAT_URL."""

from __future__ import annotations

import pytest

from bestchat_server_ext.client.address import parse
from bestchat_server_ext.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("url", "root", "here"),
    [
        ("http://127.0.0.1:8888/", "http://127.0.0.1:8888/bestchat/api/", True),
        ("http://localhost:8888", "http://localhost:8888/bestchat/api/", True),
        ("http://a.localhost/x", "http://a.localhost/x/bestchat/api/", True),
        ("http://[::1]:8888/base/", "http://[::1]:8888/base/bestchat/api/", True),
        ("https://hub.example/user/ada/", "https://hub.example/user/ada/bestchat/api/", False),
        ("https://localhost.example/", "https://localhost.example/bestchat/api/", False),
        (" http://10.0.0.1/\n", "http://10.0.0.1/bestchat/api/", False),
    ],
)
def test_a_server_with_a_name(url: str, root: str, here: bool) -> None:  # noqa: FBT001
    address = parse(url)
    assert (address.root, address.shown, address.here) == (root, root, here)
    assert address.socket == ""


@pytest.mark.parametrize(
    ("url", "socket", "root"),
    [
        ("http+unix://%2Frun%2Fa.sock/", "/run/a.sock", "http://localhost/bestchat/api/"),
        ("http+unix://%2Frun%2Fa%20b/x/", "/run/a b", "http://localhost/x/bestchat/api/"),
        ("http+unix://%2frun%2f100%25", "/run/100%", "http://localhost/bestchat/api/"),
    ],
)
def test_a_server_on_a_socket(url: str, socket: str, root: str) -> None:
    address = parse(url)
    assert (address.socket, address.root, address.here) == (socket, root, True)
    assert address.shown.startswith("http+unix://%2")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("127.0.0.1:8888", "begins neither"),
        ("ws://127.0.0.1:8888/", "begins neither"),
        ("ftp://127.0.0.1/", "begins neither"),
        ("http:///base/", "names no server"),
        ("http://", "names no server"),
        ("http+unix:///run/a.sock", "names no server"),
        ("http+unix://run%2Fa.sock/", "not absolute"),
        ("http://[::1/", "not a URL"),
        ("http://host:many/", "not a URL"),
        ("http://ada:canary@host/", "name or password"),
        ("http://host/lab?token=canary", "address of a page"),
        ("http://host/#canary", "address of a page"),
    ],
)
def test_what_is_no_address_says_why_and_repeats_no_secret(url: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as caught:
        parse(url)
    assert "canary" not in str(caught.value)
    assert "http://127.0.0.1:8888/" in caught.value.info.hint
    assert caught.value.info.field == "BESTCHAT_URL"
