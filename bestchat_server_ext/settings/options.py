"""Every option: its type, its default and what it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Secret

from bestchat_server_ext.core.cost import picodollars
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.turn import STEP_LIMIT
from bestchat_server_ext.settings.masking import masked

PREFIX = "BESTCHAT_"

MAX_SOCKETS = 64
"""WebSockets that one user may have open, unless configured otherwise."""


def variable(name: str) -> str:
    """The variable of the environment that sets an option."""
    return PREFIX + name.upper()


def _data_dir() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "bestchat"


def _absolute(path: Path) -> Path:
    """A folder is the same one for the server and for kernels in other directories."""
    return path.expanduser().absolute()


class SecretAddress(Secret[str]):
    """An address that may hold a password: whoever prints it sees none.

    `get_secret_value` gives it as it is.
    """

    def _display(self) -> str:
        return masked(self.get_secret_value())

    def __bool__(self) -> bool:
        return bool(self.get_secret_value())

    def __str__(self) -> str:
        return self._display()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._display()!r})"


_REDIS = frozenset({"redis", "rediss", "unix"})
_POSTGRES = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})

# What is said about a bad value never repeats it: there may be a password in it.


def _database(address: SecretAddress) -> SecretAddress:
    """Only the kind is looked at: libpq's addresses may name several hosts, or none."""
    scheme, separator, _ = address.get_secret_value().partition("://")
    if address and not (separator and scheme in _POSTGRES):
        raise ValueError("it is no address of the form postgresql://user:password@host/database")
    return address


def _redis(address: SecretAddress) -> SecretAddress:
    """Only the kind is looked at: the rest is for those who go there."""
    scheme, separator, place = address.get_secret_value().partition("://")
    if address and not (separator and place and scheme in _REDIS):
        raise ValueError("it is no address of the form redis://user:password@host:6379/0")
    return address


def _server(address: str) -> str:
    if address:
        _web(address)
    return address


def _prefixes(addresses: tuple[str, ...]) -> tuple[str, ...]:
    for address in addresses:
        _web(address)
    return addresses


def _web(address: str) -> None:
    try:
        parts = urlsplit(address)
    except ValueError:
        raise ValueError("it is no address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an address begins with http:// or https:// and a host")


def _amount(text: str) -> str:
    if text:
        try:
            picodollars(text)
        except InvalidRequest as error:
            raise ValueError(error.info.text) from None
    return text


