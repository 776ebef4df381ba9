"""litellm's exceptions, as errors of ours: what happened, and nothing of how it was sent."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import msgspec

from bestchat_server_ext.adapters.provider_litellm.library import missing
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.wire.refusals import AUTHORITY_HINT, error_of

_NAMES = re.compile(r"^(?:litellm\.)?\w*(?:Error|Exception|Timeout)\s*[:-]\s*")
"""Names of classes that it puts before what a provider said."""
_UNREACHED = frozenset({"ConnectError", "ConnectTimeout"})
"""What the libraries beneath it raise where no connection came about."""
_ANSWERED = "HTTPStatusError"
"""What they raise where one did, and an answer has come over it."""
_BROKEN = frozenset({"APIConnectionError", "MidStreamFallbackError", "RemoteProtocolError"})
"""What it raises where there is no connection, or no more."""
_ADVICE = "This looks like a bug in LiteLLM"
"""How it begins to tell where to report what, with a long link."""
_SAID = re.compile(r"""["']message["']\s*:\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")


def failure(error: Exception, label: str) -> errors.ChatError:
    """The error behind an exception of litellm or of a library beneath it.

    Args:
        error: what was raised.
        label: what to call the provider.
    """
    name = type(error).__name__
    if isinstance(error, ImportError):
        return missing(error)
    if (unreached := _unreached(error, label)) is not None:
        return unreached
    if isinstance(error, TimeoutError) or name == "Timeout":
        return errors.ProviderUnavailable(
            f"{label} has fallen silent.", hint="It may be overloaded: try again."
        )
    status, context = getattr(error, "status_code", None), error.__context__
    if isinstance(context, ImportError):
        return missing(context)
    if name in _BROKEN or type(context).__name__ in _BROKEN:
        return errors.ProviderUnavailable(
            f"{label} cannot be reached, or the connection broke.", hint="Try again."
        )
    if not isinstance(status, int):
        return errors.ProviderError(
            f"{label} cannot be asked: {name}.",
            hint="Check its variables; `bestchat doctor` shows which are set.",
        )
    text = said(str(getattr(error, "message", "")))
    if name == "ContextWindowExceededError":
        text, status = f"context_length_exceeded: {text}", HTTPStatus.BAD_REQUEST
    elif name == "ContentPolicyViolationError":
        text, status = f"content_policy: {text}", HTTPStatus.BAD_REQUEST
    body = msgspec.json.encode({"error": {"message": text}})
    return error_of(status, body, _wait(error))


def _unreached(error: Exception, label: str) -> errors.ProviderError | None:
    """The error if no connection came about, which litellm passes off as the provider's words."""
    behind = list(_behind(error))
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in behind):
        return errors.ProviderError(
            f"The certificate of {label} cannot be verified.", hint=AUTHORITY_HINT
        )
    if any(isinstance(link, socket.gaierror) for link in behind):
        return errors.ProviderUnavailable(
            f"{label} cannot be reached: the name of its server is not known on this network.",
            hint="Check its URL or region, and whether this machine is on the network.",
        )
    if any(type(link).__name__ in _UNREACHED for link in behind):
        return errors.ProviderUnavailable(
            f"{label} cannot be reached.",
            hint="Check its URL, and whether this machine is on the network.",
        )
    return None


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it, up to an answer or to what another request met."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, errors.ChatError) or type(error).__name__ == _ANSWERED:
            return
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def said(text: str) -> str:
    """What the provider said, without the names that litellm puts before it."""
    text = text.partition(_ADVICE)[0].strip()
    quoted = _SAID.search(text)
    if quoted is not None:
        return quoted[1] or quoted[2] or ""
    before = None
    while before != text:
        before, text = text, _NAMES.sub("", text)
    return text


def _wait(error: Exception) -> float | None:
    """Seconds that the provider asks to wait."""
    headers: Any = getattr(error, "litellm_response_headers", None) or {}
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None
