"""The user's own variables, as IPython holds them."""

from __future__ import annotations

from collections.abc import Mapping

from IPython.core.interactiveshell import InteractiveShell


def variables(shell: InteractiveShell) -> Mapping[str, object]:
    """What the user has defined; IPython's helpers and history are not among it."""
    hidden = shell.user_ns_hidden
    return {
        name: value
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and not (name in hidden and hidden[name] is value)
    }
