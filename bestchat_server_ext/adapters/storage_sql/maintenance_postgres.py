"""Upgrade, backup, restore and inspection of PostgreSQL.

Copies are made by PostgreSQL's own programs, which know every version of its catalogue. What they
are told goes through their environment: command lines can be read by every user of a machine.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from sqlalchemy import Connection, text

from bestchat_server_ext.adapters.storage_sql import file_care as care
from bestchat_server_ext.adapters.storage_sql import file_copies as copies
from bestchat_server_ext.adapters.storage_sql import maintenance_tokens as tokens
from bestchat_server_ext.adapters.storage_sql import provider_configs as configs
from bestchat_server_ext.adapters.storage_sql.address import HASTY, PATIENT, Address, parse
from bestchat_server_ext.adapters.storage_sql.clocks import (
    clock_difference,
    clock_notices,
    utc_now,
)
from bestchat_server_ext.adapters.storage_sql.failures import UPGRADE, has_answered
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.adapters.storage_sql.postgres import (
    PostgresConnections,
    revision_of,
    run_once,
)
from bestchat_server_ext.adapters.storage_sql.report import DatabaseReport
from bestchat_server_ext.adapters.storage_sql.revision import foreign, is_ours, require_known
from bestchat_server_ext.adapters.storage_sql.tables import metadata
from bestchat_server_ext.core.errors import (
    ChatError,
    NotFound,
    NotInstalled,
    Unavailable,
)
from bestchat_server_ext.ports.provider_configs import ProviderConfig

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
        revision = revision_of(connection, label)
        require_known(revision, label)
        if revision < HEAD:
            upgrade_schema(connection)
        return revision_of(connection, label)

    return asyncio.run(run_once(url, work))


# A look at it.


def inspect(url: str) -> DatabaseReport:
    """See `inspect_database`: it takes seconds, whatever state the server is in."""
    return asyncio.run(_inspect(parse(url)))


async def _inspect(address: Address) -> DatabaseReport:
    label = address.label
    report = DatabaseReport(label=label, kind="postgresql", exists=False, newest=HEAD)
    connections = PostgresConnections(address, session=HASTY)
    try:
        report = await connections.read(_greeted, report)
        return await connections.read(_with_contents, report)
    except ChatError as error:
        return msgspec.structs.replace(
            report,
            exists=report.exists or has_answered(error),
            integrity=error.info.text,
            advice=error.info.hint,
        )
    finally:
        await connections.close()


_GREETING = """
SELECT current_setting('server_version'),
       NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'
"""


def _greeted(connection: Connection, report: DatabaseReport) -> DatabaseReport:
    """What everybody is told who is let in."""
    version, writable = connection.execute(text(_GREETING)).one()
    return msgspec.structs.replace(report, exists=True, server_version=version, writable=writable)


def _with_contents(connection: Connection, report: DatabaseReport) -> DatabaseReport:
    label = report.label
    ahead = clock_difference(connection, utc_now)
    size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    revision = revision_of(connection, label)
    behind = f"The database {label} is not at revision {HEAD} yet. {UPGRADE}"
    report = msgspec.structs.replace(
        report,
        revision=revision,
        size_bytes=size,
        notices=(*((behind,) if revision < HEAD else ()), *clock_notices(label, ahead)),
    )
    try:
        require_known(revision, label)
    except Unavailable as error:
        return msgspec.structs.replace(report, integrity=error.info.text, advice=error.info.hint)
    if not revision:
        return report
    count = connection.execute(text("SELECT count(*) FROM conversations")).scalar_one()
    return msgspec.structs.replace(report, integrity="ok", conversations=count)


def provider_configs(url: str) -> tuple[ProviderConfig, ...]:
    """See `inspect_provider_configs`. A schema that is older than they are holds none."""
    address = parse(url)

    def work(connection: Connection) -> tuple[ProviderConfig, ...]:
        revision = revision_of(connection, address.label)
        require_known(revision, address.label)
        return () if revision < configs.SINCE else configs.fetch_all(connection)

    async def look() -> tuple[ProviderConfig, ...]:
        connections = PostgresConnections(address, session=HASTY)
        try:
            return await connections.read(work)
        finally:
            await connections.close()

    return asyncio.run(look())


# Copies.


def backup(url: str, target: Path | None) -> Path:
    """See `backup_database`; the copy is one of pg_dump's archives."""
    label = parse(url).label
    family = "bestchat-" if target is None else f"{target.name}."
    target = (target or care.dated(Path.cwd(), "bestchat", ".pgdump")).absolute()
    care.require_free(target)
    if not _revision(url):
        raise Unavailable(f"The database {label} has no tables of BestChat.", hint=UPGRADE)
    _dump(url, target, family)
    return target


def _revision(url: str) -> str:
    """The revision of a database's schema; empty if it has none, an error if it is not ours."""
    label = parse(url).label
    return asyncio.run(run_once(url, lambda connection: revision_of(connection, label)))


