"""The same handlers inside Jupyter Server: its identity, its cookies, its life cycle.

The only module that knows jupyter_server. Loading it opens nothing: the application, with the
database and the heavy libraries behind it, is built at the first call.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import (
    IdentityProvider,
    LegacyIdentityProvider,
    PasswordIdentityProvider,
    User,
)
from jupyter_server.auth.login import LegacyLoginHandler, LoginFormHandler
from jupyter_server.base.call_context import CallContext
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import ensure_async
from tornado.web import RequestHandler
from traitlets import Any as AnyTrait

from bestchat_server_ext import bootstrap
from bestchat_server_ext.api.catalog import BY_NAME
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.core.access import Caller
from bestchat_server_ext.core.environment import OUR_OWN, WITHHELD
from bestchat_server_ext.core.errors import ChatError, Disabled, NotAllowed, NotPermitted
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.web.activity import Activity
from bestchat_server_ext.web.door import Door, TokenAuthenticator, bearer
from bestchat_server_ext.web.files import FilesHandler
from bestchat_server_ext.web.http import ApiHandler, HealthHandler, OpenApiHandler
from bestchat_server_ext.web.kernels import KernelTokens
from bestchat_server_ext.web.routes import routes
from bestchat_server_ext.web.socket import EventsSocket
from bestchat_server_ext.web.together import Together

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestchat_server_ext.settings import Loaded, Settings

_log = logging.getLogger(__name__)

_JUPYTERS_OWN = (
    *(IdentityProvider, PasswordIdentityProvider, LegacyIdentityProvider),
    *(LoginFormHandler, LegacyLoginHandler),
)
"""Who knows that somebody is there, but not who."""

_NAMING = (
    *("get_user", "_get_user", "get_user_token", "get_user_cookie", "user_from_cookie"),
    *("generate_anonymous_user", "process_login_form"),
)
"""The methods of a provider in which users come to be."""

_LEGACY_NAMING = ("get_user", "get_user_token", "get_user_cookie", "post")
"""Those of a login handler, which `LegacyIdentityProvider` asks."""


class JupyterAuthenticator(TokenAuthenticator):
    """BestChat tokens first; else whoever Jupyter says is there, if its authorizer agrees."""

    def __init__(self, door: Door, kernels: KernelTokens, activity: Activity) -> None:
        """Check BestChat tokens against the application, those of new kernels included."""
        super().__init__(door)
        self._kernels = kernels
        self._activity = activity

    async def _opened(self, token: str) -> Application:
        """The application, in which the token counts if it is one of a kernel that lives."""
        application = await super()._opened(token)
        await self._kernels.settle(token)
        return application

    async def caller(self, handler: RequestHandler) -> Caller | None:
        """The caller behind a request. A bad BestChat token never falls back to a cookie."""
        caller = await (super().caller(handler) if bearer(handler) else self._signed_in(handler))
        if caller is not None:
            self._activity.note_call(handler.request.path)
        return caller

    async def _signed_in(self, handler: RequestHandler) -> Caller | None:
        """The caller as Jupyter sees it."""
        user = await _user(handler)
        if user is None:
            return None
        await self._door.check()
        if not await _authorized(handler, user, _action(handler)):
            raise NotAllowed(
                "Jupyter's authorizer does not allow this.", hint="Ask the administrator."
            )
        return Caller(owner=owner_of(handler), kind="user")


def _action(handler: RequestHandler) -> str:
    """What a request does, in the authorizer's words. Everything is a POST, so the scope tells."""
    procedure = BY_NAME.get(handler.request.path.rpartition("/")[2])
    if procedure is None:
        return "read" if handler.request.method in {"GET", "HEAD"} else "write"
    return "read" if str(procedure.scope).endswith(":read") else "write"


async def _authorized(handler: Any, user: User, action: str) -> bool:  # noqa: ANN401  any handler
    """Whether Jupyter's authorizer lets somebody do this with BestChat."""
    allowed = handler.authorizer.is_authorized(handler, user, action, RESOURCE)
    return bool(await ensure_async(allowed))


async def _user(handler: RequestHandler) -> User | None:
    """Who is signed in now: on a WebSocket, the request itself may be hours old.

    Providers keep on the handler whom they have found. So a new one brings the same request, which
    is never answered; and whoever has become somebody else is not who opened the line.
    """
    opener: User | None = handler.current_user
    if not isinstance(handler, EventsSocket) or not handler.greeted:
        return opener
    provider = handler.identity_provider  # type: ignore[attr-defined]  # a JupyterHandler too
    if _nameless(provider):  # it would make up another name each time, and log that it did
        return cast("User | None", await ensure_async(provider.get_user(handler)))
    again = type(handler)(
        handler.application, handler.request, door=handler.door, authenticator=handler.authenticator
    )
    found = cast("User | None", await ensure_async(provider.get_user(again)))
    return found if found and opener and found.username == opener.username else None


