"""Providers over HTTP: everything that speaks one of the formats in `core.wire`, over aiohttp.

aiohttp is imported on first use, so that importing this package costs nothing. Everything that can
go wrong on the wire ends here as an error that names the host, and never a key or a prompt.

    provider     HttpProvider: requests, lists of models
    ollama       OllamaProvider: the same, and how large a context to ask for
    lanes        which format a provider speaks
    known        what is known of a provider's models without asking it
    connections  sessions, proxies, certificate authorities
    answer       the body of a response, read as a stream of chunks
    pacing       how long to let packets gather
    failures     what a refusal or a broken connection means to a person
    address      what follows from a URL: paths, proxy, what may be shown of it
"""

from __future__ import annotations

from bestchat_server_ext.adapters.provider_http.connections import Connections
from bestchat_server_ext.adapters.provider_http.known import CatalogModels, Known, KnownModels
from bestchat_server_ext.adapters.provider_http.ollama import OllamaProvider
from bestchat_server_ext.adapters.provider_http.provider import HttpProvider, Outgoing

__all__ = [
    "CatalogModels",
    "Connections",
    "HttpProvider",
    "Known",
    "KnownModels",
    "OllamaProvider",
    "Outgoing",
]
