"""Master keys in the keyring of the operating system.

Only real ones count: on a machine without a desktop, the library offers stand-ins that refuse
everything, forget everything or write plain text. A keyring may also be locked and ask somebody who
is not there, so it is given a few seconds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from bestchat_server_ext.core.errors import InvalidRequest, Unavailable
from bestchat_server_ext.core.vault import MasterKey, read_keys, write_keys

_log = logging.getLogger(__name__)

LIMIT_SECONDS = 5.0
"""How long a keyring may take to answer."""

REAL = (
    "keyring.backends.SecretService",
    "keyring.backends.kwallet",
    "keyring.backends.libsecret",
    "keyring.backends.macOS",
    "keyring.backends.Windows",
)
"""The modules of keyrings that keep what they are given, and keep it to themselves."""

SERVICE = "bestchat"

Keys = tuple[MasterKey, ...]
Result = TypeVar("Result")


class Backend(Protocol):
    """A keyring, as the library shows it."""

    def get_password(self, service: str, username: str) -> str | None:
        """What was kept."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep something."""
        ...


def find_backend() -> Backend | None:
    """The first real keyring of this machine; none if there is none. May block."""
    try:
        import keyring
        from keyring.backends import chainer

        chosen = keyring.get_keyring()
        candidates = chosen.backends if isinstance(chosen, chainer.ChainerBackend) else [chosen]
    except Exception as error:  # noqa: BLE001  whatever a desktop's services raise
        _log.debug("BestChat: no keyring: %s", type(error).__name__)
        return None
    return next((item for item in candidates if type(item).__module__ in REAL), None)


class Keyring:
    """The keyring. All of it blocks, though not for long."""

    own = True
    notice = ""
    label = "the keyring of the operating system"

    def __init__(
        self,
        alone: Callable[[], AbstractContextManager[None]],
        data_dir: Path,
        find: Callable[[], Backend | None] = find_backend,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        """Know how to find it; nobody is asked yet.

        Args:
            alone: keeps other processes from changing master keys: keyrings know no locks.
            data_dir: whose database the keys are for. Each has an entry of its own, or a rotation
                of the one would drop what the other still needs.
            find: finds a real keyring.
            limit_seconds: how long it may take to answer.
        """
        self._alone = alone
        self._account = f"master keys for {data_dir}"
        self._find = find
        self._limit_seconds = limit_seconds
        self._backend: Backend | None = None
        self._looked = False
        self._looking = threading.Lock()

    def exists(self) -> bool:
        """Whether there is a real one that answers. What did not answer once is not asked again."""
        with self._looking:  # several threads may want to know at the same time
            if not self._looked:
                self._look()
            return self._backend is not None

    def _look(self) -> None:
        try:
            self._backend = self._timed(self._find)
            self.read()
        except Unavailable as error:
            _log.info("BestChat: the keyring is not used: %s", error.info.text)
            self._backend = None
        self._looked = True

    def read(self) -> Keys:
        """The keys in it, the one that seals first.

        Raises:
            Unavailable: it does not answer.
        """
        backend = self._backend
        if backend is None:
            return ()
        text = self._timed(lambda: backend.get_password(SERVICE, self._account)) or ""
        try:
            return read_keys(text, self.label)
        except InvalidRequest as error:
            raise Unavailable(error.info.text, hint="Mend or delete that entry.") from error

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        """Replace what is in it; give what is in it now.

        Raises:
            Unavailable: it does not answer, or another process takes too long.
        """
        backend = self._backend
        if backend is None:
            return ()
        with self._alone():
            before = self.read()
            after = change(before)
            if after != before:
                text = write_keys(after)
                self._timed(lambda: backend.set_password(SERVICE, self._account, text))
            return after

    def _timed(self, work: Callable[[], Result]) -> Result:
        """Do something in a thread that is left behind if it hangs."""
        done: list[Result] = []
        failed: list[Exception] = []

        def run() -> None:
            try:
                done.append(work())
            except Exception as error:  # noqa: BLE001  whatever a desktop's services raise
                failed.append(error)

        thread = threading.Thread(target=run, name="bestchat-keyring", daemon=True)
        thread.start()
        thread.join(self._limit_seconds)
        if done:
            return done[0]
        why = type(failed[0]).__name__ if failed else "no answer in time"
        raise Unavailable(
            f"The keyring of the operating system cannot be used: {why}.",
            hint="Unlock it, or set BESTCHAT_MASTER_KEYS.",
        )