def owner_of(handler: Any) -> OwnerId:  # noqa: ANN401  any JupyterHandler
    """Whose conversations a signed-in user sees.

    Token authentication makes up a new user for each request without a cookie, so only a
    provider that gives names is believed.

    Raises:
        NotPermitted: somebody is called like the one there is without names, whose conversations
            and keys may be there still.
    """
    if _nameless(handler.identity_provider):
        return LOCAL_OWNER
    owner = OwnerId(handler.current_user.username)
    if owner == LOCAL_OWNER:
        raise NotPermitted(
            f"Nobody who is called `{LOCAL_OWNER}` can use BestChat: it stands for everybody on "
            "servers where users have no names.",
            hint="Ask the administrator to give you another user name.",
        )
    return owner


def _nameless(provider: IdentityProvider) -> bool:
    """Whether users come to be as in Jupyter's own providers, whatever else was made of them."""
    if isinstance(provider, LegacyIdentityProvider):
        login = cast("type", provider.login_handler_class)
        if not all(_jupyters_own(login, name) for name in _LEGACY_NAMING):
            return False
    return all(_jupyters_own(type(provider), name) for name in _NAMING)


def _jupyters_own(owner: type, method: str) -> bool:
    defining = next((base for base in owner.__mro__ if method in vars(base)), None)
    return defining is None or defining in _JUPYTERS_OWN


class _InsideJupyter:
    """Lets BestChat tokens pass where Jupyter would ask for a cookie's XSRF token."""

    def check_xsrf_cookie(self) -> None:
        """Bearer tokens bypass XSRF, cookies never; without either there is nothing to abuse.

        Called twice: by Tornado, when nobody knows yet who asks, and then by Jupyter.
        """
        anonymous = getattr(self, "_jupyter_current_user", self) is None
        if bearer(self) is None and not anonymous:  # type: ignore[arg-type]  # a handler's mixin
            super().check_xsrf_cookie()  # type: ignore[misc]  # likewise


class JupyterApiHandler(_InsideJupyter, ApiHandler, JupyterHandler):
    """Procedures, behind Jupyter's identity."""

    @allow_unauthenticated
    async def post(self, name: str) -> None:
        """Carry out a procedure; the handler itself sees to authentication."""
        await super().post(name)


class JupyterFilesHandler(_InsideJupyter, FilesHandler, JupyterHandler):
    """Bytes of files, behind Jupyter's identity."""

    @allow_unauthenticated
    async def get(self, file_id: str) -> None:
        """Give a file; the handler itself sees to authentication."""
        await super().get(file_id)

    @allow_unauthenticated
    async def head(self, file_id: str) -> None:
        """Say what a file is; likewise."""
        await super().head(file_id)

    @allow_unauthenticated
    async def put(self, file_id: str) -> None:
        """Take a file; likewise."""
        await super().put(file_id)


class JupyterHealthHandler(_InsideJupyter, HealthHandler, JupyterHandler):
    """Health, behind Jupyter's identity."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Say how the service is."""
        await super().get()


class JupyterOpenApiHandler(_InsideJupyter, OpenApiHandler, JupyterHandler):
    """The description of the API, behind Jupyter's identity."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Describe the API; the handler itself sees to authentication."""
        await super().get()


class JupyterEventsSocket(_InsideJupyter, WebSocketMixin, EventsSocket, JupyterHandler):
    """The WebSocket, behind Jupyter's identity and its check of the origin."""

    ping_interval = 0
    """Jupyter sends no pings of its own here, and hangs up on nobody: the line's heart does both,
    and says why."""

    def on_pong(self, data: bytes) -> None:
        """Hear it as everywhere; Jupyter would keep it to itself."""
        EventsSocket.on_pong(self, data)

    @allow_unauthenticated
    async def get(self, *args: str, **kwargs: str) -> None:
        """Let in who is known; the handler itself sees to authentication."""
        await super().get(*args, **kwargs)


_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  compared with, not bound to

RESOURCE = "bestchat"
"""What Jupyter's authorizer knows us by."""


