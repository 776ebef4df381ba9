"""What inspecting a database gives."""

from __future__ import annotations

from typing import Literal

import msgspec


class DatabaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a database is like, without secrets."""

    label: str
    """What it is called in front of people."""
    kind: Literal["sqlite", "postgresql"]
    """What it is."""
    exists: bool
    """Whether the file is there; whether the server answers, be it with a refusal."""
    newest: str
    """The revision of the schema that this version works with."""
    revision: str = ""
    """The revision of its schema; empty if it has none, or it cannot be read."""
    size_bytes: int = 0
    """How much room it takes."""
    journal_mode: str = ""
    """How SQLite writes the file: `wal`, or `delete` where that is not safe."""
    file_system: str = ""
    """The type of the file system that the file lies on, as far as that is known."""
    server_version: str = ""
    """PostgreSQL's version."""
    writable: bool = False
    """Whether it can be written."""
    integrity: str = ""
    """`ok`, or the first thing that is wrong; empty if nothing was checked."""
    advice: str = ""
    """What to do about what is wrong; empty if only a backup helps."""
    conversations: int = 0
    """How many conversations are in it."""
    notices: tuple[str, ...] = ()
    """What a person should know about it, one sentence or two each."""
