"""The catalogue: what is known of providers, as data.

Nothing anywhere asks for a provider's name to decide what to do. What sets one apart is a field
here, so that a new provider is a new entry of the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import msgspec

from bestchat_server_ext.core.models import ModelFacts

LaneName = Literal["openai", "anthropic", "ollama", "litellm", "local", "scripted"]
"""Which code speaks with a provider: one of the formats, litellm, or something of our own."""

_AT_HOME = frozenset[LaneName]({"local", "scripted"})
"""Lanes that reach no other machine."""

_PLACEHOLDER = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")

Look = Callable[[str], str | None]
"""Gives the value of a variable; none where it is not set."""


class Variable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A setting of a provider beside its key and its URL."""

    name: str
    """The variable that holds it."""
    needed: bool = False
    """Whether the provider cannot be reached without it."""
    secret: bool = False
    """Whether it is part of what proves who asks."""


class ProviderFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is known of a provider."""

    name: str
    """The first half of its model references."""
    label: str
    """What people call it."""
    lane: LaneName
    """Which code speaks with it."""
    base_url: str = ""
    """Where it is. A variable in braces stands for its value; empty if there is no usual place."""
    key_name: str | None = None
    """The variable that holds its key; none where there are no keys."""
    needs_key: bool = True
    """Whether its own place refuses requests without a key."""
    url_name: str | None = None
    """The variable that points it elsewhere; none if it cannot be moved."""
    other_names: tuple[Variable, ...] = ()
    """Further variables that it reads."""
    key_style: Literal["bearer", "x-api-key", "api-key"] = "bearer"
    """The header that carries the key."""
    stream_usage: bool = True
    """Whether it has to be asked for usage; some refuse the question."""
    max_tokens_name: str = "max_tokens"
    """What limits an answer."""
    system_role: Literal["system", "developer"] = "system"
    """Who gives the standing instructions."""
    chat_path: str | None = None
    """Where requests go, behind the URL; none for the usual path of its lane."""
    list_path: str | None = None
    """Where the list of its models is, behind the URL; none if it cannot be asked."""
    list_prefix: str = ""
    """What its list puts before the names of models and its other answers do not."""
    default: str | None = None
    """The model that answers when none is named, without the provider's name; none if there is
    none that everybody has."""
    prefill: bool | None = None
    """Whether its models go on with an answer that was begun for them, asked as its lane asks;
    none where that is for each model to say."""
    docs: str = ""
    """Where to read about keys and models."""
    litellm_names: tuple[str, ...] = ()
    """What litellm calls it: first what its model names begin with there, then what else its
    models are listed under."""
    own_names: str = ""
    """Regular expression that its own names for models match, where litellm lists them under
    others as well; empty if all are its own."""
    as_of: str = ""
    """The day of this knowledge, as 2026-01-31."""

    @property
    def at_home(self) -> bool:
        """Whether its models answer without another machine being asked."""
        return self.lane in _AT_HOME

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables that it reads."""
        names = (self.key_name, self.url_name, *(item.name for item in self.other_names))
        return tuple(name for name in names if name)

    @property
    def secret_names(self) -> tuple[str, ...]:
        """The variables whose values nobody may see."""
        others = (item.name for item in self.other_names if item.secret)
        return (self.key_name, *others) if self.key_name else tuple(others)

    def redirected(self, look: Look) -> bool:
        """Whether somebody has pointed it elsewhere, where other models may be, and no keys."""
        return self.url_name is not None and bool(look(self.url_name))

    def url(self, look: Look) -> str | None:
        """Where to send requests; none as long as a part of that is not known.

        Hosts are often named without a scheme, in variables that other programs read as well.
        """
        chosen = look(self.url_name) if self.url_name else None
        if chosen:
            return self.whole(chosen)
        values = {name: look(name) for name in _PLACEHOLDER.findall(self.base_url)}
        if not self.base_url or not all(values.values()):
            return None
        whole = _PLACEHOLDER.sub(lambda found: (values[found[1]] or "").rstrip("/"), self.base_url)
        return whole if "://" in whole else f"https://{whole}"

    def whole(self, url: str) -> str:
        """An address as requests need it. The variable that Ollama reads itself may hold less."""
        return ollama_url(url) if self.lane == "ollama" else url

    def missing(self, look: Look) -> tuple[str, ...]:
        """The variables that have to be set before it can be asked; none if it can be."""
        if self.redirected(look):
            return ()
        wanted = [self.key_name] if self.needs_key else []
        wanted += [item.name for item in self.other_names if item.needed]
        if not self.base_url and not self.at_home:
            wanted.append(self.url_name)
        return tuple(name for name in wanted if name and not look(name))


def ollama_url(text: str) -> str:
    """The URL in what OLLAMA_HOST holds: a host, a host and a port, or a URL.

    What makes Ollama listen everywhere leads to this machine. Broken ones stay as they are.
    """
    scheme, mark, rest = text.rpartition("://")
    place, slash, path = rest.partition("/")
    if place.count(":") > 1 and not place.startswith("["):
        place = f"[{place}]"  # IPv6 without a port
    name, _, port = (
        place.rpartition(":") if place.rpartition(":")[2].isdecimal() else (place, "", "")
    )
    name = name.removesuffix(":")
    if name in {"", "0.0.0.0", "[::]"}:  # noqa: S104  this is what we do not want
        name = "127.0.0.1"
    port = port or ("" if mark else "11434")
    return f"{scheme or 'http'}://{name}{':' if port else ''}{port}{slash}{path}"


def merged(known: ModelFacts, told: ModelFacts) -> ModelFacts:
    """What the catalogue knows of a model, completed with what its own server tells.

    The window is the server's business: it may have been started with a smaller one.
    """
    if not known.known:
        return told if told.known else known
    gaps = {
        name: getattr(told, name)
        for name in ("label", "output_limit", "tools", "images", "reasoning", "todo")
        if getattr(known, name) in {None, ""}
    }
    window = told.window or known.window
    return msgspec.structs.replace(known, **gaps, window=window, ready=told.ready)
