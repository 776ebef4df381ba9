"""Who may do what: every procedure, and the WebSocket, with every kind of credential."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from yarl import URL

from bestchat_server_ext.adapters.clock_system import SystemClock
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.api.catalog import BY_NAME, PROCEDURES
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import turn as machine
from bestchat_server_ext.core.access import EVERY_SCOPE, KERNEL_SCOPES, Scope
from bestchat_server_ext.core.conversation import create, execution_id
from bestchat_server_ext.core.errors import ProviderError
from bestchat_server_ext.core.events import (
    ConversationCreated,
    Envelope,
    MessageQueued,
    TurnFailed,
)
from bestchat_server_ext.core.export import Archive
from bestchat_server_ext.core.files import FileUpload
from bestchat_server_ext.core.ids import (
    LOCAL_OWNER,
    ConversationId,
    FileId,
    OwnerId,
    RequestId,
    TokenId,
    TurnId,
)
from bestchat_server_ext.core.queue import QueuedMessage
from bestchat_server_ext.core.tokens import digest
from bestchat_server_ext.core.tools import ToolCall
from bestchat_server_ext.ports.tokens import TokenRecord
from bestchat_server_ext.testing.port_suites.scene import Scene, reply
from bestchat_server_ext.testing.script import Call, Say

CALLS = [item for item in PROCEDURES if not item.stream]
NOBODY = "01900000-0000-7000-8000-000000000000"

ANSWERING = {"request_id": "r", "model": "scripted/echo"}
GREETING = ANSWERING | {"text": "Hello."}

OK, UNKNOWN, REFUSED, MISSING = "ok", "not_authenticated", "not_allowed", "not_found"
PRIVATE = "not_permitted"
STATUS = {OK: 200, UNKNOWN: 401, REFUSED: 403, MISSING: 404, PRIVATE: 403}


@dataclass(frozen=True)
class Row:
    """What to expect of one procedure."""

    scope: Scope | None
    """What a credential must be for. Said again, so that a declaration that changes is noticed."""
    about: dict[str, str] = field(default_factory=dict)
    """Fields that name an object, and which one of `Stage.objects`."""
    body: dict[str, Any] = field(default_factory=dict)
    """What else has to be in the request."""
    within: dict[str, str] = field(default_factory=dict)
    """Fields that name something within that object, and which one of `Stage.objects`."""
    allowed: str = OK
    """What whoever may do it gets to hear."""
    kernel: str = ""
    """What a kernel gets to hear, where that is something else."""


CONVERSATION = {"conversation_id": "conversation"}
CREATED = ConversationCreated(LOCAL_OWNER, "Brought along")
BROKEN = {"conversation_id": "broken conversation"}
SAID = {"message_id": "broken message"}
ARCHIVE = Archive(
    datetime(2026, 1, 1, tzinfo=UTC),
    create(
        ConversationId(NOBODY),
        Envelope(ConversationId(NOBODY), 1, datetime(2026, 1, 1, tzinfo=UTC), CREATED),
    ),
)

TABLE: dict[str, Row] = {
    "conversations.create": Row(Scope.CONVERSATIONS_WRITE),
    "conversations.get": Row(Scope.CONVERSATIONS_READ, CONVERSATION),
    "conversations.list": Row(Scope.CONVERSATIONS_READ),
    "conversations.search": Row(Scope.CONVERSATIONS_READ, body={"query": "secret"}),
    "conversations.rename": Row(Scope.CONVERSATIONS_WRITE, CONVERSATION, {"title": "Mine now"}),
    "conversations.configure": Row(
        Scope.CONVERSATIONS_WRITE, CONVERSATION, {"settings": {"system_prompt": "Be brief."}}
    ),
    "conversations.star": Row(Scope.CONVERSATIONS_WRITE, CONVERSATION),
    "conversations.archive": Row(Scope.CONVERSATIONS_WRITE, CONVERSATION),
    "conversations.fork": Row(Scope.CONVERSATIONS_WRITE, BROKEN, within=SAID),
    "conversations.export": Row(Scope.CONVERSATIONS_READ, BROKEN, within=SAID),
    "conversations.import": Row(
        Scope.CONVERSATIONS_WRITE, body={"content": msgspec.json.encode(ARCHIVE).decode()}
    ),
    "conversations.delete": Row(Scope.CONVERSATIONS_DELETE, CONVERSATION, kernel=REFUSED),
    "conversations.restore": Row(Scope.CONVERSATIONS_DELETE, CONVERSATION, kernel=REFUSED),
    "turns.start": Row(Scope.TURNS, {"conversation_id": "idle conversation"}, GREETING),
    "turns.continue": Row(Scope.TURNS, BROKEN, ANSWERING, within={"turn_id": "broken turn"}),
    "turns.cancel": Row(Scope.TURNS, {"turn_id": "turn"}),
    "turns.get": Row(Scope.CONVERSATIONS_READ, {"turn_id": "turn"}),
    "turns.unqueue": Row(Scope.TURNS, BROKEN, within={"turn_id": "queued turn"}),
    "turns.send_queued": Row(Scope.TURNS, BROKEN),
    "messages.edit": Row(Scope.TURNS, BROKEN, GREETING, within=SAID),
    "messages.regenerate": Row(Scope.TURNS, BROKEN, ANSWERING, within=SAID),
    "messages.pin": Row(Scope.CONVERSATIONS_WRITE, BROKEN, within=SAID),
    "files.create": Row(Scope.CONVERSATIONS_WRITE, CONVERSATION, {"name": "secret.csv", "size": 3}),
    "files.get": Row(Scope.CONVERSATIONS_READ, {"file_id": "file"}),
    "files.list": Row(Scope.CONVERSATIONS_READ, CONVERSATION),
    "files.delete": Row(Scope.CONVERSATIONS_DELETE, {"file_id": "file"}, kernel=REFUSED),
    # Nothing leaves this machine, and nothing on it is fetched.
    "pages.read": Row(Scope.TURNS, body={"url": "http://127.0.0.1:1/"}, allowed=PRIVATE),
    "approvals.list": Row(Scope.CONVERSATIONS_READ, CONVERSATION),
    "approvals.answer": Row(
        Scope.APPROVALS, {"execution_id": "execution"}, {"verdict": "reject"}, kernel=REFUSED
    ),
    "events.replay": Row(Scope.CONVERSATIONS_READ, CONVERSATION, {"after": 0}),
    "events.subscribe": Row(Scope.CONVERSATIONS_READ, CONVERSATION),
    "models.list": Row(Scope.MODELS_READ, body={"known_only": True}),
    "models.get": Row(Scope.MODELS_READ, body={"model": "scripted/echo"}),
    "providers.list": Row(Scope.MODELS_READ),
    "providers.configure": Row(
        Scope.PROVIDERS_WRITE,
        body={"provider": "openai", "default_model": "openai/mine"},
        kernel=REFUSED,
    ),
    "providers.test": Row(
        Scope.PROVIDERS_WRITE,
        body={"provider": "scripted", "model": "scripted/echo"},
        kernel=REFUSED,
    ),
    "providers.forget": Row(Scope.PROVIDERS_WRITE, body={"provider": "openai"}, kernel=REFUSED),
    "tokens.create": Row(Scope.TOKENS, body={"name": "A", "scopes": ["tokens"]}, kernel=REFUSED),
    "tokens.list": Row(Scope.TOKENS, kernel=REFUSED),
    "tokens.revoke": Row(Scope.TOKENS, {"token_id": "token"}, kernel=REFUSED),
    "usage.summary": Row(Scope.USAGE_READ),
    "system.health": Row(None),
    "system.whoami": Row(Scope.SYSTEM_READ),
    "system.options": Row(Scope.SYSTEM_READ),
}


ALLOWED = {name: row.allowed for name, row in TABLE.items()}


def body_for(name: str, objects: dict[str, str] | None = None) -> dict[str, Any]:
    """A request that is in order, about some objects, or about none that exist."""
    row = TABLE[name]
    named = row.about | row.within
    about = {key: NOBODY if objects is None else objects[what] for key, what in named.items()}
    if "request_id" in row.body:  # one that was used in another conversation is refused
        about["request_id"] = about["conversation_id"]
    return row.body | about


def new_owner() -> str:
    """Somebody whom no other test has met: tests share a server, and tokens are counted."""
    return f"owner {secrets.token_hex(8)}"


class Broken:
    """A conversation in which a turn broke off, and a message waits."""

    def __init__(self, scene: Scene, secret: str) -> None:
        self.scene = scene
        begun = scene.begin(secret)
        started = msgspec.structs.replace(begun.started, model="scripted/echo")
        waiting = QueuedMessage(
            TurnId(scene.clock.new_id()),
            RequestId(scene.clock.new_id()),
            secret,
            "scripted/echo",
            scene.clock.now(),
        )
        self.events: list[Any] = [
            scene.created(secret),
            begun.events[0],
            started,
            TurnFailed(begun.turn_id, ProviderError("No.").info),
            MessageQueued(waiting),
        ]
        self.objects = {
            "broken conversation": scene.id,
            "broken message": begun.message.id,
            "broken turn": begun.turn_id,
            "queued turn": waiting.turn_id,
        }


@dataclass
class Place:
    """A server, its people, and what belongs to whom."""

    site: Any
    owner: str
    user: dict[str, str]
    """What the owner sends."""
    other: dict[str, str] | None = None
    """What another user sends, where there are several."""

    async def with_somebody_new(self) -> Place:
        """The same server for a new owner, who has nothing yet."""
        owner = new_owner()
        return Place(self.site, owner, await self.site.add_token(owner))

    async def stage(self, *, secret: str) -> dict[str, str]:
        """Store one object of each kind, as the owner's; gives their ids."""
        clock: Any = SystemClock()
        scene = Scene(clock, OwnerId(self.owner))
        idle = Scene(clock, OwnerId(self.owner))
        begun = scene.begin(secret)
        started = msgspec.structs.replace(begun.started, model="scripted/echo")
        events: list[Any] = [scene.created(secret), begun.events[0], started]
        turn = scene.turn_machine(begun)
        asking = machine.ModelReplied(1, reply("May I?", ToolCall("call", "ask", "{}")))
        for happened in (machine.Begin(), asking):
            for command in turn.handle(happened, clock.now()):
                events += command.events if isinstance(command, machine.Append) else ()
        token = TokenRecord(
            id=TokenId(clock.new_id()),
            owner=OwnerId(self.owner),
            kind="kernel",
            scopes=EVERY_SCOPE,
            digest=digest(clock.new_id()),
            created_at=clock.now(),
            name=secret,
        )
        database = await open_database(self.site.data_dir / "bestchat.sqlite3")
        await database.storage.append(scene.id, events, clock.now())
        await database.storage.append(idle.id, [idle.created(secret)], clock.now())
        broken = Broken(Scene(clock, OwnerId(self.owner)), secret)
        await database.storage.append(broken.scene.id, broken.events, clock.now())
        await database.tokens.add(token)
        upload = FileUpload(FileId(clock.new_id()), scene.id, secret, 3, clock.now())
        await database.uploads.add(upload, OwnerId(self.owner))
        await database.close()
        return {
            "conversation": scene.id,
            "idle conversation": idle.id,
            "turn": begun.turn_id,
            "execution": execution_id(begun.turn_id, 1, 0),
            "token": token.id,
            "file": upload.id,
        } | broken.objects

    async def ask(
        self, name: str, objects: dict[str, str] | None, headers: dict[str, str]
    ) -> tuple[int, str, Any]:
        """Use a procedure: status, `ok` or an error's code, and all that came back."""
        body = body_for(name, objects)
        if BY_NAME[name].stream:
            return await self._follow(body, headers)
        answer = await self.site.call(name, body, headers)
        code = OK if answer.status == STATUS[OK] else answer.error["code"]
        return answer.status, code, answer.text

    async def _follow(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str, Any]:
        """Likewise over the WebSocket; where it lets in, the first frame decides."""
        try:
            line = await self.site.connect(headers)
        except aiohttp.WSServerHandshakeError as error:
            return error.status, UNKNOWN if error.status == STATUS[UNKNOWN] else REFUSED, ""
        await line.greet()
        await line.say(type="subscribe", **body)
        frame = await line.hear()
        await line.socket.close()
        if frame["type"] != "error":
            return STATUS[OK], OK, str(frame)
        assert frame.pop("conversation_id") == body["conversation_id"]
        return STATUS[frame["error"]["code"]], frame["error"]["code"], str(frame)


