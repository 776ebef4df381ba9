"""Servers that are born quickly and die at any moment: started by the fault tests.

Loading Python and our libraries takes longer than all else that a server does before it answers, so
one process loads them once, and each server is a fork of it. Reads one JSON object a line from
standard input, each a server to start, and writes one for each that answers. A server is what
BestChat is without Jupyter around it: the same handlers on plain Tornado, the same application, the
tools of installed packages. Only the clock of its leases runs faster.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import logging
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application as TornadoApplication

from bestchat_server_ext.adapters.storage_sql import postgres
from bestchat_server_ext.bootstrap import Application, open_application
from bestchat_server_ext.core.access import EVERY_SCOPE
from bestchat_server_ext.core.ids import LOCAL_OWNER, TokenId
from bestchat_server_ext.core.tokens import digest
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.services import turns
from bestchat_server_ext.web.door import Door, TokenAuthenticator
from bestchat_server_ext.web.routes import routes

LOADED = (asyncpg, postgres)
"""What a server needs on PostgreSQL, where the rehearsal is on SQLite."""


async def rehearse() -> None:
    """Open and close one application: that loads whatever is loaded at first use."""
    with tempfile.TemporaryDirectory() as folder:
        names = ("BESTCHAT_DATA_DIR", "BESTCHAT_SCRIPTS_DIR")
        application = await open_application(dict.fromkeys(names, folder), serves=True)
        await application.close()


async def serve(wanted: dict[str, Any]) -> None:
    """One server, until it is killed."""
    turns.LEASE = timedelta(seconds=wanted["lease_seconds"])
    turns.KEEP_SECONDS = turns.REAP_SECONDS = wanted["keep_seconds"]

    async def build() -> Application:
        return await open_application(wanted["environ"], serves=True)

    door = Door(build)
    application = await door.application()
    if wanted["first"]:
        await application.tokens._store.add(record(wanted["token"]))
    server = HTTPServer(TornadoApplication(routes("/", door, TokenAuthenticator(door))))
    sockets = bind_sockets(wanted["port"], "127.0.0.1")
    server.add_sockets(sockets)
    told = {"pid": os.getpid(), "port": sockets[0].getsockname()[1]}
    os.write(1, json.dumps(told).encode() + b"\n")
    await asyncio.Future()


def record(token: str) -> TokenRecord:
    return TokenRecord(
        id=TokenId("01900000-0000-7000-8000-00000000000f"),
        owner=LOCAL_OWNER,
        kind="token",
        scopes=EVERY_SCOPE,
        digest=digest(token),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def main() -> None:
    faulthandler.enable()
    asyncio.run(rehearse())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they died
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(serve(json.loads(line)))


main()
