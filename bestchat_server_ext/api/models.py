"""Models: which there are, and what is known of them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.models import ModelFacts

ProviderName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class ListModels(ApiRequest):
    """Read which models can be used."""

    known_only: bool = False
    """Whether to leave out what providers would have to be asked for over the network."""
    provider: ProviderName | None = None
    """The provider whose models to list; without it, those of all that are configured."""


class LeftOut(msgspec.Struct, frozen=True):
    """A provider whose models are not in the list."""

    provider: str
    """Its name."""
    reason: str
    """Why, in a sentence."""


class ModelList(msgspec.Struct, frozen=True):
    """Models of configured providers: those of the catalogue, and those that they tell of."""

    models: tuple[ModelFacts, ...]
    """The models."""
    default: str | None
    """Model reference of the one that answers when none is named; none if there is no default."""
    default_todo: str
    """What to do about it, if there is no default."""
    left_out: tuple[LeftOut, ...] = ()
    """Providers that could not be asked."""


class GetModel(ApiRequest):
    """Read what is known of a model."""

    model: Reference
    """Model reference."""


list_ = Procedure(
    name="models.list",
    summary="List the models of configured providers, and the default one.",
    request=ListModels,
    response=ModelList,
    scope=Scope.MODELS_READ,
)
get = Procedure(
    name="models.get",
    summary="Read what is known of a model: its limits, what it can do, what it costs.",
    request=GetModel,
    response=ModelFacts,
    scope=Scope.MODELS_READ,
)
