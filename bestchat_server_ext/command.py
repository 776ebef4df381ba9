"""The `bestchat` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from bestchat_server_ext.core.errors import ChatError

_MEBIBYTE = 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command line; give the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ChatError as error:
        print(f"bestchat: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bestchat: stopped; nothing was left half done.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bestchat", description="Chat with models inside Jupyter.")
    parser.add_argument("--version", action="version", version=f"bestchat {version('bestchat')}")
    topics = parser.add_subparsers(required=True, metavar="topic")
    models = topics.add_parser("models", help="models that run on this machine").add_subparsers(
        required=True, metavar="verb"
    )
    add = models.add_parser("add", help="bring the demo model to this machine")
    add.add_argument("name", help="the model, for example smollm2-135m")
    add.set_defaults(run=_add_model)
    return parser


def _add_model(options: argparse.Namespace) -> int:
    from bestchat_server_ext import bootstrap, settings

    name = options.name.removeprefix("local/")
    print(f"Bringing {name} to this machine, unless it is here: 93 MB", flush=True)
    path = bootstrap.install_model(settings.load(os.environ), name, _show_progress)
    print(f"\r{name} is at {path}.")
    print(f"It is a demo model and not for real work. Choose it with: %%chat -m local/{name}")
    return 0


def _show_progress(done: int, total: int) -> None:
    """One line that is written again and again; nothing where nobody watches."""
    if sys.stdout.isatty():
        share = f" of {total // _MEBIBYTE}" if total else ""
        print(f"\r{done // _MEBIBYTE}{share} MiB", end="", flush=True)
