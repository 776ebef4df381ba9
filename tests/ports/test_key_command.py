from __future__ import annotations

import os
import sys

import pytest

from bestchat_server_ext.adapters.key_command import SubprocessKeyCommands
from bestchat_server_ext.core.errors import Unavailable

SECRETS = (
    *("BESTCHAT_MASTER_KEYS", "BESTCHAT_DATABASE_URL", "BESTCHAT_REDIS_URL", "BESTCHAT_TOKEN"),
    *("BESTCHAT_URL", "PGPASSWORD"),
)

CHILD = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("canary", flush=True)
import time; time.sleep(600)
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


async def test_what_a_command_prints() -> None:
    commands = SubprocessKeyCommands()
    assert await commands.run(python("print('a key')")) == f"a key{os.linesep}"


async def test_no_shell_looks_at_it() -> None:
    said = await SubprocessKeyCommands().run(
        python("import sys; print(sys.argv[1:])", "$HOME", "a b", ";ls", "*")
    )
    assert said.strip() == "['$HOME', 'a b', ';ls', '*']"


async def test_it_sees_the_environment_without_our_secrets() -> None:
    given = {"PATH": os.environ["PATH"], "CLOUD": "here"} | dict.fromkeys(SECRETS, "secret")
    code = f"import os; print(*sorted({{'CLOUD', *{SECRETS!r}}} & set(os.environ)))"
    assert (await SubprocessKeyCommands(given).run(python(code))).split() == ["CLOUD"]


async def test_nobody_is_asked() -> None:
    assert await SubprocessKeyCommands().run(python("import sys; print(sys.stdin.read())")) == "\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-command-anywhere"], "cannot be run"),
        ([os.sep], "cannot be run"),
        (["with\0nul"], "cannot be run"),
        (python("print('canary'); raise SystemExit(3)"), "exit code 3"),
        (python("import sys; print('canary', file=sys.stderr); sys.exit('canary')"), "exit code 1"),
    ],
)
async def test_one_that_fails_says_nothing_of_what_it_printed(
    command: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unavailable, match=said) as caught:
        await SubprocessKeyCommands().run(command)
    assert "canary" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


async def test_one_that_hangs_is_ended_with_all_it_started() -> None:
    """What it started keeps its output open, and would be waited for without end."""
    with pytest.raises(Unavailable, match="takes too long"):
        await SubprocessKeyCommands(limit_seconds=1).run(python(CHILD))
