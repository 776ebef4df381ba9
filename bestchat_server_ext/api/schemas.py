"""Models as JSON Schema, with their docstrings as descriptions.

msgspec knows shapes and limits. What it cannot know is added here: the docstrings under fields,
which exist in the source only; names for unions, so that they come out as types of their own;
and that moments are RFC 3339.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import inspect as shapes

Schema = dict[str, Any]
Json = Any  # any JSON value: a recursive type would need a cast wherever a value is looked into

REFERENCE = "#/components/schemas/{name}"


def reference(model: type) -> Schema:
    """A schema that points to the one of a model."""
    return {"$ref": REFERENCE.format(name=model.__name__)}


def components(models: Sequence[type], unions: Mapping[str, Any]) -> dict[str, Schema]:
    """Schemas of all models that the given ones lead to, and of the named unions.

    Args:
        models: structs. Those that their fields mention are found by themselves.
        unions: tagged unions by the name they are to have; used wherever the same union occurs.
    """
    roots = [*models, *unions.values()]
    found = {kind.cls.__name__: kind for kind in _structs(shapes.multi_type_info(roots))}
    ours, schemas = msgspec.json.schema_components(roots, ref_template=REFERENCE)
    named = dict(zip(unions, (_tidy(schema) for schema in ours[len(models) :]), strict=True))
    tidy = {name: _with_references(_tidy(schema), named) for name, schema in schemas.items()}
    for name, kind in found.items():
        _describe(tidy[name], kind)
    return tidy | named


def _structs(node: object, seen: set[type] | None = None) -> Iterator[shapes.StructType]:
    """All structs in a tree of msgspec's type descriptions, each once."""
    seen = set() if seen is None else seen
    if isinstance(node, shapes.StructType):
        if node.cls in seen:
            return
        seen.add(node.cls)
        yield node
    if isinstance(node, shapes.Type | shapes.Field):
        node = [getattr(node, name) for name in node.__struct_fields__]
    if isinstance(node, list | tuple):
        for item in node:
            yield from _structs(item, seen)


def _tidy(schema: Json) -> Json:
    """Say the same in the words that generators of client types understand best."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _tidy(value) for key, value in schema.items() if not _is_name(key, value)}
    if "discriminator" in result:
        result["oneOf"] = result.pop("anyOf")
    values = result.get("enum", ())
    if values and all(isinstance(value, str) for value in values):
        result["type"] = "string"
    if len(values) == 1:
        result["const"] = result.pop("enum")[0]
    return result


def _is_name(key: str, value: object) -> bool:
    """Whether this is a `title` that repeats a component's name; a property is no text."""
    return key == "title" and isinstance(value, str)


def _with_references(schema: Json, named: Mapping[str, Schema]) -> Json:
    """Put the name of a union wherever it is spelt out."""
    for name, union in named.items():
        if schema == union:
            return {"$ref": REFERENCE.format(name=name)}
    if isinstance(schema, list):
        return [_with_references(item, named) for item in schema]
    if isinstance(schema, dict):
        return {key: _with_references(value, named) for key, value in schema.items()}
    return schema


def _describe(schema: Schema, kind: shapes.StructType) -> None:
    """Add what the source says about a struct and its fields."""
    schema["description"] = inspect.getdoc(kind.cls)
    properties = schema["properties"]
    if kind.tag_field is not None:
        properties[kind.tag_field]["description"] = "Tells what kind of object this is."
    docs = _field_docs(kind.cls)
    for field in kind.fields:
        _mark_moments(properties[field.encode_name], field.type)
        properties[field.encode_name]["description"] = docs.get(field.name, "")


def _mark_moments(schema: Schema, kind: shapes.Type) -> None:
    """Say of a text that it is a moment in RFC 3339."""
    if isinstance(kind, shapes.DateTimeType):
        schema["format"] = "date-time"
    elif isinstance(kind, shapes.UnionType):
        for option, member in zip(schema.get("anyOf", ()), kind.types, strict=False):
            _mark_moments(option, member)


def _field_docs(model: type) -> dict[str, str]:
    """The docstrings under the fields of a struct, inherited ones included."""
    docs: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            docs |= _module_docs(base.__module__).get(base.__name__, {})
    return docs


@cache
def _module_docs(module: str) -> dict[str, dict[str, str]]:
    """The docstrings under the fields of all classes of a module."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_documented(node)) for node in classes}


def _documented(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Names of fields that a docstring follows, with that docstring."""
    for statement, follower in pairwise(node.body):
        match statement, follower:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)
