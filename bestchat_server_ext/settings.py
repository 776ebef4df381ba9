"""Every option, once: its type, its default and what it does.

Both doors read their options here. An option `default_model` is set by the variable
`BESTCHAT_DEFAULT_MODEL`, or by `c.BestChat.default_model` in the server's own configuration, which
goes on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.turn import STEP_LIMIT

PREFIX = "BESTCHAT_"

NOT_OPTIONS = frozenset({"BESTCHAT_URL", "BESTCHAT_TOKEN"})
"""Variables with the prefix that tell a kernel where its server is."""


def _data_dir() -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "bestchat"


def _absolute(path: Path) -> Path:
    """A folder is the same one for the server and for kernels in other directories."""
    return path.expanduser().absolute()


Folder = Annotated[Path, AfterValidator(_absolute)]


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
    default_model: Annotated[
        str,
        Field(description="Model reference of the model that answers when none is named."),
    ] = ""
    scripts_dir: Annotated[
        Folder | None,
        Field(
            description="Folder of scripts for the provider `scripted`, for tests and "
            "demonstrations; there is no such provider if unset."
        ),
    ] = None
    step_limit: Annotated[
        int, Field(ge=1, le=1000, description="Requests to a model within one turn.")
    ] = STEP_LIMIT


def load(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the options from the environment, with `overrides` on top.

    Raises:
        InvalidRequest: an option does not exist or has an impossible value; says which.
    """
    given: dict[str, Any] = {
        name: environ[PREFIX + name.upper()]
        for name in Settings.model_fields
        if environ.get(PREFIX + name.upper())
    }
    given |= overrides or {}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(
            f"The option {name!r} cannot be used: {first['msg']}.",
            hint=f"Check {PREFIX}{name.upper()} or c.BestChat.{name}.",
            field=name,
        ) from None
