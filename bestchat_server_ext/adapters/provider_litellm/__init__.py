"""Providers by way of litellm: the long tail, whose formats we do not speak ourselves.

The library takes seconds to load and a hundred times as long for a piece of an answer as the lanes
of `core.wire`, so it is loaded when one of its models is asked for the first time, in a thread.
Retries, price maps, callbacks and `.env` files of its own stay off; nothing but requests and
answers passes through it.

    provider    LitellmProvider: requests, answers
    library     loading it without traces
    parameters  what litellm calls the variables of a provider
    failures    its exceptions, as errors of ours
"""

from __future__ import annotations

from bestchat_server_ext.adapters.provider_litellm.provider import LitellmProvider

__all__ = ["LitellmProvider"]
