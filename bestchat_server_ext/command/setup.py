"""Checks: options, database, models, variables of the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bestchat_server_ext.command.machine import installed
from bestchat_server_ext.command.report import Finding, ok, problem, warning
from bestchat_server_ext.core.errors import ChatError, InvalidRequest

if TYPE_CHECKING:
    from bestchat_server_ext.bootstrap.administration import DatabaseReport
    from bestchat_server_ext.bootstrap.keys import StoredProviders
    from bestchat_server_ext.settings import Loaded

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Setup:
    """How BestChat is configured here.

    Attributes:
        environ: the environment.
        found: the options, or why there are none.
    """

    environ: Mapping[str, str]
    found: Loaded | ChatError

    @staticmethod
    def of(environ: Mapping[str, str]) -> Setup:
        """Read the options."""
        from bestchat_server_ext import settings

        try:
            return Setup(environ, settings.load_with_origins(environ))
        except ChatError as error:
            return Setup(environ, error)

    @property
    def loaded(self) -> Loaded:
        """The options.

        Raises:
            InvalidRequest: there are none.
        """
        if isinstance(self.found, ChatError):
            raise InvalidRequest(
                "This was not looked into: the options cannot be read.",
                hint="Mend what stands below Options.",
            )
        return self.found

    @cached_property
    def stored(self) -> StoredProviders | ChatError:
        """What is stored for providers, or why that cannot be said. The database is asked once."""
        from bestchat_server_ext.bootstrap import keys

        if installed("sqlalchemy") is None:
            return keys.StoredProviders()
        try:
            return keys.look_at_stored(self.loaded.settings, self.environ)
        except ChatError as error:
            return error

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of database and Redis, with their passwords."""
        if isinstance(self.found, ChatError):
            return ()
        settings = self.found.settings
        return settings.database_url.get_secret_value(), settings.redis_url.get_secret_value()


def files(here: Setup) -> Iterator[Finding]:
    """Which configuration files there are."""
    from bestchat_server_ext import settings

    read = () if isinstance(here.found, ChatError) else here.found.files
    paths = settings.config_files()
    for path in paths:
        yield ok(f"{path}: {'read' if path in read else 'found'}")
    if not paths:
        yield ok("There is no bestchat_config.py or .json on Jupyter's configuration path.")


def options(here: Setup) -> Iterator[Finding]:
    """Every option with its origin."""
    from bestchat_server_ext import settings

    if isinstance(here.found, ChatError):
        raise here.found
    for option in here.found.options():
        yield ok(f"{option.name} = {option.value or '(not set)'}  ({option.origin})")
    for name, meant in settings.strangers(here.environ).items():
        yield warning(f"{name} is set, and is no option.", meant)


def database(here: Setup) -> Iterator[Finding]:
    """Whether the database is there, and in order."""
    from bestchat_server_ext.bootstrap import administration

    if installed("sqlalchemy") is None:
        yield ok("This is the light install, which speaks to a server and has no database.")
        return
    report = administration.inspect_database(here.loaded.settings)
    yield ok(report.label)
    if report.exists:
        yield from _contents(report)
    elif report.kind == "sqlite":
        yield ok("It is not there yet: the first chat makes it.")
    else:
        yield problem("It cannot be reached.", report.integrity or "Check `database_url`.")
    if not report.writable and (_was_read(report) or report.kind == "sqlite"):
        yield problem("It cannot be written.", "See who owns it, and whether the disk is full.")
    newer = report.revision[:2] > report.newest[:2]
    for notice in report.notices:
        yield Finding("problem" if newer else "warning", notice)


def _contents(report: DatabaseReport) -> Iterator[Finding]:
    if report.integrity not in {"", "ok"}:
        todo = report.advice or "Keep a copy of it, and run: bestchat db restore BACKUP"
        yield problem(report.integrity, todo)
    if not _was_read(report):
        return
    facts = {
        "journal": report.journal_mode,
        "file system": report.file_system,
        "PostgreSQL": report.server_version,
    }
    yield ok(
        f"{report.conversations} conversations, {report.size_bytes / 1024 / 1024:.1f} MiB; "
        + ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    )
    if report.revision >= report.newest:
        yield ok(f"Its schema is {report.revision}.")
    elif report.kind == "sqlite":
        yield ok(
            f"Its schema is {report.revision or 'missing'}; it becomes {report.newest} when it is "
            "opened."
        )
    else:
        yield problem(
            f"Its schema is {report.revision or 'missing'}; this version needs {report.newest}.",
            "Run: bestchat db upgrade",
        )


def _was_read(report: DatabaseReport) -> bool:
    """Whether anything is known of what is in it, be it that there is nothing."""
    empty = report.integrity == ("ok" if report.kind == "sqlite" else "")
    return bool(report.revision) or empty


def redis(here: Setup) -> Iterator[Finding]:
    """Whether several servers could tell each other what happens."""
    from bestchat_server_ext.bootstrap import sharing

    settings = here.loaded.settings
    if not settings.redis_url:
        yield ok("There is none: fine for one server. Several see each other's writes late.")
        return
    report = sharing.inspect_redis(settings)
    yield ok(report.label)
    if report.trouble:
        yield problem(report.trouble, "See whether it runs, and check `redis_url`.")
    else:
        yield ok(f"It answers, and is version {report.version}.")


def models(here: Setup) -> Iterator[Finding]:
    """What could answer."""
    from bestchat_server_ext.bootstrap import administration, providers

    names = providers.provider_variables(here.loaded.settings)
    given = [name for name in names if here.environ.get(name)]
    for name in given:
        yield ok(f"{name}: set")
    yield ok(f"{len(names) - len(given)} {'other ' * bool(given)}variables of providers: not set.")
    unknown = isinstance(here.stored, ChatError)
    stored = () if isinstance(here.stored, ChatError) else sorted(here.stored.usable)
    if stored:
        yield ok(f"Stored, and set up with that: {', '.join(stored)}.")
    embedded = administration.installed_models(here.loaded.settings)
    for model in embedded:
        yield ok(f"The embedded model {model} is on this machine.")
        if installed("xllamacpp") is None:
            yield problem(f"What runs {model} is missing.", "Run: pip install 'bestchat[local]'")
    if not embedded:
        yield ok("The embedded demo model is not on this machine.")
    elsewhere = here.loaded.settings.default_model or here.environ.get("BESTCHAT_URL")
    if not (given or stored or unknown or embedded or elsewhere):
        yield warning(
            "There is no model to talk to.",
            f"Set {names[0]}, or run: bestchat keys set openai; "
            "or: bestchat models add smollm2-135m",
        )


def network(environ: Mapping[str, str]) -> Iterator[Finding]:
    """What stands between this machine and the outside, by name."""
    found = False
    for name in sorted(environ):
        if name.lower() in _PROXIES and environ[name]:
            found = True
            yield ok(f"{name}: {_hosts(name, environ[name])}")
    for name in _CERTIFICATES:
        if environ.get(name):
            found = True
            yield _certificates(name, Path(environ[name]))
    if not found:
        yield ok("No proxy and no certificates of its own are set.")


def _hosts(name: str, value: str) -> str:
    """The host of a proxy, without credentials; of the exceptions, how many there are."""
    if name.lower() == "no_proxy":
        return f"{len(value.split(','))} exceptions"
    try:
        return urlsplit(value if "://" in value else f"//{value}").hostname or "set"
    except ValueError:
        return "set, and not an address"


def _certificates(name: str, path: Path) -> Finding:
    if path.exists():
        return ok(f"{name}: set, and there")
    return problem(f"{name} names nothing that is there.", "Correct it, or unset it.")
