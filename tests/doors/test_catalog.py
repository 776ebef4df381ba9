"""Every procedure through every door: the same answers, and the same errors."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

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
from bestchat_server_ext.api.catalog import BY_NAME
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import ChatError, ErrorInfo
from bestchat_server_ext.core.events import Envelope, TurnFinished
from bestchat_server_ext.core.files import FileUpload
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    FileId,
    MessageId,
    RequestId,
    TurnId,
    uuid7,
)
from bestchat_server_ext.core.messages import Message

Open = Callable[..., Awaitable[Application]]
Case = Callable[[Client], Awaitable[object]]

NOBODY = "01900000-0000-7000-8000-000000000000"
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def plain(answer: object) -> Any:
    """An answer as JSON, with ids named in the order in which they come, and without times."""
    text = msgspec.json.encode(answer).decode()
    names: dict[str, str] = {}
    text = ID.sub(lambda found: names.setdefault(found[0], f"id {len(names)}"), text)
    return json.loads(TIME.sub("then", text))


async def begin(client: Client, **given: Any) -> ConversationId:
    request = conversations.CreateConversation(**given)
    return (await client.call(conversations.create, request)).id


async def make_token(client: Client, name: str, **more: Any) -> tokens.NewToken:
    request = tokens.CreateToken(name, (Scope.TURNS, Scope.CONVERSATIONS_READ), **more)
    return await client.call(tokens.create, request)


async def ask(client: Client, conversation_id: ConversationId) -> TurnId:
    """Ask something, and wait for the answer."""
    request = turns.StartTurn(
        conversation_id=conversation_id,
        request_id=RequestId(f"once in {conversation_id}"),
        text="Hello, 👩‍👩‍👧!",
        model="scripted/echo",
    )
    ticket = await client.call(turns.start, request)
    await finished(client, conversation_id, ticket.turn_id)
    return ticket.turn_id


async def finished(client: Client, conversation_id: ConversationId, turn_id: TurnId) -> None:
    async with aclosing(client.follow(conversation_id, 0)) as frames:
        async for frame in frames:
            if isinstance(frame, Envelope) and frame.event == TurnFinished(turn_id):
                return


def new_id() -> str:
    return uuid7(datetime.now(UTC), secrets.token_bytes(10))


async def announce(client: Client) -> FileUpload:
    request = files.CreateFile(conversation_id=await begin(client), name="a.csv", size=3)
    return await client.call(files.create, request)


async def messages_of(client: Client, conversation_id: ConversationId) -> list[Message]:
    request = conversations.GetConversation(conversation_id)
    return list((await client.call(conversations.get, request)).messages.values())


class Cases:
    """One story for each procedure; its name is the procedure's, with an underscore."""

    async def conversations_create(self, client: Client) -> object:
        request = conversations.CreateConversation(title="A title", label="a.ipynb")
        return await client.call(conversations.create, request)

    async def conversations_get(self, client: Client) -> object:
        conversation_id = await begin(client)
        await ask(client, conversation_id)
        request = conversations.GetConversation(conversation_id)
        return await client.call(conversations.get, request)

    async def conversations_list(self, client: Client) -> object:
        for title in ("One", "Two", "Three"):
            await begin(client, title=title)
        first = await client.call(conversations.list_, conversations.ListConversations(limit=2))
        request = conversations.ListConversations(limit=1, cursor=first.cursor)
        second = await client.call(conversations.list_, request)
        pages = [first.conversations, second.conversations]
        return [[(item.title, item.seq) for item in page] for page in pages]

    async def conversations_search(self, client: Client) -> object:
        await begin(client, title="Zwölf Äpfel")
        word = f"word{(await begin(client)).replace('-', '')}"
        await ask(client, await begin(client, title=f"About {word}"))
        found = []
        for query in ("äpf", f"about {word[:-2]}", "nowhere", "%_'\"* OR"):
            request = conversations.SearchConversations(query, limit=1)
            hits = (await client.call(conversations.search, request)).hits
            found.append([(hit.title.replace(word, ""), len(hit.snippet)) for hit in hits])
        return found

    async def conversations_configure(self, client: Client) -> object:
        conversation_id = await begin(client)
        chosen = ConversationSettings("scripted/echo", ("a/b",), "Be brief.", "0.50")
        made = []
        for version in (1, 2, None):
            request = conversations.ConfigureConversation(conversation_id, chosen, version)
            made.append(await client.call(conversations.configure, request))
        request = conversations.ConfigureConversation(conversation_id, chosen, 1)
        made.append(await failure(client.call(conversations.configure, request)))
        return made

    async def conversations_star(self, client: Client) -> object:
        conversation_id = await begin(client)
        made = [
            await client.call(
                conversations.star, conversations.StarConversation(conversation_id, starred)
            )
            for starred in (True, False, True)
        ]
        listed = conversations.ListConversations(limit=1, starred=True)
        return [made, (await client.call(conversations.list_, listed)).conversations]

    async def conversations_archive(self, client: Client) -> object:
        conversation_id = await begin(client, title="Put away")
        request = conversations.ArchiveConversation(conversation_id)
        made = await client.call(conversations.archive, request)
        listed = conversations.ListConversations(limit=1, archived=True)
        return [made, (await client.call(conversations.list_, listed)).conversations]

    async def conversations_fork(self, client: Client) -> object:
        conversation_id = await begin(client, title="The first", label="a.ipynb")
        await ask(client, conversation_id)
        made = []
        for message_id in (None, (await messages_of(client, conversation_id))[0].id):
            request = conversations.ForkConversation(conversation_id, message_id)
            fork = await client.call(conversations.fork, request)
            made.append([fork, await messages_of(client, fork.id)])
        return made

    async def conversations_export(self, client: Client) -> object:
        conversation_id = await begin(client, title="Über Äpfel & Birnen / 2")
        await ask(client, conversation_id)
        files = []
        for kind in ("json", "markdown", "notebook"):
            request = conversations.ExportConversation(conversation_id, kind)
            written = await client.call(conversations.export, request)
            files.append([written.name, written.media_type])
            if kind != "json":
                files.append(re.sub(r"[0-9a-f]{12}-\d", "cell", written.content))
        return files

    async def conversations_import(self, client: Client) -> object:
        conversation_id = await begin(client, title="There and back")
        await ask(client, conversation_id)
        written = await client.call(
            conversations.export, conversations.ExportConversation(conversation_id)
        )
        request = conversations.ImportConversation(written.content)
        made = await client.call(conversations.import_, request)
        return [made, await messages_of(client, made.id)]

    async def conversations_restore(self, client: Client) -> object:
        conversation_id = await begin(client, title="Not yet")
        await client.call(conversations.delete, conversations.DeleteConversation(conversation_id))
        listed = conversations.ListConversations(limit=1, deleted=True)
        gone = await client.call(conversations.list_, listed)
        request = conversations.RestoreConversation(conversation_id)
        return [gone.conversations, await client.call(conversations.restore, request)]

    async def conversations_rename(self, client: Client) -> object:
        request = conversations.RenameConversation(await begin(client), "Another")
        return await client.call(conversations.rename, request)

    async def conversations_delete(self, client: Client) -> object:
        request = conversations.DeleteConversation(await begin(client))
        return await client.call(conversations.delete, request)

    async def turns_start(self, client: Client) -> object:
        request = turns.StartTurn(
            conversation_id=await begin(client), request_id=RequestId("a"), text="Hello?"
        )
        request.request_id = RequestId(f"the start of {request.conversation_id}")
        return await client.call(turns.start, request)

    async def turns_continue(self, client: Client) -> object:
        """There is nothing to go on with after a turn that has finished: it says so."""
        conversation_id = await begin(client)
        turn_id = await ask(client, conversation_id)
        request = turns.ContinueTurn(
            conversation_id=conversation_id,
            request_id=RequestId(f"more of {turn_id}"),
            turn_id=turn_id,
        )
        return await failure(client.call(turns.continue_, request))

    async def turns_unqueue(self, client: Client) -> object:
        request = turns.UnqueueMessage(await begin(client), TurnId(NOBODY))
        return await failure(client.call(turns.unqueue, request))

    async def turns_send_queued(self, client: Client) -> object:
        request = turns.SendQueued(await begin(client))
        return await failure(client.call(turns.send_queued, request))

    async def messages_edit(self, client: Client) -> object:
        conversation_id = await begin(client)
        await ask(client, conversation_id)
        question, answer = await messages_of(client, conversation_id)
        made = {"conversation_id": conversation_id, "text": "Bye.", "model": "scripted/echo"}
        request = messages.EditMessage(
            request_id=RequestId(f"edit {question.id}"), message_id=question.id, **made
        )
        ticket = await client.call(messages.edit, request)
        wrong = messages.EditMessage(
            request_id=RequestId(f"edit {answer.id}"), message_id=answer.id, **made
        )
        await finished(client, conversation_id, ticket.turn_id)
        return [ticket.model, await failure(client.call(messages.edit, wrong))]

    async def messages_regenerate(self, client: Client) -> object:
        conversation_id = await begin(client)
        await ask(client, conversation_id)
        _, answer = await messages_of(client, conversation_id)
        request = messages.RegenerateAnswer(
            conversation_id=conversation_id,
            request_id=RequestId(f"again {answer.id}"),
            message_id=answer.id,
            model="scripted/echo",
        )
        ticket = await client.call(messages.regenerate, request)
        await finished(client, conversation_id, ticket.turn_id)
        return await messages_of(client, conversation_id)

    async def messages_pin(self, client: Client) -> object:
        conversation_id = await begin(client)
        await ask(client, conversation_id)
        question, _ = await messages_of(client, conversation_id)
        made = [
            await client.call(
                messages.pin, messages.PinMessage(conversation_id, question.id, pinned)
            )
            for pinned in (True, False)
        ]
        missing = messages.PinMessage(conversation_id, MessageId(NOBODY))
        return [made, await failure(client.call(messages.pin, missing))]

    async def turns_cancel(self, client: Client) -> object:
        turn_id = await ask(client, await begin(client))
        return (await client.call(turns.cancel, turns.CancelTurn(turn_id))).state

    async def turns_get(self, client: Client) -> object:
        turn_id = await ask(client, await begin(client))
        turn = await client.call(turns.get, turns.GetTurn(turn_id))
        return msgspec.structs.replace(turn, request_id=RequestId("the same"))

    async def pages_read(self, client: Client) -> object:
        """Nothing leaves this machine, and nothing on it is fetched: it says so."""
        return await failure(client.call(pages.read, pages.ReadPage("http://127.0.0.1:1/")))

    async def approvals_list(self, client: Client) -> object:
        request = approvals.ListApprovals(await begin(client))
        return await client.call(approvals.list_, request)

    async def approvals_answer(self, client: Client) -> object:
        """There is nothing to approve where a server has no tools: it says so."""
        await ask(client, await begin(client))
        request = approvals.AnswerApproval(ExecutionId(NOBODY), "approve")
        return await failure(client.call(approvals.answer, request))

    async def events_replay(self, client: Client) -> object:
        conversation_id = await begin(client)
        await ask(client, conversation_id)
        pages = []
        for after in (0, 2, 100):
            request = events.ReplayEvents(conversation_id, after, limit=2)
            pages.append(await client.call(events.replay, request))
        return re.sub(r"once in [-0-9a-f]+", "", json.dumps(plain(pages)))

    async def events_subscribe(self, client: Client) -> object:
        conversation_id = await begin(client)
        await ask(client, conversation_id)
        came = []
        async with aclosing(client.follow(conversation_id)) as frames:
            came += [await anext(frames), await anext(frames)]
        async with aclosing(client.follow(conversation_id, 2)) as frames:
            came += [await anext(frames), await anext(frames)]
        return re.sub(r"once in id \d+", "", json.dumps(plain(came)))

    async def files_create(self, client: Client) -> object:
        """Names lose their folders, and announcing a file twice announces one."""
        conversation_id, file_id = await begin(client), FileId(new_id())
        made = []
        for name in ("C:\\data\\sales.csv", "sales.csv", "other.csv"):
            request = files.CreateFile(
                conversation_id=conversation_id, name=name, size=12, file_id=file_id
            )
            call = client.call(files.create, request)
            made.append(await (failure(call) if name == "other.csv" else call))
        return made

    async def files_get(self, client: Client) -> object:
        request = files.GetFile((await announce(client)).id)
        return await client.call(files.get, request)

    async def files_list(self, client: Client) -> object:
        upload = await announce(client)
        request = files.ListFiles(upload.conversation_id)
        return await client.call(files.list_, request)

    async def files_delete(self, client: Client) -> object:
        upload = await announce(client)
        request = files.DeleteFile(upload.id)
        gone = await client.call(files.delete, request)
        return [gone, await failure(client.call(files.delete, request))]

    async def models_list(self, client: Client) -> object:
        await ask(client, await begin(client))
        every = await client.call(models.list_, models.ListModels())
        known = await client.call(models.list_, models.ListModels(known_only=True))
        return [every, known]

    async def models_get(self, client: Client) -> object:
        names = ("openai/gpt-5-mini", "openai/brand-new", "scripted/echo")
        return [await client.call(models.get, models.GetModel(name)) for name in names]

    async def providers_list(self, client: Client) -> object:
        return await client.call(providers.list_, providers.ListProviders())

    async def providers_configure(self, client: Client) -> object:
        """Without a key: what protects keys is of each server's own."""
        made = []
        for given in ({"base_url": "http://far.example/v1"}, {"default_model": "openai/mine"}):
            request = providers.ConfigureProvider("openai", **given)
            made.append(await client.call(providers.configure, request))
        request = providers.ConfigureProvider("openai", version=1)
        made.append(await failure(client.call(providers.configure, request)))
        await client.call(providers.forget, providers.ForgetProvider("openai"))
        return made

    async def providers_test(self, client: Client) -> object:
        verdicts = []
        for name in ("echo", "missing"):
            request = providers.CheckProvider("scripted", f"scripted/{name}")
            verdict = await client.call(providers.test, request)
            verdicts.append(msgspec.structs.replace(verdict, hint=""))  # it names a folder
        return verdicts

    async def providers_forget(self, client: Client) -> object:
        request = providers.ForgetProvider("anthropic")
        return [await client.call(providers.forget, request) for _ in range(2)]

    async def tokens_create(self, client: Client) -> object:
        made = await make_token(client, "Nächtlich", expires_in=3600)
        assert made.expires_at is not None
        lifetime = (made.expires_at - made.created_at).total_seconds()
        return [msgspec.structs.replace(made, token=made.token[:3]), lifetime]

    async def tokens_list(self, client: Client) -> object:
        for name in ("One", "Two", "Three"):
            await make_token(client, name)
        first = await client.call(tokens.list_, tokens.ListTokens(limit=2))
        second = await client.call(tokens.list_, tokens.ListTokens(limit=1, cursor=first.cursor))
        return [first.tokens, second.tokens]

    async def tokens_revoke(self, client: Client) -> object:
        made = await make_token(client, "Leaked")
        request = tokens.RevokeToken(made.id)
        revoked = [await client.call(tokens.revoke, request) for _ in range(2)]
        assert revoked[0] == revoked[1]
        return revoked[0]

    async def usage_summary(self, client: Client) -> object:
        """A month in which nobody spent anything, wherever this runs."""
        period = {"since": date(2020, 1, 1), "until": date(2020, 1, 31)}
        request = usage.SummarizeUsage("model", **period)
        return await client.call(usage.summary, request)

    async def system_health(self, client: Client) -> object:
        health = await client.call(system.health, system.GetHealth())
        assert health.database
        return msgspec.structs.replace(health, running_turns=0, database="")

    async def system_whoami(self, client: Client) -> object:
        identity = await client.call(system.whoami, system.WhoAmI())
        return msgspec.structs.replace(identity, kind="")

    async def system_options(self, client: Client) -> object:
        """The values are of each server's own."""
        listed = await client.call(system.options, system.ListOptions())
        return [(item.name, item.origin, item.description) for item in listed.options]


