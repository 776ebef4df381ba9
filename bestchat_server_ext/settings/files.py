"""`bestchat_config.json` and `bestchat_config.py` on Jupyter's configuration path.

Loads traitlets only where there is a file of Python to run.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bestchat_server_ext.core.errors import InvalidRequest

SECTION = "BestChat"
"""What the options stand below, in either kind of file."""

NAMES = ("bestchat_config.py", "bestchat_config.json")
"""Within one folder, the second goes on top, as it does for Jupyter's own files."""


def config_files() -> list[Path]:
    """The files there are, from the lowest to the highest."""
    from jupyter_core.paths import jupyter_config_path

    folders = dict.fromkeys(Path(folder).absolute() for folder in jupyter_config_path())
    return [
        folder / name for folder in reversed(folders) for name in NAMES if _is_file(folder / name)
    ]


def _is_file(path: Path) -> bool:
    """Whether a file is there. A folder that nobody may look into holds none, as for Jupyter."""
    try:
        return path.is_file()
    except OSError:
        return False


def read(path: Path) -> dict[str, Any]:
    """What a file sets; the names are not looked at.

    Raises:
        InvalidRequest: the file is broken; says where.
    """
    try:
        found = _run(path) if path.suffix == ".py" else json.loads(path.read_bytes())
    except OSError as error:
        raise _broken(path, error.strerror or type(error).__name__) from None
    except json.JSONDecodeError as error:
        raise _broken(path, f"line {error.lineno}: {error.msg}") from None
    except UnicodeDecodeError:
        raise _broken(path, "it is not written in UTF-8") from None
    except RecursionError:
        raise _broken(path, "it is nested too deeply") from None
    if not isinstance(found, Mapping):
        raise _broken(path, "it holds no JSON object")
    strange = [name for name in found if name not in {SECTION, "version"}]
    section = found.get(SECTION, {})
    if strange or not isinstance(section, Mapping):
        raise InvalidRequest(
            f"The configuration file {path} sets {strange[0] if strange else SECTION!r}, which "
            "means nothing here.",
            hint="Options are set as c.BestChat.default_model = …"
            if path.suffix == ".py"
            else 'Options are set as {"BestChat": {"default_model": …}}.',
        )
    return dict(section)


def _run(path: Path) -> dict[str, Any]:
    """What a file of Python leaves in `c`."""
    from traitlets.config.loader import PyFileConfigLoader

    try:
        config = PyFileConfigLoader(path.name, str(path.parent)).load_config()
    except SyntaxError as error:
        raise _broken(path, f"line {error.lineno}: {error.msg}", error.filename) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  a program of somebody else's
        # What an exception says may quote what the file holds: only its kind is repeated.
        raise _broken(path, _raised(error, path)) from None
    return {
        str(section): _settled(values) if section == SECTION else values
        for section, values in config.items()
    }


def _raised(error: BaseException, path: Path) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    return f"line {lines[-1] if lines else '?'}: {type(error).__name__}"


def _settled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Options whose lists were written as `c.BestChat.allowed_models.append(…)`."""
    from traitlets.config.loader import LazyConfigValue

    settled: dict[str, Any] = {}
    for name, value in values.items():
        if not isinstance(value, LazyConfigValue):
            settled[name] = value
        elif value.to_dict():  # else it was only looked at
            settled[name] = value.get_value([])
    return settled


def _broken(path: Path, what: str, other: str | None = None) -> InvalidRequest:
    """The one error for a file that cannot be read; `other` is a file that it loads."""
    named = f" (in {other})" if other and Path(other) != path else ""
    return InvalidRequest(
        f"The configuration file {path} cannot be read: {what}{named}.",
        hint="Correct it, or move it away.",
    )
