"""The forms that an answer can be asked for: text, Markdown, code, JSON that fits, a table."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from bestchat_kernel.visible import one_line
from bestchat_server_ext.core.errors import InvalidRequest, NotInstalled
from bestchat_server_ext.core.fences import segments

if TYPE_CHECKING:
    import pandas as pd

_CODE = "Answer with code only: one fenced block, and nothing before or after it."
_TEXT = "Answer in plain text, without any Markdown."
_JSON = "Answer with JSON only, and nothing before or after it."
_TABLE = (
    "Answer with a table as JSON only, and nothing before or after it: an array with one object "
    "for each row, all with the same keys."
)


class Unusable(Exception):
    """An answer is not in its form; the text says why, for the model and for the user."""


@dataclass(frozen=True)
class Form:
    """What an answer has to be, and how it becomes a value.

    Attributes:
        name: as it is written behind `--as`.
        request: what the model is told, at the end of the message.
        read: turns an answer into the value, or raises `Unusable`. None: the answer is the value.
    """

    name: str
    request: str = ""
    read: Callable[[str], object] | None = None

    def asked(self, text: str) -> str:
        """A message that asks for this form."""
        return f"{text}\n\n---\n{self.request}" if self.request else text

    def repair(self, reason: str) -> str:
        """The message that asks once more."""
        return f"Your answer could not be used: {reason}\n\n{self.request}"


def form(name: str, schema: object = None) -> Form:
    """The form of that name.

    Args:
        name: one of `options.FORMS`.
        schema: what JSON has to fit: a pydantic model or any other type, or a JSON Schema; for a
            table, what each of its rows has to fit. None takes any.

    Raises:
        InvalidRequest: the schema is none, or there is nothing that could fit it.
        NotInstalled: a table was asked for, and pandas is missing.
    """
    if name == "code":
        return Form(name, _CODE, _code)
    if name == "text":
        return Form(name, _TEXT)
    if name == "md":
        return Form(name)
    check, described = _checked(schema)
    told = f"{_TABLE if name == 'table' else _JSON}"
    if described is not None:
        whom = "Each object" if name == "table" else "It"
        told += f" {whom} has to fit this JSON Schema:\n\n```json\n{_dumped(described)}\n```"
    if name == "table":
        _pandas()
        return Form(name, told, lambda text: _table(_parsed(text), check))
    return Form(name, told, lambda text: check(_parsed(text)))


def shown(value: object) -> str:
    """A value that came of JSON, as JSON again."""
    from pydantic import TypeAdapter

    adapter: TypeAdapter[object] = TypeAdapter(object)
    return _dumped(adapter.dump_python(value, mode="json"))


def _dumped(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


# Code.


def _code(text: str) -> str:
    blocks = [it.text for it in segments(text) if it.language is not None]
    if not blocks:
        raise Unusable("there is no fenced block of code in it.")
    return "\n\n".join(blocks)


# JSON.


def _parsed(text: str) -> object:
    """The JSON in an answer: all of it, one of its blocks, or what begins with a bracket."""
    blocks = [it.text for it in segments(text) if it.language is not None]
    for candidate in (text, *blocks):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    found = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if not found:
        raise Unusable("it is no JSON.")
    try:
        return json.JSONDecoder().raw_decode(text, min(found))[0]
    except (ValueError, RecursionError) as error:
        raise Unusable(f"it is no JSON: {one_line(str(error), 200)}.") from None


Check = Callable[[object], object]


def _checked(schema: object) -> tuple[Check, object]:
    """What validates a value, and the JSON Schema that a model is told."""
    if schema is None:
        return (lambda value: value), None
    if isinstance(schema, Mapping):
        return _by_json_schema(dict(schema)), schema
    return _by_type(schema)


def _by_json_schema(schema: dict[str, Any]) -> Check:
    import jsonschema

    kind = jsonschema.validators.validator_for(schema)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise _no_schema(one_line(error.message, 200)) from error
    validator = kind(schema)

    def check(value: object) -> object:
        wrong = min(validator.iter_errors(value), key=lambda it: len(it.path), default=None)
        if wrong is not None:
            raise Unusable(f"at `{wrong.json_path}`: {one_line(wrong.message, 300)}.")
        return value

    return check


def _by_type(schema: object) -> tuple[Check, object]:
    from pydantic import PydanticUserError, TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError

    if inspect.isroutine(schema):  # pydantic would check its arguments
        raise _no_schema("it is a function")
    try:
        adapter: TypeAdapter[object] = TypeAdapter(cast("type[object]", schema))
        described = adapter.json_schema()
    except (PydanticUserError, PydanticSchemaGenerationError, TypeError, NameError) as error:
        raise _no_schema(f"{type(schema).__name__} says nothing about JSON") from error

    def check(value: object) -> object:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[:3]
            told = [f"`{'.'.join(map(str, it['loc'])) or '$'}`: {it['msg']}" for it in first]
            raise Unusable(f"{one_line('; '.join(told), 500)}.") from None

    return check, described


def _no_schema(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"The schema cannot be used: {reason}.",
        hint="Give a pydantic model, another type, or a JSON Schema as a dictionary.",
        field="--schema",
    )


# Tables.


def _table(value: object, check: Check) -> pd.DataFrame:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise Unusable("it is no array of objects.")
    for number, row in enumerate(value):
        try:
            check(row)
        except Unusable as error:
            raise Unusable(f"row {number + 1}: {error}") from None
    return _pandas()(value)


def _pandas() -> type[pd.DataFrame]:
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise NotInstalled(
            "A table becomes a DataFrame, and pandas is not installed here.",
            hint="Run: pip install pandas",
        ) from error
    return pd.DataFrame
