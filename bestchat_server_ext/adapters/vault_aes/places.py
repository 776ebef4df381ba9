"""Where master keys can be, and which of those places counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bestchat_server_ext.adapters.vault_aes.key_file import KeyFile
from bestchat_server_ext.adapters.vault_aes.keyring import Keyring
from bestchat_server_ext.adapters.vault_aes.vault import AesVault, Place
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.vault import MASTER_KEYS, MasterKey, read_keys

FILE_NAME = "master.key"
"""The key file, in `data_dir`."""

Keys = tuple[MasterKey, ...]


class Variable:
    """`BESTCHAT_MASTER_KEYS`: read once, as a process's environment does not change."""

    own = False
    notice = ""
    label = f"the variable {MASTER_KEYS}"

    def __init__(self, text: str) -> None:
        """Read it.

        Raises:
            InvalidRequest: it cannot be read.
        """
        self._keys = read_keys(text, self.label)

    def exists(self) -> bool:
        """Whether there is anything in it."""
        return bool(self._keys)

    def read(self) -> Keys:
        """The keys in it."""
        return self._keys

    def change(self, change: Callable[[Keys], Keys]) -> Keys:
        """Nothing is changed: a process cannot change what it is configured with."""
        del change
        return self._keys


class Places:
    """All places of this process: where to seal, and where to look for a key by its id."""

    def __init__(
        self, variable: Variable, file: KeyFile, keyring: Keyring, *, shared: bool = False
    ) -> None:
        """Know these places.

        Args:
            variable: comes first.
            file: comes next if it is there, else last.
            keyring: comes between the two.
            shared: whether servers on other machines work on the same database: then a key that
                is kept here would be of no use to them, and only the variable counts.
        """
        self._variable = variable
        self._file = file
        self._keyring = keyring
        self._shared = shared

    def sealing(self) -> Place:
        """The place whose first key seals.

        Raises:
            Unavailable: there is none that all servers could read.
        """
        if self._variable.exists():
            return self._variable
        if self._shared:
            raise Unavailable(
                "No keys of providers are stored here: with a database for several servers, they "
                f"all need the same master key, and {MASTER_KEYS} is not set.",
                hint=f"Ask the administrator to set {MASTER_KEYS} for every server, or set the "
                "provider's own variable.",
            )
        if not self._file.exists() and self._keyring.exists():
            return self._keyring
        return self._file

    def places(self) -> Iterator[Place]:
        """All places there are, the quick ones first."""
        yield self._variable
        if not self._shared:
            yield self._file
            if self._keyring.exists():
                yield self._keyring

    def noted(self) -> Sequence[str]:
        """What a person should know, without asking anybody."""
        weak = not self._variable.exists() and not self._shared and self._file.exists()
        return [self._file.notice] if weak else []


def open_vault(environ: Mapping[str, str], data_dir: Path, *, shared: bool) -> AesVault:
    """A vault with the places of this process; none of them is asked yet.

    Args:
        environ: where the variable is looked up.
        data_dir: where the key file is.
        shared: whether servers on other machines work on the same database.

    Raises:
        InvalidRequest: the variable cannot be read.
    """
    variable = Variable(environ.get(MASTER_KEYS, ""))
    file = KeyFile(data_dir / FILE_NAME)
    return AesVault(Places(variable, file, Keyring(file.alone, data_dir), shared=shared))


def look(
    environ: Mapping[str, str], data_dir: Path, *, shared: bool
) -> tuple[str, tuple[str, ...]]:
    """What seals here, and what a person should know about that, without asking a keyring.

    Raises:
        InvalidRequest: the variable cannot be read.
        Unavailable: the key file cannot be used.
    """
    variable, file = Variable(environ.get(MASTER_KEYS, "")), KeyFile(data_dir / FILE_NAME)
    if variable.exists():
        return f"Keys of providers are encrypted under {variable.label}.", ()
    if shared:
        return f"No keys of providers are stored here: {MASTER_KEYS} is not set.", ()
    if file.read():
        return f"Keys of providers are encrypted under {file.label}.", (file.notice,)
    return "There is no key file; where there is a keyring, that holds the master key.", ()
