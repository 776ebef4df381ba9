"""The doors: one application behind plain Tornado, and a clock and a bus that tests hold."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application as TornadoApplication

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.adapters.cache_memory import MemoryCache
from bestchat_server_ext.adapters.catalog_file import open_catalog
from bestchat_server_ext.adapters.file_texts import ChildTextReader
from bestchat_server_ext.adapters.files_obstore import LocalFiles
from bestchat_server_ext.adapters.pages_http import HttpPages
from bestchat_server_ext.adapters.provider_scripted import ScriptedProvider
from bestchat_server_ext.adapters.secrets_env import EnvSecrets
from bestchat_server_ext.adapters.storage_sql import Database, open_database
from bestchat_server_ext.adapters.tools_server import FunctionTools
from bestchat_server_ext.adapters.vault_aes import open_vault
from bestchat_server_ext.api import approvals, conversations, turns
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.access import EVERY_SCOPE
from bestchat_server_ext.core.conversation import ConversationState, Turn
from bestchat_server_ext.core.failover import Fallbacks
from bestchat_server_ext.core.ids import LOCAL_OWNER, ConversationId, RequestId, TokenId, TurnId
from bestchat_server_ext.core.messages import ToolResultPart
from bestchat_server_ext.core.tokens import digest, new_token
from bestchat_server_ext.core.tools import ToolExecution
from bestchat_server_ext.dispatch.bindings import Services
from bestchat_server_ext.ports.bus import Bus
from bestchat_server_ext.ports.cache import Cache
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.services.budget import Budget
from bestchat_server_ext.services.context import ContextManager
from bestchat_server_ext.services.conversations import ConversationManager
from bestchat_server_ext.services.exchange import ExchangeService
from bestchat_server_ext.services.failover import FailoverService
from bestchat_server_ext.services.files import FileService, Limits
from bestchat_server_ext.services.housekeeping import Housekeeping
from bestchat_server_ext.services.pages import PageService
from bestchat_server_ext.services.provider_settings import ProviderSettingsService
from bestchat_server_ext.services.provider_trial import ProviderTrial
from bestchat_server_ext.services.providers import ProviderEntry, ProviderRegistry
from bestchat_server_ext.services.stream import StreamService
from bestchat_server_ext.services.titles import TitleService
from bestchat_server_ext.services.tokens import TokenService
from bestchat_server_ext.services.tools import ToolExecutor
from bestchat_server_ext.services.turn_run import Wheel
from bestchat_server_ext.services.turns import TurnService
from bestchat_server_ext.services.usage import UsageService
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.web.door import Door, TokenAuthenticator
from bestchat_server_ext.web.routes import routes
from bestchat_server_ext.web.socket import EventsSocket


async def add_user_token(application: Application) -> str:
    """A token that may do everything as the local user."""
    token = new_token(secrets.token_bytes(32))
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
    return token


class Serve:
    """Plain Tornado servers of this process."""

    def __init__(self) -> None:
        self._servers: list[HTTPServer] = []
        self._sockets: set[EventsSocket] = set()

    async def __call__(self, application: Application) -> str:
        """Put an application behind a server; gives the base URL."""

        async def build() -> Application:
            return application

        sockets = self._sockets

        class Watched(EventsSocket):
            def open(self, *args: str, **kwargs: str) -> None:
                super().open(*args, **kwargs)
                sockets.add(self)

        door = Door(build)
        paths = routes("/", door, TokenAuthenticator(door), events=Watched)
        server = HTTPServer(TornadoApplication(paths))
        self._servers.append(server)
        socket, port = bind_unused_port()
        server.add_socket(socket)
        return f"http://127.0.0.1:{port}/"

    def break_lines(self) -> None:
        """Cut all WebSockets, without a word; new ones are taken."""
        while self._sockets:
            connection = self._sockets.pop().ws_connection
            if connection is not None and connection.stream is not None:
                connection.stream.close()

    async def stop(self) -> None:
        """Take no connections any more, and cut those that there are."""
        for server in self._servers:
            server.stop()
        self.break_lines()
        for server in self._servers:
            await server.close_all_connections()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers = Serve()
    yield servers
    await servers.stop()


@pytest.fixture
async def connect(serve: Serve) -> AsyncIterator[Callable[[Application], Awaitable[RemoteClient]]]:
    """A client over HTTP to an application of this process."""
    clients: list[RemoteClient] = []

    async def open_client(application: Application) -> RemoteClient:
        token = await add_user_token(application)
        client = RemoteClient(await serve(application), token)
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        await client.close()


@pytest.fixture(params=["in process", "http"])
def door(
    request: pytest.FixtureRequest, connect: Callable[[Application], Awaitable[RemoteClient]]
) -> Callable[[Application], Awaitable[Client]]:
    """A client of an application of this process, through each door in turn."""

    async def open_client(application: Application) -> Client:
        if request.param == "http":
            return await connect(application)
        return InProcessClient(application)

    return open_client


@dataclass
class House:
    """An application whose clock and bus are in the hands of a test."""

    application: Application
    clock: ManualClock
    stream: StreamService
    turns: TurnService


Build = Callable[..., Awaitable[House]]


def attached(database: Database, data_dir: Path, clock: ManualClock) -> FileService:
    """Files in the tests' folder, read by real processes."""
    store = LocalFiles(data_dir / "files")
    return FileService(database.uploads, store, ChildTextReader(), clock, Limits(10**6, 10**7))


