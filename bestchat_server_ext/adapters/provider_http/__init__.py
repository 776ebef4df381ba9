"""The lane to everything that speaks OpenAI's chat completions, over aiohttp.

aiohttp is imported on first use, so that importing this package costs nothing. Everything that can
go wrong on the wire ends here as an error that names the host, and never a key or a prompt.

    provider    OpenAIProvider: requests, sessions, lists of models
    answer      the body of a response, read as a stream of chunks
    failures    what a refusal or a broken connection means to a person
    address     what follows from a URL: headers, proxy, what may be shown of it
"""

from __future__ import annotations

from bestchat_server_ext.adapters.provider_http.provider import Catalog, OpenAIProvider

__all__ = ["Catalog", "OpenAIProvider"]
