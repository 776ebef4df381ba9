from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.provider_settings import (
    KEY_MAX,
    Credential,
    choose,
    in_the_clear,
    last_four,
    require_base_url,
    require_key,
    same_server,
    stays_here,
)


def test_the_users_goes_first_then_the_environment_then_the_site() -> None:
    rule = {
        given: choose(user=given[0], environment=given[1], site=given[2], url=given[3])
        for given in itertools.product([True, False], repeat=4)
    }
    for (user, environment, site, url), source in rule.items():
        if user:
            assert source == "user"
        elif environment:
            assert source == "environment"
        elif site:
            assert source == "site"
        else:
            assert source == ("environment" if url else None)


def test_a_credential_does_not_show_its_key() -> None:
    found = Credential("sk-canary", "https://h/v1", "user")
    assert "canary" not in repr(found)
    assert "canary" not in str(found.__rich_repr__())
    assert "https://h/v1" in repr(found)


@pytest.mark.parametrize(
    ("key", "shown"), [("", ""), ("abcd", ""), ("a" * 11, ""), ("sk-4567890-wxyz", "wxyz")]
)
def test_little_is_shown_of_a_key(key: str, shown: str) -> None:
    assert last_four(key) == shown


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:11434", True),
        ("http://[::1]:11434/", True),
        ("https://localhost/v1", True),
        ("http://127.0.0.1.example/", False),
        ("https://api.openai.com/v1", False),
        ("http://[broken", False),
        ("", False),
    ],
)
def test_what_stays_on_this_machine_is_known(url: str, *, here: bool) -> None:
    assert stays_here(url) is here


@pytest.mark.parametrize("key", ["k", "  sk-abc\n", "ü-schlüssel", "k" * KEY_MAX])
def test_a_key_is_taken_without_what_surrounds_it(key: str) -> None:
    assert require_key(key) == key.strip()


@pytest.mark.parametrize(
    "key",
    [
        "",
        " \n",
        "sk canary",
        "sk\tcanary",
        "sk\ncanary",
        "canary\x00",
        "canary\u202e",
        "ü" * KEY_MAX,
    ],
)
def test_what_is_no_key_is_refused_without_a_word_of_it(key: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_key(key)
    assert caught.value.info.field == "key"
    assert "canary" not in str(caught.value)


@given(st.text())
def test_whatever_is_taken_fits_into_a_header(text: str) -> None:
    try:
        key = require_key(text)
    except InvalidRequest:
        return
    assert key == key.strip() != ""
    assert not any(char.isspace() or ord(char) < 32 for char in key)


@pytest.mark.parametrize(
    "url",
    [
        "https://h/v1",
        "http://localhost:11434/v1",
        "https://[::1]:8/",
        " https://h ",
        "http://10.0.0.1",
    ],
)
def test_addresses(url: str) -> None:
    assert require_base_url(url) == url.strip()


@pytest.mark.parametrize(
    "url",
    [
        "h/v1",
        "ftp://h",
        "https://",
        "https:///v1",
        "file:///etc/passwd",
        "https://h:port/",
        "https://h:99999/",
        "https://h:0/",
        "https://[::1",
        "https://ada:canary@h/",
        "https://ada@h/",
        "https://h/?key=canary",
        "https://h/#canary",
        "https://h/a b",
        "javascript:alert(1)",
        "",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_base_url(url)
    assert caught.value.info.field == "base_url"
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("", None),
        ("https://far.example/v1", None),
        ("http://localhost:1/v1", None),
        ("http://127.0.0.9/v1", None),
        ("http://[::1]/v1", None),
        ("http://far.example/v1", "far.example"),
        ("http://localhost.far.example/v1", "localhost.far.example"),
        ("http://127.far.example/v1", "127.far.example"),
        ("http://10.0.0.1/v1", "10.0.0.1"),
    ],
)
def test_where_a_key_would_travel_in_the_clear(url: str, host: str | None) -> None:
    assert in_the_clear(url) == host


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("", "", True),
        ("https://h/a", "https://h:443/b", True),
        ("https://H/a", "https://h/a", True),
        ("https://h", "", False),
        ("https://h", "http://h", False),
        ("https://h:1", "https://h:2", False),
        ("https://h", "https://h.evil.example", False),
        ("https://h", "https://h@evil.example", False),
    ],
)
def test_the_same_server(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert same_server(one, other) is same