class BestChat(ExtensionApp):
    """Hangs BestChat's routes into a Jupyter Server.

    Its traits are the options. They are said again here because `settings` takes its time to load.
    """

    name = "bestchat"

    data_dir = AnyTrait(help="Folder of the database and of models.").tag(config=True)
    database_url = AnyTrait(help="PostgreSQL database; a file in `data_dir` if unset.").tag(
        config=True
    )
    database_pool_size = AnyTrait(help="Connections to PostgreSQL.").tag(config=True)
    redis_url = AnyTrait(help="Redis that several servers share.").tag(config=True)
    default_model = AnyTrait(help="Model that answers when none is named.").tag(config=True)
    fallback_models = AnyTrait(help="Models that stand in for one that is down.").tag(config=True)
    fallback_models_overflow = AnyTrait(help="Those for what is too long.").tag(config=True)
    fallback_models_refused = AnyTrait(help="Those for what a policy refused.").tag(config=True)
    scripts_dir = AnyTrait(help="Folder of scripts for the provider `scripted`.").tag(config=True)
    max_sockets = AnyTrait(help="WebSockets that one user may have open.").tag(config=True)
    keep_deleted_days = AnyTrait(help="Days for which a deleted conversation can be restored.").tag(
        config=True
    )
    max_file_mb = AnyTrait(help="Megabytes that an attached file may have.").tag(config=True)
    max_files_mb = AnyTrait(help="Megabytes of all attached files of one owner.").tag(config=True)
    max_running_turns = AnyTrait(help="Turns that one owner may have under way.").tag(config=True)
    max_cost = AnyTrait(
        help="US dollars that no conversation may go beyond; no such limit if unset."
    ).tag(config=True)
    step_limit = AnyTrait(help="Requests to a model within one turn.").tag(config=True)
    help_url = AnyTrait(help="Page where users of this site find help.").tag(config=True)
    server_url = AnyTrait(help="Address of this server as its kernels reach it.").tag(config=True)
    title_model = AnyTrait(help="Model that names conversations; nobody if unset.").tag(config=True)
    allowed_models = AnyTrait(help="Patterns of the models that may be used.").tag(config=True)
    allowed_base_urls = AnyTrait(help="How providers' addresses have to begin.").tag(config=True)
    allow_user_keys = AnyTrait(help="Whether users may bring keys of their own.").tag(config=True)
    allow_pages = AnyTrait(help="Whether pages that users mention are fetched.").tag(config=True)
    private_page_hosts = AnyTrait(help="Private hosts whose pages are fetched.").tag(config=True)
    enabled = AnyTrait(help="Whether there is a BestChat at all.").tag(config=True)

    def initialize_settings(self) -> None:
        """Build the door; nothing is opened yet."""
        for name in ("bestchat_server_ext", "bestchat_kernel"):
            logging.getLogger(name).parent = self._server.log  # as Jupyter does with Tornado's
        self._loaded: Loaded | None = None
        self._reading = Together(self._read, "bestchat-options")
        self._door = Door(self._build, self._check)
        self._activity = Activity(self._server.web_app.settings["last_activity_times"])

    @property
    def _given(self) -> dict[str, Any]:
        """The options that stand in the server's own configuration."""
        overrides = {name: getattr(self, name) for name in BestChat.class_own_traits(config=True)}
        return {name: value for name, value in overrides.items() if value is not None}

    async def _build(self) -> bootstrap.Application:
        loaded = await self._load()
        try:
            application = await bootstrap.open_application(os.environ, loaded=loaded, serves=True)
        except ChatError:
            self._loaded = None  # what is wrong may be put right in a file before the next attempt
            raise
        self._activity.watch(self._door)
        self._kernels.settle_all()
        return application

    async def _load(self) -> Loaded:
        """The options, read once: when a kernel is started, or somebody calls.

        Raises:
            InvalidRequest: one of them cannot be used.
        """
        if self._loaded is None:
            self._loaded = await self._reading()
        return self._loaded

    async def _read(self) -> Loaded:
        return await asyncio.to_thread(_load, self._given)

    async def _options(self) -> Settings:
        return (await self._load()).settings

    def _withheld(self) -> frozenset[str]:
        """Variables that kernels do not inherit; all that may be, while options are not known."""
        if self._loaded is not None and not self._loaded.settings.database_url:
            return OUR_OWN
        return WITHHELD

    async def _check(self) -> None:
        try:
            enabled = (await self._options()).enabled
        except ChatError:
            return  # whoever opens the application is told
        if not enabled:
            raise Disabled("BestChat is switched off on this server.")

    def initialize_handlers(self) -> None:
        """Add the routes, and look after kernels."""
        server = self._server
        self._kernels = KernelTokens(
            self._door,
            self._address,
            partial(_current_owner, server.identity_provider),
            self._withheld,
        )
        self._kernels.watch(server.kernel_manager)
        self._heed_no_more = _heed_interrupts(server)
        server.web_app.add_handlers(  # type: ignore[no-untyped-call]  # Tornado's own
            ".*$",
            routes(
                server.base_url,
                self._door,
                JupyterAuthenticator(self._door, self._kernels, self._activity),
                api=JupyterApiHandler,
                health=JupyterHealthHandler,
                openapi=JupyterOpenApiHandler,
                events=JupyterEventsSocket,
                files=JupyterFilesHandler,
            ),
        )

    @property
    def _server(self) -> ServerApp:
        assert self.serverapp is not None  # noqa: S101  Jupyter links us to it before all else
        return self.serverapp

    async def _address(self) -> str:
        """What kernels are told: the configured address, or else where the server listens."""
        try:
            configured = (await self._options()).server_url
        except ChatError:
            configured = ""  # the kernel's first call is told what is wrong
        return configured or self._derived_address()

    def _derived_address(self) -> str:
        """The server's address as a kernel on the same machine reaches it."""
        # `local_url` will not do: its path is the page that a browser opens first.
        url = urlsplit(self._server.connection_url)
        if self._server.sock:  # a kernel works in another folder
            url = url._replace(netloc=quote(str(Path(self._server.sock).absolute()), safe=""))
        elif self._server.ip in _ANY_ADDRESS:
            host = "[::1]" if ":" in self._server.ip else "127.0.0.1"
            url = url._replace(netloc=f"{host}:{self._server.port}")
        return url.geturl()

    def current_activity(self) -> bool:
        """Running turns count as activity, so that no culler stops a working server."""
        opened = self._door.opened
        return opened is not None and opened.running_turns > 0

    async def stop_extension(self) -> None:
        """Revoke the kernels' tokens, and store what running turns have heard."""
        self._activity.close()
        try:
            await self._kernels.close(self._server.kernel_manager.list_kernel_ids())
        finally:
            try:
                await self._door.close()
            finally:
                self._heed_no_more()


