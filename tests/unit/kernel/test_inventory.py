"""What the panel is told of a kernel's variables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from bestchat_kernel import inventory


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    shell = InteractiveShell()
    monkeypatch.setattr(inventory, "get_ipython", lambda: shell)
    shell.run_cell("sales = {'north': 1200}\nprice = 7\ndef code(): pass\nimport json\n_own = 1")
    return shell


def told(shell: InteractiveShell, expression: str) -> Any:
    """What a front end gets for an expression: it has to be JSON."""
    given = shell.user_expressions(
        {"told": f"__import__('bestchat_kernel.inventory', fromlist=['names']).{expression}"}
    )
    assert given["told"]["status"] == "ok", given
    return json.loads(json.dumps(given["told"]["data"]["application/json"]))


def test_variables_are_named_with_their_types_and_code_is_not(shell: InteractiveShell) -> None:
    assert told(shell, "names()") == [["sales", "dict"], ["price", "int"]]


def test_a_variable_is_told_in_few_words(shell: InteractiveShell) -> None:
    shell.user_ns["long"] = ["x" * 1000] * 1000
    assert "1200" in told(shell, "described('sales')")["summary"]
    assert len(told(shell, "described('long')")["summary"]) < 3000


def test_what_is_not_there_has_near_names(shell: InteractiveShell) -> None:
    assert told(shell, "described('salez')") == {"near": ["sales"]}
    assert told(shell, "described('code')") == {"near": []}
    assert told(shell, "described('no such')") == {"near": []}


def test_secrets_stay_in_the_kernel(shell: InteractiveShell) -> None:
    shell.user_ns["api_key"] = "sk-" + "a" * 40
    assert "aaaa" not in json.dumps(told(shell, "described('api_key')"))


def test_nothing_is_left_behind(shell: InteractiveShell) -> None:
    before = set(shell.user_ns)
    told(shell, "names()")
    assert set(shell.user_ns) == before


def test_where_there_is_no_shell_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "get_ipython", lambda: None)
    assert inventory.names()._repr_mimebundle_() == {"application/json": [], "text/plain": ""}
