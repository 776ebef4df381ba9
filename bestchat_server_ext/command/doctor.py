"""`bestchat doctor`: a report to paste."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bestchat_server_ext.command.terminal import Topics, say

if TYPE_CHECKING:
    from bestchat_server_ext.command.report import Report


def add_parser(topics: Topics) -> None:
    """Declare the topic."""
    parser = topics.add_parser(
        "doctor",
        help="look at everything, and print a report to paste",
        description="Look at versions, configuration, database and server, and print a report to "
        "paste into a question or an issue. It holds no keys, tokens or passwords. Nothing is "
        "changed; nobody is called but the database, Redis, the server that BESTCHAT_URL "
        "names, and a keyring where a stored key needs it.",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    found = report(os.environ)
    say(found.json() if options.json else found.text())
    return 1 if found.problems else 0


def report(environ: Mapping[str, str]) -> Report:
    """Look at everything; nothing that goes wrong on the way stops it."""
    from bestchat_server_ext.command import keys, machine, setup
    from bestchat_server_ext.command.report import Check, Redaction, Report, examined
    from bestchat_server_ext.command.server import server

    here = setup.Setup.of(environ)
    redaction = Redaction(environ)
    for address in here.addresses:
        redaction.add_address(address)
    checks: dict[str, Check] = {
        "Versions": machine.versions,
        "Extras": machine.extras,
        "Jupyter": machine.extension,
        "Configuration files": lambda: setup.files(here),
        "Options": lambda: setup.options(here),
        "Database": lambda: setup.database(here),
        "Redis": lambda: setup.redis(here),
        "Keys": lambda: keys.check(here),
        "Models": lambda: setup.models(here),
        "Network": lambda: setup.network(environ),
        "Server": lambda: server(environ),
    }
    return Report(
        tuple(
            (title, tuple(redaction.clean(finding) for finding in examined(check)))
            for title, check in checks.items()
        )
    )
