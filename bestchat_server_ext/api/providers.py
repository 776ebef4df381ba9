"""Providers: which there are, and how each is set up."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Empty, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.provider_settings import KEY_MAX

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Key = Annotated[str, msgspec.Meta(max_length=KEY_MAX)]
Url = Annotated[str, msgspec.Meta(max_length=2000)]
Model = Annotated[str, msgspec.Meta(max_length=300)]


class ListProviders(ApiRequest):
    """Read which providers there are."""


class ProviderInfo(msgspec.Struct, frozen=True):
    """A provider, without any secret."""

    name: str
    """The first half of its model references."""
    label: str
    """What people call it."""
    lane: str
    """Which code speaks with it: the name of a format, `litellm`, `local` or `scripted`."""
    configured: bool
    """Whether it can be asked."""
    source: Literal["", "environment", "user", "site"]
    """Where its key or its address comes from; empty if from nowhere: none is needed, or all is
    still missing."""
    variable: str
    """The variable of the environment that it comes from, if it comes from there."""
    needs: tuple[str, ...]
    """The variables that are still missing."""
    key_name: str | None
    """The variable that holds its key; none where there are no keys."""
    url_name: str | None
    """The variable that points it elsewhere; none if it cannot be moved."""
    redirected: bool
    """Whether it was pointed elsewhere, where other models may be."""
    default: str | None
    """Model reference of the one that it answers with if nothing else is said; none if none."""
    permitted: bool
    """Whether the site lets its users ask it."""
    docs: str
    """Where to read about its keys and models; empty if nowhere."""
    here: bool = False
    """Whether it is on the machine where BestChat runs: what it is asked does not leave that."""
    problem: str = ""
    """`key_unreadable` if it needs its key again, as what is stored cannot be decrypted."""
    stored: StoredProvider | None = None
    """What oneself has stored; none if nothing, and for callers without `providers:write`."""


class ProviderList(msgspec.Struct, frozen=True):
    """All providers."""

    providers: tuple[ProviderInfo, ...]
    """The providers, in the order of the catalogue."""


class ConfigureProvider(ApiRequest):
    """Store settings for a provider, for oneself.

    What is left out stays as it is; an empty text removes what is stored. Nobody gets to see a key
    again once it is stored, and it is sent to the address that it was stored for: to name another
    server, give the key again. Commands that print a key, and keys for a whole site, can be set by
    the `bestchat` command only.
    """

    provider: Name
    """Which one."""
    key: Key | None = None
    """The key; it is stored encrypted."""
    base_url: Url | None = None
    """Where requests are sent to, for example https://host/v1; empty for the usual place."""
    default_model: Model | None = None
    """Model reference of the one that answers if none is named."""
    version: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """The version that is to be changed, 0 if nothing is stored yet; if another one is there,
    nothing is changed. Without it, whatever is there is changed."""

    def __repr__(self) -> str:
        """Without the key."""
        return f"ConfigureProvider({self.provider!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Likewise, for libraries that print prettily."""
        return [("provider", self.provider)]


class StoredProvider(msgspec.Struct, frozen=True):
    """What is stored for a provider, without any secret."""

    provider: str
    """Which one."""
    has_key: bool
    """Whether a key is stored."""
    last_four: str
    """Its last four characters; empty where there is no key, or a short one."""
    key_command: bool
    """Whether a command prints the key each time it is needed."""
    base_url: str
    """Where requests are sent to; empty for the usual place."""
    default_model: str
    """Model reference of the one that answers if none is named; empty if none is set."""
    version: int
    """How often it was changed."""
    updated_at: datetime
    """When it was last changed, UTC."""
    notices: tuple[str, ...] = ()
    """What a person should know about that, one sentence each."""


class CheckProvider(ApiRequest):
    """Ask a provider for next to nothing, to see whether its settings are right.

    It is a real request, which may cost a few tokens. Whatever the provider makes of it, this call
    itself succeeds, and the verdict says how it went.
    """

    provider: Name
    """Which one."""
    model: Model | None = None
    """Model reference of the one to ask; without it, the provider's default."""


class Verdict(msgspec.Struct, frozen=True):
    """How a provider was found."""

    code: Literal[
        "ok",
        "no_model",
        "missing_key",
        "key_unreadable",
        "key_refused",
        "model_missing",
        "no_credit",
        "rate_limited",
        "unreachable",
        "timed_out",
        "not_permitted",
        "failed",
    ]
    """What came out, for programs; `ok` if all is well."""
    text: str
    """The same in a sentence, for people."""
    hint: str
    """What to do about it; empty if there is nothing to do."""
    model: str
    """Model reference of the one that was asked; empty if none was."""
    reached: bool
    """Whether the provider answered at all."""
    key_accepted: bool | None
    """Whether it took the key; none where it did not get so far."""
    model_exists: bool | None
    """Whether it has the model; none where it did not get so far."""


class ForgetProvider(ApiRequest):
    """Delete what is stored for a provider, its key included."""

    provider: Name
    """Which one."""


list_ = Procedure(
    name="providers.list",
    summary="List the providers, and how each is set up.",
    request=ListProviders,
    response=ProviderList,
    scope=Scope.MODELS_READ,
)
configure = Procedure(
    name="providers.configure",
    summary="Store one's own key and settings for a provider; the key never comes out again.",
    request=ConfigureProvider,
    response=StoredProvider,
    scope=Scope.PROVIDERS_WRITE,
)
test = Procedure(
    name="providers.test",
    summary="See whether a provider is reached, takes the key and has the model.",
    request=CheckProvider,
    response=Verdict,
    scope=Scope.PROVIDERS_WRITE,
)
forget = Procedure(
    name="providers.forget",
    summary="Delete one's own key and settings for a provider.",
    request=ForgetProvider,
    response=Empty,
    scope=Scope.PROVIDERS_WRITE,
)
