from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.errors import ChatError, ErrorInfo, InternalError, Kind, from_info

FAMILY = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, ChatError)
]
MEMBERS = [member for member in FAMILY if member is not ChatError]

_LINE = re.compile(r"^ {4}(?P<bars>[│ ├└─]*)(?P<name>\w+)(?: +(?P<code>\w+) +(?P<kind>\w+).*)?$")


def drawn() -> Iterator[tuple[str, str | None, str | None, str | None]]:
    """Name, parent, code and kind of every class in the drawing."""
    assert errors.__doc__ is not None
    parents: list[str] = []
    for line in errors.__doc__.split("::\n\n")[1].split("\n\n")[0].splitlines():
        found = _LINE.match(line)
        assert found is not None, line
        depth = len(found["bars"]) // 4
        parents[depth:] = [found["name"]]
        yield found["name"], parents[depth - 1] if depth else None, found["code"], found["kind"]


def test_the_drawing_is_the_family() -> None:
    classes = {
        (
            member.__name__,
            None if member is ChatError else member.__base__.__name__,
            None if member is ChatError else member.code,
            None if member is ChatError else member.kind,
        )
        for member in FAMILY
    }
    tree = list(drawn())
    assert set(tree) == classes
    assert len(tree) == len(classes)


def test_codes_are_unique_and_kinds_are_known() -> None:
    assert len({member.code for member in MEMBERS}) == len(MEMBERS)
    assert {member.kind for member in MEMBERS} == set(get_args(Kind))


@pytest.mark.parametrize("member", MEMBERS)
def test_every_class_survives_the_wire(member: type[ChatError]) -> None:
    error = member("It went wrong.", hint="Do better.", field="a.b")
    wire = msgspec.json.encode(error.info)
    again = from_info(msgspec.json.decode(wire, type=ErrorInfo))
    assert type(again) is member
    assert again.info == error.info
    assert str(again) == str(error) == "It went wrong. Do better."
    assert again.args == ("It went wrong.",)


@pytest.mark.parametrize("member", MEMBERS)
def test_an_error_without_a_hint_has_its_class_s_own(member: type[ChatError]) -> None:
    assert member("It went wrong.").info.hint == member.default_hint


def test_retry_after_survives() -> None:
    error = errors.RateLimited("Slow down.", retry_after=2.5)
    assert from_info(error.info).info.retry_after == 2.5


@pytest.mark.parametrize("kind", get_args(Kind))
def test_an_unknown_code_becomes_a_relative(kind: Kind) -> None:
    info = ErrorInfo("from_the_future", kind, "It went wrong.")
    relative = from_info(info)
    assert type(relative) in MEMBERS
    assert relative.kind == kind
    assert relative.info == info


def test_relatives_are_the_general_ones() -> None:
    relatives = {kind: type(from_info(ErrorInfo("new", kind, ""))) for kind in get_args(Kind)}
    assert relatives == {
        "invalid": errors.InvalidRequest,
        "denied": errors.NotAllowed,
        "missing": errors.NotFound,
        "conflict": errors.Conflict,
        "limited": errors.LimitReached,
        "upstream": errors.ProviderError,
        "unavailable": errors.Unavailable,
        "bug": InternalError,
    }


def test_a_kind_from_the_future_is_a_bug_here() -> None:
    info = ErrorInfo("new", "cosmic", "It went wrong.")  # type: ignore[arg-type]
    assert type(from_info(info)) is InternalError


def test_an_internal_error_says_nothing_by_itself() -> None:
    assert InternalError().info.text == "Something went wrong inside BestChat."
    assert "log" in InternalError().info.hint


def test_catching_a_parent_catches_its_children() -> None:
    with pytest.raises(errors.Conflict):
        raise from_info(errors.TurnActive("busy").info)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The provider says: no such model `x`", "The provider says: no such model `x`. Choose."),
        ("It went wrong!", "It went wrong! Choose."),
        ("It ended in the middle …", "It ended in the middle … Choose."),
        ("", "Choose."),
    ],
)
def test_sentence_and_hint_are_two_sentences(text: str, shown: str) -> None:
    assert str(errors.ProviderError(text, hint="Choose.")) == shown


def test_a_sentence_without_a_hint_stays_as_it_is() -> None:
    assert str(ChatError("no such model")) == "no such model"
