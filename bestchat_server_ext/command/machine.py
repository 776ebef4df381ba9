"""Checks: versions, extras, Jupyter's own configuration."""

from __future__ import annotations

import json
import platform
import re
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from bestchat_server_ext.command.report import Finding, ok, problem, warning

_LIBRARIES = (
    "jupyter_server",
    "jupyterlab",
    "notebook",
    "ipykernel",
    "ipython",
    "jupyter_client",
    "jupyter_core",
    "traitlets",
    "tornado",
    "aiohttp",
    "msgspec",
    "pydantic",
    "sqlalchemy",
    "alembic",
    "asyncpg",
    "redis",
    "xllamacpp",
)

_EXTRAS = {
    "lab": "BestChat inside Jupyter Server, and in kernels without one",
    "team": "conversations on PostgreSQL, several servers through Redis",
    "local": "the embedded demo model",
}

EXTENSION = "bestchat_server_ext"


def installed(name: str) -> str | None:
    """The version of a distribution; none if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def versions() -> Iterator[Finding]:
    """What runs here."""
    yield ok(f"bestchat {installed('bestchat')}")
    yield ok(f"Python {platform.python_version()} at {sys.executable}")
    yield ok(f"{platform.platform()}")
    yield ok(f"SQLite {sqlite3.sqlite_version}")
    for name in _LIBRARIES:
        yield ok(f"{name} {installed(name) or 'is not installed'}")


def extras() -> Iterator[Finding]:
    """Which of BestChat's extras are complete."""
    declared = metadata.requires("bestchat") or []
    for extra, what in _EXTRAS.items():
        mark = re.compile(rf"""extra\s*==\s*['"]{extra}['"]""")
        names = [_name(line) for line in declared if mark.search(line)]
        missing = [name for name in names if name != "bestchat" and installed(name) is None]
        if not missing:
            yield ok(f"{extra}: installed ({what})")
        else:
            yield ok(
                f"{extra}: not installed, {', '.join(missing)} missing ({what}); "
                f"pip install 'bestchat[{extra}]'"
            )


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return found[0] if found else ""


def extension() -> Iterator[Finding]:
    """Whether Jupyter Server loads our extension."""
    if installed("jupyter_server") is None:
        yield ok("Jupyter Server is not installed here: kernels only.")
        return
    enabled, place = None, None
    for path in _server_files():
        try:
            found = _setting(path)
        except (OSError, ValueError) as error:
            yield problem(
                f"{path} cannot be read: {type(error).__name__}.", "Correct it, or move it away."
            )
            continue
        if isinstance(found, bool):
            enabled, place = found, path
    if enabled:
        yield ok(f"The server extension is enabled ({place}).")
    elif place is not None:
        yield problem(
            f"The server extension is switched off ({place}).",
            f"Run: jupyter server extension enable {EXTENSION}",
        )
    else:
        yield problem(
            "The server extension is installed, and Jupyter was not told about it.",
            f"Run: jupyter server extension enable {EXTENSION}",
        )
    for path in _python_files():
        yield warning(
            f"{path} is a program, and was not looked at.",
            "It may switch the extension on or off: jupyter server extension list tells.",
        )


def _server_files() -> list[Path]:
    """The files that Jupyter Server reads, from the lowest to the highest."""
    return [
        path
        for folder in _folders()
        for path in (
            folder / "jupyter_config.json",
            *sorted((folder / "jupyter_server_config.d").glob("*.json")),
            folder / "jupyter_server_config.json",
        )
        if path.is_file()
    ]


def _python_files() -> list[Path]:
    """Programs that configure Jupyter Server, and speak of extensions."""
    paths = [folder / "jupyter_server_config.py" for folder in _folders()]
    return [
        path
        for path in paths
        if path.is_file() and EXTENSION in path.read_text(encoding="utf-8", errors="replace")
    ]


def _folders() -> list[Path]:
    from jupyter_core.paths import jupyter_config_path

    return [Path(folder) for folder in reversed(jupyter_config_path())]


def _setting(path: Path) -> Any:  # noqa: ANN401  whatever stands in the file
    """What a file says about our extension."""
    found: Any = json.loads(path.read_bytes())
    for name in ("ServerApp", "jpserver_extensions", EXTENSION):
        found = found.get(name) if isinstance(found, dict) else None
    return found
