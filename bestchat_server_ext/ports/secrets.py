"""Provider keys, by the name of the variable that usually holds them."""

from __future__ import annotations

from typing import Protocol


class Secrets(Protocol):
    """Looks up keys and the addresses that go with them."""

    def get(self, name: str) -> str | None:
        """The value, or none where there is none. Never logged, never sent to a client."""
        ...
