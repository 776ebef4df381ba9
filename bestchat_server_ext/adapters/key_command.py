"""Runs commands that print keys: `gcloud auth print-access-token` and the like."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from bestchat_server_ext.core.environment import inherited
from bestchat_server_ext.core.errors import Unavailable

LIMIT_SECONDS = 20.0
"""How long a command may take: it may have to ask somebody over a network."""

_END_SECONDS = 5.0
"""How long a command may take to be gone once it was killed."""

_HINT = "Run it in a terminal: it has to print the key, and nothing else."


class SubprocessKeyCommands:
    """Runs them without a shell, as the user of this process."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, limit_seconds: float = LIMIT_SECONDS
    ) -> None:
        """Run them in this environment; in that of the process, if none."""
        self._environ = environ
        self._limit_seconds = limit_seconds

    async def run(self, command: Sequence[str]) -> str:
        """What a command printed.

        Raises:
            Unavailable: it cannot be run, failed, or took too long; nothing that it printed is
                repeated.
        """
        return await asyncio.to_thread(self._run, list(command))

    def _run(self, command: list[str]) -> str:
        environ = os.environ if self._environ is None else self._environ
        name = os.path.basename(command[0])  # noqa: PTH119  a command need not be a path
        try:
            process = subprocess.Popen(  # noqa: S603  its user has set it, on the command line
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # it may hold anything
                env=inherited(environ),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise Unavailable(
                f"The command {name}, which should print a key, cannot be run: {why}.", hint=_HINT
            ) from None
        try:
            output, _ = process.communicate(timeout=self._limit_seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise Unavailable(
                f"The command {name}, which should print a key, takes too long.", hint=_HINT
            ) from None
        if process.returncode != 0:
            raise Unavailable(
                f"The command {name}, which should print a key, failed with exit code "
                f"{process.returncode}.",
                hint=_HINT,
            )
        return output.decode(errors="replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command, and what it has started: that would keep its output open."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()  # not read to its end: who has left the session may hold it open
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
