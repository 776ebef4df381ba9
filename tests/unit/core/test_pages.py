"""Which addresses are fetched, and what their pages are."""

from __future__ import annotations

import pytest

from bestchat_server_ext.core import file_types
from bestchat_server_ext.core.errors import InvalidRequest, PageUnreadable
from bestchat_server_ext.core.pages import (
    Fetched,
    as_ip,
    is_excepted,
    is_public,
    media_type,
    require_address,
    text_bytes,
)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1"),
        "168.63.129.16",
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::a9fe:a9fe"),
        *("2002:7f00:1::", "2001:0:102:304::80ff:fffe", "64:ff9b:1::1", "2001:db8::1"),
        *("::ffff:0:7f00:1", "4000::1"),
    ],
)
def test_private_addresses_are_known_in_every_disguise(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_the_others_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "file:///etc/passwd",
            "ftp://example.org/a",
            "gopher://example.org/",
            "javascript:alert(1)",
        ),
        *("example.org", "//example.org/", "http://", "http:///a", "https://[::1", "http://a:b/"),
        *("http://example.org:0/", "http://example.org/\r\nX: y", "http://ex\x00ample.org/"),
        *("http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://017700000001/"),
        *("http://1.2.3.4.5/", "http://0x7f.1./", "http://example.0x/"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="is no address of a page"):
        require_address(address)


@pytest.mark.parametrize("address", ["https://me:secret@example.org/", "http://me@example.org/"])
def test_credentials_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InvalidRequest, match="name or a password") as raised:
        require_address(address)
    assert "secret" not in str(raised.value)


def test_what_is_too_long_is_called_that() -> None:
    with pytest.raises(InvalidRequest, match="is too long") as raised:
        require_address("http://example.org/" + "a" * 2000)
    assert "begins with" not in raised.value.info.hint


def test_addresses_are_taken() -> None:
    require_address("https://example.org/a?b=c#d")
    require_address("http://[2606:2800:220:1::1]:8080/")
    require_address("HTTP://EXAMPLE.ORG")


def test_hosts_written_in_numbers() -> None:
    assert as_ip("127.0.0.1") == "127.0.0.1"
    assert as_ip("[::1]") == "::1"
    assert as_ip("example.org") is None
    assert as_ip("127.1") is None  # a name, as far as anybody knows before it is resolved


def test_exceptions_name_hosts_and_ports() -> None:
    patterns = ("*.intra.example.org", "127.0.0.1:8000")
    assert is_excepted("Wiki.Intra.example.org", None, patterns)
    assert is_excepted("127.0.0.1", 8000, patterns)
    assert not is_excepted("127.0.0.1", 8001, patterns)
    assert not is_excepted("127.0.0.1", None, patterns)
    assert not is_excepted("intra.example.org.evil.example", None, patterns)


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/html; charset=utf-8", file_types.HTML),
        ("application/xhtml+xml", file_types.HTML),
        ("text/plain", file_types.PLAIN),
        ("text/markdown; variant=GFM", file_types.PLAIN),
        ("application/json", file_types.PLAIN),
        ("application/ld+json", file_types.PLAIN),
        ("", file_types.PLAIN),
    ],
)
def test_kinds_of_text(content_type: str, kind: str) -> None:
    assert media_type(Fetched("https://example.org/", content_type, b"")) == kind


@pytest.mark.parametrize("kind", ["application/pdf", "image/png", "application/octet-stream", "x"])
def test_what_is_no_text_is_refused(kind: str) -> None:
    with pytest.raises(PageUnreadable, match="attach the file"):
        media_type(Fetched("https://example.org/", kind, b""))


@pytest.mark.parametrize(
    ("content_type", "data", "said"),
    [
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
        ('text/plain; charset="windows-1251"', b"\xef\xf0\xe8", "при"),
        ("text/plain; charset=Shift_JIS", "日本".encode("shift_jis"), "日本"),
        ("text/plain; charset=utf-8", b"caf\xc3\xa9", "café"),
    ],
)
def test_charsets_are_taken_from_the_server(content_type: str, data: bytes, said: str) -> None:
    assert text_bytes(Fetched("https://example.org/", content_type, data)).decode() == said


@pytest.mark.parametrize("charset", ["idna", "punycode", "unicode_escape", "zlib", "utf-99", "hex"])
def test_odd_codecs_are_not_tried(charset: str) -> None:
    page = Fetched("https://example.org/", f"text/plain; charset={charset}", b"a\xff")
    assert text_bytes(page) == b"a\xff"
