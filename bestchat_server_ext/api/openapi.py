"""The catalog as an OpenAPI 3.1 document.

Made when it is asked for, from the same values that the doors work with, so it cannot be behind
them. The order of everything follows the catalog and the sources: the same code gives the same
document.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import msgspec

from bestchat_server_ext.api import frames, schemas
from bestchat_server_ext.api.catalog import PROCEDURES
from bestchat_server_ext.api.closing import CLOSINGS
from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.api.procedure import PROTOCOL, Procedure
from bestchat_server_ext.api.system import Health
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.events import Event
from bestchat_server_ext.core.files import FileUpload
from bestchat_server_ext.core.messages import PICTURES, Part

Json = dict[str, Any]
AnyProcedure = Procedure[Any, Any]

ROOT = "/bestchat/api/"
"""Where all addresses begin, below the server's base URL."""

UNIONS: dict[str, Any] = {
    "Part": Part,
    "Event": Event,
    "ServerFrame": frames.ServerFrame,
    "ClientFrame": frames.ClientFrame,
}
"""Tagged unions that clients take apart, by the name they get there."""

_FAILURES = {
    "400": ("InvalidRequest", "What was sent cannot be used, or the protocols do not fit."),
    "401": ("NotAuthenticated", "There is no credential, or an unknown one."),
    "403": (
        "NotAllowed",
        "The credential was not made for this, a key is missing, or the site rules it out.",
    ),
    "404": ("NotFound", "There is no such object, or it is somebody else's."),
    "409": ("Conflict", "The object has moved on since the caller last saw it."),
    "413": ("TooLarge", "The request's body is too large."),
    "416": ("NoSuchBytes", "The file has no bytes where `Range` says."),
    "429": ("LimitReached", "A limit on sizes, rates or money was reached."),
    "500": ("InternalError", "A mistake of the server's."),
    "502": ("UpstreamFailed", "The model's host failed."),
    "503": ("Unavailable", "Storage or server is out of reach for now."),
}

_ALWAYS = ("400", "401", "403", "413", "500", "503")
"""What may become of every call, whatever it is about."""

_CHANGING = frozenset(
    {
        Scope.CONVERSATIONS_WRITE,
        Scope.CONVERSATIONS_DELETE,
        Scope.TURNS,
        Scope.APPROVALS,
        Scope.TOKENS,
    }
)
"""What changes something can come too late, or be too much."""

_PROVIDERS = frozenset({Scope.TURNS, Scope.MODELS_READ})
"""What may have to ask the host of a model."""

_CREDENTIALS: list[Json] = [{"token": []}, {"bearer": []}]
_NO_CREDENTIAL: Json = {}

_PROTOCOL_HEADER = {"$ref": "#/components/parameters/Protocol"}

_PROTOCOL: Json = {
    "name": "X-BestChat-Protocol",
    "in": "header",
    "description": "The protocol that the client speaks. One step of skew works; with more, the "
    "answer says which side to upgrade.",
    "schema": {"type": "integer", "minimum": PROTOCOL - 1, "maximum": PROTOCOL + 1},
    "example": PROTOCOL,
}

_FILE_ID: Json = {
    "name": "file_id",
    "in": "path",
    "required": True,
    "description": "The file's id.",
    "schema": {"type": "string", "format": "uuid"},
}

_BINARY: Json = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

_DOWNLOADS: Json = _BINARY | dict.fromkeys(sorted(PICTURES), _BINARY["application/octet-stream"])

_SECURITY_SCHEMES: Json = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`token` and a space before a token of Jupyter's or of BestChat's. In a "
        "browser the session cookie of Jupyter counts too, with the header `X-XSRFToken`.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The same tokens, in the usual form.",
    },
}


def document(version: str, server_url: str = "../..") -> Json:
    """Make the document.

    Args:
        version: of the server, as in its package.
        server_url: the server's base URL without the slash at its end, so that joined with a
            path it gives the address of a call. As it stands it is relative to the address of
            the document.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BestChat for Jupyter",
            "version": version,
            "description": "Chat with language models inside Jupyter. A command goes down once, "
            "as a POST; what comes of it arrives as events, over the WebSocket.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": server_url}],
        "security": _CREDENTIALS,
        "tags": _tags(),
        "paths": _paths(),
        "x-websocket": _websocket(),
        "components": _components(),
    }


def _tags() -> list[Json]:
    """One tag for each topic, described by its module's first line."""
    modules = {item.topic: sys.modules[item.request.__module__] for item in PROCEDURES}
    return [
        {"name": topic, "description": (inspect.getdoc(module) or "").partition("\n")[0]}
        for topic, module in modules.items()
    ]


def _paths() -> Json:
    calls = {
        ROOT + item.name: {"parameters": [_PROTOCOL_HEADER], "post": _call(item)}
        for item in PROCEDURES
        if not item.stream
    }
    return calls | {
        f"{ROOT}files/{{file_id}}": _file_bytes(),
        f"{ROOT}health": {"get": _health()},
        f"{ROOT}openapi.json": {"get": _itself()},
    }


