"""Files, then the environment, then the server's own configuration on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from bestchat_server_ext.api.system import DEFAULT_ORIGIN, Option
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.settings import files
from bestchat_server_ext.settings.masking import masked
from bestchat_server_ext.settings.options import PREFIX, Settings, variable

NOT_OPTIONS = frozenset({"BESTCHAT_URL", "BESTCHAT_TOKEN", "BESTCHAT_MASTER_KEYS"})
"""Variables with the prefix that tell a kernel where its server is, or a server its master keys."""


@dataclass(frozen=True)
class Origin:
    """Where a value comes from.

    Attributes:
        kind: what kind of place it is.
        place: which one: the file's path, the variable's name, or what stands for it.
    """

    kind: Literal["default", "file", "environment", "server"]
    place: str

    def __str__(self) -> str:
        return self.place


DEFAULT = Origin("default", DEFAULT_ORIGIN)


def _server(name: str) -> Origin:
    return Origin("server", f"c.{files.SECTION}.{name} of the server")


@dataclass(frozen=True)
class Loaded:
    """The options, and where they come from.

    Attributes:
        settings: the options.
        origins: of each option, where its value comes from.
        files: the configuration files that were read, from the lowest to the highest.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    files: tuple[Path, ...] = ()

    def options(self) -> tuple[Option, ...]:
        """All options as people may see them, without passwords."""
        return tuple(
            Option(
                name=name,
                value=_text(getattr(self.settings, name)),
                origin=str(self.origins[name]),
                description=field.description or "",
            )
            for name, field in Settings.model_fields.items()
        )


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(_text(item) for item in value)
        case _:
            return masked(str(value))


def load(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the options from files and from `environ`, with `overrides` on top.

    Raises:
        InvalidRequest: an option does not exist or has an impossible value, or a file is broken;
            says which.
    """
    return load_with_origins(environ, overrides).settings


def load_with_origins(
    environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> Loaded:
    """Read the options, and remember where each comes from.

    Raises:
        InvalidRequest: as for `load`.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, DEFAULT)
    paths = files.config_files()
    for path in paths:
        found = files.read(path)
        _require_known(found, path)
        values |= found
        origins |= dict.fromkeys(found, Origin("file", str(path)))
    for name in Settings.model_fields:
        if environ.get(variable(name)):
            values[name] = environ[variable(name)]
            origins[name] = Origin("environment", variable(name))
    for name, value in (overrides or {}).items():
        values[name] = value
        origins[name] = _server(name)
    return Loaded(_validated(values, origins), origins, tuple(paths))


def _require_known(names: Mapping[str, Any], path: Path) -> None:
    for name in names:
        if name not in Settings.model_fields:
            raise InvalidRequest(
                f"The configuration file {path} sets an option that does not exist: {name!r}.",
                hint=meant(name),
                field=name,
            )


def meant(name: str) -> str:
    """What somebody may have meant who wrote a name that is no option."""
    near = get_close_matches(name.lower(), Settings.model_fields, n=2)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"The options are {', '.join(Settings.model_fields)}."


def _validated(values: Mapping[str, Any], origins: Mapping[str, Origin]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0])
    what = first["msg"].removeprefix("Value error, ")
    raise InvalidRequest(
        f"The option {name!r} cannot be used: {what}.",
        hint=f"It comes from {origins[name]}." if name in origins else "",
        field=name,
    )


def strangers(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like options and are none, and what may have been meant.

    They are no error: other programs may have variables with this prefix.
    """
    known = {variable(name) for name in Settings.model_fields} | NOT_OPTIONS
    return {
        name: meant(name.removeprefix(PREFIX))
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    }
