"""Registered Python functions as tools, run in the process that runs the turn.

A function becomes a tool by its name, its docstring and its annotations::

    def add(a: int, b: int) -> int:
        \"\"\"Add two numbers.\"\"\"
        return a + b

    host = FunctionTools([add])

Its arguments are checked against the annotations before it runs. A plain function runs in a
thread, so that it cannot hold up the event loop; a coroutine function runs on the loop.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

import msgspec

from bestchat_server_ext.core.tools import (
    Effect,
    JsonObject,
    ToolExecution,
    ToolResult,
    ToolSpec,
)


class FunctionTools:
    """A tool host of Python functions."""

    def __init__(self, functions: Iterable[Callable[..., Any]] = ()) -> None:
        """Register functions; an undeclared effect counts as `execute`."""
        self._functions: dict[str, tuple[ToolSpec, Callable[..., Any], type[msgspec.Struct]]] = {}
        for function in functions:
            self.register(function)

    def register(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        effect: Effect = "execute",
        idempotent: bool = False,
    ) -> None:
        """Offer one more function.

        Raises:
            TypeError: an argument has no annotation, or one that JSON cannot express.
        """
        tool_name = name or function.__name__
        arguments = _arguments_of(function, tool_name)
        spec = ToolSpec(
            name=tool_name,
            description=inspect.getdoc(function) or "",
            parameters=_schema(arguments),
            effect=effect,
            idempotent=idempotent,
        )
        self._functions[tool_name] = (spec, function, arguments)

    def tools(self) -> list[ToolSpec]:
        """What was registered."""
        return [spec for spec, _, _ in self._functions.values()]

    async def run(self, execution: ToolExecution) -> ToolResult:
        """Check the arguments, call the function, and put what it returns into text."""
        call = execution.effective
        _, function, model = self._functions[call.name]
        try:
            arguments = msgspec.json.decode(call.arguments or "{}", type=model)
        except msgspec.MsgspecError as error:
            return ToolResult(f"The arguments do not fit: {error}", is_error=True)
        given = {field: getattr(arguments, field) for field in model.__struct_fields__}
        try:
            if inspect.iscoroutinefunction(function):
                returned = await function(**given)
            else:
                returned = await asyncio.to_thread(_called, function, given)
            return ToolResult(_text(returned))
        except Exception as error:  # noqa: BLE001  whatever a tool raises is its result
            return ToolResult(f"{type(error).__name__}: {error}", is_error=True)


def _called(function: Callable[..., Any], given: dict[str, Any]) -> object:
    try:
        return function(**given)
    except StopIteration as error:  # a future cannot carry this one
        raise RuntimeError("StopIteration") from error


def _arguments_of(function: Callable[..., Any], name: str) -> type[msgspec.Struct]:
    """A model of a function's arguments."""
    hints = get_type_hints(function, include_extras=True)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise TypeError(f"Tool {name!r}: *args and **kwargs cannot be described to a model.")
        if parameter.name not in hints:
            raise TypeError(f"Tool {name!r}: argument {parameter.name!r} has no annotation.")
        if parameter.default is parameter.empty:
            fields.append((parameter.name, hints[parameter.name]))
        else:
            fields.append((parameter.name, hints[parameter.name], parameter.default))
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def _schema(model: type[msgspec.Struct]) -> JsonObject:
    """JSON Schema of a model, with nested types inlined under `$defs`."""
    (reference,), components = msgspec.json.schema_components(
        [model], ref_template="#/$defs/{name}"
    )
    own = dict(components.pop(reference["$ref"].removeprefix("#/$defs/")))
    own.pop("title", None)
    if components:
        own["$defs"] = components
    return own


def _text(returned: object) -> str:
    if isinstance(returned, str):
        return returned
    try:
        return msgspec.json.encode(returned).decode()
    except (TypeError, ValueError, msgspec.MsgspecError):
        return repr(returned)
