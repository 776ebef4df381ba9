"""What a refusal or a broken connection means to a person."""

from __future__ import annotations

import asyncio
import math
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from bestchat_server_ext.adapters.provider_http.address import host
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.wire.openai import error_of

if TYPE_CHECKING:
    import aiohttp

BODY_LIMIT = 64 * 1024
"""Bytes that are read of a refusal."""
_BODY_SECONDS = 5.0
"""How long to wait for the body of a refusal."""
_SHORTEST_START = 4
"""Characters; the beginning of a key that is this long is recognised at the end of a text."""


def client_error() -> type[Exception]:
    """What aiohttp raises, for an `except` that is evaluated only when something was raised."""
    import aiohttp

    return aiohttp.ClientError


async def refusal(response: aiohttp.ClientResponse, place: str) -> errors.ProviderError:
    """The error behind a response that is no success.

    Args:
        response: the response, its body not read yet.
        place: what to call the server.
    """
    status = response.status
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        target = host(response.headers.get("Location", "")) or "another path"
        return errors.ProviderError(
            f"{place} redirects to {target}, and the request was not sent there.",
            hint="If that is the right place, make it the provider's URL.",
        )
    body = await read_up_to(response, BODY_LIMIT)
    there = _date(response.headers.get("Date"))
    wait = _seconds(response.headers.get("Retry-After"), there or datetime.now(UTC))
    return error_of(status, body, wait)


async def read_up_to(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The beginning of a body: at most `limit` bytes, as much of it as arrives in time."""
    body = b""
    with suppress(TimeoutError, client_error()):
        async with asyncio.timeout(_BODY_SECONDS):
            while len(body) < limit and (data := await response.content.read(limit - len(body))):
                body += data
    return body


def failure(error: Exception, place: str) -> errors.ProviderError:
    """The error behind an exception of aiohttp or of the operating system."""
    import aiohttp

    match error:
        case aiohttp.ClientConnectorCertificateError():
            text = f"The certificate of {place} cannot be verified."
            hint = "If your network has a certificate authority of its own, set SSL_CERT_FILE."
        case aiohttp.ClientSSLError():
            text = f"No secure connection to {place} could be made."
            hint = "Check whether its URL begins with http:// or https://."
        case aiohttp.ClientConnectorDNSError():
            text = f"The name of {place} is not known on this network."
            hint = "Check the URL, and whether this machine is on the network."
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            text = f"The proxy on the way to {place} does not let the request through."
            hint = "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
        case aiohttp.ConnectionTimeoutError() | aiohttp.ClientConnectorError():
            text = f"{place} cannot be reached."
            hint = "Check the URL, and whether the server runs."
        case TimeoutError():
            text = f"{place} has fallen silent."
            hint = "It may be overloaded: try again."
        case OSError() | aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            text, hint = f"The connection to {place} broke.", "Try again."
        case msgspec.DecodeError() | aiohttp.ClientResponseError():
            text = f"{place} answered with something that cannot be read."
            hint = "Check its URL; usually it ends in /v1."
        case _:
            text = f"No request can be sent to {place}."
            hint = "Check its URL (https://host/v1) and its key for characters that do not belong."
    return errors.ProviderError(text, hint=hint)


def scrubbed(error: errors.ChatError, key: str | None) -> errors.ChatError:
    """The error without the key, should the provider have repeated it."""
    if key:
        text, hint = _without(key, error.info.text), _without(key, error.info.hint)
        error.info = msgspec.structs.replace(error.info, text=text, hint=hint)
        error.args = (text,)
    return error


def tells(key: str | None, text: str) -> bool:
    """Whether a text holds the key."""
    return bool(key) and _without(key or "", text) != text


def _without(key: str, text: str) -> str:
    # In any case of letters: the name of a host, for one, comes back in small ones.
    text = re.sub(re.escape(key), "***", text, flags=re.IGNORECASE)
    for length in range(len(key) - 1, _SHORTEST_START - 1, -1):
        # A text that was cut to its greatest length may end in the middle of the key.
        if text.endswith(key[:length]):
            return text[:-length] + "***"
    return text


def _seconds(header: str | None, now: datetime) -> float | None:
    """Seconds to wait, from a number of seconds or a date (RFC 9110, section 10.2.3)."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        until = _date(header)
        seconds = (until - now).total_seconds() if until else math.nan
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _date(header: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
