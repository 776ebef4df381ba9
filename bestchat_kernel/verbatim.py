"""Keeps IPython's own syntax away from what is written to a model."""

from __future__ import annotations

from collections.abc import Sequence
from tokenize import TokenInfo
from typing import Self

from IPython.core.inputtransformer2 import TokenTransformBase
from IPython.core.interactiveshell import InteractiveShell


def take_cell(lines: list[str]) -> list[str]:
    """Call the cell magic before IPython looks for its own syntax in the text.

    It would take `>>>` for its prompt and away, and refuse `%%chat question` without a body.
    """
    first, _, body = "".join(lines).lstrip().partition("\n")
    command, rest = first[:6], first[6:]
    if command != "%%chat" or (rest and not rest[0].isspace()):
        return lines
    text = body or "\n"  # IPython refuses an empty one
    return [f"get_ipython().run_cell_magic('chat', {rest.strip()!r}, {text!r})\n"]


# Who asks whether a cell is complete shall still see the cell magic, which a blank line ends.
take_cell.has_side_effects = True  # type: ignore[attr-defined]  # the name is IPython's


class ChatLine(TokenTransformBase):
    """Calls `%chat` with its line as it is.

    IPython would take a question mark at the end for a call of its help, and a backslash for a
    line that goes on.
    """

    priority = 0  # before all of IPython's own, where several begin at the same place

    @classmethod
    def find(cls, tokens_by_line: Sequence[Sequence[TokenInfo]]) -> Self | None:
        """The first line that begins with `%chat`, outside of strings."""
        for line in tokens_by_line:
            words = [token for token in line if token.string.strip()]
            if len(words) > 1 and [word.string for word in words[:2]] == ["%", "chat"]:
                begin, name = words[:2]
                rest = name.line[name.end[1] :]
                if begin.end == name.start and not rest[:1].strip():
                    return cls(begin.start)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """Replace that line by the call."""
        line = lines[self.start_line]
        indent, text = line[: self.start_col], line[self.start_col + len("%chat") :]
        call = f"{indent}get_ipython().run_line_magic('chat', {text.strip()!r})\n"
        return [*lines[: self.start_line], call, *lines[self.start_line + 1 :]]


def install(shell: InteractiveShell) -> None:
    """Begin to keep it away."""
    if take_cell not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.insert(0, take_cell)
    transformers = shell.input_transformer_manager.token_transformers
    if ChatLine not in transformers:
        transformers.append(ChatLine)


def uninstall(shell: InteractiveShell) -> None:
    """Let IPython have its way again."""
    if take_cell in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(take_cell)
    transformers = shell.input_transformer_manager.token_transformers
    if ChatLine in transformers:
        transformers.remove(ChatLine)
