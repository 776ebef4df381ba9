"""Paths and their handlers, the same inside Jupyter Server and outside of it."""

from __future__ import annotations

from typing import Any

from tornado.web import RequestHandler

from bestchat_server_ext.web.door import Authenticator, Door
from bestchat_server_ext.web.files import FilesHandler
from bestchat_server_ext.web.http import ApiHandler, HealthHandler, OpenApiHandler
from bestchat_server_ext.web.socket import EventsSocket

Route = tuple[str, type[RequestHandler], dict[str, Any]]


def routes(
    base_url: str,
    door: Door,
    authenticator: Authenticator,
    *,
    api: type[ApiHandler] = ApiHandler,
    health: type[HealthHandler] = HealthHandler,
    openapi: type[OpenApiHandler] = OpenApiHandler,
    events: type[EventsSocket] = EventsSocket,
    files: type[FilesHandler] = FilesHandler,
) -> list[Route]:
    """All routes below `base_url`, which ends in a slash.

    A host with its own request life cycle, such as Jupyter Server, passes subclasses.
    """
    given = {"door": door, "authenticator": authenticator}
    root = f"{base_url}bestchat/api/"
    return [
        (rf"{root}health", health, given),
        (rf"{root}openapi\.json", openapi, given),
        (rf"{root}events", events, given),
        (rf"{root}files/([^/]*)", files, given),
        (rf"{root}(.*)", api, given),
    ]
