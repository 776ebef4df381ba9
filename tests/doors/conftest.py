"""The doors: one application behind plain Tornado, and a clock and a bus that tests hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application as TornadoApplication

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.adapters.cache_memory import MemoryCache
from bestchat_server_ext.adapters.provider_scripted import ScriptedProvider
from bestchat_server_ext.adapters.secrets_env import EnvSecrets
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.adapters.tools_server import FunctionTools
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core.access import EVERY_SCOPE
from bestchat_server_ext.core.ids import LOCAL_OWNER, TokenId
from bestchat_server_ext.core.tokens import digest
from bestchat_server_ext.dispatch.bindings import Services
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.services.context import ContextManager
from bestchat_server_ext.services.conversations import ConversationManager
from bestchat_server_ext.services.providers import ProviderEntry, ProviderRegistry
from bestchat_server_ext.services.stream import StreamService
from bestchat_server_ext.services.tokens import TokenService
from bestchat_server_ext.services.tools import ToolExecutor
from bestchat_server_ext.services.turn_run import Wheel
from bestchat_server_ext.services.turns import TurnService
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.web.door import Door, TokenAuthenticator
from bestchat_server_ext.web.routes import routes

TOKEN = "bc_a-token-of-the-tests"


async def add_user_token(application: Application, token: str = TOKEN) -> None:
    """A token that may do everything as the local user."""
    clock = application.tokens._clock
    record = TokenRecord(
        id=TokenId(clock.new_id()),
        owner=LOCAL_OWNER,
        kind="token",
        scopes=EVERY_SCOPE,
        digest=digest(token),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    await application.tokens._store.add(record)


Serve = Callable[[Application], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Put an application behind plain Tornado; gives the base URL."""
    servers: list[HTTPServer] = []

    async def start(application: Application) -> str:
        async def build() -> Application:
            return application

        door = Door(build)
        server = HTTPServer(TornadoApplication(routes("/", door, TokenAuthenticator(door))))
        servers.append(server)
        socket, port = bind_unused_port()
        server.add_socket(socket)
        return f"http://127.0.0.1:{port}/"

    yield start
    for server in servers:
        server.stop()
        await server.close_all_connections()


@pytest.fixture
async def connect(serve: Serve) -> AsyncIterator[Callable[[Application], Awaitable[RemoteClient]]]:
    """A client over HTTP to an application of this process."""
    clients: list[RemoteClient] = []

    async def open_client(application: Application) -> RemoteClient:
        await add_user_token(application)
        client = RemoteClient(await serve(application), TOKEN)
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        await client.close()


@dataclass
class House:
    """An application whose clock and bus are in the hands of a test."""

    application: Application
    clock: ManualClock
    stream: StreamService
    turns: TurnService


Build = Callable[..., Awaitable[House]]


@pytest.fixture
async def build(data_dir: Path, scripts_dir: Path) -> AsyncIterator[Build]:
    """Put a house together on the tests' database, by default with nobody looking after leases."""
    async with AsyncExitStack() as stack:

        async def put_together(
            *functions: Callable[..., Any],
            clock: ManualClock | None = None,
            capacity: int = 1000,
            rules: Sequence[Any] = (),
            origin: int = 0,
        ) -> House:
            clock = clock or ManualClock(origin=origin)
            database = await open_database(data_dir / "bestchat.sqlite3")
            stream = StreamService(
                database.storage, MemoryBus(capacity), MemoryCache(clock), clock
            )
            entries = [ProviderEntry("scripted", ScriptedProvider(scripts_dir, clock))]
            providers = ProviderRegistry(
                entries, EnvSecrets({}), database.storage, "scripted/echo"
            )
            tools = ToolExecutor([FunctionTools(functions)], rules)
            wheel = Wheel(database.storage, stream, ContextManager(), providers, tools)
            services = Services(
                storage=database.storage,
                stream=stream,
                conversations=ConversationManager(database.storage, stream),
                providers=providers,
                turns=TurnService(wheel),
                tokens=TokenService(database.tokens, clock),
            )
            application = Application(services, database)
            stack.push_async_callback(application.close)
            return House(application, clock, stream, services.turns)

        yield put_together
