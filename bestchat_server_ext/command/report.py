"""What checks find, how it looks, and what is taken out of it."""

from __future__ import annotations

import json
import re
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from bestchat_server_ext.core.errors import ChatError

Level = Literal["ok", "warning", "problem"]

INTRODUCTION = "BestChat's doctor. A report to paste: it holds no keys, tokens or passwords."

HIDDEN = "***"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        level: how bad it is.
        text: what was found.
        todo: what to do about it.
    """

    level: Level
    text: str
    todo: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(text: str) -> Finding:
    """Something is as it should be, or a plain fact."""
    return Finding("ok", text)


def warning(text: str, todo: str) -> Finding:
    """Something works, yet not as somebody may think."""
    return Finding("warning", text, todo)


def problem(text: str, todo: str) -> Finding:
    """Something is broken."""
    return Finding("problem", text, todo)


def examined(check: Check) -> tuple[Finding, ...]:
    """What a check finds. One that fails says so, and stops no other."""
    try:
        return tuple(check())
    except ChatError as error:
        return (problem(error.info.text, error.info.hint),)
    except Exception as error:  # noqa: BLE001  the report is for what nobody has thought of
        # What the exception says is left out: it may quote anything.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        return (
            problem(
                f"This could not be looked into: {type(error).__name__} at {place}.",
                "Please report it, with this page.",
            ),
        )


@dataclass(frozen=True)
class Report:
    """All that was found, section by section."""

    sections: tuple[tuple[str, tuple[Finding, ...]], ...]

    @property
    def problems(self) -> int:
        """How many things are broken."""
        return self._count("problem")

    def _count(self, level: Level) -> int:
        return sum(item.level == level for _, found in self.sections for item in found)

    @property
    def summary(self) -> str:
        """One sentence."""
        problems, warnings = self.problems, self._count("warning")
        if not problems and not warnings:
            return "All is well."
        return f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}."

    def text(self) -> str:
        """The report for people."""
        lines = [INTRODUCTION]
        for title, found in self.sections:
            lines += ["", title]
            for item in found:
                lines += _wrapped(f"  {item.level:<9}", item.text)
                lines += _wrapped(" " * 11 + "→ ", item.todo) if item.todo else []
        return "\n".join([*lines, "", self.summary])

    def json(self) -> str:
        """The report for programs."""
        sections = [
            {"title": title, "findings": [asdict(item) for item in found]}
            for title, found in self.sections
        ]
        whole = {"bestchat": version("bestchat"), "problems": self.problems, "sections": sections}
        return json.dumps(whole, indent=2, ensure_ascii=False)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        100,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL", re.IGNORECASE)
_CREDENTIALS = re.compile(r"[a-z][a-z0-9+.-]*://([^\s]*)@", re.IGNORECASE)

_SHORTEST_SECRET, _SHORTEST_PASSWORD = 8, 4
"""What is shorter stands in a report by chance."""


class Redaction:
    """The last look at a report: nothing that is known to be secret leaves in it.

    No check puts a secret into its findings; this is for what libraries and servers say.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Know the secrets of an environment."""
        self._secrets: set[str] = set()
        for name, value in environ.items():
            if _SECRET_NAMES.search(name) and len(value) >= _SHORTEST_SECRET:
                self._secrets.add(value)
            self.add_address(value)

    def add_address(self, address: str) -> None:
        """Know the password of an address, if it has one."""
        for credentials in _CREDENTIALS.findall(address):
            user, colon, password = credentials.partition(":")
            for secret in (password if colon else user, unquote(password)):
                if len(secret) >= _SHORTEST_PASSWORD:
                    self._secrets.add(secret)

    def clean(self, finding: Finding) -> Finding:
        """A finding without secrets, and without the name of the user's folder."""
        return Finding(finding.level, self._cleaned(finding.text), self._cleaned(finding.todo))

    def _cleaned(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        home = str(Path.home())
        return text.replace(home, "~") if len(home) > 1 and sys.platform != "win32" else text
