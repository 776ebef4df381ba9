"""One family of errors for every floor and both ends of the wire.

::

    ChatError
    ├── InvalidRequest        invalid_request       invalid      what was sent cannot be used
    │   ├── ProtocolMismatch  protocol_mismatch     invalid      one side has to be upgraded
    │   ├── UnknownProvider   unknown_provider      invalid
    │   ├── NoModel           no_model              invalid      no default, none named
    │   ├── PromptError       prompt_error          invalid      an expression in a prompt raised
    │   └── TooLarge          too_large             invalid      more than is looked at
    ├── UnknownProcedure      unknown_procedure     missing
    ├── NotAuthenticated      not_authenticated     denied       no caller, or an unknown one
    ├── NotAllowed            not_allowed           denied       the caller's scopes do not reach
    │   ├── MissingKey        missing_key           denied       a provider has no key
    │   │   └── KeyUnreadable key_unreadable        denied       the stored key cannot be decrypted
    │   ├── NotPermitted      not_permitted         denied       the site's policy rules it out
    │   └── Disabled          disabled              denied       the site has switched BestChat off
    ├── NotFound              not_found             missing      also: somebody else's
    │   └── NotRecorded       not_recorded          missing      a replay that must not ask
    ├── Conflict              conflict              conflict     the object has moved on
    │   ├── TurnActive        turn_active           conflict     one turn at a time
    │   ├── VersionConflict   version_conflict      conflict     it was changed meanwhile
    │   └── LeaseLost         lease_lost            conflict     another process took the turn
    ├── LimitReached          limit_reached         limited
    ├── ProviderError         provider_error        upstream     the model's host failed
    │   ├── ProviderAuth      provider_auth         upstream
    │   ├── ModelNotFound     model_not_found       upstream
    │   ├── ProviderUnavailable provider_unavailable upstream    down, overloaded, or cut off
    │   ├── QuotaExceeded     quota_exceeded        upstream     no credit left; waiting is no help
    │   ├── RateLimited       rate_limited          upstream
    │   ├── ContextOverflow   context_overflow      upstream
    │   ├── ContentRefused    content_refused       upstream
    │   ├── PicturesRefused   pictures_refused      upstream     the model cannot look at pictures
    │   └── UnusableAnswer    unusable_answer       upstream     not in the form that was asked for
    ├── PageUnreadable        page_unreadable       upstream     a page that was mentioned
    ├── TurnCancelled         turn_cancelled        conflict     somebody pressed Stop
    ├── TurnInterrupted       turn_interrupted      unavailable  the process that ran it is gone
    ├── Unavailable           unavailable           unavailable  storage or server out of reach
    │   └── NotInstalled      not_installed         unavailable
    └── InternalError         internal              bug

`code` is stable and for programs; `text` is one sentence for a person and never holds a key, a
prompt or an answer; `hint` says what to do about it. `info` and `from_info` carry an error across
a wire without losing its class.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

Kind = Literal[
    "invalid", "denied", "missing", "conflict", "limited", "upstream", "unavailable", "bug"
]
"""What an error asks of its receiver; each door maps a kind to a status exactly once."""


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as it is written into events and answers."""

    code: str
    """Stable name of what went wrong, for programs."""
    kind: Kind
    """The family of causes it belongs to."""
    text: str
    """One sentence for a person."""
    hint: str = ""
    """What to do about it."""
    field: str = ""
    """Path of the offending field in the request, where there is one."""
    retry_after: float | None = None
    """Seconds after which trying again makes sense, where known."""


class ChatError(Exception):
    """Base of all errors that BestChat raises on purpose."""

    code: ClassVar[str] = "internal"
    kind: ClassVar[Kind] = "bug"
    default_hint: ClassVar[str] = ""

    def __init__(
        self, text: str, *, hint: str = "", field: str = "", retry_after: float | None = None
    ) -> None:
        """Say in one sentence what went wrong, and with `hint` what to do about it."""
        super().__init__(text)
        self.info = ErrorInfo(
            code=self.code,
            kind=self.kind,
            text=text,
            hint=hint or self.default_hint,
            field=field,
            retry_after=retry_after,
        )

    def __str__(self) -> str:
        """The sentence and the hint, on one line."""
        text, hint = self.info.text, self.info.hint
        # What a provider says does not always end like a sentence.
        stop = "." if text and hint and (text[-1].isalnum() or text[-1] in "'\"`)]*") else ""
        return " ".join(part for part in (text + stop, hint) if part)


class InvalidRequest(ChatError):
    """What was sent cannot be used."""

    code = "invalid_request"
    kind = "invalid"


class TooLarge(InvalidRequest):
    """What was sent is larger than anything that is looked at."""

    code = "too_large"
    default_hint = "Send less at once."


class UnknownProcedure(ChatError):
    """There is no procedure of that name."""

    code = "unknown_procedure"
    kind = "missing"
    default_hint = "The OpenAPI document lists all of them."


class ProtocolMismatch(InvalidRequest):
    """The two sides speak protocols that are too far apart."""

    code = "protocol_mismatch"


class UnknownProvider(InvalidRequest):
    """A model reference names a provider that does not exist here."""

    code = "unknown_provider"


class NoModel(InvalidRequest):
    """No model was named and there is no default."""

    code = "no_model"


class PromptError(InvalidRequest):
    """An expression in a prompt could not be evaluated."""

    code = "prompt_error"


