"""JSON from outside as a value of a model, or an error that says what is wrong with it, and where.

msgspec checks shapes and limits. It says little about JSON that is none, it takes the last of two
fields of one name, and it lets through what not every database can store; the rest is here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import msgspec

from bestchat_server_ext.core.errors import InvalidRequest

Model = TypeVar("Model")

_SHOWN = 200
"""Characters of a stranger's field name that are said back at most."""

_EXPLAINED = 1024 * 1024
"""Bytes up to which malformed JSON is read a second time, to say what is wrong with it."""

_HINT = "Send a JSON object in UTF-8."
_MODEL_HINT = "The OpenAPI document describes what it takes."

_FIELD = re.compile(r" field `(?P<name>.*)`$", re.DOTALL)
_VALUE = re.compile(r"^(Invalid (?:enum )?value) .*$", re.DOTALL)


class _Fault(NamedTuple):
    """What stands in the place of something that JSON, or a database, cannot have."""

    field: str
    text: str


def decode(body: bytes, decoder: msgspec.json.Decoder[Model], name: str) -> Model:
    """Read a value.

    Args:
        body: JSON in UTF-8.
        decoder: of the model that it has to fit.
        name: what to call it in an error, with its article.

    Raises:
        InvalidRequest: it does not fit; the field is named where there is one.
    """
    try:
        value = decoder.decode(body)
        fault = next(_faults(_loose.decode(body.decode())), None)
    except msgspec.ValidationError as error:
        raise _unfit(str(error), name) from None
    except RecursionError:
        raise InvalidRequest(f"{name} is nested too deeply.", hint=_MODEL_HINT) from None
    except (msgspec.DecodeError, UnicodeDecodeError, json.JSONDecodeError):
        raise _malformed(body, name) from None
    if fault is not None:
        raise _faulty(fault, name)
    return value


def _unfit(said: str, name: str) -> InvalidRequest:
    """A message of msgspec's in our shape, without the value that it is about."""
    text, _, place = said.partition(" - at `$")
    path = place.rstrip("`").strip(".")
    if (found := _FIELD.search(text)) is not None:
        path = f"{path}.{found['name']}" if path else found["name"]
        text = f"{text[: found.start()]} field `{found['name'][:_SHOWN]}`"
    text = _VALUE.sub(r"\1", text)
    return InvalidRequest(f"{name} does not fit: {text}.", hint=_MODEL_HINT, field=path[:_SHOWN])


def _malformed(body: bytes, name: str) -> InvalidRequest:
    """Why this is not JSON."""
    if body.startswith(b"\xef\xbb\xbf"):
        return InvalidRequest(
            f"{name} is not valid JSON: it begins with a byte order mark.", hint="Leave that out."
        )
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return InvalidRequest(f"{name} is not UTF-8, from byte {error.start} on.", hint=_HINT)
    general = InvalidRequest(f"{name} is not valid JSON.", hint=_HINT)
    if len(body) > _EXPLAINED:
        return general
    try:
        found = next(_faults(_loose.decode(text)), None)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return InvalidRequest(f"{name} is not valid JSON, at {place}.", hint=_HINT)
    except RecursionError:
        return InvalidRequest(f"{name} is nested too deeply.", hint=_MODEL_HINT)
    return general if found is None else _faulty(found, name)


def _faulty(fault: _Fault, name: str) -> InvalidRequest:
    return InvalidRequest(
        f"{name} cannot be used: {fault.text}.", hint=_HINT, field=fault.field[:_SHOWN]
    )


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for key, value in pairs:
        twice = _Fault("", "a field is there twice")
        members[key] = twice if key in members else value
    return members


_loose = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_int=len,  # digits are of no interest here, and thousands of them take their time
    parse_float=len,
    parse_constant=lambda said: _Fault("", f"JSON has no {said}"),
)
"""Reads JSON as Python does, numbers left out; faults stand where they were found."""


def _faults(node: object, path: str = "") -> Iterator[_Fault]:
    """Everything in a value that cannot be used, with its path."""
    match node:
        case _Fault(text=text):
            yield _Fault(path, text)
        case str():
            if "\x00" in node:
                yield _Fault(path, "a text holds the character U+0000, which cannot be stored")
            elif not node.isascii() and _is_torn(node):
                yield _Fault(path, "a text holds half a surrogate pair")
        case dict():
            for key, value in node.items():
                yield from _faults(key, path)
                yield from _faults(value, f"{path}.{key}" if path else key)
        case list():
            for number, value in enumerate(node):
                yield from _faults(value, f"{path}[{number}]")


def _is_torn(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
