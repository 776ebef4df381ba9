"""The policy: what happens to a tool call before a person is asked.

First match wins, and no match asks. Where nobody is there to be asked, asking means denying.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from bestchat_server_ext.core.tools import ToolCall, ToolSpec

Verdict = Literal["approve", "ask", "deny"]


class Rule(msgspec.Struct, frozen=True):
    """One line of a policy."""

    tool: str
    """Pattern of tool names, as in file globbing."""
    verdict: Verdict
    """What to do with a call that matches."""


class Ruling(msgspec.Struct, frozen=True):
    """What the policy says to one call."""

    verdict: Verdict
    reason: str


def decide(rules: Sequence[Rule], spec: ToolSpec, call: ToolCall, *, attended: bool) -> Ruling:
    """Judge one call by the rules."""
    for rule in rules:
        if fnmatchcase(call.name, rule.tool):
            ruling = Ruling(rule.verdict, f"rule for {rule.tool!r}")
            break
    else:
        ruling = Ruling("ask", f"no rule covers {spec.name!r}")
    if ruling.verdict == "ask" and not attended:
        return Ruling("deny", "nobody was there to approve the call")
    return ruling
