"""Upgrade, backup, restore and inspection of PostgreSQL.

Copies are made by PostgreSQL's own programs, which know every version of its catalogue. What they
are told goes through their environment: command lines can be read by every user of a machine.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import Connection, text

from bestchat_server_ext.adapters.storage_sql import file_care as care
from bestchat_server_ext.adapters.storage_sql.address import parse
from bestchat_server_ext.adapters.storage_sql.failures import UPGRADE
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.adapters.storage_sql.postgres import revision_of, run_once
from bestchat_server_ext.adapters.storage_sql.report import DatabaseReport
from bestchat_server_ext.adapters.storage_sql.revision import require_known
from bestchat_server_ext.adapters.storage_sql.tables import metadata
from bestchat_server_ext.core.errors import (
    ChatError,
    InvalidRequest,
    NotFound,
    NotInstalled,
    Unavailable,
)

_LOCK = 0x62657374_63686174
"""The advisory lock of upgrades: `bestchat`, as a number."""

_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "database": "PGDATABASE",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "krbsrvname": "PGKRBSRVNAME",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
}
"""What may stand in a URL, and where PostgreSQL's programs look for it."""


# The schema.


def upgrade(url: str) -> str:
    """See `upgrade_database`: one transaction, one process at a time."""
    label = parse(url).label
    from bestchat_server_ext.adapters.storage_sql.upgrade import upgrade_schema

    def work(connection: Connection) -> str:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        revision = revision_of(connection)
        _require_ours(revision, label)
        if revision < HEAD:
            upgrade_schema(connection)
        return revision_of(connection)

    return asyncio.run(run_once(url, work))


def _require_ours(revision: str, label: str) -> None:
    if revision and not revision.isdecimal():
        raise Unavailable(
            f"The database {label} belongs to another application.",
            hint="Let `database_url` name a database of BestChat's own.",
        )
    require_known(revision, label)


def inspect(url: str) -> DatabaseReport:
    """See `inspect_database`."""
    label = parse(url).label

    def work(connection: Connection) -> DatabaseReport:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        return _report(connection, label)

    try:
        return asyncio.run(run_once(url, work))
    except ChatError as error:
        return DatabaseReport(
            label=label, kind="postgresql", exists=False, newest=HEAD, integrity=error.info.text
        )


_FACTS = """
SELECT current_setting('server_version'), pg_database_size(current_database()),
       NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'
"""


def _report(connection: Connection, label: str) -> DatabaseReport:
    version, size, writable = connection.execute(text(_FACTS)).one()
    revision, integrity, count = revision_of(connection), "", 0
    try:
        _require_ours(revision, label)
    except Unavailable as error:
        integrity = error.info.text
    if revision and not integrity:
        count = connection.execute(text("SELECT count(*) FROM conversations")).scalar_one()
        integrity = "ok"
    behind = f"The database {label} is not at revision {HEAD} yet. {UPGRADE}"
    return DatabaseReport(
        label=label,
        kind="postgresql",
        exists=True,
        newest=HEAD,
        revision=revision,
        size_bytes=size,
        server_version=version,
        writable=writable,
        integrity=integrity,
        conversations=count,
        notices=(behind,) if revision < HEAD else (),
    )


# Copies.


