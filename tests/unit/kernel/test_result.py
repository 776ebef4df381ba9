from __future__ import annotations

import pytest

from bestchat_kernel.result import ChatResult
from bestchat_server_ext.core.models import Usage


def result(text: str) -> ChatResult:
    return ChatResult(text, "local/tiny", Usage(1, 2), "conversation", "turn")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no code, only `a span`", []),
        ("```python\nx = 1\n```", ["x = 1"]),
        ("```\nx\n\ny\n```\n", ["x\n\ny"]),
        ("a\n```py\nx\n```\nb\n~~~\ny\n~~~", ["x", "y"]),
        ("```\n```", [""]),
        ("````md\n```\nx\n```\n````", ["```\nx\n```"]),
        ("~~~\n```\n~~~", ["```"]),
        ("```\nx\n`````", ["x"]),
        ("```\nx\n```   ", ["x"]),
        ("```\nx\n``` y\nz\n```", ["x\n``` y\nz"]),
        ("```\nx\n~~~\ny\n```", ["x\n~~~\ny"]),
        ("```a`b\nx\n```", []),
        ("~~~ a`b\nx\n~~~", ["x"]),
        ("```\nnever closed", ["never closed"]),
        ("```\r\nx\r\ny\r\n```\r\n", ["x\ny"]),
        ("1. Do:\n\n   ```python\n   if x:\n       y\n   ```\n", ["if x:\n    y"]),
        ("- a\n  - b\n    ```\n    x\n    ```", ["x"]),
        ("> ```\n> x\n> ```", ["x"]),
        ("  ```\nx\n  y\n  ```", ["x\ny"]),
        ("```\n    ```\n```", ["    ```"]),
    ],
)
def test_code(text: str, code: list[str]) -> None:
    assert result(text).code == code


def test_it_reads_as_its_text() -> None:
    assert str(result("Hello")) == "Hello"