async def failure(call: Awaitable[object]) -> tuple[str, ErrorInfo]:
    """The class of an error, and what it says."""
    with pytest.raises(ChatError) as caught:
        await call
    return type(caught.value).__name__, caught.value.info


def told(name: str, /, **given: Any) -> Case:
    """A call that fails; the request is made without a look at what it holds."""

    async def call(client: Client) -> object:
        procedure = BY_NAME[name]
        return await failure(client.call(procedure, procedure.request(**given)))

    return call


async def start_twice_elsewhere(client: Client) -> object:
    request = turns.StartTurn(
        conversation_id=await begin(client),
        request_id=RequestId("x"),
        text="Hello.",
        model="scripted/missing/model",
        parent_id=MessageId(NOBODY),
    )
    return await failure(client.call(turns.start, request))


async def follow_nothing(client: Client) -> object:
    return await failure(anext(client.follow(ConversationId(NOBODY))))


async def no_such_turn_in_a_conversation(client: Client) -> object:
    """The id of something else is no more an id than one of nothing."""
    conversation_id = await begin(client)
    kind, info = await failure(client.call(turns.get, turns.GetTurn(TurnId(conversation_id))))
    return kind, info.code


MISTAKES: dict[str, Case] = {
    "missing conversation": told("conversations.get", conversation_id=NOBODY),
    "not even an id": told("conversations.get", conversation_id="../../etc/passwd"),
    "an empty id": told("conversations.delete", conversation_id=""),
    "missing turn": told("turns.get", turn_id=NOBODY),
    "missing execution": told("approvals.answer", execution_id=NOBODY, verdict="reject"),
    "missing approvals": told("approvals.list", conversation_id=NOBODY),
    "missing events": told("events.replay", conversation_id=NOBODY),
    "missing file": told("files.get", file_id=NOBODY),
    "a file that is no id": told("files.get", file_id="../../etc/passwd"),
    "files of nobody": told("files.list", conversation_id=NOBODY),
    "a file without a name": told("files.create", conversation_id=NOBODY, name="", size=1),
    "a file of less than nothing": told("files.create", conversation_id=NOBODY, name="a", size=-1),
    "a wrong type": told("conversations.create", title=7),
    "too long a title": told("conversations.create", title="x" * 301),
    "too small a limit": told("conversations.list", limit=0),
    "a cursor of one's own making": told("conversations.list", cursor="made up"),
    "an id that is none": told("conversations.create", conversation_id="mine"),
    "a verdict that is none": told("approvals.answer", execution_id=NOBODY, verdict="perhaps"),
    "a model that is none": told("models.get", model="gpt-5-mini"),
    "a model of nobody": told("models.get", model="nobody/gpt-5-mini"),
    "models of nobody": told("models.list", provider="nobody"),
    "a missing token": told("tokens.revoke", token_id=NOBODY),
    "a token that is none": told("tokens.revoke", token_id="bc_"),
    "a token's name that steers": told("tokens.create", name="a\x1b[2J", scopes=["turns"]),
    "a token without a name": told("tokens.create", name="", scopes=["turns"]),
    "a token for nothing": told("tokens.create", name="a", scopes=[]),
    "a scope that is none": told("tokens.create", name="a", scopes=["everything"]),
    "a token for a moment": told("tokens.create", name="a", scopes=["turns"], expires_in=59),
    "a cursor of another list": told("tokens.list", cursor=NOBODY),
    "sums for what is none": told("usage.summary", by="weather"),
    "a day that is none": told("usage.summary", since="2026-02-30"),
    "a period that ends first": told("usage.summary", since="2026-02-02", until="2026-02-01"),
    "a cursor of other sums": told("usage.summary", by="day", cursor="openai/x"),
    "an unknown provider": told("providers.configure", provider="nobody", key="sk-1"),
    "a key with a space": told("providers.configure", provider="openai", key="sk 1"),
    "a key without end": told("providers.configure", provider="openai", key="k" * 9000),
    "an address with a password": told(
        "providers.configure", provider="openai", base_url="https://ada:sk-1@own.example"
    ),
    "another's model": told("providers.test", provider="openai", model="scripted/echo"),
    "half a character": told("conversations.create", title="\ud83d"),
    "what JSON cannot say": told("conversations.create", title=object()),
    "a number without end": told("conversations.list", limit=2**70),
    "settings for no model": told("conversations.create", settings={"model": "gpt-5-mini"}),
    "a limit that is no money": told("conversations.create", settings={"max_cost": "much"}),
    "an import of something else": told("conversations.import", content="{}"),
    "an import that is no JSON": told("conversations.import", content="{"),
    "an import of nothing": told("conversations.import", content=""),
    "a chat that is none": told("conversations.import", content="[]", format="jupyter-ai"),
    "a format that is none": told("conversations.import", content="{}", format="pdf"),
    "a search for nothing": told("conversations.search", query=""),
    "a parent that is none": start_twice_elsewhere,
    "nothing to follow": follow_nothing,
    "an id of another kind": no_such_turn_in_a_conversation,
}


