"""PostgreSQL's errors as ours, by their five-letter code."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, StatementError

from bestchat_server_ext.adapters.storage_sql.engine import taken
from bestchat_server_ext.core.errors import (
    ChatError,
    Conflict,
    InternalError,
    InvalidRequest,
    TooLarge,
    TurnActive,
    Unavailable,
)

UPGRADE = "Run `bestchat db upgrade`, which makes and upgrades its tables."
"""What to do about a schema that is not there, or not new enough."""

_CHECK = "Check `database_url`: user, password, database and the rights of the user."
_MOMENT = "Try again in a moment."
_DOUBT = "Look again at what is stored: it may have been written."

_REFUSALS = {
    "28000": ("does not let this user in", _CHECK),
    "28P01": ("does not accept the user's password", _CHECK),
    "3D000": ("has no database of that name", _CHECK),
    "42501": ("does not allow this user to do that", _CHECK),
    "53100": ("has no disk space left", "Free some space where it keeps its data."),
    "53300": (
        "takes no more connections",
        "Lower `database_pool_size`, or raise the server's `max_connections`.",
    ),
    "25006": (
        "takes no writes now",
        "If it is a standby, add `target_session_attrs=primary` to all hosts in `database_url`.",
    ),
    "57014": (
        "took too long over a query",
        "Look for what keeps the database busy, or raise `statement_timeout` in `database_url`.",
    ),
    "55P03": (
        "waited too long for somebody else's transaction",
        "Try again in a moment; if it stays so, look for a transaction that hangs.",
    ),
    "42P01": ("lacks a table of ours", UPGRADE),
    "42703": ("lacks a column of ours", UPGRADE),
}
"""What is out of order on the other side, and what to do about it."""

_AGAIN = {"40001", "40P01"}
"""The transaction fell victim to another one, and nothing speaks against doing it again."""

_BROKEN_OFF = {"57P01", "57P02", "57P03", "25P03"}
"""The server ended the connection: it stops, or has stopped, or was kept waiting."""

_BUSY_CLASSES = {"08", "53", "57", "58", "XX"}
"""Connections, resources, operators, the system around it, broken data."""


def state_of(error: BaseException | None) -> str:
    """The code of an error, or of the one that it wraps; empty if it has none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) or ""


def is_gone(error: BaseException) -> bool:
    """Whether the connection broke, rather than the statement."""
    if isinstance(error, DBAPIError):
        state = state_of(error)
        return error.connection_invalidated or state[:2] == "08" or state in _BROKEN_OFF
    return isinstance(error, OSError)


def may_repeat(error: BaseException) -> bool:
    """Whether a transaction that was not committed may do better next time.

    It fell victim to another one, or met a connection that had broken; but what took too long
    would take as long again.
    """
    return state_of(error) in _AGAIN or (is_gone(error) and not isinstance(error, TimeoutError))


def not_connected(label: str, error: Exception) -> Unavailable:
    """Say why there is no connection, and what to do about it."""
    state = state_of(error)
    if state in _REFUSALS:
        return _refused(label, state)
    if state and not state.startswith("08"):
        hint = _MOMENT if state[:2] in _BUSY_CLASSES else _CHECK
        return Unavailable(f"The database {label} refuses the connection: {error}.", hint=hint)
    reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
    return Unavailable(
        f"The database {label} cannot be reached: {reason or type(error).__name__}.",
        hint="Check that it runs, and the host and port in `database_url`.",
    )


def has_answered(error: ChatError) -> bool:
    """Whether a server is there, as opposed to one that lets us in and does what we ask for."""
    state = state_of(error.__cause__)
    return bool(state) and not state.startswith("08")


def translated(error: Exception, label: str) -> ChatError:
    """What went wrong in a transaction."""
    state = state_of(error)
    if state in _REFUSALS:
        return _refused(label, state)
    if state.startswith("23"):
        return _violated(error, state)
    if state == "54000":
        return TooLarge("Something in this request is longer than the database can store.")
    if state in _AGAIN:
        return Unavailable(f"The database {label} is very busy.", hint=_MOMENT)
    if state.startswith("22") or _is_unfit(error):
        return InvalidRequest(
            "Something in this request cannot be stored in the database.",
            hint="Look for numbers beyond all measure, and for text that is none.",
        )
    if isinstance(error, TimeoutError):
        return Unavailable(f"The database {label} did not answer in time.", hint=_DOUBT)
    if is_gone(error):
        return Unavailable(f"The connection to the database {label} broke.", hint=_MOMENT)
    if state[:2] in _BUSY_CLASSES:
        return Unavailable(f"The database {label} cannot be used: {_cause(error)}.", hint=_MOMENT)
    return InternalError()


def _refused(label: str, state: str) -> Unavailable:
    what, hint = _REFUSALS[state]
    return Unavailable(f"The database {label} {what}.", hint=hint)


def _cause(error: Exception) -> BaseException:
    """What the driver raised, under what SQLAlchemy makes of it."""
    cause = error.orig if isinstance(error, StatementError) else None
    return (cause and cause.__cause__) or cause or error


def _is_unfit(error: Exception) -> bool:
    """Whether the driver itself refused a value, which is no number of that size, say."""
    return isinstance(_cause(error), ValueError)


def _violated(error: Exception, state: str) -> ChatError:
    cause = _cause(error)
    # The server quotes the row, and rows are what people wrote: not for a log.
    cause.__dict__["detail"] = None
    match state, getattr(cause, "constraint_name", None):
        case "23505", "uq_turns_owner_request_id":
            return Conflict("This request was received before.")
        case "23505", "uq_turns_active":
            return TurnActive("This conversation is busy with another turn.")
        case (("23505" | "23503"), _):
            return taken()
    return InternalError()
