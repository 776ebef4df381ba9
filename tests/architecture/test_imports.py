"""What loads what: nothing heavy at server start or at `%load_ext`."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "aiohttp",
    "aiosqlite",
    "alembic",
    "litellm",
    "pandas",
    "numpy",
    "pydantic",
    "sqlalchemy",
    "xllamacpp",
)


LOAD_EXT = """
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.instance().run_line_magic("load_ext", "bestchat_kernel")
"""


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after some code."""
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import bestchat_server_ext", (*HEAVY, "tornado", "jupyter_server", "msgspec")),
        ("import bestchat_kernel", (*HEAVY, "tornado", "jupyter_server", "IPython")),
        ("import bestchat_kernel.magics", (*HEAVY, "jupyter_server")),
        ("import bestchat_server_ext.web.extension", HEAVY),
        ("import bestchat_server_ext.bootstrap", HEAVY),
        ("import bestchat_server_ext.client.remote", ("sqlalchemy", "tornado", "jupyter_server")),
        (
            LOAD_EXT,
            (*HEAVY, "jupyter_server"),
        ),
    ],
)
def test_heavy_libraries_load_on_first_use(code: str, absent: tuple[str, ...]) -> None:
    assert loaded_by(code).isdisjoint(absent)
