"""litellm's exceptions, as errors of ours: what happened, and nothing of how it was sent."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

from bestchat_server_ext.adapters.provider_litellm.library import missing
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.wire.refusals import error_of

_NAMES = re.compile(r"^(?:litellm\.)?\w*(?:Error|Exception|Timeout)\s*[:-]\s*")
"""Names of classes that it puts before what a provider said."""
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
