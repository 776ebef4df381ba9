"""A PostgreSQL URL: checked, called by a name without secrets in it, and dialled.

asyncpg takes libpq's URLs: several hosts, `sslmode` and its certificates, `passfile`, `service`,
`target_session_attrs`, and settings of the session. What stands in the URL wins over
ours, as a rule.

A password may hold anything. One with `@`, `/`, `#` or `?` in it that was not percent-encoded
makes a URL in which other parts are pieces of the password, so such URLs are refused without
being quoted, and the parser's own complaints, which quote, are dropped. So are those that only
might be such: an `@` after a `?`, where no user or no database stands before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

import asyncpg

from bestchat_server_ext.adapters.storage_sql.failures import not_connected
from bestchat_server_ext.core.errors import InvalidRequest

CONNECT_SECONDS = 5
"""How long a new connection may take, unless the URL's `connect_timeout` says otherwise."""


@dataclass(frozen=True)
class Address:
    """Where a database is, and how it is called in front of people."""

    url: str = field(repr=False)
    """For asyncpg; may hold a password."""
    label: str
    """Host and database."""
    given: frozenset[str] = frozenset()
    """The settings that the URL makes itself."""
    seconds: float = CONNECT_SECONDS
    """How long a new connection may take."""


@dataclass(frozen=True)
class Session:
    """How patient the two sides are with each other."""

    settings: Mapping[str, str]
    """What the server is told."""
    seconds: float | None
    """How long a transaction may take as a whole; more than the server allows for any one
    statement, so that this only ends what hangs because the network lost the server's answers."""
    firm: bool = False
    """Whether its limits win over those that stand in the URL, which were meant for chats."""

    def for_address(self, address: Address) -> dict[str, str]:
        """Its settings, beside those that the URL makes itself."""
        firm = _LIMITS if self.firm else frozenset[str]()
        return {
            name: value
            for name, value in self.settings.items()
            if name in firm or name not in address.given
        }


SESSION = Session(
    {
        "application_name": "bestchat",
        "statement_timeout": "15s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "30s",
        # Our queries are short: compiling one takes longer than running it.
        "jit": "off",
    },
    seconds=25,
)
"""Of every connection. The limits hold where a client has gone without saying so."""

PATIENT = Session(
    {
        **SESSION.settings,
        "statement_timeout": "0",
        "lock_timeout": "60s",
        "idle_in_transaction_session_timeout": "0",
    },
    seconds=None,
    firm=True,
)
"""For work that takes its time, as a change of the schema does."""

HASTY = Session(
    {**SESSION.settings, "statement_timeout": "4s", "lock_timeout": "2s"}, seconds=5, firm=True
)
"""For a look, of which somebody waits for the outcome."""

_LIMITS = frozenset(name for name in SESSION.settings if name.endswith("_timeout"))

_SCHEMES = {"postgresql", "postgres", "postgresql+asyncpg"}
_FORM = "It looks like postgresql://user:password@host:5432/database"


def parse(url: str) -> Address:
    """Read a URL.

    Raises:
        InvalidRequest: it is none of PostgreSQL, or cannot be read.
    """
    try:
        parts = urlsplit(url.strip())
        query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        seconds = float(query.pop("connect_timeout", 0)) or CONNECT_SECONDS
    except ValueError:
        raise _unreadable() from None
    if parts.scheme not in _SCHEMES:
        raise InvalidRequest(
            "`database_url` names no kind of database that BestChat knows.",
            hint=f"{_FORM}; leave it empty for SQLite in `data_dir`.",
            field="database_url",
        )
    cut_short = "@" in parts.query and not ("@" in parts.netloc and parts.path)
    if parts.netloc.count("@") > 1 or "@" in parts.path or parts.fragment or cut_short:
        raise _unreadable()
    plain = f"postgresql://{parts.netloc}{parts.path}"
    full = f"{plain}?{urlencode(query)}" if query else plain
    return Address(full, _label(parts, query), frozenset(query), seconds)


def _label(parts: SplitResult, query: dict[str, str]) -> str:
    if service := query.get("service"):
        return f"PostgreSQL service {service}"
    host = unquote(parts.netloc.rpartition("@")[2]) or query.get("host", "")
    database = unquote(parts.path[1:]) or query.get("dbname") or query.get("database", "")
    return f"{host or 'localhost'}/{database}".rstrip("/")


def _unreadable() -> InvalidRequest:
    return InvalidRequest(
        "`database_url` cannot be read.",
        hint=f"{_FORM}, with special characters in the password percent-encoded.",
        field="database_url",
    )


async def dial(address: Address, session: Session) -> asyncpg.Connection:
    """Open one connection.

    Raises:
        InvalidRequest: the URL cannot be used.
        Unavailable: nobody answers there, or does not let us in.
    """
    settings = session.for_address(address)
    try:
        return await asyncpg.connect(address.url, timeout=address.seconds, server_settings=settings)
    except ValueError:
        raise _unreadable() from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise not_connected(address.label, error) from error
