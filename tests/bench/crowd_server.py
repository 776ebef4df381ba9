"""BestChat in plain Tornado, with many users, for the benchmarks with crowds.

A process of its own, with asyncio's own loop. Prints one line: where it listens, and the tokens of
as many users as were asked for.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from datetime import UTC, datetime

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from bestchat_server_ext import bootstrap
from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.bootstrap.administration import database_place, upgrade_database
from bestchat_server_ext.core.access import EVERY_SCOPE
from bestchat_server_ext.core.ids import OwnerId, TokenId, uuid7
from bestchat_server_ext.core.tokens import digest, new_token
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.settings import load
from bestchat_server_ext.web.door import Door, TokenAuthenticator
from bestchat_server_ext.web.routes import routes


async def add_user(database: Database, name: str) -> str:
    """Make a token for a user of that name."""
    token, now = new_token(secrets.token_bytes(32)), datetime.now(UTC)
    await database.tokens.add(
        TokenRecord(
            id=TokenId(uuid7(now, secrets.token_bytes(10))),
            owner=OwnerId(name),
            kind="token",
            scopes=EVERY_SCOPE,
            digest=digest(token),
            created_at=now,
            expires_at=None,
        )
    )
    return token


async def main(users: int) -> None:
    """Serve until the end of the process."""
    settings = load(os.environ)
    if settings.database_url:
        await asyncio.to_thread(upgrade_database, settings)
    database = await open_database(database_place(settings))
    tokens = [await add_user(database, f"user-{number}") for number in range(users)]
    await database.close()
    door = Door(lambda: bootstrap.open_application(os.environ, serves=True))
    server = HTTPServer(Application(routes("/", door, TokenAuthenticator(door))))
    sockets = bind_sockets(0, "127.0.0.1", backlog=2048)
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    print(json.dumps({"port": port, "tokens": tokens}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