def _globs(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for number, pattern in enumerate(patterns, 1):
        if "/" not in pattern and "*" not in pattern:
            raise ValueError(
                f"pattern {number} fits no model: a model is called provider/model, and all of a "
                "provider's are provider/*"
            )
    return patterns


def _references(models: tuple[str, ...]) -> tuple[str, ...]:
    for number, text in enumerate(models, 1):
        provider, slash, model = text.partition("/")
        if not (provider and slash and model):
            raise ValueError(f"entry {number} is no model reference: write provider/model")
    return models


def _listed(value: Any) -> Any:  # noqa: ANN401  whatever was configured
    """A list, from a JSON array or from text with commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            raise ValueError("it begins like a JSON array and is none") from None
    return [item.strip() for item in value.split(",") if item.strip()]


Folder = Annotated[Path, AfterValidator(_absolute)]
Text = Annotated[str, Field(min_length=1)]
Listed = BeforeValidator(_listed)


class Settings(BaseModel):
    """What can be configured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Annotated[
        Folder,
        Field(
            default_factory=_data_dir,
            description="Folder of the database and of downloaded models; on a local disk.",
        ),
    ]
    database_url: Annotated[
        SecretAddress,
        AfterValidator(_database),
        Field(
            description="PostgreSQL database, as postgresql://user:password@host/database; if "
            "unset, an SQLite file in `data_dir`."
        ),
    ] = SecretAddress("")
    database_pool_size: Annotated[
        int, Field(ge=1, le=1000, description="Most connections to PostgreSQL at a time.")
    ] = 10
    redis_url: Annotated[
        SecretAddress,
        AfterValidator(_redis),
        Field(
            description="Redis through which several servers on one database tell each other what "
            "happens, as redis://user:password@host:6379/0."
        ),
    ] = SecretAddress("")
    default_model: Annotated[
        str,
        Field(description="Model reference of the model that answers when none is named."),
    ] = ""
    fallback_models: Annotated[
        tuple[Text, ...],
        Listed,
        AfterValidator(_references),
        Field(
            description="Model references of the models that stand in, in this order, where a "
            "provider is down, busy or refuses its key."
        ),
    ] = ()
    fallback_models_overflow: Annotated[
        tuple[Text, ...],
        Listed,
        AfterValidator(_references),
        Field(description="Those that stand in where a conversation is too long for its model."),
    ] = ()
    fallback_models_refused: Annotated[
        tuple[Text, ...],
        Listed,
        AfterValidator(_references),
        Field(description="Those that stand in where a content policy refused the prompt."),
    ] = ()
    title_model: Annotated[
        str,
        Field(
            description="Model reference of the model that names conversations after their first "
            "answer; if unset, the first line of the first message is the title."
        ),
    ] = ""
    allowed_models: Annotated[
        tuple[Text, ...],
        Listed,
        AfterValidator(_globs),
        Field(
            description="The models that may be used, as patterns over model references such as "
            "openai/*; if empty, all."
        ),
    ] = ()
    allowed_base_urls: Annotated[
        tuple[Text, ...],
        Listed,
        AfterValidator(_prefixes),
        Field(
            description="The addresses that providers may be called at, each as its beginning; "
            "if empty, all."
        ),
    ] = ()
    allow_user_keys: Annotated[
        bool, Field(description="Whether users may bring provider keys of their own.")
    ] = True
    allow_pages: Annotated[
        bool,
        Field(description="Whether the server fetches pages that users mention with `@url:`."),
    ] = True
    private_page_hosts: Annotated[
        tuple[Text, ...],
        Listed,
        Field(
            description="Hosts from which pages are fetched although they are on this machine or "
            "in a private network, as patterns such as wiki.example.org or 10.0.0.7:8080."
        ),
    ] = ()
    help_url: Annotated[
        str,
        AfterValidator(_server),
        Field(description="Page where users of this site find help; shown where it has decided."),
    ] = ""
    enabled: Annotated[bool, Field(description="Whether BestChat may be used at all.")] = True
    server_url: Annotated[
        str,
        AfterValidator(_server),
        Field(
            description="Address of the Jupyter Server as its kernels reach it; if unset, it is "
            "derived from where the server listens."
        ),
    ] = ""
    max_sockets: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="WebSockets that one user may have open at a time; each tab, notebook and "
            "script that follows a conversation needs one.",
        ),
    ] = MAX_SOCKETS
    scripts_dir: Annotated[
        Folder | None,
        Field(
            description="Folder of scripts for the provider `scripted`, for tests and "
            "demonstrations; there is no such provider if unset."
        ),
    ] = None
    keep_deleted_days: Annotated[
        int,
        Field(ge=0, le=3650, description="Days for which a deleted conversation can be restored."),
    ] = 7
    max_file_mb: Annotated[
        int,
        Field(ge=1, le=100_000, description="Megabytes that an attached file may have."),
    ] = 100
    max_files_mb: Annotated[
        int,
        Field(
            ge=1,
            le=100_000_000,
            description="Megabytes that all attached files of one owner may have together.",
        ),
    ] = 5_000
    max_running_turns: Annotated[
        int, Field(ge=1, le=100_000, description="Turns that one owner may have under way.")
    ] = 100
    max_cost: Annotated[
        str,
        AfterValidator(_amount),
        Field(
            description="US dollars that no conversation may go beyond, as a decimal number, "
            "whatever limit it sets itself; no such limit if unset."
        ),
    ] = ""
    step_limit: Annotated[
        int, Field(ge=1, le=1000, description="Requests to a model within one turn.")
    ] = STEP_LIMIT
