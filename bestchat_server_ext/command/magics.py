"""`bestchat magics`: %%chat in every notebook, or not."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bestchat_server_ext.command.terminal import Topics, say
from bestchat_server_ext.core.errors import InvalidRequest, Unavailable

_MARK = "# Written by `bestchat magics --autoload`"

STARTUP = f"""\
{_MARK}; `bestchat magics --no-autoload` takes it away again.
# Loads %%chat where BestChat is installed, and does nothing where it is not.


def _load_bestchat():
    from importlib.util import find_spec

    if find_spec("bestchat_kernel") is not None:
        get_ipython().extension_manager.load_extension("bestchat_kernel")


_load_bestchat()
del _load_bestchat
"""
"""What IPython runs at its start: it leaves no name behind."""


def add_parser(topics: Topics) -> None:
    """Declare the topic."""
    parser = topics.add_parser(
        "magics",
        help="have %%%%chat in every notebook, without %%load_ext",
        description="Have %%chat in every notebook and every IPython of the default profile, "
        "without %load_ext bestchat_kernel. Without an option: say how it stands.",
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--autoload",
        action="store_true",
        help="write a small startup file into IPython's default profile",
    )
    choice.add_argument("--no-autoload", action="store_true", help="take that file away again")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    path = startup_path()
    try:
        if options.autoload:
            _write(path)
        elif options.no_autoload:
            _remove(path)
        else:
            _tell(path)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be changed: {error.strerror or type(error).__name__}.",
            hint="Let IPYTHONDIR name a folder that may be written to.",
        ) from None
    return 0


def startup_path() -> Path:
    """The file, where IPython looks for what it runs at its start."""
    folder = os.environ.get("IPYTHONDIR") or "~/.ipython"
    return Path(folder).expanduser().absolute() / "profile_default" / "startup" / "50-bestchat.py"


def _found(path: Path) -> str:
    """What stands there now; nothing if there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        return "something else"


def _require_ours(path: Path, text: str) -> None:
    if text and not text.startswith(_MARK):
        raise InvalidRequest(
            f"{path} was not written by this command, so it is left alone.",
            hint="Move it away if you do not need it.",
        )


def _write(path: Path) -> None:
    found = _found(path)
    _require_ours(path, found)
    if found == STARTUP:
        say(f"Nothing to do: {path} is there already.")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STARTUP, encoding="utf-8")
        say(f"Wrote {path}.")
    say("Notebooks and IPythons that start from now on have %%chat.")
    say("To undo it: bestchat magics --no-autoload")


def _remove(path: Path) -> None:
    found = _found(path)
    if not found:
        say(f"Nothing to do: there is no {path}.")
        return
    _require_ours(path, found)
    path.unlink()
    say(f"Removed {path}.")
    say("Notebooks that start from now on have %%chat after %load_ext bestchat_kernel.")


def _tell(path: Path) -> None:
    if _found(path).startswith(_MARK):
        say(f"On: {path} loads %%chat in every notebook of the default profile.")
        say("To change it: bestchat magics --no-autoload")
    else:
        say("Off: %%chat is there after %load_ext bestchat_kernel.")
        say("To change it: bestchat magics --autoload")