@pytest.fixture
async def build(data_dir: Path, scripts_dir: Path) -> AsyncIterator[Build]:
    """Put a house together on the tests' database, by default with nobody looking after leases."""
    async with AsyncExitStack() as stack:

        async def put_together(  # noqa: PLR0913  everything that a test may have in its hands
            *functions: Callable[..., Any],
            clock: ManualClock | None = None,
            capacity: int = 1000,
            rules: Sequence[Any] = (),
            origin: int = 0,
            bus: Bus | None = None,
            cache: Cache | None = None,
            fallbacks: Fallbacks = Fallbacks(),  # noqa: B008  it is frozen
            others: Sequence[ProviderEntry] = (),
            most_turns: int = 100,
            max_cost: str | None = None,
            title_model: str | None = None,
        ) -> House:
            clock = clock or ManualClock(origin=origin)
            database = await open_database(data_dir / "bestchat.sqlite3")
            bus = bus or MemoryBus(capacity)
            cache = cache or MemoryCache(clock)
            stream = StreamService(database.storage, bus, cache, clock)
            entries = [ProviderEntry("scripted", ScriptedProvider(scripts_dir, clock)), *others]
            providers = ProviderRegistry(entries, EnvSecrets({}), database.storage, "scripted/echo")
            tools = ToolExecutor([FunctionTools(functions)], rules)
            usage = UsageService(database.usage, clock)
            failover = FailoverService(
                providers,
                stream.bus,
                cache,
                clock,
                fallbacks,
                usage=usage,
                jitter=lambda: 1.0,
            )
            budget = Budget(
                database.storage, providers, usage, most_turns=most_turns, max_cost=max_cost
            )
            files = attached(database, data_dir, clock)
            context = ContextManager()
            wheel = Wheel(
                database.storage, stream, context, files, providers, tools, failover, budget
            )
            vault, catalog = open_vault({}, data_dir, shared=False), open_catalog()
            stored = ProviderSettingsService(
                database.provider_configs, vault, EnvSecrets({}), catalog, clock
            )
            conversations = ConversationManager(database.storage, stream)
            services = Services(
                storage=database.storage,
                stream=stream,
                conversations=conversations,
                exchange=ExchangeService(stream, files),
                files=files,
                housekeeping=Housekeeping(conversations, files, clock, timedelta(days=7)),
                pages=PageService(HttpPages(), ChildTextReader()),
                providers=providers,
                turns=TurnService(
                    wheel, TitleService(stream, providers, usage, budget, title_model)
                ),
                tokens=TokenService(database.tokens, clock),
                usage=usage,
                provider_settings=stored,
                trial=ProviderTrial(providers, stored, clock),
            )
            application = Application(services, database)
            stack.push_async_callback(application.close)
            return House(application, clock, stream, services.turns)

        yield put_together


class Talk:
    """One conversation, as one client sees it."""

    def __init__(self, client: Client, conversation_id: ConversationId) -> None:
        self.client = client
        self.id = conversation_id

    def seen_by(self, client: Client) -> Talk:
        return Talk(client, self.id)

    async def ask(self, model: str, text: str = "Go.", **more: Any) -> turns.TurnTicket:
        more.setdefault("request_id", RequestId(f"request of {text}"))
        request = turns.StartTurn(conversation_id=self.id, text=text, model=model, **more)
        return await self.client.call(turns.start, request)

    async def until(self, *kinds: type, count: int = 1) -> list[ev.Event]:
        """All events up to the one that makes `count` of these kinds."""
        seen: list[ev.Event] = []
        async with aclosing(self.client.follow(self.id, 0)) as frames:
            async for frame in frames:
                if isinstance(frame, ev.Envelope):
                    seen.append(frame.event)
                if sum(isinstance(event, kinds) for event in seen) == count:
                    return seen
        raise AssertionError(f"never came: {kinds}")

    async def until_text(self, text: str) -> None:
        """Wait until so much of an answer was streamed."""
        heard = ""
        async with aclosing(self.client.follow(self.id)) as frames:
            async for frame in frames:
                heard += frame.text if isinstance(frame, ev.Delta) else ""
                if heard == text:
                    return

    async def pending(self) -> tuple[ToolExecution, ...]:
        listed = await self.client.call(approvals.list_, approvals.ListApprovals(self.id))
        return listed.executions

    async def answer(self, execution: ToolExecution, verdict: Any, **more: Any) -> ToolExecution:
        request = approvals.AnswerApproval(execution.id, verdict, **more)
        return await self.client.call(approvals.answer, request)

    async def state(self) -> ConversationState:
        return await self.client.call(conversations.get, conversations.GetConversation(self.id))

    async def turn(self, turn_id: TurnId) -> Turn:
        return await self.client.call(turns.get, turns.GetTurn(turn_id))

    async def cancel(self, turn_id: TurnId) -> Turn:
        return await self.client.call(turns.cancel, turns.CancelTurn(turn_id))

    async def answers(self) -> list[str]:
        messages = (await self.state()).messages.values()
        return [message.text for message in messages if message.role == "assistant"]

    async def results(self) -> list[tuple[str, str]]:
        """What the model was told of its calls: call id and text."""
        parts = [part for item in (await self.state()).messages.values() for part in item.parts]
        return [
            (part.call_id, part.result.content)
            for part in parts
            if isinstance(part, ToolResultPart)
        ]

    async def executions(self) -> list[ToolExecution]:
        return list((await self.state()).executions.values())


@pytest.fixture
def begin() -> Callable[[Client], Awaitable[Talk]]:
    """Begin a conversation."""

    async def make(client: Client) -> Talk:
        made = await client.call(conversations.create, conversations.CreateConversation())
        return Talk(client, made.id)

    return make


@pytest.fixture
def idle() -> Callable[[Application], Awaitable[None]]:
    """Wait until no turn runs in this process any more."""

    async def until_idle(application: Application) -> None:
        tasks = application._services.turns._tasks
        while tasks:
            await asyncio.wait(list(tasks.values()))

    return until_idle
