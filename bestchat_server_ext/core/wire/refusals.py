"""What providers say when they do not answer: as one error of our family each.

They agree on little: an error is an object, a text or a list, with a status of its own or only
that of the response. So the kind is found in what is told, wherever it is told.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from bestchat_server_ext.core import errors

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What reading bytes of strangers as JSON can raise; the last by nesting without end."""

AUTHORITY_HINT = (
    "If your network has a certificate authority of its own, set SSL_CERT_FILE to a file that "
    "holds its certificate, before Jupyter is started."
)
"""What to do where the certificate of a provider cannot be verified."""

_LONGEST_MESSAGE = 300
_OVERFLOW = (
    "context_length",
    "context length",
    "context limit",
    "context size",
    "context window",
    "exceed_context",
    "input is too long",
    "input token count",
    "maximum context",
    "maximum model length",
    "maximum prompt length",
    "prompt is too long",
    "request_too_large",
)
_REFUSAL = ("content_filter", "content_policy", "content filtering policy")
_KEY = ("invalid_api_key", "authentication_error", "permission_error")
_MODEL = ("model_not_found", "not_found_error")
_PICTURES = (
    "image content is not supported",
    "image input is not supported",
    "image inputs are not supported",
    "image_url is only supported by",
    "images are not supported",
    "not a multimodal model",
    "not a vision model",
    "not support image content",
    "not support image input",
    "not support images",
    "not support multimodal",
    "not support vision",
    "that support image input",
    "unknown variant `image_url`",
)
_CREDIT = ("insufficient_quota", "exceeded_current_quota", "billing_error", "credit balance")
_BROKE, _REFUSED = "The provider broke the answer off.", "The provider answered with HTTP {}."


class ErrorBody(msgspec.Struct):
    """An error as providers write it: of texts and numbers, as a rule."""

    message: Any = None
    type: Any = None
    code: Any = None


class _Refusal(msgspec.Struct):
    """The shapes of a refusal: ours to expect, the others as servers were seen to write them."""

    error: ErrorBody | str | None = None
    message: str | None = None
    detail: Any = None

    @property
    def body(self) -> ErrorBody:
        if isinstance(self.error, ErrorBody):
            return self.error
        detail = self.detail if isinstance(self.detail, str) else None
        return ErrorBody(message=self.error or self.message or detail)


_decoder = msgspec.json.Decoder(_Refusal | list[_Refusal])


def error_in(error: ErrorBody | str) -> errors.ProviderError:
    """The error that a provider put into its stream."""
    body = ErrorBody(message=error) if isinstance(error, str) else error
    return _classify(None, body, None)


def error_of(status: int, body: bytes, retry_after: float | None = None) -> errors.ProviderError:
    """The error behind a response that is not a stream, from its status and its body."""
    try:
        decoded = _decoder.decode(body)
    except UNREADABLE:
        decoded = _Refusal()
    if isinstance(decoded, list):
        decoded = decoded[0] if decoded else _Refusal()
    return _classify(status, decoded.body, retry_after)


def unreadable() -> errors.ProviderError:
    """The error for a piece of an answer that makes no sense."""
    return errors.ProviderError(
        "The provider sent a piece of the answer that cannot be read.",
        hint="Check its URL, and whether that is where its chat API is.",
    )


def unreadable_list() -> errors.ProviderError:
    """The error for a list of models that is none."""
    return errors.ProviderError(
        "The provider's list of models cannot be read.",
        hint="Check its URL, and whether that is where its chat API is.",
    )


def endless() -> errors.ProviderError:
    """The error for a piece of an answer that is longer than any can be."""
    return errors.ProviderError(
        "The provider sent a piece of the answer that never ends.",
        hint="Check its URL, and whether that is where its chat API is.",
    )


def _classify(
    status: int | None, body: ErrorBody, retry_after: float | None
) -> errors.ProviderError:
    message = body.message if isinstance(body.message, str) else ""
    said = " ".join(message.replace("\0", "").split())[:_LONGEST_MESSAGE]
    text = _REFUSED.format(status) if status else _BROKE
    if said:
        text = f"The provider says: {said}"
    if status is None and isinstance(body.code, int):
        status = body.code  # in a stream, the status is part of the error
    telling = f"{body.code} {body.type} {said}".lower()

    def tells(words: tuple[str, ...]) -> bool:
        return any(word in telling for word in words)

    if tells(_OVERFLOW) or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        hint = "Start a new conversation, or choose a model with a larger window."
        return errors.ContextOverflow(text, hint=hint)
    if tells(_REFUSAL):
        return errors.ContentRefused(text, hint="Say it in other words.")
    if tells(_PICTURES):  # some say it with a 404 or a 500
        return errors.PicturesRefused(f"This model cannot look at pictures. {text}")
    if tells(_CREDIT) or status == HTTPStatus.PAYMENT_REQUIRED:
        # It comes as a 429 or as a mistake in the request, yet no waiting and no key helps.
        return errors.QuotaExceeded(text, hint="Check the credit of the account at the provider.")
    if status in {401, 403} or tells(_KEY):
        return errors.ProviderAuth(text, hint="Check the provider's key.")
    if status == HTTPStatus.NOT_FOUND or tells(_MODEL):
        return errors.ModelNotFound(text, hint="Check the model's name and the provider's URL.")
    if status == HTTPStatus.TOO_MANY_REQUESTS or "rate_limit" in telling:
        return errors.RateLimited(text, hint="Wait a little.", retry_after=retry_after)
    # Requests that were refused for what they are stay refused; whatever else failed may pass.
    ours = "invalid_request" in telling if status is None else status < 500  # noqa: PLR2004
    if ours and status != HTTPStatus.REQUEST_TIMEOUT:
        # The provider's own words are all that can be said.
        return errors.ProviderError(text, hint="", retry_after=retry_after)
    return errors.ProviderUnavailable(text, hint="Try again in a moment.", retry_after=retry_after)
