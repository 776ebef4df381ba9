"""One child process: start it, see whether it lives, stop it.

Plain `subprocess` with threads rather than asyncio's: those children are tied to one event loop,
and on some loops only the main thread may have any.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.ports.endpoint import Address

_START_SECONDS = 60.0
_LEAVE_SECONDS = 1.0
"""How long a child may take to leave before it is killed."""
_TAIL_LINES = 20
_MODULE = "bestchat_server_ext.adapters.local_model.child"
_KEPT = frozenset(
    {
        *("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH"),
        *("SYSTEMROOT", "USERPROFILE", "LOCALAPPDATA"),
    }
)
"""Variables that a child gets: no provider's key is among them."""


class Child:
    """A llama.cpp server in a process of its own. All methods block; use a thread."""

    def __init__(self, start_seconds: float = _START_SECONDS) -> None:
        """Start the process; it does nothing until `serve`."""
        self._start_seconds = start_seconds
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._process = subprocess.Popen(  # noqa: S603  the command is fixed
            [sys.executable, "-P", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(os.environ),
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def serve(self, weights: Path, *, threads: int, window: int, limit: int, alias: str) -> Address:
        """Load the model; give the address of the server once it answers.

        Args:
            weights: the model's file.
            threads: how many to compute with.
            window: tokens that a request and its answer may have together.
            limit: tokens that an answer may have.
            alias: what the server calls the model.

        Raises:
            Unavailable: the server did not start, or not in time. The process is stopped then.
        """
        key = secrets.token_urlsafe(24)
        options = {
            "weights": str(weights),
            "key": key,
            "threads": threads,
            "window": window,
            "limit": limit,
            "alias": alias,
        }
        late = threading.Timer(self._start_seconds, self._process.kill)
        late.start()
        try:
            answer = self._exchange(json.dumps(options) + "\n")
        finally:
            late.cancel()
        if not answer:
            self.stop()
            raise Unavailable("The demo model did not start.", hint=self._reason())
        return Address(json.loads(answer)["url"] + "/v1", key)

    def stop(self) -> None:
        """End the process, within two seconds. May be called twice, and while `serve` waits."""
        process = self._process
        if process.stdin is not None and not process.stdin.closed:
            with suppress(OSError):  # it has gone already, with something still unread
                process.stdin.close()
        try:
            process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._listener.join()
        if process.stdout is not None:
            process.stdout.close()

    def _exchange(self, line: str) -> str:
        """Send one line, receive one; none if the process leaves before it answers."""
        process = self._process
        assert process.stdin is not None  # noqa: S101  asked for above
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(line)
            process.stdin.flush()
            return process.stdout.readline()
        except (OSError, ValueError):
            return ""  # it has gone, or `stop` has closed the pipes

    def _listen(self) -> None:
        """Keep the end of what the process complains about, and its pipe empty."""
        assert self._process.stderr is not None  # noqa: S101
        with self._process.stderr as complaints:
            for line in complaints:
                self._tail.append(line.strip())

    def _reason(self) -> str:
        said = next((line for line in reversed(self._tail) if line), "")
        status = self._process.returncode
        return f"Its process ended with status {status}: {said or 'it said nothing'}."


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """The variables of a child: what Python and the loader need, and the way to this package."""
    kept = {name: value for name, value in own.items() if name in _KEPT or name.startswith("LC_")}
    root = str(Path(__file__).parents[3])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [root, kept.get("PYTHONPATH", "")]))
    return kept
