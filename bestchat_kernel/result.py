"""What a cell leaves behind."""

from __future__ import annotations

from dataclasses import dataclass

from bestchat_kernel.markdown import safe_markdown
from bestchat_kernel.visible import visible
from bestchat_server_ext.core.fences import segments
from bestchat_server_ext.core.models import Usage

PYTHON = frozenset({"", "python", "python3", "py", "ipython", "ipython3"})
"""What a fence of Python says that it is."""


def python_in(text: str) -> str:
    """The Python of all fenced blocks of a text; empty if there is none."""
    return "\n\n".join(it.text for it in segments(text) if it.language in PYTHON)


@dataclass(frozen=True)
class ChatResult:
    """One answer.

    Attributes:
        text: the answer, as the model wrote it.
        model: the model that wrote it, as a model reference.
        usage: tokens of the whole turn, as the provider counted them.
        conversation_id: where it was said.
        turn_id: the turn that brought it.
        finish_reason: why the model stopped: `stop`, or `length` where its limit cut it off.
        message_id: the message that it is, in its conversation; empty in a replay.
        code: the bodies of the fenced code blocks in it.
    """

    text: str
    model: str
    usage: Usage
    conversation_id: str
    turn_id: str
    finish_reason: str = "unknown"
    message_id: str = ""

    @property
    def code(self) -> list[str]:
        """The bodies of the answer's fenced code blocks, in order.

        Without the indentation of the lists and the marks of the quotations that they stand in.
        One that broke off counts as well.
        """
        return [it.text for it in segments(self.text) if it.language is not None]

    def _repr_markdown_(self) -> str:
        """How a notebook shows it."""
        return safe_markdown(visible(self.text))

    def __str__(self) -> str:
        """The answer."""
        return self.text
