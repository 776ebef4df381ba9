"""Which service method answers which procedure.

Every procedure of the catalogue stands here exactly once; the constructor checks it, so that a
forgotten one is noticed at the first call of any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec

from bestchat_server_ext.api import (
    approvals,
    conversations,
    events,
    files,
    messages,
    models,
    pages,
    providers,
    system,
    tokens,
    turns,
    usage,
)
from bestchat_server_ext.api.catalog import PROCEDURES
from bestchat_server_ext.api.procedure import PROTOCOL, Empty, Procedure
from bestchat_server_ext.core.access import Caller, Scope
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.core.tools import Decision
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.services.conversations import ConversationManager
from bestchat_server_ext.services.exchange import ExchangeService
from bestchat_server_ext.services.files import FileService
from bestchat_server_ext.services.housekeeping import Housekeeping
from bestchat_server_ext.services.pages import PageService
from bestchat_server_ext.services.provider_settings import ProviderSettingsService
from bestchat_server_ext.services.provider_trial import ProviderTrial
from bestchat_server_ext.services.providers import ProviderRegistry
from bestchat_server_ext.services.stream import StreamService
from bestchat_server_ext.services.tokens import TokenService
from bestchat_server_ext.services.turns import TurnService
from bestchat_server_ext.services.usage import UsageService


@dataclass(frozen=True)
class Services:
    """Everything that procedures are bound to."""

    storage: Storage
    stream: StreamService
    conversations: ConversationManager
    exchange: ExchangeService
    files: FileService
    housekeeping: Housekeeping
    pages: PageService
    providers: ProviderRegistry
    turns: TurnService
    tokens: TokenService
    usage: UsageService
    provider_settings: ProviderSettingsService
    trial: ProviderTrial
    redis: Callable[[], str] = str
    """`ok`, what is wrong with Redis, or nothing where there is none."""
    options: tuple[system.Option, ...] = ()
    database: str = ""
    notices: tuple[str, ...] = ()


_WITHOUT_REDIS = (
    "Until it is back, what other servers do is seen up to two seconds later, and their answers as "
    "a whole; nothing is lost."
)

Body = Callable[[Any, Any], Awaitable[msgspec.Struct]]
"""Takes the caller and the request. The dispatcher lets nobody in without a credential, except
where a procedure asks for no scope: there the caller may be missing."""


class Bindings:
    """The bodies of all procedures that answer once."""

    def __init__(self, services: Services) -> None:
        """Bind every procedure to these services."""
        self._services = services
        bodies: dict[Procedure[Any, Any], Body] = {
            conversations.create: self._create,
            conversations.get: self._get,
            conversations.list_: self._list,
            conversations.search: self._search,
            conversations.rename: self._rename,
            conversations.configure: self._configure_conversation,
            conversations.star: self._star,
            conversations.archive: self._archive,
            conversations.fork: self._fork,
            conversations.export: self._export,
            conversations.import_: self._import,
            conversations.delete: self._delete,
            conversations.restore: self._restore,
            turns.start: self._start,
            turns.continue_: self._continue,
            turns.cancel: self._cancel,
            turns.get: self._turn,
            turns.unqueue: self._unqueue,
            turns.send_queued: self._send_queued,
            messages.edit: self._edit,
            messages.regenerate: self._regenerate,
            messages.pin: self._pin,
            files.create: self._create_file,
            files.get: self._file,
            files.list_: self._files,
            files.delete: self._delete_file,
            pages.read: self._read_page,
            approvals.list_: self._pending,
            approvals.answer: self._answer,
            events.replay: self._replay,
            models.list_: self._models,
            models.get: self._model,
            providers.list_: self._providers,
            providers.configure: self._configure,
            providers.test: self._try_provider,
            providers.forget: self._forget_provider,
            tokens.create: self._create_token,
            tokens.list_: self._tokens,
            tokens.revoke: self._revoke_token,
            usage.summary: self._usage,
            system.health: self._health,
            system.whoami: self._whoami,
            system.options: self._options,
        }
        declared = {item for item in PROCEDURES if not item.stream}
        if set(bodies) != declared:
            odd = ", ".join(sorted(item.name for item in set(bodies) ^ declared))
            raise AssertionError(f"not bound exactly once: {odd}")
        self._bodies = {procedure.name: body for procedure, body in bodies.items()}

    def body(self, name: str) -> Body:
        """What answers a procedure."""
        return self._bodies[name]

    async def _create(
        self, caller: Caller, request: conversations.CreateConversation
    ) -> msgspec.Struct:
        return await self._services.conversations.create(caller.owner, request)

    async def _get(self, _: Caller, request: conversations.GetConversation) -> msgspec.Struct:
        return await self._services.conversations.state(request.conversation_id)

    async def _list(
        self, caller: Caller, request: conversations.ListConversations
    ) -> msgspec.Struct:
        return await self._services.conversations.list(caller.owner, request)

    async def _search(
        self, caller: Caller, request: conversations.SearchConversations
    ) -> msgspec.Struct:
        return await self._services.conversations.search(caller.owner, request.query, request.limit)

    async def _rename(self, _: Caller, request: conversations.RenameConversation) -> msgspec.Struct:
        return await self._services.conversations.rename(
            request.conversation_id, request.title, request.version
        )

    async def _configure_conversation(
        self, _: Caller, request: conversations.ConfigureConversation
    ) -> msgspec.Struct:
        return await self._services.conversations.configure(
            request.conversation_id, request.settings, request.version
        )

    async def _star(self, _: Caller, request: conversations.StarConversation) -> msgspec.Struct:
        return await self._services.conversations.star(
            request.conversation_id, starred=request.starred
        )

    async def _archive(
        self, _: Caller, request: conversations.ArchiveConversation
    ) -> msgspec.Struct:
        return await self._services.conversations.archive(
            request.conversation_id, archived=request.archived
        )

    async def _fork(
        self, caller: Caller, request: conversations.ForkConversation
    ) -> msgspec.Struct:
        return await self._services.exchange.fork(caller.owner, request)

    async def _export(self, _: Caller, request: conversations.ExportConversation) -> msgspec.Struct:
        return await self._services.exchange.export(request)

    async def _import(
        self, caller: Caller, request: conversations.ImportConversation
    ) -> msgspec.Struct:
        return await self._services.exchange.import_(caller.owner, request)

    async def _delete(self, _: Caller, request: conversations.DeleteConversation) -> msgspec.Struct:
        if request.forever:
            await self._services.conversations.purge(request.conversation_id)
            await self._services.files.sweep()
        else:
            await self._services.turns.stop(request.conversation_id)
            await self._services.conversations.trash(request.conversation_id)
        return Empty()

    async def _restore(
        self, _: Caller, request: conversations.RestoreConversation
    ) -> msgspec.Struct:
        return await self._services.conversations.restore(request.conversation_id)

    async def _edit(self, caller: Caller, request: messages.EditMessage) -> msgspec.Struct:
        return await self._services.turns.edit(caller.owner, request)

    async def _regenerate(
        self, caller: Caller, request: messages.RegenerateAnswer
    ) -> msgspec.Struct:
        return await self._services.turns.regenerate(caller.owner, request)

    async def _pin(self, _: Caller, request: messages.PinMessage) -> msgspec.Struct:
        return await self._services.conversations.pin(
            request.conversation_id, request.message_id, pinned=request.pinned
        )

    async def _start(self, caller: Caller, request: turns.StartTurn) -> msgspec.Struct:
        return await self._services.turns.start(caller.owner, request)

    async def _continue(self, caller: Caller, request: turns.ContinueTurn) -> msgspec.Struct:
        return await self._services.turns.go_on(caller.owner, request)

    async def _unqueue(self, _: Caller, request: turns.UnqueueMessage) -> msgspec.Struct:
        return await self._services.turns.unqueue(request.conversation_id, request.turn_id)

    async def _send_queued(self, _: Caller, request: turns.SendQueued) -> msgspec.Struct:
        return await self._services.turns.send_queued(request.conversation_id)

    async def _cancel(self, _: Caller, request: turns.CancelTurn) -> msgspec.Struct:
        return await self._services.turns.cancel(request.turn_id)

    async def _turn(self, _: Caller, request: turns.GetTurn) -> msgspec.Struct:
        return await self._services.turns.get(request.turn_id)

    async def _create_file(self, _: Caller, request: files.CreateFile) -> msgspec.Struct:
        here = await self._services.conversations.get(request.conversation_id)
        return await self._services.files.create(here, request)

    async def _file(self, _: Caller, request: files.GetFile) -> msgspec.Struct:
        return await self._services.files.get(request.file_id)

    async def _files(self, _: Caller, request: files.ListFiles) -> msgspec.Struct:
        return await self._services.files.list(request.conversation_id)

    async def _delete_file(self, _: Caller, request: files.DeleteFile) -> msgspec.Struct:
        await self._services.files.delete(request.file_id)
        return Empty()

    async def _read_page(self, caller: Caller, request: pages.ReadPage) -> msgspec.Struct:
        return await self._services.pages.read(caller.owner, request.url)

    async def _pending(self, caller: Caller, request: approvals.ListApprovals) -> msgspec.Struct:
        found = await self._services.storage.pending(caller.owner, request.conversation_id)
        return approvals.PendingApprovals(found)

    async def _answer(self, caller: Caller, request: approvals.AnswerApproval) -> msgspec.Struct:
        located = await self._services.storage.locate("execution", request.execution_id)
        assert located is not None  # noqa: S101  the dispatcher has just found it
        decision = Decision(request.verdict, request.arguments, request.reason, by=caller.kind)
        return await self._services.turns.answer(
            located.conversation_id, request.execution_id, decision
        )

    async def _replay(self, _: Caller, request: events.ReplayEvents) -> msgspec.Struct:
        conversation_id = ConversationId(request.conversation_id)
        stream = self._services.stream
        found = await stream.events_after(conversation_id, request.after, request.limit)
        if found is None:
            state = await stream.state(conversation_id)
            return events.Replay((), state.conversation.seq, state)
        return events.Replay(found, await self._services.storage.seq(conversation_id))

    async def _models(self, caller: Caller, request: models.ListModels) -> msgspec.Struct:
        return await self._services.providers.list(
            caller.owner, known_only=request.known_only, name=request.provider
        )

    async def _model(self, caller: Caller, request: models.GetModel) -> msgspec.Struct:
        return await self._services.providers.model(caller.owner, request.model)

    async def _providers(self, caller: Caller, _: providers.ListProviders) -> msgspec.Struct:
        found = await self._services.providers.providers(caller.owner)
        if Scope.PROVIDERS_WRITE in caller.scopes:
            return found
        # What is stored is for those to see who may change it: not for what runs in a kernel.
        hidden = (msgspec.structs.replace(info, stored=None) for info in found.providers)
        return providers.ProviderList(tuple(hidden))

    async def _configure(
        self, caller: Caller, request: providers.ConfigureProvider
    ) -> msgspec.Struct:
        return await self._services.provider_settings.configure(caller.owner, request)

    async def _try_provider(
        self, caller: Caller, request: providers.CheckProvider
    ) -> msgspec.Struct:
        return await self._services.trial.run(caller.owner, request)

    async def _forget_provider(
        self, caller: Caller, request: providers.ForgetProvider
    ) -> msgspec.Struct:
        await self._services.provider_settings.forget(caller.owner, request.provider)
        return Empty()

    async def _create_token(self, caller: Caller, request: tokens.CreateToken) -> msgspec.Struct:
        return await self._services.tokens.create(caller, request)

    async def _tokens(self, caller: Caller, request: tokens.ListTokens) -> msgspec.Struct:
        return await self._services.tokens.list(caller.owner, request.limit, request.cursor)

    async def _revoke_token(self, _: Caller, request: tokens.RevokeToken) -> msgspec.Struct:
        return await self._services.tokens.revoke(request.token_id)

    async def _usage(self, caller: Caller, request: usage.SummarizeUsage) -> msgspec.Struct:
        return await self._services.usage.summary(caller.owner, request)

    async def _health(self, caller: Caller | None, _: system.GetHealth) -> msgspec.Struct:
        if caller is None:
            return system.Health(alive=True, protocol=PROTOCOL)
        redis = self._services.redis()
        return system.Health(
            alive=True,
            protocol=PROTOCOL,
            version=version("bestchat"),
            storage="ok",
            running_turns=self._services.turns.running,
            database=self._services.database,
            redis=redis,
            notices=(
                *self._services.notices,
                *self._services.provider_settings.notices(),
                *([f"{redis} {_WITHOUT_REDIS}"] if redis not in {"", "ok"} else []),
            ),
        )

    async def _whoami(self, caller: Caller, _: system.WhoAmI) -> msgspec.Struct:
        return system.Identity(caller.owner, caller.kind, tuple(sorted(caller.scopes)))

    async def _options(self, _: Caller, __: system.ListOptions) -> msgspec.Struct:
        return system.OptionList(self._services.options)
