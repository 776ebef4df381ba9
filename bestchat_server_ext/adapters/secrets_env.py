"""Provider keys from environment variables."""

from __future__ import annotations

from collections.abc import Mapping


class EnvSecrets:
    """Looks keys up in an environment that is handed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read from this environment, each time anew: a notebook may set a key later."""
        self._environ = environ

    def get(self, name: str) -> str | None:
        """The value without surrounding white space; none where nothing is left of it."""
        return self._environ.get(name, "").strip() or None