class NotAuthenticated(ChatError):
    """There is no caller, or an unknown one."""

    code = "not_authenticated"
    kind = "denied"
    default_hint = "Send Jupyter's token or a BestChat token in the Authorization header."


class NotAllowed(ChatError):
    """The caller is known, yet its scopes do not reach this far."""

    code = "not_allowed"
    kind = "denied"


class MissingKey(NotAllowed):
    """A provider was chosen for which no key is configured."""

    code = "missing_key"


class KeyUnreadable(MissingKey):
    """A key is stored, and cannot be decrypted any more: it has to be entered again."""

    code = "key_unreadable"


class NotPermitted(NotAllowed):
    """The site's policy rules this out, whoever asks."""

    code = "not_permitted"
    default_hint = "Ask the administrator; `%chat` and `bestchat doctor` show what is configured."


class Disabled(NotAllowed):
    """The site has switched BestChat off."""

    code = "disabled"
    default_hint = "Ask the administrator; the option is `enabled`."


class NotFound(ChatError):
    """There is no such object, or it is somebody else's: the two look the same from outside."""

    code = "not_found"
    kind = "missing"
    default_hint = "Check the id, or list what you have."


class NotRecorded(NotFound):
    """A run that replays only asks for something that was never recorded."""

    code = "not_recorded"


class Conflict(ChatError):
    """The object has moved on since the caller last saw it."""

    code = "conflict"
    kind = "conflict"
    default_hint = "Look at it again: it has moved on."


class TurnActive(Conflict):
    """The conversation is already busy with a turn."""

    code = "turn_active"
    default_hint = "Wait for it to end, or cancel it."


class VersionConflict(Conflict):
    """Somebody else has changed the object since the caller read it."""

    code = "version_conflict"
    default_hint = "Read it again, and make the change to what is there now."


class LeaseLost(Conflict):
    """Another process has taken over the turn that this one was writing."""

    code = "lease_lost"


class LimitReached(ChatError):
    """A limit on sizes, rates or money was reached."""

    code = "limit_reached"
    kind = "limited"


class ProviderError(ChatError):
    """The model's host failed, or answered with something that is not an answer."""

    code = "provider_error"
    kind = "upstream"


class ProviderAuth(ProviderError):
    """The provider refused the key."""

    code = "provider_auth"


class ModelNotFound(ProviderError):
    """The provider has no model of that name."""

    code = "model_not_found"


class ProviderUnavailable(ProviderError):
    """The provider is down or overloaded, or the connection to it broke: it may pass."""

    code = "provider_unavailable"


class QuotaExceeded(ProviderError):
    """The account at the provider has no credit left: waiting does not help."""

    code = "quota_exceeded"


class RateLimited(ProviderError):
    """The provider asks to wait."""

    code = "rate_limited"


class ContextOverflow(ProviderError):
    """The conversation no longer fits into the model's window."""

    code = "context_overflow"


class ContentRefused(ProviderError):
    """The provider's content policy refused the prompt or the answer."""

    code = "content_refused"


class PicturesRefused(ProviderError):
    """The model cannot look at pictures, and got one."""

    code = "pictures_refused"
    default_hint = "Choose another model, or ask again without the picture."


class UnusableAnswer(ProviderError):
    """The model answered, and not in the form that was asked for, although it was told twice."""

    code = "unusable_answer"


class PageUnreadable(ChatError):
    """A page that was mentioned cannot be fetched, or is no text."""

    code = "page_unreadable"
    kind = "upstream"
    default_hint = "Open it in a browser, save it, and attach the file."


class TurnCancelled(ChatError):
    """The turn was stopped by a person."""

    code = "turn_cancelled"
    kind = "conflict"


class TurnInterrupted(ChatError):
    """The process that ran the turn has gone away."""

    code = "turn_interrupted"
    kind = "unavailable"
    default_hint = "What had arrived is kept; send the message again to go on."


class Unavailable(ChatError):
    """Storage or server is out of reach for now."""

    code = "unavailable"
    kind = "unavailable"


class NotInstalled(Unavailable):
    """An optional part of BestChat is not installed here."""

    code = "not_installed"


class InternalError(ChatError):
    """A mistake of ours. The text is fixed, so that nothing private can leak through it."""

    code = "internal"
    kind = "bug"
    default_hint = "This is a bug in BestChat; the server's log has the details."

    def __init__(self, text: str = "Something went wrong inside BestChat.", **extra: str) -> None:
        """Take no details: they belong into the log."""
        super().__init__(text, hint=extra.get("hint", ""), field=extra.get("field", ""))


def _family(root: type[ChatError]) -> list[type[ChatError]]:
    return [root, *(member for child in root.__subclasses__() for member in _family(child))]


_GENERAL: dict[str, type[ChatError]] = {
    "invalid": InvalidRequest,
    "denied": NotAllowed,
    "missing": NotFound,
    "conflict": Conflict,
    "limited": LimitReached,
    "upstream": ProviderError,
    "unavailable": Unavailable,
}


def from_info(info: ErrorInfo) -> ChatError:
    """Rebuild the error that `info` was made from.

    A code that this version does not know (the other side may be newer) becomes the nearest
    relative: the general class of its kind.
    """
    named = [member for member in _family(ChatError)[1:] if member.code == info.code]
    error_class = named[0] if named else _GENERAL.get(info.kind, InternalError)
    error = error_class.__new__(error_class)
    Exception.__init__(error, info.text)
    error.info = info
    return error
