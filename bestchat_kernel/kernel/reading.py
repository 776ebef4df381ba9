"""What a cell of the BestChat kernel is: a message, a command, or something for IPython.

A cell is a message unless its first characters say otherwise. Each sign that makes it something
else is one that prose hardly begins with, and `%%message` sends whatever follows it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["message", "python", "ipython", "command", "again", "code", "nothing"]
"""`ipython` is left to IPython as it is; `again` asks anew; `code` runs code of an answer."""


@dataclass(frozen=True)
class Cell:
    """A cell, understood.

    Attributes:
        kind: what it is.
        text: its message, its Python, or what stands behind a command's name.
        name: the command's name.
    """

    kind: Kind
    text: str
    name: str = ""


_PYTHON = re.compile(r"%%python(?!\S)[ \t]*\n?")
# What papermill puts above the cell that it injects.
_PAPERMILL = "# Parameters\n"
_MESSAGE = re.compile(r"%%message(?!\S)[ \t]*\n?")
_AGAIN = re.compile(r"%again(?!\S)[ \t]*\n?")
_CODE = re.compile(r"%run_code(?!\S)[ \t]*(?P<which>[^\n]*)\s*")
# "50 % of them" and "! " begin no magic and no shell command; "%matplotlib" and "!ls" do.
_IPYTHON = re.compile(r"%%?[^\W\d]|!!?[^\s!]")
# A path is no command: "/usr/bin is full".
_COMMAND = re.compile(r"/(?P<name>[a-z]+)(?!\S)")
_HELP = re.compile(r"(?P<before>\?{1,2})?(?P<name>%{0,2}[^\W\d][\w.]*)(?P<after>\?{1,2})?")


def read(source: str, known: Callable[[str], bool]) -> Cell:
    """Understand a cell.

    Args:
        source: the cell, as it was written.
        known: whether a name stands for something, so that `name?` asks IPython about it.
    """
    text = source.lstrip("\ufeff \t\r\n")
    if not text.strip():
        return Cell("nothing", "")
    if (found := _PYTHON.match(text)) is not None:
        return Cell("python", text[found.end() :])
    if text.startswith(_PAPERMILL) and is_plainly_python(text):
        return Cell("python", text)
    if (found := _MESSAGE.match(text)) is not None:
        return Cell("message", text[found.end() :])
    if (found := _AGAIN.match(text)) is not None:
        return Cell("again", text[found.end() :])
    if (found := _CODE.fullmatch(text)) is not None:
        return Cell("code", found["which"].strip())
    if _IPYTHON.match(text) is not None or _asks_for_help(text.strip(), known):
        return Cell("ipython", source)
    if (found := _COMMAND.match(text)) is not None:
        return Cell("command", text[found.end() :].strip(), found["name"])
    return Cell("message", source)


def _asks_for_help(text: str, known: Callable[[str], bool]) -> bool:
    """Whether a cell is `name?` or `?name`; "Why?" is a question, unless that is a variable."""
    found = _HELP.fullmatch(text)
    if found is None or not (found["before"] or found["after"]):
        return False
    return found["name"].startswith("%") or known(found["name"].partition(".")[0])


def is_plainly_python(text: str) -> bool:
    """Whether a text is Python and could hardly be anything else.

    "hello", "this, or that" and "continue" are Python as well; nobody means them so.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return any(map(_is_code, tree.body))


_BLOCKS = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AugAssign,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.If,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.Match,
)


def _is_code(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.AnnAssign):  # "Task: summarise" has no value
        return statement.value is not None
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, (ast.Call, ast.Await, ast.Subscript))
    return isinstance(statement, _BLOCKS)
