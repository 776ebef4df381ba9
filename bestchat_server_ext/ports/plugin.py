"""What other packages may add: providers.

An entry point of the group `bestchat.providers` names a `ProviderFacts`, or a function that gives
one or a `ProviderPlugin`. Facts alone are enough for a server that speaks a format that BestChat
knows: they say where it is and which variable holds its key. Anything else brings its own adapter::

    [project.entry-points."bestchat.providers"]
    acme = "acme_bestchat:plugin"

`bestchat_server_ext.testing.port_suites.provider.ProviderSuite` tells whether an adapter keeps
what the port demands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import ModelFacts
from bestchat_server_ext.ports.credentials import Credentials
from bestchat_server_ext.ports.provider import Provider

PROVIDERS_GROUP = "bestchat.providers"
"""The entry points that name providers of other packages."""


class ProviderPlugin(msgspec.Struct, frozen=True):
    """A provider that another package brings."""

    facts: ProviderFacts
    """What is known of it. `lane` is not looked at."""
    build: Callable[[Credentials], Provider]
    """Makes its adapter, when it is first needed; keys are looked up for each request."""
    models: Sequence[ModelFacts] = ()
    """The models that it is known to have; their references begin with `facts.name`."""