class TestEveryDoor:
    @pytest.fixture
    async def clients(
        self, open_here: Open, connect: Any, jupyter: Any
    ) -> AsyncIterator[dict[str, Client]]:
        application = await open_here()
        remote = RemoteClient(jupyter.url, jupyter.token)
        yield {
            "in process": InProcessClient(application),
            "plain tornado": await connect(application),
            "jupyter": remote,
        }
        await remote.close()
        assert jupyter.alarms == []

    @pytest.mark.parametrize("name", BY_NAME)
    async def test_the_same_answer(self, clients: dict[str, Client], name: str) -> None:
        case = getattr(Cases(), name.replace(".", "_"))
        answers = {door: plain(await case(client)) for door, client in clients.items()}
        assert answers["plain tornado"] == answers["in process"]
        assert answers["jupyter"] == answers["in process"]

    @pytest.mark.parametrize("name", MISTAKES)
    async def test_the_same_error(self, clients: dict[str, Client], name: str) -> None:
        said = {door: await MISTAKES[name](client) for door, client in clients.items()}
        assert said["plain tornado"] == said["in process"]
        assert said["jupyter"] == said["in process"]

    async def test_a_whole_conversation_is_the_same_value(self, clients: dict[str, Client]) -> None:
        """What comes out of a door is what the services have, down to the types."""
        near, far = clients["in process"], clients["plain tornado"]
        conversation_id = await begin(near)
        await ask(near, conversation_id)
        request = conversations.GetConversation(conversation_id)
        states = [await client.call(conversations.get, request) for client in (near, far)]
        assert states[0] == states[1]
        assert isinstance(states[1], ConversationState)
