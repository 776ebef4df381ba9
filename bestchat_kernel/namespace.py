"""What the user has: variables, cells, their results, the last error, files."""

from __future__ import annotations

from collections.abc import Mapping

from IPython.core.interactiveshell import InteractiveShell

from bestchat_kernel.attachment import Attachment
from bestchat_kernel.elsewhere import Elsewhere
from bestchat_kernel.failures import Failures
from bestchat_kernel.files import attached
from bestchat_kernel.mentions import Places
from bestchat_server_ext.core.errors import ChatError


def variables(shell: InteractiveShell) -> Mapping[str, object]:
    """What the user has defined; IPython's helpers and history are not among it."""
    hidden = shell.user_ns_hidden
    return {
        name: value
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and not (name in hidden and hidden[name] is value)
    }


def places(shell: InteractiveShell, failures: Failures, elsewhere: Elsewhere) -> Places:
    """What can be mentioned in a shell beside its variables."""

    def source(number: int) -> str | None:
        cells = shell.history_manager.input_hist_raw if shell.history_manager else []
        return cells[number] if 0 < number < len(cells) else None

    def output(number: int) -> tuple[object, ...]:
        results = shell.user_ns.get("_oh", {})
        return (results[number],) if number in results else ()

    def error() -> str | None:
        last = failures.last
        return None if last is None else f"{last.source.rstrip()}\n\n{last.told}"

    return Places(source, output, error, _file, elsewhere.page, elsewhere.conversation)


def _file(path: str) -> Attachment:
    try:
        return attached(path)
    except ChatError as error:
        raise ValueError(error.info.text) from error
