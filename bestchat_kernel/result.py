"""What a cell leaves behind."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bestchat_server_ext.core.models import Usage

_FENCE = re.compile(
    r"^(?P<indent> {0,3})(?P<fence>`{3,}|~{3,})[^\n`]*\n(?P<body>.*?)^ {0,3}(?P=fence)[`~]*[ \t]*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class ChatResult:
    """One answer.

    Attributes:
        text: the answer, as the model wrote it.
        model: the model that wrote it, as a model reference.
        usage: tokens of the whole turn, as the provider counted them.
        conversation_id: where it was said.
        turn_id: the turn that brought it.
    """

    text: str
    model: str
    usage: Usage
    conversation_id: str
    turn_id: str

    @property
    def code(self) -> list[str]:
        """The bodies of the answer's fenced code blocks, in order."""
        return [match["body"].removesuffix("\n") for match in _FENCE.finditer(self.text)]

    def __str__(self) -> str:
        """The answer."""
        return self.text
