"""A server without Jupyter, in a process of its own: started and killed by a test.

Its options come from the environment. Says where it is reached and with which token, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from datetime import UTC, datetime

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application as TornadoApplication

from bestchat_server_ext.adapters.tools_server import FunctionTools
from bestchat_server_ext.bootstrap import Application, open_application
from bestchat_server_ext.core.access import EVERY_SCOPE
from bestchat_server_ext.core.ids import LOCAL_OWNER, TokenId, uuid7
from bestchat_server_ext.core.tokens import digest, new_token
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.web.door import Door, TokenAuthenticator
from bestchat_server_ext.web.routes import routes


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def add_token(application: Application) -> str:
    token, now = new_token(secrets.token_bytes(32)), datetime.now(UTC)
    record = TokenRecord(
        id=TokenId(uuid7(now, secrets.token_bytes(10))),
        owner=LOCAL_OWNER,
        kind="token",
        scopes=EVERY_SCOPE,
        digest=digest(token),
        created_at=now,
    )
    await application.tokens._store.add(record)
    return token


async def serve() -> None:
    application = await open_application(os.environ, tools=[FunctionTools([add])], serves=True)

    async def build() -> Application:
        return application

    door = Door(build)
    server = HTTPServer(TornadoApplication(routes("/", door, TokenAuthenticator(door))))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    told = {"url": f"http://127.0.0.1:{port}/", "token": await add_token(application)}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(serve())
