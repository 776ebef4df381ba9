"""Every route asks who is there, and every procedure is bound once."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
from tornado.web import RequestHandler

from bestchat_server_ext.api.catalog import BY_NAME, PROCEDURES
from bestchat_server_ext.dispatch.bindings import Bindings
from bestchat_server_ext.web import door, extension, files, http, socket
from bestchat_server_ext.web.routes import routes

VERBS = ("get", "post", "put", "patch", "delete")


async def _never() -> object:
    raise AssertionError


def all_handlers() -> list[type[RequestHandler]]:
    closed = door.Door(_never)  # type: ignore[arg-type]
    plain = routes("/", closed, door.TokenAuthenticator(closed))
    return [handler for _, handler, _ in plain]


def calls_in(function: object) -> set[str]:
    """Names of everything a function calls, directly or through its own class's helpers."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))  # type: ignore[arg-type]
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


@pytest.mark.parametrize("handler", all_handlers(), ids=lambda handler: handler.__name__)
def test_every_verb_of_every_route_authenticates(handler: type[RequestHandler]) -> None:
    verbs = [verb for verb in VERBS if verb in vars(handler)]
    assert verbs
    for verb in verbs:
        called = calls_in(vars(handler)[verb])
        if "prepare" in vars(handler):  # before the body has come
            called |= calls_in(vars(handler)["prepare"])
        helpers = {name for name in called if name in vars(handler)}
        while helpers:
            name = helpers.pop()
            more = calls_in(vars(handler)[name])
            helpers |= {helper for helper in more - called if helper in vars(handler)}
            called |= more
        assert "caller" in called, f"{handler.__name__}.{verb} never asks its authenticator"


def test_inside_jupyter_every_route_is_a_subclass_of_a_plain_one() -> None:
    inside = {
        member
        for _, member in inspect.getmembers(extension, inspect.isclass)
        if issubclass(member, RequestHandler) and member.__module__ == extension.__name__
    }
    plain = (
        *(http.ApiHandler, http.HealthHandler, http.OpenApiHandler),
        *(files.FilesHandler, socket.EventsSocket),
    )
    assert len(inside) == len(plain)
    assert {base for base in plain for member in inside if issubclass(member, base)} == set(plain)


def test_every_procedure_is_declared_once() -> None:
    assert len(BY_NAME) == len(PROCEDURES)


def test_every_procedure_that_answers_once_is_bound() -> None:
    bindings = Bindings(None)  # type: ignore[arg-type]  # only the table is looked at
    for procedure in PROCEDURES:
        if not procedure.stream:
            assert callable(bindings.body(procedure.name))


def test_only_health_works_without_a_scope() -> None:
    assert [item.name for item in PROCEDURES if item.scope is None] == ["system.health"]
