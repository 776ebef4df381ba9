"""What a refusal or a broken connection means to a person."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from bestchat_server_ext.adapters.provider_http.address import host
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.wire.lane import Lane
from bestchat_server_ext.core.wire.refusals import AUTHORITY_HINT

if TYPE_CHECKING:
    import aiohttp

BODY_LIMIT = 64 * 1024
"""Bytes that are read of a refusal."""
_BODY_SECONDS = 5.0
"""How long to wait for the body of a refusal."""
_SERVERS_FAULT = 500
"""Statuses from here on blame the server, not the request."""


def client_error() -> type[Exception]:
    """What aiohttp raises, for an `except` that is evaluated only when something was raised."""
    import aiohttp

    return aiohttp.ClientError


async def refusal(response: aiohttp.ClientResponse, lane: Lane, place: str) -> errors.ProviderError:
    """The error behind a response that is no success.

    Args:
        response: the response, its body not read yet.
        lane: the format that the server speaks.
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
    return lane.error_of(status, body, wait)


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

    kind: type[errors.ProviderError] = errors.ProviderUnavailable  # it may pass
    match error:
        case aiohttp.ClientConnectorCertificateError():
            kind, text = errors.ProviderError, f"The certificate of {place} cannot be verified."
            hint = AUTHORITY_HINT
        case aiohttp.ClientSSLError():
            kind, text = errors.ProviderError, f"No secure connection to {place} could be made."
            hint = "Check whether its URL begins with http:// or https://."
        case aiohttp.ClientConnectorDNSError():
            text = f"The name of {place} is not known on this network."
            hint = "Check the URL, and whether this machine is on the network."
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            if isinstance(error, aiohttp.ClientHttpProxyError) and error.status < _SERVERS_FAULT:
                kind = errors.ProviderError
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
            kind, text = errors.ProviderError, f"{place} answered with something unreadable."
            hint = "Check its URL; usually it ends in /v1."
        case _:
            kind, text = errors.ProviderError, f"No request can be sent to {place}."
            hint = "Check its URL (https://host/v1) and its key for characters that do not belong."
    return kind(text, hint=hint)


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
