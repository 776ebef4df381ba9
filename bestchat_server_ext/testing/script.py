"""Scripts for tests of your own: what a model will say, decided beforehand.

The format is described in `core.script`; `scripted/<name>` answers from `<name>.json`.

Example:
    >>> from pathlib import Path
    >>> from bestchat_server_ext.testing.script import Say, Script, ScriptTurn, write
    >>> script = Script(turns=(ScriptTurn(steps=((Say("Hello."),),)),))
    >>> write(script, Path("scripts/hello.json"))  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from bestchat_server_ext.core.script import (
    Action,
    Call,
    Count,
    Echo,
    Fail,
    Report,
    Say,
    Script,
    ScriptTurn,
    Think,
    Wait,
    parse,
)

__all__ = [
    "Action",
    "Call",
    "Count",
    "Echo",
    "Fail",
    "Report",
    "Say",
    "Script",
    "ScriptTurn",
    "Think",
    "Wait",
    "write",
]


def write(script: Script, path: Path) -> Path:
    """Write a script to a file, making its folder; give the path back.

    Raises:
        InvalidRequest: the script cannot be used, for example because of a bad `when`.
    """
    text = msgspec.json.format(msgspec.json.encode(script))
    parse(text, path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    return path
