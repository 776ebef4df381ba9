"""What SQLite and PostgreSQL have in common: transactions, JSON, and library errors made ours.

A transaction is a plain function that is given a connection, so one function serves both: SQLite
runs it in a worker thread, PostgreSQL through `AsyncConnection.run_sync`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError, StatementError

from bestchat_server_ext.core.errors import ChatError, Conflict, Unavailable

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Connections(Protocol):
    """Transactions on one database.

    A transaction whose caller is cancelled goes on to its end, unless it has not begun yet.
    """

    async def read(
        self,
        work: Callable[Concatenate[Connection, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do work in a transaction that only reads, consistent as of its first query.

        Raises:
            ChatError: whatever went wrong in the database.
        """
        ...

    async def look(
        self,
        work: Callable[Concatenate[Connection, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do work that is one query and only reads.

        A query is consistent by itself, and to begin and end a transaction around it takes longer
        than it does.

        Raises:
            ChatError: whatever went wrong in the database.
        """
        ...

    async def write(
        self,
        work: Callable[Concatenate[Connection, Given], Result],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Result:
        """Do work in a transaction that may write.

        The work may be done more than once, if the database asks for it: it changes nothing but
        the database.

        Raises:
            ChatError: whatever went wrong in the database; nothing was written then.
        """
        ...

    async def close(self) -> None:
        """Let what runs end, then let go of all connections. May be called twice."""
        ...


def encode_json(value: object) -> str:
    """A value as it is stored."""
    return msgspec.json.encode(value).decode()


decode_json = msgspec.json.decode
"""The way back, as far as JSON goes; `rows` makes core values of it."""


@contextmanager
def core_errors(
    place: object, translated: Callable[[Exception], ChatError], foreign: type[Exception]
) -> Iterator[None]:
    """Turn whatever the database at a place raises into errors of ours.

    `translated` knows the database; `foreign` is what its driver raises past SQLAlchemy.
    """
    try:
        yield
    except (SQLAlchemyError, foreign) as error:
        if isinstance(error, StatementError) and isinstance(error.orig, ChatError):
            raise error.orig from error
        raise translated(error) from error
    except msgspec.ValidationError as error:
        raise Unavailable(
            f"Something in the database {place} cannot be read by this version.",
            hint="If a newer version of BestChat wrote it, upgrade this one.",
        ) from error


def taken() -> Conflict:
    """What a name or number that is taken already is to the caller."""
    return Conflict(
        "Something of that name is stored already.",
        hint="Look at the conversation again: it has moved on.",
    )
