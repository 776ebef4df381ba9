"""Secrets in what goes along with a prompt are left out, by pattern, and the user is told.

A pattern cannot know every secret: this is a net below somebody who mentions the wrong variable,
and no wall. What a user types into the prompt itself is theirs to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from bestchat_kernel.attachment import Attachment

REDACTED = "[redacted]"

_NAME = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|(?<=[_-])token|api[_-]?key|access[_-]?key(?:[_-]?id)?"
    r"|secret[_-]?key|private[_-]?key|auth[_-]?key|credentials?|authorization)"
)
_SECRET_NAME = re.compile(rf"(?:.*[_\W])?{_NAME}(?:[_-]\d+)?", re.IGNORECASE)

_FORMATS = re.compile(
    r"""
      -----BEGIN[ A-Z0-9]*PRIVATE\ KEY-----.*?(?:-----END[ A-Z0-9]*PRIVATE\ KEY-----|\Z)
    | \beyJ[\w-]{8,999}\.eyJ[\w-]{8,9999}\.[\w-]*     # a JSON web token
    | \b(?:
          sk-[\w-]{16,}                               # OpenAI, Anthropic, OpenRouter
        | (?:gh[opusr]|github_pat)_\w{16,}
        | glpat-[\w-]{16,}
        | (?:AKIA|ASIA)[0-9A-Z]{16}
        | AIza[\w-]{30,}
        | xox[abeoprs]-[\w-]{10,}
        | (?:hf|gsk|npm|bc)_[A-Za-z0-9]{20,}
        | (?:xai|pypi)-[\w-]{20,}
        | [rs]k_(?:live|test)_\w{16,}                 # Stripe
        | SG\.[\w-]{16,}\.[\w-]{16,}                  # SendGrid
      )
    """,
    re.VERBOSE | re.DOTALL,
)

# Every repetition has an end, so that no text, whoever wrote it, takes more than its length.
_BEHIND = [
    # Bearer 0123…, Basic dXNlc…
    re.compile(r"(?P<before>\b(?:bearer|basic)\s+)(?P<secret>[\w.~+/=-]{12,})", re.IGNORECASE),
    # https://user:password@host
    re.compile(
        r"(?P<before>\b[a-z][a-z0-9+.-]{0,19}://[^\s/:@'\"]{0,99}:)(?P<secret>[^\s/@'\"]{1,999})(?=@)"
    ),
    # 'password': 'x', password="x", "api_key": "x"
    re.compile(
        rf"(?P<before>(?<![A-Za-z0-9])[\w-]{{0,40}}?(?<![A-Za-z0-9]){_NAME}(?:[_-]\d+)?['\"]?\s*[:=]\s*"
        r"b?(?P<quote>['\"]))(?P<secret>(?:\\.|(?!(?P=quote)).)+)",
        re.IGNORECASE,
    ),
    # OPENAI_API_KEY=x, as files of settings have it
    re.compile(
        rf"(?P<before>^[ \t]*(?:export[ \t]+)?[A-Z0-9_]*?(?<![A-Z0-9]){_NAME.upper()}[ \t]*=[ \t]*)"
        r"(?P<secret>[^\s'\"]{4,})",
        re.MULTILINE,
    ),
]


def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is a secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def redacted(text: str) -> tuple[str, int]:
    """A text without what looks like a secret, and how many were left out."""
    counted = 0

    def leave_out(before: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
        def put(found: re.Match[str]) -> str:
            nonlocal counted
            if REDACTED in found[0]:
                return found[0]
            counted += 1
            return before(found) + REDACTED

        return put

    for pattern in _BEHIND:
        text = pattern.sub(leave_out(lambda found: found["before"]), text)
    return _FORMATS.sub(leave_out(lambda _: ""), text), counted


class Redaction:
    """Redacts what goes along with one prompt."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.notes: list[str] = []
        """What the user is told."""

    def text(self, text: str, name: str) -> str:
        """A text without secrets; `name` is what it is called in the note."""
        safe, counted = redacted(text)
        if counted:
            self._tell(name, counted)
        return safe

    def attachment(self, attachment: Attachment) -> Attachment:
        """An attachment without secrets: all of it, if its name says that it is one."""
        if attachment.kind == "variable" and is_secret_name(attachment.name):
            self._tell(f"@{attachment.name}", 1)
            return replace(attachment, summary=f"{attachment.name}: {REDACTED}")
        name = f"@{attachment.name}" if attachment.kind == "variable" else attachment.name
        return replace(attachment, summary=self.text(attachment.summary, name))

    def _tell(self, name: str, counted: int) -> None:
        line = " ".join(name.split())
        shown = line if len(line) <= 60 else f"{line[:59]}…"  # noqa: PLR2004  a line's worth
        what = "what looks like a secret" if counted == 1 else f"{counted} likely secrets"
        self.notes.append(f"left out of what is sent: {what} in `{shown}`.")