def backup(url: str, target: Path | None) -> Path:
    """See `backup_database`; the copy is one of pg_dump's archives."""
    label = parse(url).label
    target = (target or care.dated(Path.cwd(), "bestchat", ".pgdump")).absolute()
    if os.path.lexists(target):
        raise InvalidRequest(
            f"The file {target} is there already.", hint="Name another, or delete that one."
        )
    if not asyncio.run(run_once(url, revision_of)):
        raise Unavailable(f"The database {label} has no tables of BestChat.", hint=UPGRADE)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = care.make_part(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        _run("pg_dump", url, "--format=custom", "--no-owner", f"--file={part}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _unwritable(target: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"The file {target} cannot be written: {error.strerror}.", hint="Name another place."
    )


def restore(url: str, source: Path) -> None:
    """See `restore_database`: one transaction, then the upgrade."""
    parse(url)
    if not source.is_file():
        raise NotFound(f"There is no backup {source}.", hint="Name the file to restore.")
    source = source.absolute()
    require_known(_archived_revision(url, source), source)
    # `pg_restore --clean` removes what is in the archive only: tables that came with a later
    # revision would stay, and stand in the way of the upgrade.
    ours = ", ".join(f'"{name}"' for name in ("alembic_version", *metadata.tables))
    with TemporaryDirectory(prefix="bestchat-") as folder:  # readable by its owner alone
        script = Path(folder) / "restore.sql"
        _run("pg_restore", url, "--no-owner", "--exit-on-error", f"--file={script}", str(source))
        _run(
            *("psql", url, "--no-psqlrc", "--quiet", "--single-transaction"),
            *("--set=ON_ERROR_STOP=1", f"--command=DROP TABLE IF EXISTS {ours}"),
            f"--file={script}",
        )
    upgrade(url)


def _archived_revision(url: str, source: Path) -> str:
    """The revision of the schema in an archive.

    Raises:
        Unavailable: it is no archive, or none of BestChat.
    """
    table = ("--data-only", "--table=alembic_version", "--file=-", str(source))
    try:
        script = _run("pg_restore", url, *table)
    except Unavailable as error:
        if isinstance(error, NotInstalled):
            raise
        raise _no_backup(source) from error
    # COPY public.alembic_version (version_num) FROM stdin;
    lines = script.partition("FROM stdin;\n")[2].splitlines()
    if not lines or not lines[0].isdecimal():
        raise _no_backup(source)
    return lines[0]


def _no_backup(source: Path) -> Unavailable:
    return Unavailable(
        f"The file {source} is no backup of BestChat's, or not one of PostgreSQL.",
        hint="Name a file that `bestchat db backup` made from PostgreSQL.",
    )


def _run(program: str, url: str, *given: str) -> str:
    """Run one of PostgreSQL's programs; give what it wrote.

    Raises:
        NotInstalled: it is not there.
        Unavailable: it failed.
    """
    variables = environment(url)
    try:
        done = subprocess.run(  # noqa: S603 — no shell, and the program's name is ours
            [program, "--no-password", *given],
            env={**os.environ, **variables, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise NotInstalled(
            f"The program {program} is not on the PATH.",
            hint="Install PostgreSQL's client programs (postgresql-client), of the server's "
            "version or newer.",
        ) from error
    if done.returncode:
        raise _failed(program, url, done.stderr.decode(errors="replace"), variables)
    return done.stdout.decode(errors="replace")


def _failed(program: str, url: str, said: str, variables: Mapping[str, str]) -> Unavailable:
    if "version mismatch" in said:
        return Unavailable(
            f"{program} is older than the server of {parse(url).label}.",
            hint="Install PostgreSQL's client programs of the server's version or newer, and put "
            "them first on the PATH.",
        )
    complaints = re.findall(r"(?:error|ERROR|FATAL): +(.+)", said)
    complaint = complaints[0] if complaints else "it did not say why"
    if password := variables.get("PGPASSWORD"):
        complaint = complaint.replace(password, "…")
    return Unavailable(
        f"{program} failed with {parse(url).label}: {complaint}.",
        hint="Nothing was changed. Check `database_url`, the rights of its user, and that "
        f"{program} is of the server's version.",
    )


def environment(url: str) -> dict[str, str]:
    """What a URL says, as PostgreSQL's programs take it from their environment."""
    parts = urlsplit(parse(url).url)
    user, _, hosts = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    pairs = [_host_and_port(host) for host in hosts.split(",")] if hosts else []
    found = {
        "user": unquote(name),
        "password": unquote(password),
        "host": ",".join(host for host, _ in pairs),
        "port": ",".join(port for _, port in pairs) if any(port for _, port in pairs) else "",
        "dbname": unquote(parts.path[1:]),
        **dict(parse_qsl(parts.query)),
    }
    return {_VARIABLES[key]: value for key, value in found.items() if value and key in _VARIABLES}


def _host_and_port(given: str) -> tuple[str, str]:
    """`[::1]:5432`, `host:5432` or `host`, taken apart."""
    if given.startswith("["):
        host, _, port = given[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = given.partition(":")
    return unquote(host), port
