"""How a failed chat looks: one line, and an exception, so that nothing runs on by mistake."""

from __future__ import annotations

from bestchat_kernel.visible import one_line
from bestchat_server_ext.core.errors import ChatError


class ChatFailed(Exception):
    """A chat cell did not bring an answer.

    Attributes:
        error: what went wrong, with its `info.code` for programs.
    """

    def __init__(self, error: ChatError) -> None:
        """Say what `error` says; a provider's own words may come in several lines."""
        super().__init__(one_line(str(error), longest=2000))
        self.error = error

    @property
    def line(self) -> str:
        """What a cell shows."""
        return f"{self.error.info.code}: {self}"

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a stack, which would tell a user nothing."""
        return [self.line]


class ChatInterrupted(KeyboardInterrupt):
    """A chat cell was interrupted; what had arrived is shown and kept."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a stack."""
        return [str(self)]
