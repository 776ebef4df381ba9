"""What may be set for a provider, and which of several settings counts.

A key and the address that it is sent to come from the same hand, or the address comes from one
that is trusted more. So what is in use is found like this, the first that there is:

1. what the user stored: their key goes to their address, else to that of the environment;
2. the key in the environment of the process: it goes to the address there, never to a user's;
3. what is stored for the site: its key goes to its address, else to that of the environment;
4. the address of the environment alone: a server of one's own that wants no key.

What a person entered last and for themselves goes first: otherwise a forgotten variable would make
the form look broken. The environment goes before the site's store, because whoever starts the
process sees it and can change it there and then.
"""

from __future__ import annotations

import unicodedata
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from bestchat_server_ext.core.catalog import Look
from bestchat_server_ext.core.errors import InvalidRequest

KEY_MAX = 8 * 1024
"""Bytes in a provider's key; tokens of cloud hosts take up to 4 KiB."""

KEY_SECONDS = 300.0
"""How long a key that a command gave is used, unless said otherwise."""

_SHOWN = 4
_SHORTEST_SHOWN = 12
"""Of a key that is shorter, the last four characters would give too much away."""

Source = Literal["user", "environment", "site"]
"""Where the key in use comes from."""

_PORTS = {"http": 80, "https": 443}


class ProviderSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored in the clear for a provider."""

    base_url: str = ""
    """Where it is; empty for its usual place."""
    default_model: str = ""
    """Model reference of the one that answers if none is named; empty if none is set."""
    key_command: tuple[str, ...] = ()
    """The command that prints a key, argument by argument; empty if there is none."""
    key_seconds: float = KEY_SECONDS
    """How long such a key is used."""


class KeyCommand(msgspec.Struct, frozen=True):
    """A command that prints a key."""

    arguments: tuple[str, ...]
    """The command, argument by argument; no shell looks at it."""
    seconds: float = KEY_SECONDS
    """How long the key is used before the command is run again."""


class Credential(msgspec.Struct, frozen=True):
    """What a request is sent with."""

    key: str | None = None
    """The key; none where none is wanted, or none is there."""
    base_url: str | None = None
    """Where to; none for the provider's usual place."""
    source: Source | None = None
    """Where that comes from; none where nothing is configured at all."""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Credential({self.base_url!r}, {self.source!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Likewise, for libraries that print prettily."""
        return [("base_url", self.base_url), ("source", self.source)]


class Outlook(msgspec.Struct, frozen=True):
    """What somebody has set up, seen as if all of it stood in the environment."""

    environment: Look
    """The environment itself."""
    stored: dict[str, dict[str, str]] = {}
    """What is stored and counts, by provider and variable. In the place of a key stands a text that
    changes with it."""
    sources: dict[str, Source] = {}
    """Where the credential of each provider comes from, of which something is configured."""
    defaults: dict[str, str] = {}
    """Model references of the models that were named as a provider's default, by provider."""

    def of(self, provider: str) -> Look:
        """The variables as they look for one provider."""
        own = self.stored.get(provider, {})
        return lambda name: own[name] or None if name in own else self.environment(name)


def choose(*, user: bool, environment: bool, site: bool, url: bool) -> Source | None:
    """Which settings count: see above.

    Args:
        user: whether the user stored a key, a command or an address.
        environment: whether a key stands in the environment.
        site: whether a key, a command or an address is stored for the site.
        url: whether an address stands in the environment.
    """
    if user:
        return "user"
    if environment:
        return "environment"
    if site:
        return "site"
    return "environment" if url else None


def last_four(key: str) -> str:
    """What may be shown of a key, to tell it from others; nothing of a short one."""
    return key[-_SHOWN:] if len(key) >= _SHORTEST_SHOWN else ""


def require_key(key: str) -> str:
    """A key without the white space around it, as it can be sent.

    Raises:
        InvalidRequest: it is none; nothing of it is repeated.
    """
    text = key.strip()
    if not text or len(text.encode()) > KEY_MAX:
        raise InvalidRequest(
            f"A key has at least one character and at most {KEY_MAX} bytes.",
            hint="Copy it once more from the provider's page.",
            field="key",
        )
    if any(unicodedata.category(char).startswith(("C", "Z")) for char in text):
        raise InvalidRequest(
            "This key has white space or control characters in it.",
            hint="Copy it once more, without what stands around it.",
            field="key",
        )
    return text


def require_base_url(url: str) -> str:
    """An address that requests can be sent to.

    Raises:
        InvalidRequest: it is none, or holds what does not belong there.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        fits = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits, parts = False, urlsplit("")
    if not fits or any(unicodedata.category(char).startswith(("C", "Z")) for char in text):
        raise InvalidRequest(
            "This is no address of a server.",
            hint="Write https://host/v1 or http://localhost:11434/v1.",
            field="base_url",
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InvalidRequest(
            "An address has no password, no query and no fragment in it.",
            hint="Enter the key as the key, and end the address with its path.",
            field="base_url",
        )
    return text


def in_the_clear(url: str) -> str | None:
    """The host to which a key would travel unencrypted over a network; none if it would not."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    return None if parts.scheme != "http" or _is_here(name) else name


def stays_here(url: str) -> bool:
    """Whether an address leads to this machine; a broken one leads nowhere."""
    try:
        return _is_here(urlsplit(url).hostname or "")
    except ValueError:
        return False


def _is_here(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def same_server(one: str, other: str) -> bool:
    """Whether two addresses lead to the same server; the empty one is the usual place."""
    return _server(one) == _server(other)


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
