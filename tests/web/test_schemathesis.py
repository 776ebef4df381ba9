"""The OpenAPI document against the real door: fitting requests and unfitting ones, by the hundred.

Always the same ones, so that a failure is one of the code's.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application as TornadoApplication

from bestchat_server_ext.api.openapi import document
from bestchat_server_ext.bootstrap import open_application
from bestchat_server_ext.core.access import EVERY_SCOPE
from bestchat_server_ext.core.ids import LOCAL_OWNER, TokenId
from bestchat_server_ext.core.tokens import digest, new_token
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.testing.script import Echo, Script, ScriptTurn, write
from bestchat_server_ext.web.door import Door, TokenAuthenticator
from bestchat_server_ext.web.routes import routes

EXAMPLES = 15
"""Requests for each operation, beside those at the limits of what fits, which are as many again
or more."""

CONFIG = schemathesis.Config.from_dict(
    {
        # Headers and queries that nobody knows do no harm; unknown fields are refused.
        "generation": {
            "deterministic": True,
            "database": "none",
            "allow-extra-parameters": False,
        },
        "phases": {"coverage": {"unexpected-methods": ["get", "put", "delete", "options"]}},
    }
)

DOCUMENT = schemathesis.openapi.from_dict(json.loads(json.dumps(document("1", ""))), config=CONFIG)

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.ignored_auth,
]
"""All that make sense. What fits the document may be refused all the same: not every text is a
model or the id of an object."""


class Server:
    """Plain Tornado on a loop of its own, because the requests are made from the main thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(60)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with self._listening():
            self._ready.set()
            await self._over.wait()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        write(Script((ScriptTurn(((Echo(),),)),)), self._folder / "echo.json")
        environ = {
            "BESTCHAT_DATA_DIR": str(self._folder / "data"),
            "BESTCHAT_SCRIPTS_DIR": str(self._folder),
            "BESTCHAT_DEFAULT_MODEL": "scripted/echo",
        }
        application = await open_application(environ)
        self.headers = {"Authorization": f"Bearer {await add_token(application)}"}

        async def build() -> Any:
            return application

        door = Door(build)
        server = HTTPServer(TornadoApplication(routes("/", door, TokenAuthenticator(door))))
        socket, port = bind_unused_port()
        server.add_socket(socket)
        self.url = f"http://127.0.0.1:{port}"
        try:
            yield
        finally:
            server.stop()
            await server.close_all_connections()
            await application.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)
        assert not self._thread.is_alive()


async def add_token(application: Any) -> str:
    token, now = new_token(secrets.token_bytes(32)), datetime.now(UTC)
    await application.tokens._store.add(
        TokenRecord(
            id=TokenId("01900000-0000-7000-8000-000000000000"),
            owner=LOCAL_OWNER,
            kind="token",
            scopes=frozenset(EVERY_SCOPE),
            digest=digest(token),
            created_at=now,
        )
    )
    return token


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("schemathesis"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


def make_real(case: schemathesis.Case, server: Server, session: requests.Session) -> None:
    """Let half of the fitting requests be about objects that exist; no made-up id is one's."""
    if case.path.endswith("conversations.create") or not isinstance(case.body, dict):
        return
    assert case.meta is not None
    if case.meta.generation.mode.is_negative or len(repr(case.body)) % 2:
        return
    wanted = {name for name in ("conversation_id", "turn_id", "token_id") if case.body.get(name)}
    if not wanted:
        return

    def call(name: str, /, **body: Any) -> Any:
        address = f"{server.url}/bestchat/api/{name}"
        answer = session.post(address, json=body, headers=server.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    real = {"conversation_id": call("conversations.create")["id"]}
    if "turn_id" in wanted:
        real |= call("turns.start", **real, request_id=real["conversation_id"], text="Hi.")
    if "token_id" in wanted:
        real["token_id"] = call("tokens.create", name="t", scopes=["turns"])["id"]
        call("tokens.revoke", token_id=real["token_id"])  # so many may not be good at a time
    case.body.update((name, real[name]) for name in wanted)


@DOCUMENT.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_door_does_as_its_document_says(
    case: schemathesis.Case, server: Server, session: requests.Session
) -> None:
    make_real(case, server, session)
    case.call_and_validate(server.url, session, server.headers, CHECKS)
