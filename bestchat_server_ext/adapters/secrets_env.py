"""Provider keys from environment variables."""

from __future__ import annotations

from collections.abc import Collection, Mapping


class EnvSecrets:
    """Looks keys up in an environment that is handed in."""

    def __init__(self, environ: Mapping[str, str], hidden: Collection[str] = ()) -> None:
        """Read from this environment, each time anew: a notebook may set a key later.

        Args:
            environ: the environment.
            hidden: names that are not looked at.
        """
        self._environ = environ
        self._hidden = frozenset(hidden)

    def get(self, name: str) -> str | None:
        """The value without surrounding white space; none where nothing is left of it."""
        if name in self._hidden:
            return None
        return self._environ.get(name, "").strip() or None