NAMES = """
from jupyter_server.auth.identity import IdentityProvider, User


class Named(IdentityProvider):
    async def get_user_token(self, handler):
        token = self.get_token(handler) or ""
        if token.startswith("secret-of-"):
            return User(username=token.removeprefix("secret-of-"))
        return await super().get_user_token(handler)
"""


@pytest.fixture(scope="module")
def naming(start_jupyter: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server of several users, whose identity provider knows their names."""
    folder: Path = tmp_path_factory.mktemp("identity")
    (folder / "site_identity.py").write_text(NAMES, encoding="utf-8")
    option = "--ServerApp.identity_provider_class=site_identity.Named"
    return start_jupyter("/", option, PYTHONPATH=str(folder))


@pytest.fixture
async def named(
    naming: Any, session: aiohttp.ClientSession, site_of: Callable[..., Any]
) -> AsyncIterator[Place]:
    ada, bob = ({"Authorization": f"token secret-of-{name}"} for name in ("ada", "bob"))
    site = site_of(naming, session)
    # From here on there is a database.
    assert (await site.call("models.list", {"known_only": True}, ada)).status == STATUS[OK]
    yield Place(site, "ada", ada, bob)
    assert naming.alarms == []


@pytest.fixture(params=["plain", "inside", "named"])
def place(request: pytest.FixtureRequest) -> Place:
    """All ways to mount the routes and to know people, in turn."""
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, Place) else Place(found, LOCAL_OWNER, found.headers)


async def refusal(connecting: Awaitable[Any]) -> int:
    """The status with which a WebSocket is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await connecting
    return caught.value.status


async def revoked_token(place: Place) -> Any:
    return await place.site.add_token(place.owner, revoked_at=datetime.now(UTC))


async def expired_token(place: Place) -> Any:
    return await place.site.add_token(place.owner, lifetime=timedelta(seconds=-1))


NO_CREDENTIALS: dict[str, dict[str, str]] = {
    "no token": {},
    "a wrong token": {"Authorization": "token 0123456789abcdef"},
}
"""What is no credential at all: who comes with it may still ask whether anybody is there."""

BAD_CREDENTIALS: dict[str, Any] = {
    "a malformed token": {"Authorization": "token bc_0123456789abcdef"},
    "an unknown token": {"Authorization": "token bc_" + "A" * 43},
    "an empty token": {"Authorization": "Bearer bc_"},
    "an odd token": {"Authorization": "token bc_\u00e9\u00ff"},
    "a revoked token": revoked_token,
    "an expired token": expired_token,
}


def test_every_procedure_has_a_row() -> None:
    """This makes the tests below complete: a procedure that nobody thought about fails here."""
    assert list(TABLE) == list(BY_NAME)
    for name, procedure in BY_NAME.items():
        assert (name, TABLE[name].scope) == (name, procedure.scope)
        declared = set() if procedure.target is None else {procedure.target}
        assert (name, set(TABLE[name].about)) == (name, declared)
        ids = {field for field in procedure.request.__struct_fields__ if field.endswith("_id")}
        assert (name, ids - declared) == (name, CHOSEN_IDS.get(name, set()))


CHOSEN_IDS = {
    "conversations.create": {"conversation_id"},
    "conversations.fork": {"message_id"},
    "conversations.export": {"message_id"},
    "turns.start": {"request_id", "parent_id"},
    "turns.continue": {"request_id", "turn_id"},
    "turns.unqueue": {"turn_id"},
    "messages.edit": {"request_id", "message_id"},
    "messages.regenerate": {"request_id", "message_id"},
    "messages.pin": {"message_id"},
    "files.create": {"file_id"},
}
"""Fields that no target declares: ids that the client makes, and such as name something within the
target; `test_within_a_conversation` is about these."""


class TestTheTable:
    """Each test takes one column of it, from top to bottom."""

    @pytest.mark.parametrize("credential", [*NO_CREDENTIALS, *BAD_CREDENTIALS])
    async def test_without_a_good_credential(self, place: Place, credential: str) -> None:
        given = (NO_CREDENTIALS | BAD_CREDENTIALS)[credential]
        headers = await given(place) if callable(given) else given
        objects = await place.stage(secret="a secret")
        heard = {}
        for name in TABLE:
            status, heard[name], text = await place.ask(name, objects, headers)
            assert (name, status) == (name, STATUS[heard[name]])
            assert "a secret" not in text
            if heard[name] == OK:
                assert msgspec.json.decode(text) == {"alive": True, "protocol": 1}
        expected = dict.fromkeys(TABLE, UNKNOWN)
        if credential in NO_CREDENTIALS:
            expected["system.health"] = OK
        assert heard == expected

    async def test_the_user(self, place: Place) -> None:
        assert await self.column(place, lambda _: place.user) == ALLOWED

    async def test_a_kernel(self, place: Place) -> None:
        place = await place.with_somebody_new()
        made = await place.site.add_token(
            place.owner, "kernel", tuple(KERNEL_SCOPES), kernel_id="kernel-1"
        )
        expected = {name: row.kernel or row.allowed for name, row in TABLE.items()}
        assert await self.column(place, lambda _: made) == expected

    async def test_a_token_with_that_scope_only(self, place: Place) -> None:
        place = await place.with_somebody_new()
        only = {
            scope: await place.site.add_token(place.owner, scopes=[scope] if scope else [])
            for scope in (*Scope, None)
        }
        heard = await self.column(place, lambda row: only[row.scope])
        assert heard == ALLOWED

    async def test_a_token_with_every_other_scope(self, place: Place) -> None:
        place = await place.with_somebody_new()
        without = {
            scope: await place.site.add_token(place.owner, scopes=tuple(EVERY_SCOPE - {scope}))
            for scope in (*Scope, None)
        }
        heard = await self.column(place, lambda row: without[row.scope])
        expected = {name: REFUSED if row.scope else OK for name, row in TABLE.items()}
        assert heard == expected

    @staticmethod
    async def column(place: Place, headers: Callable[[Row], Any]) -> dict[str, str]:
        """What everything answers. Each procedure has objects of its own to spoil."""
        heard = {}
        for name, row in TABLE.items():
            objects = await place.stage(secret="a secret")
            status, heard[name], _ = await place.ask(name, objects, headers(row))
            assert (name, status) == (name, STATUS[heard[name]])
        return heard

    @pytest.mark.parametrize("scopes", [EVERY_SCOPE, frozenset[Scope]()], ids=["all", "none"])
    async def test_anothers_token(self, place: Place, scopes: frozenset[Scope]) -> None:
        """What is somebody else's looks exactly as if it did not exist, whoever asks."""
        headers = await place.site.add_token(new_owner(), scopes=tuple(scopes))
        await self.check_stranger(place, headers, OK if scopes else REFUSED)

    async def test_another_user(self, named: Place) -> None:
        assert named.other is not None
        await self.check_stranger(named, named.other, OK)

    @staticmethod
    async def check_stranger(place: Place, headers: dict[str, str], otherwise: str) -> None:
        objects = await place.stage(secret="a secret")
        for name, row in TABLE.items():
            theirs = await place.ask(name, objects, headers)
            expected = row.allowed if otherwise == OK or not row.scope else otherwise
            if row.about:
                expected = MISSING
            if BY_NAME[name].stream and otherwise == REFUSED:  # there is no line to ask on
                expected = REFUSED
            assert (name, theirs[:2]) == (name, (STATUS[expected], expected))
            assert "a secret" not in theirs[2]
            if row.about:
                assert theirs == await place.ask(name, None, headers), name
                assert "a secret" in str(await place.ask("conversations.get", objects, place.user))
        # It is all still there, as it was.
        for name in ("approvals.answer", "tokens.revoke", "turns.start", "conversations.delete"):
            status, _, text = await place.ask(name, objects, place.user)
            assert (name, status) == (name, STATUS[OK]), text


@pytest.mark.parametrize("credential", [*NO_CREDENTIALS, *BAD_CREDENTIALS])
async def test_documents_tell_strangers_nothing(place: Place, credential: str) -> None:
    given = (NO_CREDENTIALS | BAD_CREDENTIALS)[credential]
    headers = await given(place) if callable(given) else given
    document = await place.site.ask("GET", "bestchat/api/openapi.json", headers=headers)
    assert (document.status, document.error["code"]) == (401, UNKNOWN)
    health = await place.site.ask("GET", "bestchat/api/health", headers=headers)
    assert (health.status, health.json) == (200, {"alive": True, "protocol": 1})


async def test_good_credentials_are_taken_in_every_spelling(site: Any) -> None:
    token = (await site.add_token())["Authorization"].partition(" ")[2]
    for kind in ("token", "Token", "bearer", "Bearer", "BEARER"):
        answer = await site.call("system.whoami", {}, {"Authorization": f"{kind} {token}"})
        assert answer.json["kind"] == "token"
    for kind in ("Basic", ""):
        answer = await site.call("system.whoami", {}, {"Authorization": f"{kind} {token}"})
        assert answer.status == 401


async def test_lists_and_heartbeats_tell_nothing_of_others(site: Any) -> None:
    other = await site.add_token(new_owner())
    mine = await site.begin()
    await site.call("tokens.create", {"name": "Mine", "scopes": ["turns"]})
    assert (await site.call("conversations.list", {}, other)).json["conversations"] == []
    assert (await site.call("approvals.list", {}, other)).json["executions"] == []
    (only,) = (await site.call("tokens.list", {}, other)).json["tokens"]
    assert only["name"] == ""
    line = await site.connect(other)
    await line.greet()
    # A heartbeat at once, before the subscription was refused, must not tell either.
    await line.say(type="subscribe", conversation_id=mine)
    await line.say(type="ping")
    assert (await line.heartbeat())["seqs"] == {}


async def test_a_parent_in_somebody_elses_conversation_is_not_found(site: Any) -> None:
    other = await site.add_token(new_owner())
    mine, theirs = await site.begin(), await site.begin(other)
    body = {"conversation_id": mine, "request_id": mine, "text": "A.", "model": "scripted/echo"}
    message = (await site.call("turns.start", body)).json["message_id"]
    body |= {"conversation_id": theirs, "parent_id": message}
    answer = await site.call("turns.start", body, other)
    assert (answer.status, answer.error["field"]) == (404, "parent_id")


async def test_an_id_that_is_taken_gives_nothing_away(site: Any) -> None:
    """A client may choose an id. Somebody else's cannot be chosen, and that is all it hears."""
    other = await site.add_token(new_owner())
    mine = (await site.call("conversations.create", {"title": "a secret"})).json["id"]
    taken = await site.call("conversations.create", {"conversation_id": mine}, other)
    assert (taken.status, taken.error["code"]) == (409, "conflict")
    assert "a secret" not in taken.text
    assert (await site.call("conversations.list", {}, other)).json["conversations"] == []


async def test_without_the_right_to_read_there_is_no_line(plain: Any) -> None:
    others = EVERY_SCOPE - {Scope.CONVERSATIONS_READ}
    for scopes in ((), tuple(others)):
        headers = await plain.add_token(scopes=scopes)
        refused = await plain.ask("GET", "bestchat/api/events", None, headers)
        assert (refused.status, refused.error["code"]) == (403, "not_allowed")
        assert "conversations:read" in refused.error["text"]


async def test_a_kernel_cannot_approve_what_runs_elsewhere(
    mount: Any, open_here: Callable[..., Awaitable[Application]], script: Callable[..., str]
) -> None:
    ran: list[str] = []

    def touch(name: str) -> str:
        ran.append(name)
        return "touched"

    application = await open_here(touch)

    async def build() -> Application:
        return application

    site = await mount(build)
    site.headers = await site.add_token()
    kernel, unbound = await site.kernel_token("kernel-1"), await site.kernel_token()
    mine = await site.begin(kernel)
    model = script("touch", (Call("touch", {"name": "it"}),), (Say("Done."),))
    body = {"conversation_id": mine, "request_id": "r", "text": "Go.", "model": model}
    await site.call("turns.start", body, kernel)
    line = await site.connect()
    await line.greet()
    await line.say(type="subscribe", conversation_id=mine, after=0)
    while (frame := await line.hear()).get("event", {}).get("type") != "turn_waiting":
        assert frame["type"] in {"event", "caught_up"}
    (waiting,) = (await site.call("approvals.list", {}, kernel)).json["executions"]
    for headers in (kernel, unbound):
        for verdict in ("approve", "reject"):
            answer = {"execution_id": waiting["id"], "verdict": verdict}
            refused = await site.call("approvals.answer", answer, headers)
            assert (refused.status, refused.error["code"]) == (403, "not_allowed")
    assert ran == []
    answer = {"execution_id": waiting["id"], "verdict": "approve"}
    assert (await site.call("approvals.answer", answer)).status == 200
    while (frame := await line.hear()).get("event", {}).get("type") != "turn_finished":
        assert frame["type"] in {"event", "caught_up", "delta"}
    assert ran == ["it"]


class TestBrowsers:
    """A browser has a cookie, and any page that it shows can make it send that."""

    @pytest.fixture
    async def cookies(self, inside: Any) -> dict[str, str]:
        """What a browser has after signing in with the token."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            token = inside.headers["Authorization"].partition(" ")[2]
            async with browser.get(f"{inside.url}api/status?token={token}") as response:
                assert response.status == 200
            async with browser.get(f"{inside.url}login") as response:
                await response.read()
        found = {name: morsel.value for name, morsel in jar.filter_cookies(URL(inside.url)).items()}
        assert "_xsrf" in found
        assert len(found) == 2
        return found

    @staticmethod
    def sent(cookies: dict[str, str]) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}

    async def test_a_cookie_alone_is_refused(self, inside: Any, cookies: dict[str, str]) -> None:
        for procedure in CALLS:
            headers = self.sent(cookies)
            answer = await inside.call(procedure.name, body_for(procedure.name), headers)
            assert (procedure.name, answer.status) == (procedure.name, 403)
            assert answer.error["code"] == "not_allowed"
            assert "XSRF" in answer.error["hint"]

    async def test_a_cookie_with_the_xsrf_token_is_taken(
        self, inside: Any, cookies: dict[str, str]
    ) -> None:
        headers = self.sent(cookies) | {"X-XSRFToken": cookies["_xsrf"]}
        identity = await inside.call("system.whoami", {}, headers)
        assert (identity.json["owner"], identity.json["kind"]) == ("local", "user")
        mine = await inside.begin(headers)
        assert (await inside.call("conversations.get", {"conversation_id": mine})).status == 200

    async def test_a_wrong_xsrf_token_is_refused(
        self, inside: Any, cookies: dict[str, str]
    ) -> None:
        headers = self.sent(cookies) | {"X-XSRFToken": "made up"}
        assert (await inside.call("system.whoami", {}, headers)).status == 403

    async def test_a_bad_token_of_ours_does_not_fall_back_to_the_cookie(
        self, inside: Any, cookies: dict[str, str]
    ) -> None:
        headers = self.sent(cookies) | {
            "X-XSRFToken": cookies["_xsrf"],
            "Authorization": "token bc_" + "A" * 43,
        }
        assert (await inside.call("system.whoami", {}, headers)).status == 401
        assert await refusal(inside.connect(headers)) == 401

    async def test_the_websocket_wants_the_pages_own_origin(
        self, inside: Any, cookies: dict[str, str]
    ) -> None:
        own = {"Origin": inside.url.rstrip("/")}
        line = await inside.connect(self.sent(cookies) | own)
        await line.greet()
        foreign = {"Origin": "https://evil.example"}
        assert await refusal(inside.connect(self.sent(cookies) | foreign)) == 403


async def test_a_foreign_page_is_refused_with_any_token_of_ours(site: Any) -> None:
    headers = await site.add_token() | {"Origin": "https://evil.example"}
    assert await refusal(site.connect(headers)) == 403


async def test_both_doors_see_the_same_owner(plain: Any, application: Application) -> None:
    mine = await plain.begin()
    from bestchat_server_ext.api import conversations

    listed = await InProcessClient(application).call(
        conversations.list_, conversations.ListConversations()
    )
    assert [item.id for item in listed.conversations] == [mine]


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.within])
async def test_within_a_conversation(name: str, site: Any) -> None:
    """What is named within one's own conversation has to be there: others' messages are not."""
    mine, others = Place(site, new_owner(), {}), Place(site, new_owner(), {})
    user = await site.add_token(mine.owner, scopes=tuple(EVERY_SCOPE))
    own = await mine.stage(secret="mine")
    theirs = await others.stage(secret="a secret")
    named = {what: theirs[what] for what in TABLE[name].within.values()}
    status, code, text = await mine.ask(name, own | named, user)
    assert (status, code) in {(404, "not_found"), (409, "conflict")}
    assert "a secret" not in text
