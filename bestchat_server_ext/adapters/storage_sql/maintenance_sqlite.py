"""Backup, restore and inspection of an SQLite file, all through SQLite's own copying of pages."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import StaticPool, create_engine

from bestchat_server_ext.adapters.storage_sql import file_asides as asides
from bestchat_server_ext.adapters.storage_sql import file_care as care
from bestchat_server_ext.adapters.storage_sql import file_copies as copies
from bestchat_server_ext.adapters.storage_sql import file_locks as locks
from bestchat_server_ext.adapters.storage_sql import maintenance_tokens as tokens
from bestchat_server_ext.adapters.storage_sql import opening
from bestchat_server_ext.adapters.storage_sql import provider_configs as configs
from bestchat_server_ext.adapters.storage_sql.engine import core_errors, decode_json
from bestchat_server_ext.adapters.storage_sql.file_system import FindMount, find_mount
from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.adapters.storage_sql.report import DatabaseReport
from bestchat_server_ext.adapters.storage_sql.revision import (
    is_cut_off,
    read_revision,
    reading,
    require_known,
)
from bestchat_server_ext.adapters.storage_sql.sqlite import is_broken, unavailable
from bestchat_server_ext.core.errors import NotFound, Unavailable
from bestchat_server_ext.ports.provider_configs import ProviderConfig

_FOLDER = "backups"
"""Where copies lie, beside the database."""


@contextmanager
def _our_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise unavailable(path, error) from error


def backup(path: Path, target: Path | None) -> Path:
    """See `backup_database`. What the write-ahead log holds is in the copy."""
    path = opening.resolved(path)
    if not path.is_file():
        raise NotFound(
            f"There is no database {path} to copy.", hint="Check `data_dir`; BestChat makes it."
        )
    family = "bestchat-" if target is None else f"{target.name}."
    target = target or care.dated(path.parent / _FOLDER, "bestchat", ".sqlite3")
    care.require_free(target)
    with _our_errors(target):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copies.sweep_parts(target, family)
    with _our_errors(path), closing(care.connect(path)) as file:
        read_revision(file, path)
        copies.copy_file(file, target, check_as=path)
    return target


def restore(path: Path, source: Path, *, find: FindMount = find_mount) -> Path | None:
    """See `restore_database`.

    The backup becomes a sound and new database beside the old one first, which is opened as it
    will be; then its pages go over in one transaction.
    """
    path = opening.resolved(path)
    if not source.is_file():
        raise NotFound(f"There is no backup {source}.", hint="Name the file to restore.")
    kind = opening.network_kind(path, find)
    care.make_folder(path)
    with locks.locked(path), _our_errors(path):
        copies.sweep_parts(path, f"{path.name}.")
        staged = copies.make_part(path)
        try:
            _stage(source, staged)
            care.make(path)
            kept = _keep(path, alone=bool(kind))
            _replace(path, staged, alone=bool(kind))
        finally:
            copies.drop_part(staged)
    opening.prepare(path, find=find)
    return kept


def _stage(source: Path, staged: Path) -> None:
    """Copy a backup, check the copy and bring it up to date; the backup stays as it is."""
    with _our_errors(source):
        try:
            with reading(source) as file:
                revision = _restorable(file, source)
                copies.copy_file(file, staged, check_as=source)
        except sqlite3.Error as error:
            if not is_cut_off(error):
                raise
            copies.copy_with_journal(source, staged)
            with closing(care.connect(staged)) as file:
                revision = _restorable(file, source)
                copies.require_sound(file, source)
    if revision < HEAD:
        from bestchat_server_ext.adapters.storage_sql.upgrade import upgrade_file

        with opening.upgrade_errors(source, revision, kept=None):
            upgrade_file(staged)
    with _our_errors(source):
        opening.look_at(staged)


def _restorable(file: sqlite3.Connection, source: Path) -> str:
    """The revision of a backup that this version can read."""
    revision = read_revision(file, source)
    if not revision:
        raise Unavailable(
            f"The file {source} is empty.", hint="Name a backup that `bestchat db backup` made."
        )
    require_known(revision, source)
    return revision


def _keep(path: Path, *, alone: bool) -> Path | None:
    """Copy what is there; a broken file is moved, and an empty one takes its place."""
    try:
        with closing(care.connect(path)) as file:
            if alone:
                file.execute("PRAGMA locking_mode=EXCLUSIVE")
            if not read_revision(file, path):
                return None
            kept = care.dated(path.parent / _FOLDER, "bestchat-before-restore", ".sqlite3")
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            copies.copy_file(file, kept)
            return kept
    except sqlite3.Error as error:
        if not asides.is_corrupt(error):
            raise
        return opening.begin_anew(path)


def _replace(path: Path, staged: Path, *, alone: bool) -> None:
    """End tokens that are not good any more, then copy all pages over, in one transaction."""
    with closing(care.connect(staged)) as source, closing(care.connect(path)) as file:
        if alone:
            file.execute("PRAGMA locking_mode=EXCLUSIVE")
        size = file.execute("PRAGMA page_size").fetchone()[0]
        if source.execute("PRAGMA page_size").fetchone()[0] != size:
            # A write-ahead log cannot change it.
            source.execute(f"PRAGMA page_size={size}")
            source.execute("VACUUM")
        tokens.end_in_file(file, source)
        copies.copy_pages(source, file)


# Inspection.


def inspect(path: Path, *, find: FindMount = find_mount) -> DatabaseReport:
    """See `inspect_database`."""
    real = opening.resolved(path)
    report = DatabaseReport(
        label=str(path),
        kind="sqlite",
        exists=real.is_file(),
        newest=HEAD,
        file_system=find(real.parent).kind,
        writable=_writable(real),
    )
    if not report.exists:
        return report
    before = _stamp(real)
    found = _readable(report, real, find)
    # What nobody has open is read without locks: a writer who came meanwhile may have been in the
    # way, and then has it open.
    if found.integrity == "ok" or _stamp(real) == before:
        return found
    return _readable(report, real, find)


def _stamp(path: Path) -> tuple[object, ...]:
    found = path.stat()
    beside = (path.with_name(path.name + end).exists() for end in ("-wal", "-journal"))
    return found.st_mtime_ns, found.st_size, *beside


def _readable(report: DatabaseReport, path: Path, find: FindMount) -> DatabaseReport:
    """The rest of a report, as far as the file can be read."""
    try:
        return _with_contents(report, path, find)
    except sqlite3.Error as error:
        if is_cut_off(error):
            return msgspec.structs.replace(report, notices=(_cut_off_notice(path),))
        broken, found = is_broken(error), unavailable(path, error)
    except OSError as error:
        broken, found = False, unavailable(path, error)
    except Unavailable as error:
        broken, found = False, error
    # A broken file is mended by a backup alone, whatever else is said at its opening.
    advice = "" if broken else found.info.hint
    return msgspec.structs.replace(report, integrity=found.info.text, advice=advice)


def _cut_off_notice(path: Path) -> str:
    return (
        f"A transaction in the database {path} was cut off, as when a machine fails. The next "
        "opening undoes it; before that, nothing more can be said."
    )


def _writable(path: Path) -> bool:
    """Whether a file can be written, or made."""
    wanted = path if path.exists() else path.parent
    while not wanted.exists():
        wanted = wanted.parent
    needed = (wanted, wanted.parent) if wanted == path else (wanted,)
    return all(os.access(name, os.R_OK | os.W_OK) for name in needed)


def _with_contents(report: DatabaseReport, path: Path, find: FindMount) -> DatabaseReport:
    files = [path.with_name(path.name + end) for end in ("", *care.SIDE_FILES)]
    journal = care.journal_mode(path)
    with reading(path) as file:
        revision = read_revision(file, path)
        count = "SELECT count(*) FROM conversations"
        report = msgspec.structs.replace(
            report,
            revision=revision,
            size_bytes=sum(name.stat().st_size for name in files if name.exists()),
            journal_mode=journal,
            integrity=copies.quick_check(file),
            conversations=file.execute(count).fetchone()[0] if revision else 0,
        )
    notices = opening.notices(path, opening.network_kind(path, find), journal)
    return msgspec.structs.replace(report, notices=(*_too_new(report), *notices))


def _too_new(report: DatabaseReport) -> tuple[str, ...]:
    try:
        require_known(report.revision, report.label)
    except Unavailable as error:
        return (str(error),)
    return ()


def provider_configs(path: Path) -> tuple[ProviderConfig, ...]:
    """See `inspect_provider_configs`. A schema that is older than they are holds none."""
    real = opening.resolved(path)
    if not real.is_file():
        return ()
    with _our_errors(path), reading(real) as file:
        revision = read_revision(file, path)
        require_known(revision, path)
        if revision < configs.SINCE:
            return ()
        engine = create_engine(
            "sqlite://",
            creator=lambda: file,
            poolclass=StaticPool,
            hide_parameters=True,
            json_deserializer=decode_json,
        )
        errors = core_errors(path, lambda error: unavailable(path, error), sqlite3.Error)
        with errors, engine.connect() as connection:
            return configs.fetch_all(connection)