def _dump(url: str, target: Path, family: str) -> None:
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copies.sweep_parts(target, family)
        part = copies.make_part(target)
    except OSError as error:
        raise Unavailable(
            f"The file {target} cannot be written: {error.strerror}.", hint="Name another place."
        ) from error
    try:
        _run("pg_dump", url, "--format=custom", "--no-owner", f"--file={part}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def restore(url: str, source: Path) -> Path | None:
    """See `restore_database`: a copy of what is there, one transaction, then the upgrade.

    The upgrade is a transaction of its own, as Alembic speaks to the server, and psql does.
    """
    parse(url)
    if not source.is_file():
        raise NotFound(f"There is no backup {source}.", hint="Name the file to restore.")
    source = source.absolute()
    require_known(_archived_revision(url, source), source)
    known, kept = bool(_replaceable_revision(url)), None
    with TemporaryDirectory(prefix="bestchat-") as folder:  # readable by its owner alone
        script = Path(folder) / "restore.sql"
        _run("pg_restore", url, "--no-owner", "--exit-on-error", f"--file={script}", str(source))
        if known:
            kept = care.dated(Path.cwd(), "bestchat-before-restore", ".pgdump")
            _dump(url, kept, "bestchat-")
        with _pointing_to(kept):
            _replace(url, script, known=known)
    with _pointing_to(kept, f"The backup {source} is in its place, but not upgraded: "):
        upgrade(url)
    return kept


def _replaceable_revision(url: str) -> str:
    """The revision of a schema that may be replaced; empty if there is none.

    Raises:
        Unavailable: it is another application's, or of a newer version, whose tables are not all
            known here; or a table has one of our names and no revision, and is nobody knows whose.
    """
    label = parse(url).label

    def look(connection: Connection) -> str:
        revision = revision_of(connection, label)
        require_known(revision, label)
        if not revision:
            _require_free_names(connection, label)
        return revision

    return asyncio.run(run_once(url, look))


def _require_free_names(connection: Connection, label: str) -> None:
    for name in ("alembic_version", *metadata.tables):
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar():
            raise foreign(
                f"The table {name} in the database {label}",
                "Let `database_url` name a database of BestChat's own. Nothing was changed.",
            )


def _replace(url: str, script: Path, *, known: bool) -> None:
    """Put what an archive holds in the place of our tables, in one transaction.

    `pg_restore --clean` would remove what is in the archive only: tables that came with a later
    revision would stay, and stand in the way of the upgrade.

    Args:
        url: the database.
        script: what fills it.
        known: whether there are tables of ours.
    """
    ours = ", ".join(f'"{name}"' for name in ("alembic_version", *metadata.tables))
    _run(
        *("psql", url, "--no-psqlrc", "--quiet", "--single-transaction"),
        "--set=ON_ERROR_STOP=1",
        "--command=SET LOCAL statement_timeout = 0",
        f"--command=SET LOCAL lock_timeout = '{PATIENT.settings['lock_timeout']}'",
        f"--command=SELECT pg_advisory_xact_lock({_LOCK})",
        *(f"--command={statement}" for statement in tokens.remember(known=known)),
        f"--command=DROP TABLE IF EXISTS {ours}",
        f"--file={script}",
        *(f"--command={statement}" for statement in tokens.END),
        finish=True,
    )


@contextmanager
def _pointing_to(kept: Path | None, beginning: str = "") -> Iterator[None]:
    """Say with an error where the copy of what was there is."""
    try:
        yield
    except ChatError as error:
        kind = NotInstalled if isinstance(error, NotInstalled) else Unavailable
        hint = UPGRADE if beginning else error.info.hint
        where = f" A copy of what was there: {kept}" if kept else ""
        raise kind(beginning + error.info.text, hint=hint + where) from error


def _archived_revision(url: str, source: Path) -> str:
    """The revision of the schema in an archive.

    Raises:
        Unavailable: it is no archive, or none of BestChat.
    """
    table = ("--data-only", "--table=alembic_version", "--file=-", str(source))
    try:
        script = _run("pg_restore", url, *table)
        listed = _run("pg_restore", url, "--list", str(source))
    except Unavailable as error:
        if isinstance(error, NotInstalled):
            raise
        raise _no_backup(source) from error
    # COPY public.alembic_version (version_num) FROM stdin;
    found = script.partition("FROM stdin;\n")[2].partition("\\.\n")[0].splitlines()
    # 217; 1259 24603 TABLE public conversations bestchat
    tables = re.findall(r"^\d+; \d+ \d+ TABLE \S+ (\S+) ", listed, re.MULTILINE)
    if not is_ours(tables, found):
        raise _no_backup(source)
    return found[0]


def _no_backup(source: Path) -> Unavailable:
    return Unavailable(
        f"The file {source} is no backup of BestChat's, or not one of PostgreSQL.",
        hint="Name a file that `bestchat db backup` made from PostgreSQL.",
    )


def _run(program: str, url: str, *given: str, finish: bool = False) -> str:
    """Run one of PostgreSQL's programs; give what it wrote.

    Args:
        program: its name.
        url: where the database is.
        given: its arguments.
        finish: whether Ctrl-C, which a terminal sends to all that runs in it, is kept from it:
            what is half read can be broken off, what is being committed cannot.

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
            start_new_session=finish,
        )
    except FileNotFoundError as error:
        raise NotInstalled(
            f"The program {program} is not on the PATH.",
            hint="Install PostgreSQL's client programs (postgresql-client), of the server's "
            "version or newer.",
        ) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        if done.returncode == -signal.SIGINT or "terminated by user" in said:
            raise Unavailable(f"{program} was stopped.", hint="Nothing was changed.")
        raise _failed(program, url, said, variables)
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
    if program == "psql" and "closed the connection" in said:
        return Unavailable(
            f"The connection to {parse(url).label} broke during the restore.",
            hint="Look at what is there: `bestchat doctor`. It is all of the backup, or unchanged.",
        )
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