def _call(procedure: AnyProcedure) -> Json:
    return {
        "operationId": procedure.name,
        "tags": [procedure.topic],
        "summary": procedure.summary,
        "security": _security(procedure),
        "x-required-scope": _scope(procedure),
        "requestBody": {
            "required": _has_to_be_sent(procedure.request),
            "content": _body(procedure.request),
        },
        "responses": _success(procedure.response) | _failures(*_statuses(procedure)),
    }


def _file_bytes() -> Json:
    """Where the bytes of files go in and out."""
    failures = _failures("400", "401", "403", "404", "413", "500", "503")
    return {
        "parameters": [_FILE_ID],
        "put": {
            "operationId": "files.put",
            "tags": ["files"],
            "summary": "Send the bytes of a file that `files.create` has announced.",
            "security": _CREDENTIALS,
            "x-required-scope": Scope.CONVERSATIONS_WRITE.value,
            "requestBody": {"required": True, "content": _BINARY},
            "responses": _success(FileUpload) | failures | _failures("409", "429"),
        },
        "get": {
            "operationId": "files.bytes",
            "tags": ["files"],
            "summary": "Read the bytes of a file, or of a part of it: one `Range` counts.",
            "security": _CREDENTIALS,
            "x-required-scope": Scope.CONVERSATIONS_READ.value,
            "responses": {
                "200": {"description": "All of them.", "content": _DOWNLOADS},
                "206": {"description": "Those that `Range` names.", "content": _DOWNLOADS},
                "304": {"description": "What `If-None-Match` names is still right."},
            }
            | failures
            | _failures("416"),
        },
    }


def _health() -> Json:
    return {
        "operationId": "health",
        "tags": ["system"],
        "summary": "As system.health, for monitors: needs no credential for the short answer.",
        "security": [_NO_CREDENTIAL, *_CREDENTIALS],
        "x-required-scope": None,
        "responses": _success(Health) | _failures("403", "413", "500"),
    }


def _itself() -> Json:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "openapi",
        "tags": ["system"],
        "summary": "This document.",
        "x-required-scope": None,
        "responses": {"200": {"description": "It.", "content": content}}
        | _failures("401", "403", "413", "500", "503"),
    }


def _has_to_be_sent(model: type[msgspec.Struct]) -> bool:
    """Whether an empty body will not do."""
    return any(field.required for field in msgspec.structs.fields(model))


def _statuses(procedure: AnyProcedure) -> list[str]:
    """The statuses that a call may fail with, in order."""
    found = [*_ALWAYS]
    if procedure.target is not None:
        found.append("404")
    if procedure.scope in _CHANGING:
        found += ["409", "429"]
    if procedure.scope in _PROVIDERS:
        found.append("502")
    return sorted(found)


def _scope(procedure: AnyProcedure) -> str | None:
    return None if procedure.scope is None else procedure.scope.value


def _security(procedure: AnyProcedure) -> list[Json]:
    return _CREDENTIALS if procedure.scope else [_NO_CREDENTIAL, *_CREDENTIALS]


def _body(model: type) -> Json:
    return {"application/json": {"schema": schemas.reference(model)}}


def _success(model: type) -> Json:
    description = (inspect.getdoc(model) or "").partition("\n")[0]
    return {"200": {"description": description, "content": _body(model)}}


def _failures(*statuses: str) -> Json:
    return {
        status: {"$ref": f"#/components/responses/{_FAILURES[status][0]}"} for status in statuses
    }


def _websocket() -> Json:
    """The WebSocket, which OpenAPI has no words for."""
    return {
        "url": f"{ROOT}events",
        "description": inspect.getdoc(frames),
        "client": {"$ref": schemas.REFERENCE.format(name="ClientFrame")},
        "server": {"$ref": schemas.REFERENCE.format(name="ServerFrame")},
        "procedures": {item.name: _subscription(item) for item in PROCEDURES if item.stream},
        "closings": msgspec.to_builtins(CLOSINGS),
    }


def _subscription(procedure: AnyProcedure) -> Json:
    return {
        "summary": procedure.summary,
        "x-required-scope": _scope(procedure),
        "request": schemas.reference(procedure.request),
        "response": schemas.reference(procedure.response),
    }


def _components() -> Json:
    models = [model for item in PROCEDURES for model in (item.request, item.response)]
    return {
        "schemas": schemas.components([*dict.fromkeys(models), ErrorBody], UNIONS),
        "responses": {
            name: {"description": description, "content": _body(ErrorBody)}
            for name, description in _FAILURES.values()
        },
        "parameters": {"Protocol": _PROTOCOL},
        "securitySchemes": _SECURITY_SCHEMES,
    }
