"""The `bestchat` command.

    models      models that run on this machine
    database    `db`: upgrade, backup, restore
    keys        `keys`: providers' keys, and what they are encrypted under
    magics      %%chat in every notebook, or not
    doctor      a report to paste: which checks there are, and their order
    report      what checks find, how it looks, and what is taken out of it
    machine     checks: versions, extras, Jupyter's own configuration
    setup       checks: options, database, models, variables of the network
    server      check: the server that this environment points to
    terminal    speaking to whoever sits before it

It starts fast: what a command needs is imported by that command.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bestchat_server_ext.command import database, doctor, keys, magics, models
from bestchat_server_ext.command.terminal import complain
from bestchat_server_ext.core.errors import ChatError

_EPILOG = (
    "Exit codes: 0 all is well; 1 it failed, or the doctor found a problem; 2 the command line "
    "makes no sense."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command line; give the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ChatError as error:
        complain(f"bestchat: {error}")
        return 1
    except KeyboardInterrupt:
        complain("bestchat: stopped.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "bestchat",
        description="Chat with language models inside Jupyter. This command looks after what is "
        "around it; the chat itself is %%chat in a notebook.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    topics = parser.add_subparsers(required=True, metavar="topic", title="topics")
    for module in (doctor, database, keys, models, magics):
        module.add_parser(topics)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        parser.exit(message=f"bestchat {version('bestchat')}\n")
