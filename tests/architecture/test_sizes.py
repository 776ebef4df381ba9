"""How large things may get before they have to be taken apart."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path
    for package in ("bestchat_kernel", "bestchat_server_ext")
    for path in (ROOT / package).rglob("*.py")
)

LONGEST_FUNCTION = 60
MEDIAN_FUNCTION = 12
LONGEST_MODULE = 600


def function_lengths(path: Path) -> dict[str, int]:
    """Lines of every function of a module, nested ones included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or 0)
        - node.lineno
        + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_and_no_module_is_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE
    too_long = {name: n for name, n in function_lengths(path).items() if n > LONGEST_FUNCTION}
    assert not too_long


def test_the_median_function_is_short() -> None:
    lengths = [n for path in MODULES for n in function_lengths(path).values()]
    assert median(lengths) <= MEDIAN_FUNCTION
