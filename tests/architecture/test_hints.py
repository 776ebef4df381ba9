"""Every error says what to do about it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.errors import ChatError

ROOT = Path(__file__).parents[2]
FAMILY = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, ChatError)
}


def made(path: Path) -> Iterator[tuple[ast.Call, type[ChatError]]]:
    """The errors that a module makes; events may have the name of one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(name) | ast.Attribute(ast.Name("errors"), name)):
                if name in FAMILY:
                    yield node, FAMILY[name]


def test_no_error_is_without() -> None:
    """Neither its own nor its class's."""
    without = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in ("bestchat_server_ext", "bestchat_kernel")
        for path in sorted((ROOT / package).rglob("*.py"))
        if "testing" not in path.parts
        for call, member in made(path)
        if not member.default_hint and not {"hint", None} & {word.arg for word in call.keywords}
    ]
    assert without == []