def _heed_interrupts(server: ServerApp) -> Callable[[], None]:
    """Let SIGINT stop a server in good order, as SIGTERM does; a second one does not wait.

    Without a terminal, Jupyter leaves it to Python, which breaks off the event loop: nobody stores
    then what running turns have heard. JupyterHub stops servers on its own machine that way. A
    server inside of another program leaves signals to that, and so do we.

    Returns:
        What undoes it.
    """

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        server.stop(from_signal=True)

    def undo() -> None:
        if signal.getsignal(signal.SIGINT) is stop and _on_main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)

    untouched = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    in_charge = getattr(signal.getsignal(signal.SIGTERM), "__self__", None) is server
    if untouched and in_charge and _on_main_thread() and sys.platform != "win32":
        signal.signal(signal.SIGINT, stop)
    return undo


def _on_main_thread() -> bool:
    """Whether this thread may say what signals do."""
    return threading.current_thread() is threading.main_thread()


def _load(given: dict[str, Any]) -> Loaded:
    from bestchat_server_ext import settings  # in a thread: pydantic takes its time to load

    return settings.load_with_origins(os.environ, given)


async def _current_owner(provider: IdentityProvider) -> OwnerId | None:
    """Whose request is being handled right now; kernels belong to who starts them.

    Nobody's, where people have names and a kernel is started ahead of time: it may be handed to
    anybody. Whatever a request has left running is no part of it any more.

    Nor is it anybody's whom the authorizer does not let do all with BestChat, or whose name is
    refused: a kernel is no way around that.
    """
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    if handler is None or handler._finished:  # noqa: SLF001  it has no public name
        return LOCAL_OWNER if _nameless(provider) else None
    if handler.current_user is None or not await _may_use(handler):
        return None
    try:
        return owner_of(handler)
    except NotPermitted as error:
        _log.warning("BestChat: a kernel gets no token: %s", error)
        return None


async def _may_use(handler: Any) -> bool:  # noqa: ANN401  any JupyterHandler
    """Whether who asks may do everything with BestChat. An authorizer that fails allows nothing."""
    try:
        for action in ("read", "write"):
            if not await _authorized(handler, handler.current_user, action):
                return False
    except Exception as error:  # noqa: BLE001  a site's own code; a kernel is worth more
        _log.warning("BestChat: a kernel gets no token: %s", origin(error))
        return False
    return True
