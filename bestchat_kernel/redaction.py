"""Secrets in what goes along with a prompt are left out, by pattern, and the user is told.

A pattern cannot know every secret: this is a net below somebody who mentions the wrong variable,
and no wall. What a user types into the prompt itself is theirs to say.
"""

from __future__ import annotations

import re
from dataclasses import replace

from bestchat_kernel.attachment import Attachment
from bestchat_kernel.secret_patterns import LONG_WORD, NAME, PATTERNS

REDACTED = "[redacted]"

_SECRET_NAME = re.compile(rf"{NAME}\Z", re.IGNORECASE | re.ASCII)
_TOKEN_NAME = re.compile(r"token\Z", re.IGNORECASE)
_LONG_WORD = re.compile(rf"\s*['\"]?{LONG_WORD}['\"]?\s*")


def is_secret_name(name: object) -> bool:
    """Whether a name, or one level of a column's name, says that its value is a secret."""
    if isinstance(name, tuple):
        return any(is_secret_name(level) for level in name)
    return isinstance(name, str) and _SECRET_NAME.search(name) is not None


def is_secret(name: object, shown: str) -> bool:
    """Whether something is a secret by its name, or, called a token, by how its value looks."""
    if is_secret_name(name):
        return True
    last = name[-1] if isinstance(name, tuple) and name else name
    if not isinstance(last, str) or _TOKEN_NAME.search(last) is None:
        return False
    return _LONG_WORD.fullmatch(shown) is not None


def redacted(text: str) -> tuple[str, int]:
    """A text without what looks like a secret, and how many were left out."""
    counted = 0

    def leave_out(found: re.Match[str]) -> str:
        nonlocal counted
        if REDACTED in found[0]:
            return found[0]
        counted += 1
        return (found.groupdict().get("before") or "") + REDACTED

    for pattern in PATTERNS:
        text = pattern.sub(leave_out, text)
    return text, counted


class Redaction:
    """Redacts what goes along with one prompt."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.notes: list[str] = []
        """What the user is told."""

    def summary(self, summary: str, name: str) -> str:
        """A value's summary, whose secrets by name were left out when it was made."""
        return self._without(summary, name, summary.count(REDACTED))

    def attachment(self, attachment: Attachment) -> Attachment:
        """An attachment without secrets: all of it, if its name says that it is one."""
        if attachment.kind == "variable":
            name = f"@{attachment.name}"
            if is_secret(attachment.name, attachment.summary.partition("\n")[2]):
                self._tell(name, 1)
                return replace(attachment, summary=f"{attachment.name}: {REDACTED}")
            return replace(attachment, summary=self.summary(attachment.summary, name))
        if attachment.kind == "output":
            return replace(attachment, summary=self.summary(attachment.summary, attachment.name))
        return replace(attachment, summary=self._without(attachment.summary, attachment.name))

    def _without(self, text: str, name: str, before: int = 0) -> str:
        """A text without secrets; `name` is what it is called in the note."""
        safe, counted = redacted(text)
        if before + counted:
            self._tell(name, before + counted)
        return safe

    def _tell(self, name: str, counted: int) -> None:
        line = " ".join(name.split())
        shown = line if len(line) <= 60 else f"{line[:59]}…"  # noqa: PLR2004  a line's worth
        what = "what looks like a secret" if counted == 1 else f"{counted} likely secrets"
        self.notes.append(f"left out of what is sent: {what} in `{shown}`.")
