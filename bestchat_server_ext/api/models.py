"""Models: which there are."""

from __future__ import annotations

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.models import ModelFacts


class ListModels(ApiRequest):
    """Read which models can be used."""

    known_only: bool = False
    """Whether to leave out what providers would have to be asked for over the network."""


class ModelList(msgspec.Struct, frozen=True):
    """Models of all configured providers."""

    models: tuple[ModelFacts, ...]
    """The models."""
    default: str | None
    """Model reference of the one that answers when none is named; none if there is no default."""
    default_todo: str
    """What to do about it, if there is no default."""


list_ = Procedure(
    name="models.list",
    summary="List the models of all configured providers, and the default one.",
    request=ListModels,
    response=ModelList,
    scope=Scope.MODELS_READ,
)
